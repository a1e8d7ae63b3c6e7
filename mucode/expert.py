"""The local-search expert: lines 4 and 5 of Algorithm 1."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mucode.dataset import histories
from mucode.records import Experience
from mucode.seeds import seed_for
from mucode.types import Candidate, Demonstration, History

Scores = Mapping[tuple[str, str], float]
"""R_phi of each (problem id, program) of D."""


@dataclass(frozen=True, slots=True)
class Objective:
    """beta_O * R(x, y) + beta_L * sigmoid(score) (equation of section 3.2; the squashing is ours).

    The squashed score lies in [0, 1], so with beta_O > beta_L no wrong program outranks a correct one, whatever the
    verifier says. Corners: (1, 0) is the oracle's choice alone (µCode_OV, RFT), (0, 1) the verifier's (µCode_LV, RFT_LV).
    """

    beta_oracle: float
    beta_learned: float

    def value(self, reward: float, score: float) -> tuple[float, float]:
        """Ordered as the objective is; among equals the raw score decides, if the verifier has a say at all."""
        return self.beta_oracle * reward + self.beta_learned * _sigmoid(score), score if self.beta_learned else 0.0


def candidates_by_problem(experiences: Iterable[Experience]) -> dict[str, list[Candidate]]:
    """D(x): every program seen for x, at any turn, in any iteration, once each, sorted by text.

    One that hangs on chance or time may have been seen with both rewards: it is correct if it was at every sighting.
    """
    found: dict[str, list[Candidate]] = {}
    for (problem_id, program), reward in sorted(_rewards(experiences).items()):
        found.setdefault(problem_id, []).append(Candidate(problem_id, program, reward))
    return found


def _rewards(experiences: Iterable[Experience]) -> dict[tuple[str, str], float]:
    """The lowest reward that each (problem id, program) was ever given."""
    lowest: dict[tuple[str, str], float] = {}
    for row in experiences:
        if row.program is not None:
            key = row.problem_id, row.program
            lowest[key] = min(row.reward, lowest.get(key, row.reward))
    return lowest


def _settled(experiences: Sequence[Experience]) -> list[Experience]:
    """The same rows, each with its program's lowest reward, so that one program is not correct here and wrong there."""
    lowest = _rewards(experiences)
    return [
        row if row.program is None else dataclasses.replace(row, reward=lowest[row.problem_id, row.program])
        for row in experiences
    ]


def best_candidate(candidates: Sequence[Candidate], scores: Sequence[float], objective: Objective) -> Candidate:
    """y*(x) = argmax over D(x) of the objective; ties fall to the first in order.

    Raises:
        ValueError: no candidates.
    """
    places = range(len(candidates))
    return candidates[max(places, key=lambda i: objective.value(candidates[i].reward, scores[i]))]


def demonstrations(  # a method's block of parameters, name by name
    experiences: Sequence[Experience],
    scores: Scores,
    *,
    imitate: str,
    turns: int,
    top: int,
    beta_oracle: float,
    beta_learned: float,
    require_correct: bool,
    keep_correct: bool,
) -> list[Demonstration]:
    """What a method's generator imitates.

    Args:
        experiences: D, rows of all iterations.
        scores: of every program of D.
        imitate: a key of TARGETS: "expert" (µCode's relabelling) or "own" (rejection sampling's own answers).
        turns: look at the first so many turns of an episode only; 0: at all.
        top: own: of each problem the best so many episodes; 0: all.
        beta_oracle, beta_learned: the objective.
        require_correct: expert: leave out the problems whose y* is wrong; own: the episodes whose last program is.
        keep_correct: expert: a state whose own program was correct is shown with that program as well.

    Returns:
        Equal (state, program) pairs once, with their number as weight; sorted by problem and first appearance.
    """
    seen = [row for row in _settled(experiences) if turns == 0 or row.turn <= turns]
    choice = Choice(Objective(beta_oracle, beta_learned), require_correct, keep_correct, top)
    weights: dict[tuple[str, History, str], float] = {}
    for problem_id, history, program in TARGETS[imitate](seen, scores, choice):
        weights[problem_id, history, program] = weights.get((problem_id, history, program), 0.0) + 1.0
    rows = [Demonstration(*pair, weight=weight) for pair, weight in weights.items()]
    return sorted(rows, key=lambda demonstration: demonstration.problem_id)


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides between programs, or episodes, of one problem."""

    objective: Objective
    require_correct: bool
    keep_correct: bool
    top: int


Target = tuple[str, History, str]  # (x, s_t, the program to imitate there)


def relabel(experiences: Sequence[Experience], scores: Scores, choice: Choice) -> Iterable[Target]:
    """D* = {(x, s_t, y*(x))}: every state of D, old ones too, with its problem's best known program (line 5)."""
    best = {
        problem_id: best_candidate(candidates, [scores[problem_id, c.program] for c in candidates], choice.objective)
        for problem_id, candidates in candidates_by_problem(experiences).items()
    }
    for row, history in zip(experiences, histories(experiences), strict=True):
        target = best.get(row.problem_id)
        if target is None or (choice.require_correct and target.reward < 1.0):
            continue
        yield row.problem_id, history, target.program
        if choice.keep_correct and row.reward == 1.0 and row.program is not None and row.program != target.program:
            yield row.problem_id, history, row.program


