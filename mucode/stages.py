"""One function per stage of dvc.yaml: it reads, calls and writes, and nothing else.

Paths come in as arguments (dvc.yaml's command lines), numbers from params.yaml. Heavy imports stand inside, so that
`mucode stage NAME --help` stays quick.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mucode.config import Config, load_config
from mucode.hub import patient
from mucode.records import (
    Experience,
    Label,
    Step,
    folder_written_whole,
    read_rows,
    write_json,
    write_rows,
)
from mucode.selection import Pair
from mucode.settings import rollout_settings, test_sets, training_settings, validation_set, verifier_settings
from mucode.types import Answer, MucodeError, Problem

if TYPE_CHECKING:
    from mucode.execution.crew import Crew
    from mucode.execution.pool import Pool
    from mucode.generator import Part

WORKERS = "MUCODE_WORKERS"  # dask://HOST:PORT: programs run on the workers of that cluster, not here
WEAK = "MUCODE_ALLOW_WEAK_ISOLATION"  # "1": make labels even where only system-call filters isolate programs


def prepare(*, collected: Path, problems: Path, answers: Path, empty_dataset: Path) -> None:
    """Load the problems, the collected ones as well, and check that every reference passes its own tests."""
    from mucode.problems import load_split, local_path
    from mucode.problems.collected import COLLECTED_FILE
    from mucode.problems.collected import load as load_collected
    from mucode.problems.gold import PATIENCE, require_gold

    config = load_config()
    section = config.problems
    wanted = [(section.source, "train", section.train), (section.source, "validation", section.validation)]
    wanted += [(benchmark.source, benchmark.split, benchmark.limit) for benchmark in section.benchmarks]
    with patient():
        loaded = [
            row
            for source, split, limit in wanted
            for row in load_split(source, split, limit, local_path(section.files, source))
        ]
    loaded += load_collected(collected / COLLECTED_FILE.name)
    unique = {problem.id: (problem, answer) for problem, answer in loaded}
    with _sandbox(config, patience=PATIENCE) as sandbox:
        references = [a for _, a in unique.values()]
        require_gold([p for p, _ in unique.values()], references, sandbox, config.execution.timeout)
    write_rows(problems, [problem for problem, _ in unique.values()], Problem)
    write_rows(answers, [answer for _, answer in unique.values()], Answer)
    write_rows(empty_dataset, [], Experience)


def base_model(*, answers: Path, out: Path) -> None:
    """Fetch pi_0, the base model. A random model gets the references as a script: it cannot write programs itself."""
    from mucode.generator.base_model import fetch_base_model
    from mucode.generator.scripted import write_script

    setting = load_config().model.setting
    scripted = setting.startswith("random:")
    complete = (lambda folder: write_script(read_rows(answers, Answer), folder)) if scripted else None
    with patient():
        fetch_base_model(setting, out, complete)


def roll_out(
    *, problems: Path, base: Path, generator: Path, seed: int, iteration: int, turns: int, out: Path, record: Path
) -> None:
    """Roll out the generator on the training problems, with execution feedback from the public tests.

    `turns` 0: as many as the parameters say; else at most so many, the method's own limit."""
    from mucode.generator import open_generator
    from mucode.rounds import Round, run_round
    from mucode.shards import Shards

    config = load_config()
    section = config.rollout
    train = [problem for problem in read_rows(problems, Problem) if problem.split == "train"]  # collected ones, too
    settings = rollout_settings(section, seed, iteration, turns)
    with (
        _sandbox(config) as sandbox,
        open_generator(config.generation.engine, _part(config, base, generator)) as player,
    ):
        numbers = [dataclasses.asdict(settings), config.execution.model_dump(), dataclasses.asdict(player.record)]
        shards = Shards(f"roll_out-{out.stem}", [problems, base, generator], [numbers, section.show_public_tests])
        found = run_round(Round(train, settings), player, sandbox, shards)
    write_rows(out, found.steps, Step)
    write_json(record, found.record(settings, player.record))
    shards.clear()


def label(*, problems: Path, answers: Path, rollouts: Path, out: Path) -> None:
    """Run every program on its private tests: the oracle reward R(x, y)."""
    from mucode.dataset import label_steps
    from mucode.tracking import track

    config, started = load_config(), time.monotonic()
    with _sandbox(config) as sandbox:
        labels = label_steps(
            read_rows(rollouts, Step), read_rows(problems, Problem), read_rows(answers, Answer), sandbox
        )
    write_rows(out, labels, Label)
    counts = Counter(row.private_status.value for row in labels)
    metrics = {"rewards": sum(row.reward for row in labels), "labels": len(labels), **counts}
    track("label", out.stem, config.execution, metrics, [rollouts], started, isolation=sandbox.isolation)


def validate(*, problems: Path, answers: Path, rollouts: Path, labels: Path, previous: Path, out: Path) -> None:
    """Let the label suites and the audit pass or refuse the execution labels. Exit code 3: refused."""
    from mucode.checks import Auditor, validate_files

    config = load_config()
    gates = config.gates
    auditor = Auditor(
        read_rows(answers, Answer),
        lambda hash_seed: _auditing_sandbox(config, hash_seed),
        gates.audit_share,
        gates.audit_least,
    )
    validate_files(problems, rollouts, labels, previous, gates, auditor, out)


def aggregate(*, previous: Path, rollouts: Path, labels: Path, gate: Path, out: Path) -> None:
    """D <- D u D_i, from labels that passed the gate."""
    from mucode.dataset import experiences, union

    if not gate.exists():
        raise MucodeError(f"{gate} is missing: these labels have not passed the gates")
    new = experiences(read_rows(rollouts, Step), read_rows(labels, Label))
    write_rows(out, union(read_rows(previous, Experience), new), Experience)


