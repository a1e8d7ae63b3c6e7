"""`make quickstart` as a tree of processes: whichever is killed, nothing stays, and the next run goes on."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from flows import quickstart as starter
from flows.remotes import DvcRemotes
from flows.server import SECONDS_TO_START
from mucode.processes import held
from mucode.workspace import make_workspace
from tests.flows.conftest import make_toy
from tests.test_processes import is_gone

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parent.parent.parent
VICTIMS = {  # what tells each process of a run from the others: a part of its command line
    "make": "make",
    "flow": "flows.quickstart",
    "server": "uvicorn",
    "dvc": "dvc",
    "stage": "sleep 61",
}
STAGE = "import os; from mucode.processes import die_with_run; die_with_run(); os.execvp('sleep', 'sleep 61'.split())"


@pytest.fixture
def toy_repository(toy: Callable[..., Path]) -> Path:
    """A repository with the project's Makefile and code, whose stages are the toy's; labelling takes a minute.

    Like a real stage, the slow one ends with the DVC process that runs it.
    """
    root = toy(slow=f"test -e data/fast || exec python -c {shlex.quote(STAGE)}")
    for name in (".venv", "Makefile", "mucode", "flows", "pyproject.toml", "requirements.lock"):
        (root / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "params.yaml", root / "params.yaml")
    return root


@contextmanager
def quickstart(root: Path) -> Iterator[subprocess.Popen[str]]:
    """`make quickstart`, at work on the slow stage; what it wrote is in out.txt."""
    with (root / "out.txt").open("w") as out:
        make = subprocess.Popen(
            ["make", "--old-file", ".venv/.installed", "quickstart"],
            cwd=root,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not (set(tree(make.pid).values()) >= set(VICTIMS)) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield make
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
        make.wait()


def tree(root: int) -> dict[int, str]:
    """The process and all below it, by the part they play."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    below = {root}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return {pid: part(pid) for pid in below}


def part(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""
    names = [name for name, mark in VICTIMS.items() if mark in command]
    return names[-1] if names else command


@pytest.mark.parametrize("victim", VICTIMS)
def test_whichever_process_is_killed_the_others_end_within_seconds(toy_repository: Path, victim: str) -> None:
    with quickstart(toy_repository) as make:
        processes = tree(make.pid)
        assert set(VICTIMS) <= set(processes.values())
        os.kill(next(pid for pid, name in processes.items() if name == victim), signal.SIGKILL)
        assert make.wait(timeout=60) != 0
        left = [name for pid, name in processes.items() if not is_gone(pid)]
        assert left == []


def test_a_run_after_a_sigkill_continues_and_the_dead_run_counts_as_crashed(toy_repository: Path) -> None:
    with quickstart(toy_repository) as make:
        for pid in tree(make.pid):
            os.kill(pid, signal.SIGKILL)
    (toy_repository / "data/fast").touch()
    finished = subprocess.run(
        ["make", "--old-file", ".venv/.installed", "quickstart"],
        cwd=toy_repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SECONDS_TO_START,
    )
    assert finished.returncode != 0  # the toy has no pair to register
    assert "register" in finished.stderr
    assert "Stage 'prepare' didn't change, skipping" in finished.stderr
    assert "Running stage 'label@base-0'" in finished.stderr
    with closing(sqlite3.connect(toy_repository / ".mucode/prefect/prefect.db")) as database:
        states = {state for (state,) in database.execute("select state_type from flow_run")}
    assert "CRASHED" in states
    assert "RUNNING" not in states


def test_ctrl_c_ends_with_one_sentence_and_no_traceback(toy_repository: Path) -> None:
    with quickstart(toy_repository) as make:
        processes = tree(make.pid)
        os.killpg(make.pid, signal.SIGINT)
        make.wait(timeout=60)
        assert all(is_gone(pid) for pid in processes)
    said = (toy_repository / "out.txt").read_text()
    assert "mucode: stopped; what is finished is kept, run again to continue" in said
    assert "Error 130" in said
    assert "Traceback" not in said


def test_a_second_run_in_the_same_workspace_is_refused(toy_repository: Path) -> None:
    with quickstart(toy_repository):
        second = subprocess.run(
            [".venv/bin/python", "-m", "flows.quickstart"],
            cwd=toy_repository,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert second.returncode == 1
    assert "mucode: a run is going on in" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_start_that_is_refused_leaves_the_run_under_way_its_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    params = make_workspace("tiny", REPOSITORY, tmp_path / "tiny") / "params.yaml"
    params.write_text(f"{params.read_text()}# as it was when the run began\n")
    before = params.read_bytes()
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "argv", ["flows.quickstart", "--size", "tiny", "--folder", str(tmp_path / "tiny")])
    with held(tmp_path / "tiny/.mucode/quickstart.lock", "taken"):
        assert starter.main() == 1
    assert "a run is going on in" in capfd.readouterr().err
    assert params.read_bytes() == before


def test_what_is_to_come_is_said_before_anything_takes_time(toy_repository: Path) -> None:
    start = """if True:
        import sys
        from flows import quickstart
        from mucode.types import MucodeError
        def no_server(workspace):
            raise MucodeError(f"{sorted({'prefect', 'dvc', 'mlflow', 'torch', 'pandas'} & set(sys.modules))}")
        quickstart.prefect_server = no_server
        sys.exit(quickstart.main())"""
    run = subprocess.run([sys.executable, "-c", start], cwd=toy_repository, capture_output=True, text=True, check=False)
    first, advice, refusal = run.stderr.splitlines()
    assert first.startswith(f"a run in {toy_repository}: first Prefect starts")
    assert advice.startswith(
        f"no DVC remote is set: in {toy_repository}, `dvc remote add --default NAME URL` sets one; "
    )
    assert refusal == "mucode: []"


def test_a_size_goes_to_the_repository_s_remotes_and_a_folder_elsewhere_to_none(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "root")
    for name in ("params.yaml", "dvc.yaml", ".dvcignore", ".dvc/.gitignore", "profiles/tiny.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / ".dvc/config.local").write_text("[core]\n    remote = team\n['remote \"team\"']\n    url = ../../shelf\n")
    (root / "mucode").symlink_to(REPOSITORY / "mucode")
    assert DvcRemotes.of(starter.made_ready("tiny", root, None)).default == "team"
    assert DvcRemotes.of(starter.made_ready("tiny", root, tmp_path / "elsewhere")).default is None
