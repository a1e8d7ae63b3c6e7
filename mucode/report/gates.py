"""What the gates saw: each round of labels beside the round before, the audit, and every expectation that held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mucode.report.blocks import Block, Paragraph, Section, Table
from mucode.report.sources import Material, Round
from mucode.report.words import count, method_name, percent, round_title, signed_points

HEAD = (
    "iteration",
    "labels",
    "pass rate",
    "change",
    "outcomes moved",
    "median length",
    "change",
    "repeated",
    "change",
    "run again",
    "flaky",
)
CAPTION = (
    "Labels: one for each reply, also where it holds no program, so there may be more than programs above; the pass "
    "rate is the share of labels that say correct. Changes are against the iteration before. "
    "Outcomes moved: the share of public outcomes that would have to be "
    "others for both iterations to be distributed alike. Length: characters of a program; its change is the longer "
    "median over the shorter. Run again: distinct programs drawn at random and judged once more with another hash "
    "seed; flaky: those that came out otherwise, though not every time, or whose public half alone did."
)
FLAKY = (
    "Programs whose outcome hangs on the order of a set, on chance or on time; their labels are one of their outcomes."
)


def gates_section(material: Material) -> Section:
    """The gates' own account; labels that a gate refuses never come as far as a report."""
    rounds = [one for one in material.rounds if one.gate.get("expectations")]
    if not rounds:
        return Section("gates", "Label gates", (Paragraph("No gate has been passed."),))
    held = ", ".join(f"{round_title(one)}: {count(len(one.gate['expectations']), 'expectation')}" for one in rounds)
    head = ("rollouts of", *material.seed_cell("seed"), *HEAD)
    blocks: list[Block] = [
        Paragraph(f"The Great Expectations gates held for every round of labels ({held})."),
        Table(head, tuple(_row(material, one) for one in rounds), CAPTION),
        *_flaky(rounds),
        _sentences(rounds),
    ]
    return Section("gates", "Label gates", tuple(blocks))


def _row(material: Material, one: Round) -> tuple[str, ...]:
    facts, drift, audit = one.gate["facts"], one.gate.get("drift"), one.gate.get("audit")
    return (
        method_name(one.origin.method),
        *material.seed_cell(str(one.origin.seed)),
        str(one.iteration),
        str(facts["labels"]),
        percent(facts["pass_rate"]),
        _signed(drift, "pass_rate"),
        percent(drift["statuses"]) if drift else "",
        f"{facts['program_length']:g}",
        f"× {drift['length_ratio']:.2f}" if drift else "",
        percent(facts["duplicate_share"]),
        _signed(drift, "duplicate_share"),
        str(audit["programs"]) if audit else "",
        str(len(audit["flaky"])) if audit else "",
    )


def _signed(drift: dict[str, Any] | None, name: str) -> str:
    """In percentage points, with the direction that the distance itself has not."""
    return signed_points(drift["now"][name] - drift["before"][name]) if drift else ""


def _flaky(rounds: Sequence[Round]) -> list[Block]:
    found = [(one, row) for one in rounds if one.gate.get("audit") for row in one.gate["audit"]["flaky"]]
    if not found:
        return []
    head = ("labels", "problem", "rollout", "turn", "reward")
    rows = tuple(
        (round_title(one), row["problem_id"], str(row["rollout"]), str(row["turn"]), f"{row['reward']:g}")
        for one, row in found
    )
    return [Table(head, rows, FLAKY, labels=2)]


def _sentences(rounds: Sequence[Round]) -> Block:
    sentences = dict.fromkeys(e["sentence"] for one in rounds for e in one.gate["expectations"])
    return Table(
        ("expectation",),
        tuple((sentence,) for sentence in sentences),
        "",
        folded="What the gates checked before training",
    )
