"""A few rollouts to read turn by turn, chosen by what they show. Their texts are a model's: shown, never trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mucode.records import Experience
from mucode.report.blocks import Episode, Episodes, Paragraph, Section, TurnView
from mucode.report.labels import CORRECT, outcome
from mucode.report.sources import Material, Round
from mucode.report.words import visible
from mucode.types import Problem, Status

Rollout = tuple[Experience, ...]  # one episode, turn by turn


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of episode worth reading."""

    title: str
    why: str
    shows: Callable[[Rollout], bool]


KINDS = (
    Kind(
        "Repaired",
        "Wrong at the first turn, correct after reading what the public test said.",
        lambda turns: len(turns) > 1 and turns[0].reward == 0 and turns[1].reward == 1,
    ),
    Kind("Right at once", "Correct at the first turn, so there is no second one.", lambda turns: turns[0].reward == 1),
    Kind(
        "Fools the public test",
        "The public test passes and ends the episode, a private one fails: why the reward needs both.",
        lambda turns: turns[-1].status is Status.PASSED and turns[-1].reward == 0,
    ),
    Kind(
        "Not solved",
        "Wrong at every turn.",
        lambda turns: turns[-1].status is not Status.PASSED and turns[-1].program is not None,
    ),
)


def episodes_section(material: Material) -> Section:
    found = [episode for kind in KINDS if (episode := _first(material, kind)) is not None]
    body = Episodes(tuple(found)) if found else Paragraph("There is no rollout to show.")
    intro = Paragraph(
        "From the training problems, the latest iteration that has such an episode; of those the shortest, then "
        "the first by problem. Programs and observations are shown as the model and the judge wrote them."
    )
    return Section("rollouts", "Rollouts to read", (intro, body) if found else (body,))


def _first(material: Material, kind: Kind) -> Episode | None:
    for one in reversed(material.rounds):
        shown = [
            turns
            for turns in rollouts(one.experiences)
            if kind.shows(turns) and turns[0].problem_id in material.problems
        ]
        if shown:
            turns = min(shown, key=_readable)
            return _episode(kind, one, turns, material.problems[turns[0].problem_id])
    return None


def _readable(turns: Rollout) -> tuple[int, str, int]:
    length = sum(len(row.program or row.reply) + len(row.feedback) for row in turns)
    return (max(length, 400), turns[0].problem_id, turns[0].rollout)  # among the short ones the first


def rollouts(rows: Sequence[Experience]) -> list[Rollout]:
    """The rows of one iteration as episodes, sorted."""
    episodes: dict[tuple[str, int], list[Experience]] = {}
    for row in rows:
        episodes.setdefault((row.problem_id, row.rollout), []).append(row)
    return [tuple(sorted(turns, key=lambda row: row.turn)) for _, turns in sorted(episodes.items())]


def _episode(kind: Kind, one: Round, turns: Rollout, problem: Problem) -> Episode:
    return Episode(
        title=kind.title,
        why=kind.why,
        where=f"{problem.id}, {one.origin.method} iteration {one.iteration}, rollout {turns[0].rollout}",
        problem=visible(problem.text.strip()),
        tests=visible("\n".join(test.code.strip() for test in problem.public_tests)),
        turns=tuple(_turn(row) for row in turns),
    )


def _turn(row: Experience) -> TurnView:
    ended = outcome(row)
    return TurnView(
        number=row.turn,
        program=visible((row.reply if row.program is None else row.program).strip()),
        codeless=row.program is None,
        outcome=f"{ended}, reward {row.reward:g}, public tests {row.tests_passed} of {row.tests_total}",
        correct=ended == CORRECT,
        observation=visible(row.feedback.strip()),
    )
