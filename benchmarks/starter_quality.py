"""How sharp the starter set's tests are: mutants of each reference against its asserts.

Run: python -m benchmarks.starter_quality

A mutant that no assert catches is compared with the reference on inputs near those of the asserts; if they always agree
it is presumed to be equivalent and left out. The inputs stay within what the asserts show (no negative number where
they have none), so a mutant that differs only outside the task's domain does not count either.
"""

from __future__ import annotations

import ast
import copy
import gc
import json
import math
import random
import signal
import string
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from benchmarks.mutants import mutants
from mucode.problems import load_problems
from mucode.types import Answer, Problem

CPU_SECONDS = 0.05  # of a mutant; references take well under a millisecond, a mutated loop may never end
PROBES = 400  # inputs on which a surviving mutant is compared with its reference
WEAK = 0.6  # share of caught mutants below which a problem is listed

Function = Callable[..., object]


class _TooLong(BaseException):
    """Not an Exception: no program can catch it by accident."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """What became of one problem's mutants."""

    problem: Problem
    caught: int
    missed: tuple[str, ...]  # programs that pass every assert and yet differ from the reference
    equivalent: int

    @property
    def score(self) -> float:
        """Share of the non-equivalent mutants that are caught; 1.0 when there is none."""
        return self.caught / (self.caught + len(self.missed)) if self.caught or self.missed else 1.0


def sharpness(problem: Problem, answer: Answer) -> Sharpness:
    """Run every mutant of the reference against all asserts, in this process: the programs are our own."""
    asserts = [compile(t.code, "test", "exec") for t in (*problem.public_tests, *answer.private_tests)]
    programs = mutants(answer.reference)
    survivors = [program for program in programs if _passes(program, problem.entry_point, asserts)]
    known = _known_results(problem, answer) if survivors else []
    missed = tuple(program for program in survivors if _differs(program, problem.entry_point, known))
    return Sharpness(problem, len(programs) - len(survivors), missed, len(survivors) - len(missed))


def inputs_and_expected(problem: Problem, answer: Answer) -> list[tuple[tuple[Any, ...], object]]:
    """Arguments and expected value of every assert of the form `f(literals) == literal`."""
    pairs = []
    for test in (*problem.public_tests, *answer.private_tests):
        statement = ast.parse(test.code).body[0]
        if not isinstance(statement, ast.Assert) or not isinstance(statement.test, ast.Compare):
            raise ValueError(f"{problem.id}: {test.code} is not of the form `assert f(...) == value`")
        call, expected = statement.test.left, statement.test.comparators[0]
        if not isinstance(call, ast.Call):
            raise ValueError(f"{problem.id}: {test.code} does not call the function on its left side")
        pairs.append((tuple(ast.literal_eval(arg) for arg in call.args), ast.literal_eval(expected)))
    return pairs


def main() -> int:
    """Print the table and the JSON line; the exit code is 1 when a problem is weak."""
    results = [sharpness(problem, answer) for problem, answer in load_problems("starter")]
    weak = [result for result in results if result.score < WEAK]
    print(f"{'split':<12}{'problems':>9}{'mutants':>9}{'caught':>8}{'missed':>8}{'equivalent':>12}{'score':>8}")
    for split in ("train", "validation", "test"):
        print(_row(split, [result for result in results if result.problem.split == split]))
    print(_row("all", results))
    for result in sorted(results, key=lambda result: result.score):
        for program in result.missed:
            print(f"\nmissed, {result.problem.id} ({result.score:.0%} caught):\n{program}")
    score = _score(results)
    print(json.dumps({"benchmark": "starter_quality", "score": round(score, 4), "weak": [r.problem.id for r in weak]}))
    return 1 if weak else 0


def _row(name: str, results: list[Sharpness]) -> str:
    caught, missed = sum(r.caught for r in results), sum(len(r.missed) for r in results)
    equivalent = sum(r.equivalent for r in results)
    total = caught + missed + equivalent
    return f"{name:<12}{len(results):>9}{total:>9}{caught:>8}{missed:>8}{equivalent:>12}{_score(results):>8.1%}"


def _score(results: list[Sharpness]) -> float:
    caught, missed = sum(r.caught for r in results), sum(len(r.missed) for r in results)
    return caught / max(caught + missed, 1)


def _passes(program: str, name: str, asserts: list[CodeType]) -> bool:
    try:
        with _time_limit():
            function = _function(program, name)
            for test in asserts:
                exec(test, {name: function})  # noqa: S102  # our own asserts
    except _TooLong:
        return False
    except Exception:  # noqa: BLE001  # whatever a mutant raises, it is caught
        return False
    return True


def _known_results(problem: Problem, answer: Answer) -> list[tuple[tuple[Any, ...], str]]:
    """The probes on which the reference has a value, with that value."""
    original = _function(answer.reference, problem.entry_point)
    results = ((probe, _result(original, probe)) for probe in _probes(problem, answer))
    return [(probe, result) for probe, result in results if result is not None]


