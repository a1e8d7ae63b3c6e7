"""The scripted double: every kind of reply, and nothing but the state and the seed decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mucode.generator import load_generator
from mucode.generator.scripted import Mix, Role, ScriptedGenerator, mutants, write_script
from mucode.types import Answer, Completion, MucodeError, Sampling, State, Status, Turn, Verdict
from tests.conftest import SAMPLING, make_problem

REFERENCE = "def p(x):\n    if x > 3:\n        return x * 2\n    return x"
STATE = State(make_problem())
FAILED = State(make_problem(), (Turn(Completion("", None), Verdict(Status.NO_CODE, 0, 1)),))


def generator() -> ScriptedGenerator:
    return ScriptedGenerator({"toy/p": Role(REFERENCE, mutants(REFERENCE))})


def programs(state: State, seeds: range) -> list[str | None]:
    completions = generator().generate([state] * len(seeds), seeds, SAMPLING)
    return [completion.program and completion.program.strip() for completion in completions]


def test_equal_seeds_give_equal_replies_in_any_company() -> None:
    alone = generator().generate([STATE], [7], SAMPLING)
    together = generator().generate([FAILED, STATE, STATE], [1, 7, 8], SAMPLING)
    assert alone[0] == together[1]


def test_the_mix_holds_right_wrong_and_codeless_replies() -> None:
    counts = Counter(
        "right" if p == REFERENCE else "none" if p is None else "wrong" for p in programs(STATE, range(300))
    )
    assert set(counts) == {"right", "wrong", "none"}
    assert 0.25 < counts["right"] / 300 < 0.45


def test_after_a_failed_turn_the_reference_comes_more_often() -> None:
    first, later = programs(STATE, range(300)), programs(FAILED, range(300))
    assert later.count(REFERENCE) > first.count(REFERENCE) + 20


def test_greedy_replies_ignore_the_seed() -> None:
    greedy = Sampling(0.0, 1.0, 32)
    replies = generator().generate([STATE] * 5, range(5), greedy)
    assert len(set(replies)) == 1


def test_a_mutant_is_another_program_that_compiles() -> None:
    found = mutants(REFERENCE)
    assert len(found) >= 2
    for mutant in found:
        compile(mutant, "mutant", "exec")
        assert mutant != REFERENCE


@pytest.mark.parametrize("kind", ["reference", "mutant", "wrong", "codeless"])
def test_a_mix_of_one_kind_gives_only_that_kind(kind: str) -> None:
    only = Mix(**{name: float(name == kind) for name in ("reference", "mutant", "wrong", "codeless")})
    player = ScriptedGenerator({"toy/p": Role(REFERENCE, mutants(REFERENCE))}, only, only)
    found = {c.program and c.program.strip() for c in player.generate([STATE] * 20, range(20), SAMPLING)}
    known: dict[str, set[str | None]] = {"reference": {REFERENCE}, "mutant": {*mutants(REFERENCE)}, "codeless": {None}}
    assert found <= known[kind] if kind in known else not any(found & some for some in known.values())


def test_a_written_script_is_what_the_folder_plays(tmp_path: Path) -> None:
    write_script([Answer("toy/p", (), REFERENCE)], tmp_path)
    seeds = range(20)
    loaded = load_generator(tmp_path, tmp_path / "adapter")
    assert loaded.generate([STATE] * 20, seeds, SAMPLING) == generator().generate([STATE] * 20, seeds, SAMPLING)


def test_a_problem_that_the_script_does_not_know_is_named() -> None:
    with pytest.raises(MucodeError, match="toy/other"):
        generator().generate([State(make_problem("other"))], [0], SAMPLING)


def test_a_missing_model_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="nowhere"):
        load_generator(tmp_path / "nowhere")
