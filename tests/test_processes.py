from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mucode.processes import FLOW, held, spawn, stop
from mucode.types import MucodeError

PARENT = """
import os, subprocess, sys, time
from mucode.processes import tied
child = subprocess.Popen(tied(["sleep", "60"]))
print(child.pid, flush=True)
time.sleep(60)
"""
HOLDER = """
import sys, time
from pathlib import Path
from mucode.processes import held
with held(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    time.sleep(60)
"""


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process that is no child of ours ends in time; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" or time.monotonic() > deadline:
            return state == "Z"
        time.sleep(0.02)


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_tied_child_dies_when_its_parent_is_killed() -> None:
    with python(PARENT) as parent:
        child = int(first_line(parent))
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        assert is_gone(child)


def test_a_stage_whose_dvc_ended_while_it_started_ends_too() -> None:
    script = "from mucode.processes import die_with_run; die_with_run(); print('at work')"
    flows = {"its grandparent": str(os.getppid()), "long gone": "4194305"}
    said = {}
    for name, flow in flows.items():  # we stand where DVC would
        environment = {**os.environ, "DVC_STAGE": "label@base-0", FLOW: flow}
        finished = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
        said[name] = (finished.returncode, finished.stdout)
    assert said == {"its grandparent": (0, b"at work\n"), "long gone": (-signal.SIGKILL, b"")}


def test_a_lock_is_refused_while_held_and_free_once_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "deep/run.lock"
    with python(HOLDER, str(lock)) as holder:
        assert first_line(holder) == "held"
        with pytest.raises(MucodeError, match="a run is going on"), held(lock, "a run is going on"):
            pass
        holder.kill()
    with held(lock, "a run is going on"):
        pass


def test_stop_ends_a_child_that_ignores_the_polite_signal_and_what_it_started(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 60 & echo $! > grandchild; echo ready; while :; do sleep 1; done"
    log = tmp_path / "logs/child.log"
    child = spawn(["sh", "-c", script], cwd=tmp_path, env=os.environ, log=log)
    while "ready" not in log.read_text():
        time.sleep(0.01)
    stop(child, signal.SIGTERM, grace=0.2)
    assert child.returncode == -signal.SIGKILL
    assert is_gone(int((tmp_path / "grandchild").read_text()))


def test_the_output_of_a_spawned_child_is_appended_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    for word in ("first", "second"):
        stop_when_done = spawn(["echo", word], cwd=tmp_path, env=os.environ, log=log)
        stop_when_done.wait()
    assert log.read_text() == "first\nsecond\n"
