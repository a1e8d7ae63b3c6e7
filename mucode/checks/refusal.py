"""What a refusal says: the expectation, the rows, and a way out that can help against just that.

A label copies its step and adds the private half, and equal programs get equal labels. So labelling anew mends what is wrong
with the labels alone; what they copied is mended by rolling out anew, and what the model writes by neither.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from mucode.checks.expectations import Expectation

FLAKY = frozenset({"no_flip_since_earlier", "few_flaky_programs"})  # what programs that hang on chance or time may fail
BOUNDS = {  # what a model's programs as a whole may fail -> the parameters of the section gates, and what a change means
    "pass_rate": "min_pass_rate (lower: so few right programs will do) or max_pass_rate (higher: so few wrong ones will do)",
    "pass_rate_drift": "max_pass_rate_drift (higher: the pass rate may move so far in one iteration)",
    "status_mix_drift": "max_status_drift (higher: the mix of public outcomes may move so far in one iteration)",
    "program_length_drift": "max_length_ratio (higher: programs may become so much longer or shorter in one iteration)",
    "duplicate_share_drift": "max_duplicate_drift (higher: programs may repeat so much more or less in one iteration)",
}
COPIED = frozenset(  # what the step fails itself, if the label is its copy
    {
        "one_label_a_step",
        "iteration_from_1",
        "rollout_from_0",
        "turn_from_1",
        "turns_without_gap",
        "nothing_after_public_pass",
        "known_problem",
        "no_test_problem",
        "new_iteration",
        "no_internal_public_status",
    }
)
NO_COPY = frozenset({"rolled_out", "program_as_rolled_out", "public_pass_as_rolled_out"})
_FORCE = "dvc repro --single-item --force"


def refusal(refused: Sequence[Expectation], labels: Path, failure: Path) -> str:
    """The sentence about a file of labels.

    Args:
        refused: the expectations that failed, at least one.
        labels: the file; its stem is the key of the stages.
        failure: the report with all the rows.
    """
    first = refused[0]
    found = f"; found {first.observed}" if first.observed else ""
    if first.failing:
        examples = " | ".join(f"row {row.row}: {row.as_text()}" for row in first.rows[:3])
        found += f"; rows that fail: {first.failing}, first {examples}"
    others = f"; also refused by {', '.join(e.name for e in refused[1:])}" if refused[1:] else ""
    return (
        f"{labels} is refused by {first.name} (expected: {first.sentence}{found}{others}): nothing was trained on it; "
        f"see {failure}, then {way_out({expectation.name for expectation in refused}, labels.stem)}"
    )


def way_out(refused: Collection[str], key: str) -> str:
    """What to do about failed expectations. Where labels are at fault, what their programs as a whole fail may follow.

    Args:
        refused: names of expectations.
        key: of the stages, "base-0".
    """
    names = set(refused)
    again = f"label anew with `{_FORCE} label@{key}` and run again"
    if names & COPIED and not names & NO_COPY:
        return f"roll out anew with `{_FORCE} roll_out@{key}` and run again: labels made anew would hold the same"
    if not names <= FLAKY | BOUNDS.keys():
        return again
    ways = []
    if names & FLAKY:
        ways.append(
            f"{again}, where a machine was too busy for the programs' public tests `{_FORCE} roll_out@{key}` first; "
            "programs that hang on chance are let pass by a higher max_flaky_share in params.yaml's gates"
        )
    if bounds := [said for name, said in BOUNDS.items() if name in names]:
        ways.append(
            "look at the rollouts, because labels made anew would say the same; if the model does write such programs, "
            f"change in params.yaml's gates {' and '.join(bounds)} and run again"
        )
    return "; ".join(ways)
