"""The harness that kills retrains: it must hit what it aims at, and see what is left."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.kills.__main__ import plan
from benchmarks.processes import PARTS, Process, Watch, is_alive

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], 'mucode.execution.' + 'judge'])"
ORPHAN = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.stdin.read()"


def test_a_plan_follows_from_its_seed_and_leaves_no_part_out() -> None:
    assert plan(14, seed=3) == plan(14, seed=3) != plan(14, seed=4)
    assert {kill.victim for kill in plan(len(PARTS), seed=0)} == set(PARTS)


def test_the_named_part_is_killed_and_no_other() -> None:
    command = [sys.executable, "-c", PARENT, "import time; time.sleep(60)"]
    with subprocess.Popen(command) as parent, Watch(parent.pid) as watch:
        deadline = time.monotonic() + 20
        while not watch.kill("judge") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert parent.wait(timeout=20) == 0  # it saw its child end
        assert watch.left(patience=5) == []


def test_an_orphan_is_reported_and_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE) as parent, Watch(parent.pid) as watch:
        deadline = time.monotonic() + 20
        while len(watch.seen) < 2 and time.monotonic() < deadline:
            watch.look()
        parent.kill()
        parent.wait()
        [left] = watch.left(patience=0.2)
        assert left.startswith("process ")
        assert not any(_lives(process) for process in watch.seen)


def _lives(process: Process) -> bool:
    deadline = time.monotonic() + 5
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_alive(process)
