"""The Makefile's recipes, with a Python that only writes down what it is asked and what the shell told it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import OF_THE_SHELL

ROOT = Path(__file__).parent.parent
PYTHON = """\
#!/bin/sh
shift 5  # -I -S mucode/processes.py and its two arguments
{ echo "$*"; env; } >> asked.txt
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The Makefile where everything is installed already."""
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    for name in ("requirements.lock", "pyproject.toml", ".venv/bin/python", ".venv/.installed"):  # in order of time
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PYTHON)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make(repository: Path, target: str, **shell: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **shell}
    return subprocess.run(
        ["make", *target.split()], cwd=repository, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("target", "commands"), [("test", ["pytest", "flows.quickstart"]), ("test-all", ["pytest"])])
def test_tests_and_their_run_are_told_nothing_of_the_team_s_servers(
    repository: Path, target: str, commands: list[str]
) -> None:
    shell = dict.fromkeys(OF_THE_SHELL, "http://127.0.0.1:9") | {"MUCODE_MBPP": "mbpp.jsonl"}
    ended = make(repository, target, **shell)
    assert ended.returncode == 0, ended.stderr
    told = (repository / "asked.txt").read_text()
    assert [line.split()[2] for line in told.splitlines() if line.startswith(".venv/bin/python -m")] == commands
    assert told.count("MUCODE_MBPP=mbpp.jsonl\n") == told.count("DVC_GLOBAL_CONFIG_DIR=/nonexistent\n") == len(commands)
    assert told.count("PYTHONUTF8=1\n") == len(commands)
    assert [name for name in OF_THE_SHELL if f"\n{name}=" in told] == []


@pytest.mark.parametrize(("size", "folder"), [("", "workspace of default"), (" SIZE=small", "workspace of small")])
def test_repro_runs_in_the_workspace_that_its_size_has_now(repository: Path, size: str, folder: str) -> None:
    (repository / ".venv/bin/python").write_text(
        '#!/bin/sh\nif [ "$3" = workspace ]; then echo "workspace of $5"; else printf "%s\\n" "$@" > asked.txt; fi\n'
    )
    ended = make(repository, f"repro{size}")
    assert ended.returncode == 0, ended.stderr
    asked = (repository / "asked.txt").read_text().splitlines()
    assert asked[5:] == [".venv/bin/python", "-m", "dvc", "--cd", folder, "repro"]


def test_repro_of_a_size_that_there_is_not_runs_nothing(repository: Path) -> None:
    (repository / ".venv/bin/python").write_text(
        '#!/bin/sh\nif [ "$3" = workspace ]; then exit 1; else touch asked.txt; fi\n'
    )
    assert make(repository, "repro SIZE=smal").returncode != 0
    assert not (repository / "asked.txt").exists()


def test_another_system_than_linux_is_refused_before_anything_is_installed(repository: Path) -> None:
    (repository / "bin").mkdir()
    (repository / "bin/uname").write_text("#!/bin/sh\necho Darwin\n")
    (repository / "bin/uname").chmod(0o755)
    (repository / ".venv/.installed").unlink()
    ended = make(repository, "test", PATH=f"{repository}/bin{os.pathsep}{os.environ['PATH']}")
    assert ended.returncode != 0
    assert "mucode needs Linux" in ended.stderr
    assert not (repository / "asked.txt").exists()
