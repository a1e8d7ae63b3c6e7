"""`python -m benchmarks.recompute`: the study's primary comparison once more, from the raw files and without the package.

A second implementation of what docs/results.md says of it, and what the page leaves out: the interval as it was made until
the evening before, each training against each, the lead without the problems that gained most.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

STUDY = Path(__file__).parent.parent / "docs/study"
FOLDER = STUDY / "main"
FOLDERS = {"mbpp/test": FOLDER, "humaneval/test": STUDY / "humaneval"}
OURS, RIVAL, SEEDS, EACH = "mucode", "multi_star", (0, 1), 2
RESAMPLES, SEED = 10_000, 1
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """A paired difference in points, with its 95 % interval."""

    words: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.words:<58} {self.value:+5.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def rewards(folder: Path, method: str, turn: int = 3, without: Collection[str] = ()) -> Floats:
    """Of best of 5 with pt+lv after a turn: [seeds, problems, searches], problems in the order of their names.

    `folder` holds the searches of one plain test set, if of any.
    """
    return np.stack([_of_seed(folder / f"{method}-{seed}.parquet", turn, without) for seed in SEEDS])


def _of_seed(path: Path, turn: int, without: Collection[str]) -> Floats:
    rows = [
        row
        for row in pq.read_table(path).to_pylist()
        if (row["benchmark"], row["selector"], row["n"], row["turn"]) in {(name, "pt+lv", 5, turn) for name in FOLDERS}
        and row["search"] < EACH
    ]
    if unknown := set(without) - {row["problem_id"] for row in rows}:
        raise SystemExit(f"{path} has no problem {min(unknown)}: give names such as {rows[0]['problem_id']}")
    rows = [row for row in rows if row["problem_id"] not in without]
    problems = sorted({row["problem_id"] for row in rows})
    table = np.full((len(problems), EACH), np.nan)
    for row in rows:
        table[problems.index(row["problem_id"]), row["search"]] = row["reward"]
    if np.isnan(table).any():
        raise SystemExit(f"{path} does not hold {EACH} searches of every problem: run the piece with `make study`")
    return table


def interval(words: str, changes: Floats) -> Finding:
    """Of the mean of the problems' differences; the problems are drawn."""
    drawn = np.random.default_rng(SEED).integers(len(changes), size=(RESAMPLES, len(changes)))
    return _finding(words, changes, changes[drawn].mean(axis=1))


def nested_interval(words: str, ours: Floats, rival: Floats) -> Finding:
    """As it was made until 2026-11-26: problems are drawn, and searches again within each. [problems, searches] each."""
    rng = np.random.default_rng(SEED)
    n, searches = ours.shape
    means = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        drawn = rng.integers(n, size=n)
        one, other = (
            np.take_along_axis(table[drawn], rng.integers(searches, size=(n, searches)), axis=1)
            for table in (ours, rival)
        )
        means[place] = one.mean() - other.mean()
    return _finding(words, ours.mean(axis=1) - rival.mean(axis=1), means)


def _finding(words: str, changes: Floats, means: Floats) -> Finding:
    low, high = np.percentile(means, [2.5, 97.5])
    return Finding(words, 100 * float(changes.mean()), 100 * float(low), 100 * float(high))


def sign_test(changes: Floats) -> float:
    better, worse = int((changes > 0).sum()), int((changes < 0).sum())
    tail = sum(math.comb(better + worse, i) for i in range(min(better, worse) + 1))
    return float(min(1.0, 2 * tail / 2 ** (better + worse)))


def permutation_test(changes: Floats) -> float:
    """Signs flipped at random."""
    signs = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(RESAMPLES, len(changes)))
    return float((np.abs(signs @ changes) >= abs(changes.sum()) - 1e-9).mean())


def findings(folder: Path = FOLDER, without: Collection[str] = ()) -> Iterator[Finding]:
    """All of them, the page's first."""
    ours, rival = (rewards(folder, method, without=without) for method in (OURS, RIVAL))
    by_problem = (ours.mean(axis=(0, 2)), rival.mean(axis=(0, 2)))
    changes = by_problem[0] - by_problem[1]
    yield interval("mucode minus multi_star", changes)
    for one in range(len(SEEDS)):
        for other in range(len(SEEDS)):
            words = f"mucode of seed {SEEDS[one]} minus multi_star of seed {SEEDS[other]}"
            yield interval(words, ours[one].mean(axis=1) - rival[other].mean(axis=1))
    first = [rewards(folder, method, turn=1, without=without).mean(axis=(0, 2)) for method in (OURS, RIVAL)]
    yield interval("at turn 1", first[0] - first[1])
    yield interval("what turns 2 and 3 add", changes - (first[0] - first[1]))
    for best in (1, 2, 3):
        yield interval(f"without the {best} that gained most", np.sort(changes)[:-best])
    yield nested_interval("with the interval as it was made before", *(np.hstack(list(each)) for each in (ours, rival)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", choices=FOLDERS, default="mbpp/test", help="of whose piece")
    parser.add_argument("--without", nargs="*", default=(), metavar="ID", help="problems to leave out, such as mbpp/67")
    options = parser.parse_args()
    for finding in findings(FOLDERS[options.benchmark], options.without):
        print(finding)
    ours, rival = (rewards(FOLDERS[options.benchmark], method, without=options.without) for method in (OURS, RIVAL))
    changes = ours.mean(axis=(0, 2)) - rival.mean(axis=(0, 2))
    won, lost = changes[changes > 0], changes[changes < 0]
    each = len(SEEDS) * EACH
    print(f"problems better {len(won)} (+{each * won.sum():.0f} searches), worse {len(lost)} ({each * lost.sum():.0f})")
    error = changes.std(ddof=1) / math.sqrt(len(changes))
    print(f"n = {len(changes)}, standard error {100 * error:.2f} points")
    print(f"sign test p = {sign_test(changes):.3f}, permutation test p = {permutation_test(changes):.3f}")


if __name__ == "__main__":
    main()