def train_verifier(*, problems: Path, dataset: Path, base: Path, seed: int, out: Path) -> None:
    """Train R_phi on all of D, from the base weights."""
    from mucode.expert import candidates_by_problem
    from mucode.tracking import track
    from mucode.training.launch import in_processes, processes_for
    from mucode.verifier.train import train_verifier as train

    config = load_config()
    section, started = config.verifier, time.monotonic()
    settings = verifier_settings(section, config.rollout.show_public_tests)
    candidates = [c for group in candidates_by_problem(read_rows(dataset, Experience)).values() for c in group]
    arguments = (candidates, read_rows(problems, Problem), base, settings, seed, out)
    metrics = in_processes(processes_for(settings.training), train, *arguments)
    track("train_verifier", dataset.stem, section, metrics, [dataset], started)


def relabel(*, problems: Path, dataset: Path, base: Path, verifier: Path, method: str, out: Path) -> None:
    """Choose what the generator imitates: for µCode, at every state of D its problem's best known program."""
    from mucode.expert import candidates_by_problem, demonstrations
    from mucode.types import Demonstration

    config = load_config()
    experiences = read_rows(dataset, Experience)
    by_id = {problem.id: problem for problem in read_rows(problems, Problem)}
    pairs = [(c.problem_id, c.program) for group in candidates_by_problem(experiences).values() for c in group]
    scores = dict.fromkeys(pairs, 0.0)
    if config.methods[method].scored:
        from mucode.verifier.model import load_verifier

        found = load_verifier(base, verifier).score([by_id[p] for p, _ in pairs], [program for _, program in pairs])
        scores = dict(zip(pairs, found, strict=True))
    chosen = demonstrations(experiences, scores, **config.methods[method].choice)
    write_rows(out, chosen, Demonstration)


def fine_tune(*, problems: Path, demonstrations: Path, base: Path, seed: int, out: Path) -> None:
    """Fine-tune the generator on the demonstrations, from the base weights."""
    from mucode.expert import limited
    from mucode.generator.fine_tune import fine_tune as train
    from mucode.tracking import track
    from mucode.training.launch import in_processes, processes_for
    from mucode.types import Demonstration

    config = load_config()
    section, started = config.fine_tune, time.monotonic()
    settings = training_settings(section)
    metrics = in_processes(
        processes_for(settings),
        train,
        limited(read_rows(demonstrations, Demonstration), section.states_per_problem, seed),
        read_rows(problems, Problem),
        base,
        settings,
        seed,
        out,
        config.rollout.show_public_tests,
    )
    track("fine_tune", demonstrations.stem, section, metrics, [demonstrations], started)


def evaluate(
    *, problems: Path, answers: Path, base: Path, generator: Path, verifier: Path, seed: int, turns: int, out: Path
) -> None:
    """Multi-turn best-of-N on the validation problems."""
    from mucode.evaluation import run_searches

    config = load_config()
    sets = [validation_set(config, read_rows(problems, Problem), seed, turns)]
    with _sandbox(config) as sandbox:
        run_searches("evaluate", sets, [problems, answers, base], Pair(generator, verifier), sandbox, config, out)


def benchmark(
    *, problems: Path, answers: Path, base: Path, generator: Path, verifier: Path, seed: int, turns: int, out: Path
) -> None:
    """Multi-turn best-of-N on the test sets, every selector."""
    from mucode.evaluation import run_searches

    config = load_config()
    sets = test_sets(config, read_rows(problems, Problem), seed, turns)
    with _sandbox(config) as sandbox:
        run_searches("benchmark", sets, [problems, answers, base], Pair(generator, verifier), sandbox, config, out)


def select(
    *, evaluations: Path, iterations: int, generators: Path, base_verifier: Path, own_verifiers: Path, out: Path
) -> None:
    """Keep the (generator, verifier) pair that does best on validation."""
    from mucode.selection import best_pair

    pair, accuracies = best_pair(evaluations, iterations)
    allowed = {base_verifier, *own_verifiers.iterdir()}
    if pair.generator.parent != generators or pair.verifier not in allowed:
        raise MucodeError(f"{evaluations} names a pair from elsewhere ({pair}): run `dvc repro`")
    with folder_written_whole(out) as partial:
        shutil.copytree(pair.generator, partial / "generator")
        shutil.copytree(pair.verifier, partial / "verifier")
        write_json(partial / "selection.json", {**pair.as_json(), "accuracies": accuracies})


def report(
    *,
    problems: Path,
    datasets: Path,
    gates: Path,
    evaluations: Path,
    benchmarks: Path,
    rollouts: Path,
    verifiers: Path,
    generators: Path,
    out: Path,
) -> None:
    """Write the HTML page, the results table and the rows behind it."""
    from mucode.report import write_report

    write_report(
        problems, datasets, gates, evaluations, benchmarks, rollouts, verifiers, generators, load_config(), out
    )


def _sandbox(config: Config, patience: int = 1) -> Pool | Crew:
    from mucode.execution import open_judges

    return open_judges(os.environ.get(WORKERS) or None, patience * config.execution.timeout, allow_weak())


def _auditing_sandbox(config: Config, hash_seed: int) -> Pool:
    from mucode.execution import open_sandbox

    return open_sandbox(timeout=config.execution.timeout, allow_weak=allow_weak(), hash_seed=hash_seed)


def allow_weak() -> bool:
    return os.environ.get(WEAK) == "1"


def _part(config: Config, base: Path, generator: Path) -> Part:
    from mucode.generator import Part

    return Part(base, generator, config.rollout.show_public_tests, config.generation.log_probabilities)
