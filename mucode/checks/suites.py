"""The label suites as tables: a name, the sentence, the built-in expectation with its arguments.

SQL expectations fail on pandas and built-ins skip nulls, so facts about several rows or files are columns
(`checks.columns`) that built-ins read, and nulls have an expectation of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mucode.checks.columns import KEY
from mucode.config import Gates
from mucode.types import Problem, Status

TYPES = {
    "problem_id": "str",
    "iteration": "int",
    "rollout": "int",
    "turn": "int",
    "split": "str",
    "program": "str",  # or null: the reply held no program
    "public_passed": "bool",
    "private_status": "str",
    "private_tests_passed": "int",
    "private_tests_total": "int",
    "reward": "float",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A row of a suite."""

    name: str  # ours; what a refusal is called
    sentence: str  # what is expected, in plain language
    builtin: str  # a class of great_expectations.expectations
    arguments: Mapping[str, Any]
    shown: tuple[str, ...] = ()  # columns that explain a failing row, beside its key and the checked columns


Suite = tuple[Check, ...]


def columns_suite() -> Suite:
    """Whether the file is a table of labels at all."""
    columns = {"column_set": list(TYPES), "exact_match": True}
    return (
        Check("columns", f"the columns are {', '.join(TYPES)}", "ExpectTableColumnsToMatchSet", columns),
        Check("some_labels", "there is at least one label", "ExpectTableRowCountToBeBetween", {"min_value": 1}),
    )


def form_suite() -> Suite:
    """Whether every cell has its type; without that the other suites could not read it."""
    types = {c: {"column": c, "type_": t} for c, t in TYPES.items()}
    of_type = [
        Check(f"type_of_{c}", f"every {c} is of type {TYPES[c]}", "ExpectColumnValuesToBeOfType", a)
        for c, a in types.items()
    ]
    not_null = [
        Check(f"no_null_in_{c}", f"no {c} is null or NaN", "ExpectColumnValuesToNotBeNull", {"column": c})
        for c in TYPES
        if c != "program"
    ]
    return (*of_type, *not_null)


def label_suite(problems: Iterable[Problem], gates: Gates) -> Suite:
    """Whether each label makes sense, alone and beside its rollout, its problem and the dataset so far."""
    known = sorted(problem.id for problem in problems)
    return (*_ranges(), *_rewards(), *_rollouts(), *_training_data(known), *_history(gates), _pass_rate(gates))


def step_suite() -> Suite:
    """The rollouts' side."""
    return (
        _within("every_step_labelled", "every step of the rollouts has a label", "labels", 1),
        _not_internal("no_internal_public_status", "the judge failed on no step's public half", "status"),
    )


def drift_suite(gates: Gates) -> Suite:
    """Whether a round is like the one before it; its frame has one row."""
    bounds = (
        ("pass_rate_drift", "the pass rate", "pass_rate_drift", gates.max_pass_rate_drift, "pass_rate"),
        ("status_mix_drift", "the mix of public outcomes", "status_drift", gates.max_status_drift, "statuses"),
        ("program_length_drift", "the median program's length", "length_ratio", gates.max_length_ratio, "length"),
        (
            "duplicate_share_drift",
            "the share of repeated programs",
            "duplicate_drift",
            gates.max_duplicate_drift,
            "duplicates",
        ),
    )
    return tuple(
        Check(
            name,
            f"{subject} is like the iteration before's ({column} at most {most:g})",
            "ExpectColumnValuesToBeBetween",
            {"column": column, "max_value": most},
            (f"{shown}_before", f"{shown}_now"),
        )
        for name, subject, column, most, shown in bounds
    )


def audit_suite(gates: Gates) -> Suite:
    """Whether labels come out again; its frame has the audited rows."""
    few = {"column": "flaky", "value_set": [False], **_but_flaky(gates)}
    share = f"of the programs run again with another hash seed at most {gates.max_flaky_share:g} come out otherwise"
    return (
        _among(
            "label_repeats",
            "a label is what its program earns when it is run again",
            "wrong",
            [False],
            "reward",
            "program",
        ),
        Check("few_flaky_programs", share, "ExpectColumnValuesToBeInSet", few, ("reward", "program")),
    )


