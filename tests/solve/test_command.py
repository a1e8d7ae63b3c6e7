"""`mucode solve` as it is called: options, streams and exit statuses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mucode.policies import ORACLE, SELECTORS
from mucode.solve import command
from mucode.solve.command import SCORED, search_settings
from mucode.solve.models import Located
from mucode.types import Generator, MucodeError, Sampling, Verifier
from tests.conftest import FunctionGenerator, FunctionVerifier


def mucode_solve(*words: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "mucode", "solve", *words]
    return subprocess.run(line, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)


def settings(**changes: Any) -> Any:
    values: dict[str, Any] = {"selector": "pt", "scored": False, "candidates": 5, "turns": 3, "seed": 0}
    return search_settings(**(values | {"sampling": Sampling(0.7, 1.0, 8)} | changes))


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"selector": ORACLE}, "--selector oracle is none of"),
        ({"candidates": 0}, "--candidates 0"),
        ({"turns": -1}, "--turns -1"),
        ({"sampling": Sampling(0.7, 1.0, 0)}, "--max-new-tokens 0"),
        ({"sampling": Sampling(-1.0, 1.0, 8)}, "--temperature -1"),
        ({"sampling": Sampling(float("nan"), 1.0, 8)}, "--temperature nan"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(changes: dict[str, Any], culprit: str) -> None:
    with pytest.raises(MucodeError, match=culprit):
        settings(**changes)


@pytest.mark.parametrize("selector", SELECTORS)
def test_only_selectors_that_score_need_a_verifier(selector: str) -> None:
    assert settings(selector=selector, scored=True).selectors == (selector,)
    if selector in SCORED:
        with pytest.raises(MucodeError, match=r"give one with --verifier"):
            settings(selector=selector)
    else:
        assert settings(selector=selector).selectors == (selector,)


def test_at_temperature_0_one_program_is_drawn() -> None:
    assert settings(sampling=Sampling(0.0, 1.0, 8)).candidates == (1,)


def test_an_error_is_one_sentence_and_nothing_on_standard_output(tmp_path: Path) -> None:
    run = mucode_solve("-", "--generator", "nowhere", cwd=tmp_path, stdin="Write f.")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("mucode: there is no folder nowhere")
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_tells_the_exit_statuses(tmp_path: Path) -> None:
    shown = " ".join(mucode_solve("--help", cwd=tmp_path).stdout.split())
    assert (
        "Exit status 0: the program passes the public tests, or there are none; 3: it does not, or no program was found"
        in shown
    )


def with_a_scripted_model(folder: Path, monkeypatch: pytest.MonkeyPatch, player: Generator) -> None:
    @contextlib.contextmanager
    def scripted(generator: Located, verifier: Located | None, engine: str) -> Iterator[tuple[Generator, Verifier]]:
        assert (generator.base, verifier, engine) == (folder, None, "transformers")
        yield player, FunctionVerifier(lambda text: 0.0)

    monkeypatch.setattr(command, "open_pair", scripted)
    for name in ("config.json", "model.safetensors"):  # a base model's folder, as far as anybody looks before loading
        (folder / name).touch()


@pytest.mark.parametrize("tests", [[], ["assert p(1) == 1"]])
def test_replies_without_a_program_are_named_for_what_they_are_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tests: list[str]
) -> None:
    with_a_scripted_model(tmp_path, monkeypatch, FunctionGenerator(lambda state, seed: None))
    problem = tmp_path / "problem.json"
    problem.write_text(json.dumps({"text": "Write a function p.", "tests": tests}))
    with pytest.raises(command.Unsolved, match="the last reply holds no program") as unsolved:
        command.solve(str(problem), generator=str(tmp_path), candidates=2, turns=1)
    assert unsolved.value.exit_code == 3
    assert "public tests" not in str(unsolved.value)


def test_the_program_that_passes_is_all_that_goes_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "def p(x):\n    return x"
    player = FunctionGenerator(lambda state, seed: program if seed % 3 else "def p(x):\n    return 0")
    with_a_scripted_model(tmp_path, monkeypatch, player)
    problem = tmp_path / "problem.json"
    problem.write_text(json.dumps({"text": "Write a function p.", "tests": ["assert p(1) == 1"]}))
    command.solve(str(problem), generator=str(tmp_path), candidates=8)
    assert capsys.readouterr().out == f"{program}\n"


@pytest.mark.slow
def test_a_pair_that_finds_nothing_ends_with_3_and_json_on_standard_output(workspace: Path, tmp_path: Path) -> None:
    """The tiny model's replies are noise."""
    pair = workspace / "data/selected/mucode-0"
    problem = tmp_path / "problem.json"
    problem.write_text(json.dumps({"text": "Write a function p.", "tests": ["assert p(1) == 1"]}))
    run = mucode_solve(
        str(problem),
        *("--generator", str(pair / "generator"), "--verifier", str(pair / "verifier"), "--test", "assert p(2) == 2"),
        *("--candidates", "2", "--turns", "2", "--max-new-tokens", "8", "--json", "--trace"),
        cwd=tmp_path,
    )
    assert run.returncode == 3, run.stderr
    found = json.loads(run.stdout)
    assert (found["passed"], len(found["public_tests"])) == (False, 2)
    assert [len(turn["candidates"]) for turn in found["turns"]] == [2, 2]
    for part in ("loading ", "turn 1: ", "turn 2: ", "--- turn 2 #2: "):
        assert part in run.stderr
    kind = "the answer does not pass" if found["program"] else "the last reply holds no program"
    assert f"mucode: {kind}" in run.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["problem.json"]
