"""Labels joined with rollouts and the earlier dataset: the columns that the label suite reads, one value per row.

Nothing here judges: each derived column states a fact about a row that its own cells do not show.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from mucode.records import Experience, Label, Step
from mucode.types import Problem, Status

Columns = dict[str, list[Any]]  # column -> its cells, all of one length
Records = Sequence[Mapping[str, Any]]
KEY = ("problem_id", "iteration", "rollout", "turn")


def plain(row: Label | Step) -> dict[str, Any]:
    """A row as parquet would give it back."""
    cells = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return {name: cell.value if isinstance(cell, Enum) else cell for name, cell in cells.items()}


def label_columns(
    labels: Records, steps: Sequence[Step], previous: Sequence[Experience], problems: Sequence[Problem]
) -> Columns:
    """The labels' own columns and the derived ones; the labels must have the form of `records.Label`."""
    columns: Columns = {field.name: [r[field.name] for r in labels] for field in dataclasses.fields(Label)}
    return columns | _of_one_label(labels) | _of_rollouts(labels, steps) | _of_history(labels, previous, problems)


def step_columns(labels: Records, steps: Sequence[Step]) -> Columns:
    """The rollouts' side: each step with the number of its labels."""
    count = Counter(_key(label) for label in labels)
    records = [plain(step) for step in steps]
    columns: Columns = {name: [r[name] for r in records] for name in (*KEY, "status")}
    return columns | {"labels": [count[_key(r)] for r in records]}


def _of_one_label(labels: Records) -> Columns:
    public = [float(r["public_passed"]) for r in labels]
    private = [float(r["private_status"] == Status.PASSED) for r in labels]
    return {
        "public": public,
        "private": private,
        "oracle": [a * b for a, b in zip(public, private, strict=True)],
        "has_program": [float(r["program"] is not None) for r in labels],
        "counts_agree": [
            r["private_status"] != Status.PASSED or r["private_tests_passed"] == r["private_tests_total"]
            for r in labels
        ],
    }


def _of_rollouts(labels: Records, steps: Sequence[Step]) -> Columns:
    """Each label against the step it labels, and its place among its rollout's turns.

    `same_program` and `same_public_pass` are null for a label without a step, which `has_step` reports already.
    """
    of = {(s.problem_id, s.iteration, s.rollout, s.turn): s for s in steps}
    joined = [(label, of.get(_key(label))) for label in labels]
    gap, passed_before = _turn_order(labels)
    return {
        "has_step": [step is not None for _, step in joined],
        "same_program": [step and step.program == label["program"] for label, step in joined],
        "same_public_pass": [
            step and (step.status is Status.PASSED) == label["public_passed"] for label, step in joined
        ],
        "turn_gap": gap,
        "passed_before": passed_before,
    }


def _turn_order(labels: Records) -> tuple[list[int], list[int]]:
    """How far each turn lies from the one before it (the first: from 0), and how many before it passed publicly."""
    rollouts: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        rollouts[_key(label)[:3]].append(row)
    gap, passed_before = [0] * len(labels), [0] * len(labels)
    for rows in rollouts.values():
        turn, passed = 0, 0
        for row in sorted(rows, key=lambda row: labels[row]["turn"]):
            gap[row], passed_before[row] = labels[row]["turn"] - turn, passed
            turn, passed = labels[row]["turn"], passed + labels[row]["public_passed"]
    return gap, passed_before


def _of_history(labels: Records, previous: Sequence[Experience], problems: Sequence[Problem]) -> Columns:
    """Each label against earlier iterations, its equals in the file, and its problem.

    Equal programs are those whose public half came out alike: that is the rollout's, which no label can change. Where it
    failed, so does the reward, and says nothing of an earlier one.
    """
    split = {problem.id: problem.split for problem in problems}
    earlier = {(e.problem_id, e.program, True): e.reward for e in previous if e.status is Status.PASSED}
    equals = [(r["problem_id"], r["program"], r["public_passed"]) for r in labels]
    rewards: dict[tuple[str, str, bool], set[float]] = defaultdict(set)
    for label, key in zip(labels, equals, strict=True):
        rewards[key].add(label["reward"])
    last = max((e.iteration for e in previous), default=0)
    first = {
        key: place for place, key in reversed(list(enumerate(equals)))
    }  # a program counts once, however often written
    return {
        "own_split": [split.get(r["problem_id"]) for r in labels],
        "earlier_iteration": [last for _ in labels],
        "earlier_reward": [earlier.get(key) if first[key] == place else None for place, key in enumerate(equals)],
        "rewards_of_program": [len(rewards[key]) for key in equals],
    }


def _key(label: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(label[name] for name in KEY)