def own_answers(experiences: Sequence[Experience], scores: Scores, choice: Choice) -> Iterable[Target]:
    """Every turn's own program of the episodes that are kept by their last one: RFT, the wrong ones in between included.

    A turn without a program has nothing to imitate; an episode that ends on one is not kept.
    """
    kept = _kept_episodes(experiences, scores, choice)
    for row, history in zip(experiences, histories(experiences), strict=True):
        if row.program is not None and (row.problem_id, row.iteration, row.rollout) in kept:
            yield row.problem_id, history, row.program


TARGETS: dict[str, Callable[[Sequence[Experience], Scores, Choice], Iterable[Target]]] = {
    "expert": relabel,
    "own": own_answers,
}


def _kept_episodes(experiences: Sequence[Experience], scores: Scores, choice: Choice) -> set[tuple[str, int, int]]:
    last: dict[tuple[str, int, int], Experience] = {}
    for row in experiences:
        key = (row.problem_id, row.iteration, row.rollout)
        last[key] = max(last.get(key, row), row, key=lambda each: each.turn)
    ranked: dict[str, list[tuple[tuple[float, float], tuple[str, int, int]]]] = {}
    for key, row in sorted(last.items()):
        if row.program is not None and (row.reward == 1.0 or not choice.require_correct):
            value = choice.objective.value(row.reward, scores[row.problem_id, row.program])
            ranked.setdefault(row.problem_id, []).append((value, key))
    for episodes in ranked.values():
        episodes.sort(key=lambda episode: episode[0], reverse=True)  # stable: ties fall to the earlier episode
    return {key for episodes in ranked.values() for _, key in episodes[: choice.top or None]}


def limited(demonstrations: Sequence[Demonstration], per_problem: int, seed: int) -> list[Demonstration]:
    """At most `per_problem` states of each problem (0: all), drawn by seed; a problem keeps its total weight.

    A budget for machines on which D* is too much: the problems stay balanced as D* has them.
    """
    if per_problem == 0:
        return list(demonstrations)
    grouped: dict[str, list[Demonstration]] = {}
    for demonstration in demonstrations:
        grouped.setdefault(demonstration.problem_id, []).append(demonstration)
    return [
        kept for name, group in grouped.items() for kept in _drawn(group, per_problem, seed_for(seed, "limit", name))
    ]


def _drawn(group: Sequence[Demonstration], count: int, seed: int) -> list[Demonstration]:
    kept = sorted(random.Random(seed).sample(range(len(group)), min(count, len(group))))
    scale = sum(each.weight for each in group) / sum(group[index].weight for index in kept)
    return [dataclasses.replace(group[index], weight=group[index].weight * scale) for index in kept]


def _sigmoid(score: float) -> float:
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    return math.exp(score) / (1.0 + math.exp(score))
