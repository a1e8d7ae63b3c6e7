"""Multi-turn rollouts end to end, against transformers' `generate`."""
