from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mucode.cli import TOOLS, app
from mucode.types import MucodeError

ROOT = Path(__file__).parent.parent


def mucode(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mucode", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['mucode', '--help']\n"
        "from mucode.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'mlflow', 'pandas', 'pyarrow', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("[]\n")


def test_each_stage_tells_what_it_reads_and_writes() -> None:
    shown = mucode("stage", "roll_out", "--help").stdout
    assert "--problems" in shown
    assert "--out" in shown


def test_what_runs_the_tests_of_given_problems_says_whom_to_take_them_from() -> None:
    for command in ("solve", "collect"):
        _, told = TOOLS[command]
        assert "people you trust" in " ".join(told.split())


def test_an_error_is_one_sentence_and_a_non_zero_exit(tmp_path: Path) -> None:
    run = mucode(
        "stage",
        "aggregate",
        *(f"--{name}=x" for name in ("previous", "rollouts", "labels", "gate", "out")),
        cwd=tmp_path,
    )
    assert run.returncode == 1
    assert run.stderr == "mucode: x is missing: these labels have not passed the gates\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("doctor", "--timeout", "-1"), "--timeout -1.0 is no time: give seconds above 0, at most a billion"),
        (("budget", "--generation", "0"), "--generation 0.0 is no rate: give tokens per second above 0"),
        (("budget", "--training", "nan"), "--training nan is no rate: give tokens per second above 0"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_by_its_option(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(MucodeError) as refused:
        app()(words)
    assert str(refused.value) == said


def test_an_unknown_command_is_refused() -> None:
    assert mucode("stag").returncode != 0
