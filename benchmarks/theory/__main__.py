"""`python -m benchmarks.theory`: does the algorithm do what the theory says, where its assumptions hold and where not?

Prints the assumptions, the methods in both kinds of world and best-of-N against the verifier's AUC; the last line is JSON:
{"benchmark": "theory", "instruct": ..., "mucode": ..., "mucode_bon": ..., "unrecoverable_mucode": ..., ...}.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from benchmarks.theory.loop import Size
from benchmarks.theory.study import as_json, run_study
from benchmarks.theory.table import rows
from benchmarks.theory.world import Assumptions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.theory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--problems", type=int, default=300, help="to train on, and as many held out, in each world")
    parser.add_argument("--seeds", type=int, default=3, help="worlds")
    parser.add_argument("--plots", type=Path, help="a folder to write theory-*.svg to")
    parser.add_argument("--assume", nargs="*", default=[], metavar="NAME=NUMBER", help="another world: stubborn=0")
    parser.add_argument("--json-only", action="store_true", help="the last line only")
    arguments = parser.parse_args()
    started = time.process_time()
    study = run_study(assumptions(arguments.assume), Size(arguments.problems, arguments.problems), arguments.seeds)
    if not arguments.json_only:
        print("\n".join(rows(study, time.process_time() - started)))
    if arguments.plots:
        from benchmarks.theory.plots import draw

        draw(study, arguments.plots)
    print(json.dumps(as_json(study)))


def assumptions(changed: list[str]) -> Assumptions:
    """The world's numbers, some of them as the command line has them."""
    given = Assumptions()
    numbers = {
        f.name: getattr(given, f.name) for f in dataclasses.fields(given) if f.name not in ("truth", "recoverable")
    }
    for name, _, value in (each.partition("=") for each in changed):
        if name not in numbers:
            raise SystemExit(f"--assume {name}: the world's numbers are {', '.join(numbers)}")
        numbers[name] = type(numbers[name])(value)
    return dataclasses.replace(given, **numbers)


if __name__ == "__main__":
    main()
