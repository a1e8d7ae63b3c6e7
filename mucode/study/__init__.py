"""The study: does µCode beat Multi-STaR and STaR? Its pieces, their budget, and the page made from what they leave.

docs/study.md is the plan, written before any result. A piece is a size (profiles/study/) that runs in a workspace of its
own; pieces share a DVC cache, so nothing that they have in common is computed twice.
"""
