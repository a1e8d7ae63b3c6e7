"""What the execution labels look like: outcomes by iteration and turn, repetition."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.metrics import Estimate, estimate
from mucode.records import Experience
from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from mucode.report.charts import Share, stacked
from mucode.report.headline import confidence
from mucode.report.results import bootstrap
from mucode.report.sources import Material, Round
from mucode.report.words import interval, method_name, percent, round_title
from mucode.types import Status

CORRECT, FOOLED = "correct", "public pass only"
OUTCOMES = {
    CORRECT: "o-correct",
    FOOLED: "o-fooled",
    Status.FAILED.value: "o-failed",
    Status.ERROR.value: "o-error",
    Status.TIMEOUT.value: "o-timeout",
    "no code": "o-nocode",
    "other": "o-other",
}


def outcome(row: Experience) -> str:
    """How a step ended, both halves together: a key of OUTCOMES."""
    if row.reward == 1.0:
        return CORRECT
    if row.status is Status.PASSED:
        return FOOLED
    name = row.status.value.replace("_", " ")
    return name if name in OUTCOMES else "other"


def labels_section(material: Material) -> Section:
    filled = [one for one in material.rounds if one.experiences]
    if not filled:
        return Section("labels", "Execution labels", (Paragraph("No rollout has been labelled."),))
    bars = [(f"{round_title(one)}, turn {turn}", _shares(rows)) for one in filled for turn, rows in _by_turn(one)]
    caption = (
        "How each reply of the training rollouts ended. No code: a reply without a program, which is labelled as "
        "wrong. Public pass only: the public test passed and a private one failed. "
        "A later turn has only the episodes that had not passed the public test before, so its "
        "problems are the harder ones. Other: memory, denied, opaque, internal."
    )
    blocks: list[Block] = [
        Figures((Figure("Outcomes by iteration and turn", stacked("outcomes", bars), caption),), wide=True),
        _table(material, filled),
    ]
    return Section("labels", "Execution labels", tuple(blocks))


def _by_turn(one: Round) -> list[tuple[int, list[Experience]]]:
    turns: dict[int, list[Experience]] = {}
    for row in one.experiences:
        turns.setdefault(row.turn, []).append(row)
    return sorted(turns.items())


def _shares(rows: Sequence[Experience]) -> list[Share]:
    found = [outcome(row) for row in rows]
    return [Share(name, css, found.count(name)) for name, css in OUTCOMES.items()]


def _table(material: Material, rounds: Sequence[Round]) -> Table:
    head = (
        "rollouts of",
        *material.seed_cell("seed"),
        "iteration",
        "problems",
        "episodes",
        "programs",
        "repeated",
        "no code",
        "solved at turn 1",
        "solved in the end",
        "interval",
        "problems ever solved",
        "with both",
    )
    caption = (
        "Training problems. Programs: replies that hold one; a reply without one is labelled, too, so that the gates "
        "count as many labels as there are replies. No code: the share of replies without. "
        "Repeated: programs that the same problem already had in this iteration. Solved in "
        f"the end: episodes whose last program is correct, with its {confidence(material)} interval over "
        "problems, each with all its episodes. With both: problems that have a correct and a wrong program, the only ones "
        "that give the verifier pairs."
    )
    return Table(head, tuple(_row(material, one) for one in rounds), caption)


def _row(material: Material, one: Round) -> tuple[str, ...]:
    rows = one.experiences
    programs = [(row.problem_id, row.program) for row in rows if row.program is not None]
    repeated = 1 - len(set(programs)) / len(programs) if programs else 0.0
    kinds: dict[str, set[float]] = {}
    for row in rows:
        if row.program is not None:
            kinds.setdefault(row.problem_id, set()).add(row.reward)
    ends = final_rewards(rows)
    first = [row.reward for row in rows if row.turn == 1]
    solved = estimate(ends, bootstrap(material)) or Estimate(0.0, 0.0, 0.0, 0)
    return (
        method_name(one.origin.method),
        *material.seed_cell(str(one.origin.seed)),
        str(one.iteration),
        str(len(ends)),
        str(sum(len(values) for values in ends.values())),
        str(len(programs)),
        percent(repeated),
        percent(sum(row.program is None for row in rows) / len(rows)),
        percent(sum(first) / len(first)) if first else "",
        percent(solved.value),
        interval(solved),
        str(sum(1.0 in found for found in kinds.values())),
        str(sum(len(found) == 2 for found in kinds.values())),
    )


def final_rewards(rows: Sequence[Experience]) -> dict[str, tuple[float, ...]]:
    """The reward of each episode's last program, problem by problem."""
    last: dict[str, dict[tuple[int, int], Experience]] = {}
    for row in sorted(rows, key=lambda row: row.turn):
        last.setdefault(row.problem_id, {})[row.iteration, row.rollout] = row
    return {
        problem: tuple(row.reward for _, row in sorted(episodes.items())) for problem, episodes in sorted(last.items())
    }
