"""What a user of a trained pair runs: one problem in, the program that a search chose out."""

from mucode.solve.question import read_problem
from mucode.solve.solution import Solution, solve

__all__ = ["Solution", "read_problem", "solve"]
