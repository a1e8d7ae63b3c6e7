"""What computing common beginnings once saves in fine-tuning: `python -m benchmarks.prefix_sharing [--turns T]`.

One epoch's forward and backward passes over the same demonstrations in three layouts, taken in turn so that a busy
machine slows all alike: `padded` (batches grouped by length, padded: how the Trainer does it by itself), `alone` (one
demonstration at a time, no padding) and `shared` (how `fine_tune` does it). Time is processor time; memory is by how
much the largest batch raises that of a process of its own (Linux). The demonstrations are the starter problems' references
after rollouts of small mistakes, or those of `--demonstrations` (what the stage relabel writes).

The last line is JSON: {"benchmark": "prefix_sharing", "ratio_padded": ..., "ratio_alone": ..., ...}.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

from benchmarks.training.data import scripted
from mucode.generator.fine_tune import conversations, encode
from mucode.records import read_rows
from mucode.training.answers import AnswerLoss, Collate, answer_example
from mucode.training.order import dealt
from mucode.training.run import Example
from mucode.training.settings import TrainingSettings
from mucode.training.weights import load_causal_model, load_tokenizer, prepare
from mucode.types import Demonstration, Problem

Batch = list[Example]
_SETTINGS = TrainingSettings(1e-4, 1, 8, 4, 4096, 16, 32, 0.0, 0.0, 0, "linear", 1e-5, 1.0, "bfloat16")


@dataclass(frozen=True, slots=True)
class Data:
    """One epoch's demonstrations, tokenized, and which of them share a rollout."""

    examples: list[Example]
    groups: list[list[int]]


def load(options: argparse.Namespace) -> Data:
    """The demonstrations that the options ask for."""
    if options.demonstrations:
        demonstrations = read_rows(options.demonstrations, Demonstration)
        problems = read_rows(options.problems_file, Problem)
    else:
        demonstrations, problems = scripted(options.problems, options.rollouts, options.turns)
    known, tokenizer = {problem.id: problem for problem in problems}, load_tokenizer(options.base)
    pairs = [encode(tokenizer, each, known[each.problem_id], _SETTINGS.max_tokens, True) for each in demonstrations]
    examples = [answer_example(pair.prompt, pair.answer, 1.0) for pair in pairs]
    return Data(examples, conversations(demonstrations))


def padded(data: Data, size: int) -> list[Batch]:
    lengths = [len(example["input_ids"]) for example in data.examples]
    torch.manual_seed(0)
    return _cut(data, get_length_grouped_indices(lengths, size), size)


def alone(data: Data, size: int) -> list[Batch]:
    return [[example] for example in data.examples]


def shared(data: Data, size: int) -> list[Batch]:
    return _cut(data, dealt(data.groups, size, random.Random(0)), size)


LAYOUTS: dict[str, Callable[[Data, int], list[Batch]]] = {"padded": padded, "alone": alone, "shared": shared}


def _cut(data: Data, order: Sequence[int], size: int) -> list[Batch]:
    return [[data.examples[index] for index in order[at : at + size]] for at in range(0, len(order), size)]


def objective(options: argparse.Namespace) -> AnswerLoss:
    """The base model, ready to be trained; the fresh adapters' second halves are zero, which spares no arithmetic."""
    causal = load_causal_model(options.base, "float32")
    loss = AnswerLoss(causal, options.dtype == "bfloat16")
    prepare(causal, dataclasses.replace(_SETTINGS, lora_rank=options.lora_rank, dtype=options.dtype))
    return loss


def step(loss: AnswerLoss, batch: Batch, layout: str) -> tuple[float, int]:
    """Processor seconds and tokens of one forward and backward pass."""
    begun = time.process_time()
    inputs = Collate(shared=layout == "shared")(batch)
    loss(**inputs)["loss"].backward()
    spent = time.process_time() - begun
    loss.zero_grad()
    return spent, inputs["input_ids"].numel()


def measure(options: argparse.Namespace) -> tuple[dict[str, float], dict[str, int], int]:
    """Seconds and tokens of an epoch in each layout, and the number of demonstrations."""
    data, loss = load(options), objective(options)
    batches = {name: layout(data, options.size) for name, layout in LAYOUTS.items()}
    for name in LAYOUTS:
        step(loss, batches[name][0], name)
    seconds, tokens = dict.fromkeys(LAYOUTS, 0.0), dict.fromkeys(LAYOUTS, 0)
    most = max(map(len, batches.values()))
    for part in range(most):
        for name, own in batches.items():
            for batch in own[part * len(own) // most : (part + 1) * len(own) // most]:
                spent, width = step(loss, batch, name)
                seconds[name] += spent
                tokens[name] += width
    return seconds, tokens, len(data.examples)


def peak_growth(options: argparse.Namespace, layout: str) -> float:
    """Megabytes by which the largest batch raises this process's peak."""
    data, loss = load(options), objective(options)
    batch = max(LAYOUTS[layout](data, options.size), key=lambda each: sum(len(one["input_ids"]) for one in each))
    Path("/proc/self/clear_refs").write_text("5")  # from now on the peak is a new one: loading had a higher one
    before = _peak()
    step(loss, batch, layout)
    return (_peak() - before) / 1024


def _peak() -> int:
    """The most memory that this process has held (KiB; Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def report(options: argparse.Namespace) -> Iterator[str]:
    """The table, and the JSON line last."""
    seconds, tokens, count = measure(options)
    memory = {
        name: float(subprocess.check_output([sys.executable, "-m", __spec__.name, *sys.argv[1:], "--memory", name]))
        for name in LAYOUTS
    }
    yield f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}; {count} demonstrations"
    yield f"{'layout':8} {'tokens':>8} {'CPU s':>8} {'MB':>7}"
    for name in LAYOUTS:
        yield f"{name:8} {tokens[name]:8} {seconds[name]:8.1f} {memory[name]:7.0f}"
    yield json.dumps(
        {
            "benchmark": "prefix_sharing",
            "turns": options.turns,
            "dtype": options.dtype,
            "demonstrations_per_pass": options.size,
            "ratio_padded": round(seconds["padded"] / seconds["shared"], 2),
            "ratio_alone": round(seconds["alone"] / seconds["shared"], 2),
            "megabytes": {name: round(value) for name, value in memory.items()},
        }
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=Path("data/generators/base"))
    parser.add_argument("--demonstrations", type=Path, help="instead of scripted rollouts")
    parser.add_argument("--problems-file", type=Path, default=Path("data/problems.parquet"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--problems", type=int, default=6)
    parser.add_argument("--rollouts", type=int, default=2)
    parser.add_argument("--size", type=int, default=4, help="demonstrations in a forward pass")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--lora-rank", type=int, default=16)
    parser.add_argument("--memory", choices=list(LAYOUTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    for line in [str(peak_growth(options, options.memory))] if options.memory else report(options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
