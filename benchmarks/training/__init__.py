"""Fine-tuning and verifier training, against TRL's trainers."""
