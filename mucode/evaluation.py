"""Searches on whole problem sets, piece by piece, so that a killed stage goes on; and their record in MLflow."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.config import Config
from mucode.records import SearchChoice, SearchSample, folder_written_whole, read_rows, write_json, write_rows
from mucode.search import Players, SearchSettings, search
from mucode.selection import Pair
from mucode.shards import PIECE, Shards, pieces
from mucode.tracking import track
from mucode.types import Answer, Problem, Sandbox


@dataclass(frozen=True, slots=True)
class TestSet:
    """Problems to search on, and how."""

    name: str
    problems: Sequence[Problem]
    settings: SearchSettings


def run_searches(
    stage: str,
    sets: Sequence[TestSet],
    read: Sequence[Path],
    pair: Pair,
    sandbox: Sandbox,
    config: Config,
    out: Path,
) -> None:
    """Search every set and write samples.parquet, choices.parquet and pair.json to the folder `out`.

    Args:
        stage: its name, in shards and runs.
        sets: where to search.
        read: the files of problems and answers, and the folder of the base model.
        pair: who searches.
        sandbox: where programs run.
        config: the parameters.
        out: the folder, written whole or not at all.
    """
    from mucode.generator import load_generator
    from mucode.verifier.model import load_verifier

    started = time.monotonic()
    _, answers, base = read
    by_id = {answer.problem_id: answer for answer in read_rows(answers, Answer)}
    generator = load_generator(base, pair.generator, show_public_tests=config.rollout.show_public_tests)
    players = Players(generator, load_verifier(base, pair.verifier), sandbox)
    numbers = [[each.name, dataclasses.asdict(each.settings)] for each in sets]
    settings = [numbers, config.execution.model_dump(), config.rollout.show_public_tests]
    shards = Shards(f"{stage}-{out.parent.name}-{out.name}", [*read, pair.generator, pair.verifier], settings)
    samples: list[SearchSample] = []
    choices: list[SearchChoice] = []
    for each in sets:
        for piece in pieces(len(each.problems), PIECE):
            title = f"{each.name.replace('/', '-')}-{piece.start:06}-{piece.stop:06}"

            def work(each: TestSet = each, piece: slice = piece) -> Sequence[Sequence[Any]]:
                return search(each.name, each.problems[piece], by_id, players, each.settings)

            drawn, chosen = shards.tables(title, [SearchSample, SearchChoice], work)
            samples, choices = samples + drawn, choices + chosen
    with folder_written_whole(out) as partial:
        write_rows(partial / "samples.parquet", samples, SearchSample)
        write_rows(partial / "choices.parquet", choices, SearchChoice)
        write_json(partial / "pair.json", pair.as_json())
    key = f"{out.parent.name}-{out.name}"
    track(stage, key, config.search, _accuracies(choices), read[:2], started)
    shards.clear()


def _accuracies(choices: Sequence[SearchChoice]) -> dict[str, float]:
    """Best-of-N accuracy by test set, selector and N: the mean reward of the searches' answers."""
    rewards: dict[str, list[float]] = {}
    for choice in choices:
        if choice.final:
            name = f"{choice.benchmark}/{choice.selector}-{choice.n}".replace("+", "_")
            rewards.setdefault(name, []).append(choice.reward)
    return {name: sum(values) / len(values) for name, values in rewards.items()}
