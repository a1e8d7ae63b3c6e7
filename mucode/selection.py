"""The last line of Algorithm 1: the (generator, verifier) pair that does best on validation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mucode.records import SearchChoice, read_rows
from mucode.types import MucodeError

JUDGED_BY = ("pt+lv", "lv", "pt", "random")  # the first of these that the search ran decides


@dataclass(frozen=True, slots=True)
class Pair:
    """A generator and the verifier that searches with it, as folders below the workspace."""

    generator: Path
    verifier: Path

    def as_json(self) -> dict[str, str]:
        return {"generator": self.generator.as_posix(), "verifier": self.verifier.as_posix()}


def best_pair(evaluations: Path, iterations: int) -> tuple[Pair, dict[str, float]]:
    """The pair of the iteration with the highest best-of-N accuracy on validation; a tie goes to the earlier one.

    Args:
        evaluations: one folder per iteration, "1", "2", ..., as the stage `evaluate` writes them.
        iterations: M; folders of later iterations, left by a longer study, do not count.

    Returns:
        The pair, and each iteration's accuracy.
    """
    folders = [evaluations / str(iteration) for iteration in range(1, iterations + 1)]
    accuracies = {folder.name: accuracy(read_rows(folder / "choices.parquet", SearchChoice)) for folder in folders}
    best = max(accuracies, key=lambda name: accuracies[name])
    stored = json.loads((evaluations / best / "pair.json").read_text())
    return Pair(Path(stored["generator"]), Path(stored["verifier"])), accuracies


def accuracy(choices: list[SearchChoice]) -> float:
    """The mean reward of the searches' final programs, under the headline selector or the next best one run."""
    selectors = {choice.selector for choice in choices}
    decider = next((name for name in JUDGED_BY if name in selectors), None)
    rewards = [choice.reward for choice in choices if choice.final and choice.selector == decider]
    if not rewards:
        raise MucodeError(
            f"no search to judge by: params.yaml's search.validation_selectors needs one of {list(JUDGED_BY)}"
        )
    return sum(rewards) / len(rewards)
