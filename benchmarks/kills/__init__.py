"""SIGKILL at random moments of a retrain, whoever it hits, and what the runs after it make of that."""