def _differs(program: str, name: str, known: list[tuple[tuple[Any, ...], str]]) -> bool:
    mutant = _function(program, name)
    return any(_result(mutant, probe) != result for probe, result in known)


def _result(function: Function, arguments: tuple[Any, ...]) -> str | None:
    """The value as text, numbers to nine digits as floats (an assert takes 1 for 1.0); None if there is no value."""
    try:
        with _time_limit():
            return repr(_comparable(function(*copy.deepcopy(arguments))))
    except _TooLong:
        return None
    except Exception:  # noqa: BLE001  # an input outside the task's domain
        return None


def _comparable(value: Any) -> Any:
    if isinstance(value, int | float):
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return type(value)(_comparable(entry) for entry in value)
    if isinstance(value, dict):
        return sorted((repr(_comparable(key)), _comparable(entry)) for key, entry in value.items())
    return value


def _function(program: str, name: str) -> Function:
    namespace: dict[str, Any] = {}
    exec(program, namespace)  # noqa: S102  # our own reference, or a mutant of it
    function: Function = namespace[name]
    return function


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before, collects = signal.signal(signal.SIGVTALRM, stop), gc.isenabled()
    gc.disable()  # its time is not the mutant's
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        if collects:
            gc.enable()


def _probes(problem: Problem, answer: Answer) -> list[tuple[Any, ...]]:
    """Inputs like the asserts' own: each argument is taken from one of them and changed a little, up to three times."""
    rng = random.Random(problem.id)
    columns = list(zip(*(arguments for arguments, _ in inputs_and_expected(problem, answer)), strict=True))
    shown = [{trait for example in column for trait in _traits(example)} for column in columns]
    probes = []
    for _ in range(PROBES):
        row = rng.randrange(len(columns[0]))
        aligned = rng.random() < 0.5  # arguments often belong together: an item and the list that holds it
        probe = [column[row] if aligned else rng.choice(column) for column in columns]
        for _ in range(rng.randrange(4)):
            place = rng.randrange(len(columns))
            changed = _neighbour(probe[place], rng)
            probe[place] = changed if _traits(changed) <= shown[place] else probe[place]
        probes.append(tuple(probe))
    return probes


def _traits(value: Any) -> set[str]:
    """What kind of value it is: a probe has no trait that the asserts do not show (negative, zero, empty, ...)."""
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        signs = {"negative"} if value < 0 else {"zero"} if value == 0 else set()
        return signs | ({"fraction"} if value != int(value) else set())
    if isinstance(value, str):
        kinds = {"upper": str.isupper, "lower": str.islower, "digit": str.isdigit, "space": str.isspace}
        other = {c for c in value if c not in string.ascii_letters + string.digits}
        return (
            {kind for kind, holds in kinds.items() if any(map(holds, value))}
            | other
            | ({"empty"} if not value else set())
        )
    entries = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    inner = {f"inner {trait}" for entry in entries for trait in _traits(entry)}
    return inner | {f"{type(value).__name__} {min(len(value), 2)}"}


def _neighbour(value: Any, rng: random.Random) -> Any:
    """A value of the same type that differs a little; the value itself where there is nothing to change."""
    for kind, change in _CHANGES.items():
        if isinstance(value, kind) and (value or isinstance(value, int | float | str)):
            return change(value, rng)
    return value


def _number_near(value: float, rng: random.Random) -> float:
    return rng.choice([value + 1, value - 1, value + 10, -value, 0, rng.randrange(1, 100)])


def _string_near(value: str, rng: random.Random) -> str:
    place = rng.randrange(len(value) + 1)
    character = rng.choice(value + "aeTz 05.?")
    return rng.choice(
        [
            value[:place] + character + value[place:],
            value[:place] + value[place + 1 :],
            value[::-1],
            value + value,
            value.swapcase(),
        ]
    )


def _list_near(value: list[Any], rng: random.Random) -> list[Any]:
    place = rng.randrange(len(value))
    shuffled = rng.sample(value, len(value))
    longer = [*value, rng.choice(value)]
    return rng.choice([value[:place] + value[place + 1 :], shuffled, longer, value[::-1], _one_changed(value, rng)])


def _one_changed(value: list[Any], rng: random.Random) -> list[Any]:
    place = rng.randrange(len(value))
    return [*value[:place], _neighbour(value[place], rng), *value[place + 1 :]]


def _dict_near(value: dict[Any, Any], rng: random.Random) -> dict[Any, Any]:
    key = rng.choice(list(value))
    smaller = {other: entry for other, entry in value.items() if other != key}
    return rng.choice([smaller, {**value, key: _neighbour(value[key], rng)}])


_CHANGES: dict[type, Callable[[Any, random.Random], Any]] = {
    bool: lambda value, rng: not value,  # before int, which it is too
    int: _number_near,
    float: _number_near,
    str: _string_near,
    list: _list_near,
    tuple: lambda value, rng: tuple(_one_changed(list(value), rng)),
    dict: _dict_near,
}


if __name__ == "__main__":
    sys.exit(main())
