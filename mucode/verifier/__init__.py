"""R_phi: the learned verifier, trained on the oracle's labels."""
