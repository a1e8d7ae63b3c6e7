"""Searches on whole problem sets, piece by piece, so that a killed stage goes on; and their record in MLflow."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.config import Config
from mucode.metrics import (
    Bootstrap,
    Estimate,
    Quality,
    calibration_error,
    estimate,
    first_turn_passes,
    quality,
    raw_bins,
    scaled_error,
)
from mucode.policies import SearchSettings
from mucode.records import SearchChoice, SearchSample, folder_written_whole, read_rows, write_json, write_rows
from mucode.schedule import RepliesMissing
from mucode.search import Players, search
from mucode.selection import Pair
from mucode.shards import PIECE, Shards, pieces
from mucode.tracking import track
from mucode.types import Answer, MucodeError, Problem, Sandbox


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
    from mucode.generator import Part, open_generator
    from mucode.verifier.model import load_verifier

    started = time.monotonic()
    _, answers, base = read
    by_id = {answer.problem_id: answer for answer in read_rows(answers, Answer)}
    shown = config.rollout.show_public_tests
    part = Part(base, pair.generator, shown)
    numbers = [[each.name, dataclasses.asdict(each.settings)] for each in sets]
    with open_generator(config.generation.engine, part) as player:
        record = dataclasses.asdict(player.record)
        settings = [numbers, config.execution.model_dump(), shown, record]
        shards = Shards(f"{stage}-{instance_of(out)}", [*read, pair.generator, pair.verifier], settings)
        players = Players(player.generator, load_verifier(base, pair.verifier), sandbox)
        samples, choices = _search_all(sets, by_id, players, shards)
    with folder_written_whole(out) as partial:
        write_json(partial / "engine.json", record)
        write_rows(partial / "samples.parquet", samples, SearchSample)
        write_rows(partial / "choices.parquet", choices, SearchChoice)
        write_json(partial / "pair.json", pair.as_json())
    metrics = accuracies(sets, choices) | verifier_metrics(sets, samples, config)
    track(stage, instance_of(out), config.search, metrics, read[:2], started)
    shards.clear()


def instance_of(out: Path) -> str:
    """The plan's key of the search that writes a folder: "mucode-0-1" for evaluations/mucode-0/1, "base-0" for its
    iteration 0, evaluations/base-0/0, and "mucode-0" for benchmarks/mucode-0."""
    if not out.name.isdecimal():
        return out.name
    return out.parent.name if out.name == "0" else f"{out.parent.name}-{out.name}"


def _search_all(
    sets: Sequence[TestSet], answers: Mapping[str, Answer], players: Players, shards: Shards
) -> tuple[list[SearchSample], list[SearchChoice]]:
    """Every piece of every set. One whose replies are incomplete cancels no other, and no result is made without it.

    Raises:
        MucodeError: some pieces are incomplete; the others are kept.
    """
    samples: list[SearchSample] = []
    choices: list[SearchChoice] = []
    missing: list[RepliesMissing] = []
    for each in sets:
        for piece in pieces(len(each.problems), PIECE):
            title = f"{each.name.replace('/', '-')}-{piece.start:06}-{piece.stop:06}"

            def work(each: TestSet = each, piece: slice = piece) -> Sequence[Sequence[Any]]:
                return search(each.name, each.problems[piece], answers, players, each.settings)

            try:
                drawn, chosen = shards.tables(title, [SearchSample, SearchChoice], work)
            except RepliesMissing as error:
                missing.append(error)
                continue
            samples, choices = samples + drawn, choices + chosen
    if missing:
        raise MucodeError(
            f"{len(missing)} pieces of the search are incomplete ({missing[0]}): run again, all others are kept"
        )
    return samples, choices


def accuracies(sets: Sequence[TestSet], choices: Sequence[SearchChoice]) -> dict[str, float]:
    """Best-of-N accuracy by test set, selector and N: the mean reward of the searches' answers."""
    turns = {each.name: each.settings.turns for each in sets}
    rewards: dict[str, list[float]] = {}
    for choice in choices:
        if choice.final:
            independent = "" if choice.turn == turns[choice.benchmark] else "-independent"
            name = f"{choice.benchmark}/{choice.selector}-{choice.n}{independent}".replace("+", "_")
            rewards.setdefault(name, []).append(choice.reward)
    return {name: sum(values) / len(values) for name, values in rewards.items()}


def verifier_metrics(sets: Sequence[TestSet], samples: Sequence[SearchSample], config: Config) -> dict[str, float]:
    """How well the pair's verifier ranks and calibrates the programs of each set, none of which it was trained on.

    Names are those of `metrics.Quality`'s fields, below the set's name; with an estimate come the ends of its interval
    and the number of problems it is over. What a set's data cannot define is left out.
    """
    bootstrap = Bootstrap(config.report.confidence, config.report.resamples)
    named: dict[str, float] = {}
    for each in sets:
        own = [row for row in samples if row.benchmark == each.name]
        found = quality(own, config.search.candidates, bootstrap)
        named |= {f"{each.name}/{name}": value for name, value in _numbers(found, config.verifier.loss)}
        for k in sorted(set(each.settings.candidates)):
            passes = estimate(first_turn_passes(own, k), bootstrap)
            named |= {f"{each.name}/pass_{k}": passes.value} if passes else {}
    return named


def _numbers(found: Quality, loss: str) -> Iterator[tuple[str, float]]:
    yield from {"programs": len(found.scored), "correct": found.correct, "pairs": found.pairs}.items()
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, Estimate):
            ends = {"": value.value, "/low": value.low, "/high": value.high, "/problems": value.n}
            yield from ((f"{field.name}{end}", number) for end, number in ends.items())
    errors = [("ece_scaled", scaled_error(found.scored))]
    if loss == "bce":  # a Bradley-Terry score carries a free shift per problem, so its raw value claims nothing
        errors.append(("ece_raw", calibration_error(raw_bins(found.scored))))
    if found.calibratable:
        yield from ((name, error) for name, error in errors if error is not None)
