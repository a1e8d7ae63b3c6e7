"""A simulated check of the theory: the loop of `mucode` with scripted players whose error models are known.

No language model: the generator is a table that learns by counting, the verifier has a known AUC, the sandbox reads the
world's truth from the tests. Rollouts, labels, expert and search are the product's own. `python -m benchmarks.theory`.
"""
