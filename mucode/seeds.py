"""Randomness with an address."""

from __future__ import annotations

import hashlib
import json


def seed_for(seed: int, *parts: str | int) -> int:
    """A seed of its own for each sample, the same on every machine and in any order of work.

    Args:
        seed: the run's seed.
        parts: the sample's address, such as (stage, iteration, problem, rollout, turn, candidate).

    Returns:
        An integer in [0, 2**63).
    """
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1
