"""`mucode label` as a whole, with the real sandbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mucode import __version__
from mucode.journal import journal_beside
from mucode.label import label
from mucode.label.rows import file_digest, read_problem_rows, survey
from mucode.problems.humaneval import packaged_rows
from mucode.types import MucodeError

DOUBLE = {
    "task_id": 7,
    "test_list": ["assert double(1) == 2", "assert double(2) == 4", "assert double(0) == 0"],
    "challenge_test_list": ["assert double('a') == 'aa'"],
}
ADD = {
    "task_id": "add",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["10 20\n", "1 -1\n"], "output": ["30\n", "0\n"]},
}
HUMANEVAL = packaged_rows()[0]
FIELDS = ["task_id", "passed", "public_passed", "status", "tests_passed", "tests_total"]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def labelled(folder: Path, problems: list[Any], completions: list[Any], timeout: float = 5.0) -> list[dict[str, Any]]:
    out = folder / "l.jsonl"
    label(
        problems=write(folder / "p.jsonl", problems),
        completions=write(folder / "c.jsonl", completions),
        out=out,
        timeout=timeout,
        workers=2,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_every_kind_of_completion_gets_its_label(tmp_path: Path) -> None:
    bad_body = "    return False\n"
    rows: list[tuple[int | str, str, tuple[Any, ...]]] = [
        (7, "def double(x):\n    return x + x", (True, True, "passed", 4, 4)),
        (7, "```python\ndef double(x):\n    return 2 * x\n```\nDone.", (True, True, "passed", 4, 4)),
        (7, "def double(x):\n    return 2 * int(x)", (False, True, "error", 3, 4)),
        (7, "def double(x):\n    return 2", (False, True, "failed", 1, 4)),
        (7, "def double(x):\n    return 3", (False, False, "failed", 0, 4)),
        (7, "```python\ndef double(x:\n```", (False, False, "error", 0, 4)),
        (7, "I would rather not.", (False, False, "no_code", 0, 4)),
        (7, "def double(x):\n    while True: pass", (False, False, "timeout", 0, 4)),
        ("HumanEval/0", HUMANEVAL["canonical_solution"], (True, True, "passed", 9, 9)),
        ("HumanEval/0", HUMANEVAL["prompt"] + bad_body, (False, True, "failed", 1, 9)),
        ("add", "print(sum(map(int, input().split())))", (True, True, "passed", 3, 3)),
        ("add", "```python\nprint(3)\n```", (False, True, "failed", 1, 3)),
        ("add", "print(input())", (False, False, "failed", 0, 3)),
        ("add", "I would rather not.", (False, False, "no_code", 0, 3)),
    ]
    completions = [{"task_id": task_id, "completion": text, "model": "m"} for task_id, text, _ in rows]
    found = labelled(tmp_path, [DOUBLE, HUMANEVAL, ADD], completions, timeout=1.0)
    assert [list(row) for row in found] == [FIELDS] * len(rows)
    assert [tuple(row.values()) for row in found] == [(task_id, *expected) for task_id, _, expected in rows]
    meta = json.loads((tmp_path / "l.jsonl.meta.json").read_text())
    assert "seccomp" in meta["isolation"]
    assert len(meta["seconds"]) == len(rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.jsonl", "l.jsonl", "l.jsonl.meta.json", "p.jsonl"]


def test_nothing_runs_and_nothing_is_written_when_a_line_is_refused(tmp_path: Path) -> None:
    completions = [{"task_id": 7, "completion": "x = 1"}, {"task_id": 8, "completion": "x = 1"}]
    with pytest.raises(MucodeError, match=r"c\.jsonl, line 2: no problem has the task_id 8"):
        labelled(tmp_path, [DOUBLE], completions)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.jsonl", "p.jsonl"]


def test_no_completions_give_an_empty_file(tmp_path: Path) -> None:
    assert labelled(tmp_path, [DOUBLE], []) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"timeout": 0.0}, "--timeout 0"),
        ({"timeout": float("nan")}, "--timeout nan"),
        ({"timeout": 1e10}, "--timeout 1"),
        ({"workers": 0}, "--workers 0"),
    ],
)
def test_limits_without_sense_are_refused(tmp_path: Path, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        label(problems=tmp_path / "p", completions=tmp_path / "c", out=tmp_path / "l", **options)


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [DOUBLE])
    with pytest.raises(MucodeError, match="is one of the inputs"):
        label(problems=path, completions=tmp_path / "c.jsonl", out=path)
    assert json.loads(path.read_text()) == DOUBLE


def test_labels_of_which_the_judge_failed_at_every_one_are_written_and_are_no_success(tmp_path: Path) -> None:
    completions = [{"task_id": 7, "completion": "x = 1"}, {"task_id": 7, "completion": "x = 2"}]
    problems, path = write(tmp_path / "p.jsonl", [DOUBLE]), write(tmp_path / "c.jsonl", completions)
    digest = survey(path, read_problem_rows(problems)).digest
    row = {"task_id": 7, "passed": False, "status": "internal"}
    with journal_beside(tmp_path / "l.jsonl", json.dumps([__version__, file_digest(problems), digest, 5.0])) as journal:
        journal.append([{"label": row, "seconds": 0.1, "isolation": "none"}] * 2)
    with pytest.raises(MucodeError, match="failed at every completion"):
        labelled(tmp_path, [DOUBLE], completions)
    assert (tmp_path / "l.jsonl").read_text() == f"{json.dumps(row)}\n" * 2


@pytest.mark.slow
def test_a_killed_run_continues_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Killed twice, each time when some labels are in the journal."""
    program = "import time\ndef double(x):\n    time.sleep(0.005)\n    return x + x if {n} % 3 else 0"
    completions = [{"task_id": 7, "completion": program.replace("{n}", str(n))} for n in range(40)]
    whole = labelled(tmp_path, [DOUBLE], completions)
    expected = (tmp_path / "l.jsonl").read_bytes()
    assert [row["passed"] for row in whole] == [n % 3 != 0 for n in range(40)]
    (tmp_path / "l.jsonl").unlink()

    journal = tmp_path / ".l.jsonl.partial"
    for least in (5, 15):
        run = subprocess.Popen([sys.executable, "-c", _RUN, tmp_path], start_new_session=True)
        while run.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") <= least):
            time.sleep(0.005)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert journal.exists()
        assert not (tmp_path / "l.jsonl").exists()

    labelled(tmp_path, [DOUBLE], completions)
    assert (tmp_path / "l.jsonl").read_bytes() == expected
    assert json.loads((tmp_path / "l.jsonl.meta.json").read_text())["resumed_after"] >= 15
    assert not journal.exists()


_RUN = """
import sys, pathlib
from mucode.label import label
f = pathlib.Path(sys.argv[1])
label(problems=f / "p.jsonl", completions=f / "c.jsonl", out=f / "l.jsonl", workers=2)
"""


def test_the_stream_answers_through_pipes_while_its_input_stays_open() -> None:
    source = "from mucode.label import label_stream; label_stream(timeout=2.0, workers=2)"
    run = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdin is not None
    assert run.stdout is not None
    for completion, status in [("def double(x): return 2 * x", "passed"), ("no", "no_code"), ("x = 1", "failed")]:
        run.stdin.write(json.dumps({"problem": DOUBLE, "completion": completion}).encode() + b"\n")
        run.stdin.flush()
        answer = json.loads(run.stdout.readline())
        assert list(answer) == [*FIELDS, "seconds", "isolation"]
        assert answer["status"] == status
    rest, _ = run.communicate(b"nonsense")
    assert list(json.loads(rest)) == ["error"]
    assert run.returncode == 0
