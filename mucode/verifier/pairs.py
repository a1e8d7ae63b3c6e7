"""What the verifier learns from: candidates without repetition, and preference pairs among them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from mucode.seeds import seed_for
from mucode.types import Candidate, MucodeError, PreferencePair


def distinct_candidates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each (problem, program) once, sorted, so that the order of D does not matter.

    Raises:
        MucodeError: the same program of the same problem has two rewards.
    """
    rewards: dict[tuple[str, str], float] = {}
    for candidate in candidates:
        key = (candidate.problem_id, candidate.program)
        if rewards.setdefault(key, candidate.reward) != candidate.reward:
            raise MucodeError(f"{candidate.problem_id}: one program has both rewards: label its rollouts anew")
    return [Candidate(*key, reward) for key, reward in sorted(rewards.items())]


def preference_pairs(candidates: Iterable[Candidate], per_problem: int, seed: int) -> list[PreferencePair]:
    """Correct/incorrect pairs of the same problem (section 3 of the paper: the Bradley-Terry loss).

    Args:
        candidates: D; repetitions count once.
        per_problem: how many pairs a problem gives at most, drawn without replacement.
        seed: of the draw; each problem draws from a seed of its own.

    Returns:
        Pairs sorted by problem; none of a problem without at least one of each kind.

    Raises:
        MucodeError: no problem has one of each.
    """
    pairs: list[PreferencePair] = []
    distinct = distinct_candidates(candidates)
    for problem_id, (right, wrong) in _by_reward(distinct).items():
        draw = random.Random(seed_for(seed, "pairs", problem_id))
        chosen = draw.sample(range(len(right) * len(wrong)), min(per_problem, len(right) * len(wrong)))
        for place in chosen:
            first, second = divmod(place, len(wrong))
            pairs.append(PreferencePair(problem_id, right[first], wrong[second]))
    if not pairs:
        raise MucodeError(f"no problem has {_lack(distinct)}")
    return pairs


def both_kinds(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The distinct candidates, for a loss that looks at one program at a time.

    Raises:
        MucodeError: all are correct, or all are wrong.
    """
    distinct = distinct_candidates(candidates)
    if len({candidate.reward for candidate in distinct}) < 2:
        raise MucodeError(f"the data lack {_lack(distinct)}")
    return distinct


def _by_reward(candidates: Sequence[Candidate]) -> dict[str, tuple[list[str], list[str]]]:
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for candidate in candidates:
        right, wrong = groups.setdefault(candidate.problem_id, ([], []))
        (right if candidate.reward == 1.0 else wrong).append(candidate.program)
    return groups


def _lack(distinct: Sequence[Candidate]) -> str:
    right = sum(candidate.reward == 1.0 for candidate in distinct)
    return (
        f"both a correct and a wrong program ({right} correct, {len(distinct) - right} wrong in all), so there is "
        "nothing to train the verifier on: take more rollouts, easier problems or a stronger base model"
    )
