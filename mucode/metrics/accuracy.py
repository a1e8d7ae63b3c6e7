"""pass@k and best-of-N: what each problem's searches were worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mucode.records import SearchChoice, SearchSample


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The unbiased estimate of pass@k from n samples (Chen et al. 2021): 1 - C(n - correct, k) / C(n, k).

    Raises:
        ValueError: not 0 <= correct <= n, or not 1 <= k <= n.
    """
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"no pass@{k} of {correct} correct among {n} samples")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def best_of_subsets(rewards: Sequence[float], n: int) -> float:
    """The expected reward of the best-ranked of n samples drawn without replacement.

    Args:
        rewards: of all N samples, in the order of a selector's preference, best first.
        n: from 1 to N.

    Returns:
        The mean over all C(N, n) subsets of the reward of each subset's first member.
    """
    total = len(rewards)
    if not 1 <= n <= total:
        raise ValueError(f"no subset of {n} among {total} samples")
    subsets = math.comb(total, n)
    return sum(reward * (math.comb(total - 1 - rank, n - 1) / subsets) for rank, reward in enumerate(rewards))


def first_turn_passes(samples: Iterable[SearchSample], k: int = 1) -> dict[str, tuple[float, ...]]:
    """pass@k of the first turn's samples, one value of each search. The rows are of one test set."""
    return {
        problem_id: tuple(pass_at_k(len(rows), sum(row.reward == 1.0 for row in rows), k) for rows in searches)
        for problem_id, searches in first_turns(samples).items()
    }


def first_turn_best(samples: Iterable[SearchSample], n: int) -> dict[str, tuple[float, ...]]:
    """The expected reward of the highest-scored of n first-turn samples, one value of each search; of one test set.

    Among equal scores the first sample wins, as in a search.
    """
    return {
        problem_id: tuple(
            best_of_subsets([row.reward for row in sorted(rows, key=lambda row: (-row.score, row.candidate))], n)
            for rows in searches
        )
        for problem_id, searches in first_turns(samples).items()
    }


def first_turns(samples: Iterable[SearchSample]) -> dict[str, list[list[SearchSample]]]:
    """The samples of the first turn, problem by problem and search by search; the greedy reply is none."""
    states: dict[str, dict[int, list[SearchSample]]] = {}
    for row in samples:
        if row.turn == 1 and row.candidate >= 0:
            states.setdefault(row.problem_id, {}).setdefault(row.search, []).append(row)
    return {
        problem_id: [rows for _, rows in sorted(searches.items())] for problem_id, searches in sorted(states.items())
    }


def search_rewards(
    choices: Iterable[SearchChoice], selector: str, n: int, turn: int | None = None
) -> dict[str, tuple[float, ...]]:
    """Best-of-N rewards of one selector, one value of each search: of its answer, or of its choice after `turn`.

    The mean over problems is the BoN accuracy. The rows are of one test set.
    """
    rows: dict[str, dict[int, float]] = {}
    for row in choices:
        if (row.selector, row.n) == (selector, n) and (row.final if turn is None else row.turn == turn):
            rows.setdefault(row.problem_id, {})[row.search] = row.reward
    return {
        problem_id: tuple(reward for _, reward in sorted(searches.items()))
        for problem_id, searches in sorted(rows.items())
    }
