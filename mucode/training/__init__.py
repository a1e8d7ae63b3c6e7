"""What training the verifier and the generator have in common: one trainer, one form of trained weights."""
