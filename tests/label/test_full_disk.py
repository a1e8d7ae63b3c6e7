"""A disk that fills up under `mucode label`: one sentence, nothing lost, and the next run goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bubblewrap import bwrap

PROBLEM = {"task_id": 7, "test_list": ["assert double(1) == 2", "assert double(2) == 4"]}
LABEL = f"{sys.executable} -m mucode label --problems in/p.jsonl --completions in/c.jsonl --workers 2 --out"


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_next_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    given, disk, full = (tmp_path / name for name in ("in", "disk", "full"))
    for folder in (given, disk, full):
        folder.mkdir()
    lent = bwrap("--dev-bind", "/", "/", "--tmpfs", str(disk), "--size", str(256 << 10), "--tmpfs", str(full))
    completions = [
        {"task_id": 7, "completion": f"def double(x):\n    return x + x if {n} % 3 else {n}"} for n in range(600)
    ]
    (given / "p.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    (given / "c.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in completions))
    script = f"""
        {LABEL} disk/whole/l.jsonl || exit 1
        {LABEL} full/l.jsonl; echo "first: $?"
        test -e full/l.jsonl && exit 2
        ls -A full
        rm full/filler
        {LABEL} full/l.jsonl || exit 3
        cmp disk/whole/l.jsonl full/l.jsonl && echo same
    """
    (given / "filler").write_bytes(bytes(200 << 10))
    run = subprocess.run(
        [*lent, "sh", "-c", f"cp in/filler full/filler\n{script}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = [line for line in run.stderr.splitlines() if line.startswith("mucode:")]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert "run again to continue" in said[0]
    assert "first: 1" in run.stdout
    assert run.stdout.endswith("same\n")