def _ranges() -> Suite:
    key = {"column_list": list(KEY)}
    total, passed = "private_tests_total", "private_tests_passed"
    return (
        Check("one_label_a_step", "no two labels are of the same step", "ExpectCompoundColumnsToBeUnique", key),
        _within("iteration_from_1", "iterations count from 1", "iteration", 1),
        _within("rollout_from_0", "rollouts count from 0", "rollout", 0),
        _within("turn_from_1", "turns count from 1", "turn", 1),
        _among("reward_0_or_1", "every reward is 0 or 1", "reward", [0.0, 1.0]),
        _among(
            "known_status", "every private status is one that the judge gives", "private_status", [*map(str, Status)]
        ),
        _not_internal("no_internal_private_status", "the judge failed on no label's private half", "private_status"),
        _within("private_count_from_0", "no count of tests is negative", passed, 0),
        _at_least("private_counts_within_total", "no more private tests passed than there are", total, passed),
    )


def _rewards() -> Suite:
    why = ("reward", "public_passed", "private_status")
    counts = ("private_status", "private_tests_passed", "private_tests_total")
    oracle = {"column_A": "reward", "column_B": "oracle"}
    earned = "public and private pass imply reward 1"
    return (
        _true("status_agrees_with_counts", "a passed private half has all its tests passed", "counts_agree", *counts),
        _at_least("reward_needs_program", "reward 1 implies a program", "has_program", "reward", "program"),
        _at_least("reward_needs_public_pass", "reward 1 implies that the public tests passed", "public", *why),
        _at_least("reward_needs_private_pass", "reward 1 implies that the private tests passed", "private", *why),
        Check("both_passes_earn_reward", earned, "ExpectColumnPairValuesToBeEqual", oracle, why),
    )


def _rollouts() -> Suite:
    public = "the public outcome is the one of the rollout"
    return (
        _among("turns_without_gap", "the turns of a rollout are 1, 2, ... k", "turn_gap", [1]),
        _among("nothing_after_public_pass", "a rollout ends with its public pass", "passed_before", [0]),
        _true("rolled_out", "every label belongs to a step of the rollouts", "has_step"),
        _true("program_as_rolled_out", "every program is the one that was rolled out", "same_program", "program"),
        _true("public_pass_as_rolled_out", public, "same_public_pass", "public_passed"),
    )


def _training_data(known: list[str]) -> Suite:
    own = "no problem of another split is in the training data"
    return (
        _among("known_problem", "every problem is known", "problem_id", known),
        _among("training_split", "every label is marked as training data", "split", ["train"]),
        _among("no_test_problem", own, "own_split", ["train"]),
    )


def _history(gates: Gates) -> Suite:
    later = {"column_A": "iteration", "column_B": "earlier_iteration"}
    both = {"column_A": "reward", "column_B": "earlier_reward", "ignore_row_if": "either_value_is_missing"}
    both |= _but_flaky(gates)  # the private half ran again, as in an audit
    newer = "the iteration is later than those of the dataset so far"
    flip = f"of the programs of earlier iterations at most {gates.max_flaky_share:g} are labelled otherwise"
    equal = "equal programs of a problem have equal rewards"
    return (
        Check("new_iteration", newer, "ExpectColumnPairValuesAToBeGreaterThanB", later),
        Check("no_flip_since_earlier", flip, "ExpectColumnPairValuesToBeEqual", both, ("program",)),
        _among("no_flip_within", equal, "rewards_of_program", [1], "reward", "program"),
    )


def _but_flaky(gates: Gates) -> dict[str, Any]:
    return {"mostly": round(1 - gates.max_flaky_share, 6)}


def _pass_rate(gates: Gates) -> Check:
    bounds = {"min_value": gates.min_pass_rate, "max_value": gates.max_pass_rate}
    sentence = f"the share of labels with reward 1 is within {gates.min_pass_rate} and {gates.max_pass_rate}"
    return Check("pass_rate", sentence, "ExpectColumnMeanToBeBetween", {"column": "reward", **bounds})


def _within(name: str, sentence: str, column: str, least: int) -> Check:
    return Check(name, sentence, "ExpectColumnValuesToBeBetween", {"column": column, "min_value": least})


def _among(name: str, sentence: str, column: str, values: list[Any], *shown: str) -> Check:
    return Check(name, sentence, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": values}, shown)


def _true(name: str, sentence: str, column: str, *shown: str) -> Check:
    return _among(name, sentence, column, [True], *shown)


def _not_internal(name: str, sentence: str, column: str) -> Check:
    arguments = {"column": column, "value_set": [str(Status.INTERNAL)]}
    return Check(name, sentence, "ExpectColumnValuesToNotBeInSet", arguments)


def _at_least(name: str, sentence: str, greater: str, smaller: str, *shown: str) -> Check:
    arguments = {"column_A": greater, "column_B": smaller, "or_equal": True}
    return Check(name, sentence, "ExpectColumnPairValuesAToBeGreaterThanB", arguments, shown)
