"""Whether a label costs the same after 1 thousand and after 100 thousand: `python -m benchmarks.flat`.

Every program is another text, so that none is answered from memory; HumanEval's references, each with a comment of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mucode.execution import open_sandbox
from mucode.problems import load_problems
from mucode.types import Job

_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print labels a second and resident memory of all processes at growing counts, and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flat", description=__doc__)
    parser.add_argument("--labels", type=int, default=100_000)
    labels: int = parser.parse_args().labels
    marks = [mark for mark in (1_000, 10_000, 30_000, 100_000) if mark < labels] + [labels]
    rows: list[dict[str, float]] = []
    with open_sandbox(2, 5.0) as sandbox:
        last, since = 0, time.monotonic()
        sys.stdout.write("  labels  labels/s since the line before  resident MB\n")
        for count, (_, verdict) in enumerate(sandbox.judge_iter(itertools.islice(jobs(), labels), "private"), start=1):
            if not verdict.passed:
                raise SystemExit(f"label {count} is {verdict.status}: every program here is right")
            if count in marks:
                speed = (count - last) / (time.monotonic() - since)
                rows.append({"labels": count, "labels_per_second": round(speed, 1), "megabytes": resident(os.getpid())})
                sys.stdout.write(f"{count:8}  {speed:30.1f}  {rows[-1]['megabytes']:11}\n")
                sys.stdout.flush()
                last, since = count, time.monotonic()
    ratio = rows[-1]["labels_per_second"] / rows[0]["labels_per_second"]
    sys.stdout.write(json.dumps({"benchmark": "flat", "speed_last_to_first": round(ratio, 3), "rows": rows}) + "\n")


def jobs() -> Iterator[Job]:
    """Right programs, no two alike, without end."""
    pairs = load_problems("humaneval")
    for number in itertools.count():
        problem, answer = pairs[number % len(pairs)]
        yield Job(problem, f"{answer.reference}\n# {number}\n", answer.private_tests)


def resident(process: int) -> int:
    """MB of a process and its descendants, shared pages counted in each."""
    own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE // 1_000_000
    below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(resident(int(child)) for child in below if Path(f"/proc/{child}/statm").exists())


if __name__ == "__main__":
    main()
