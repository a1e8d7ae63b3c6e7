"""Model servers: talking to one that speaks OpenAI's protocol, and running one (vLLM) on this machine."""
