"""What the study will take, computed from its profiles before it runs: tokens of every stage over tokens per second.

What no profile says is an assumption, and stands below by name: how long replies are, how often they pass. Running the
judge and loading models are left out; both are small beside generating on one CPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from mucode.config import Config, parse_config
from mucode.plan import Plan
from mucode.report.markdown import aligned
from mucode.study.pieces import PIECES, Piece
from mucode.workspace import parameters
from mucode.yaml_files import load_yaml

REPLY = 75  # tokens of a reply of Qwen2.5-Coder-0.5B to an MBPP problem, cut at its closing fence
PROMPT = 270  # tokens of the first prompt, worked example included
FEEDBACK = 90  # tokens that a turn's observation adds to the next prompt
DISTINCT = 0.75  # programs scored per sample: equal ones are scored once
SOLVED = 0.45  # training problems with a correct program among their rollouts
PASSES = (0.4, 0.9)  # Beta distribution over problems of a sample's chance to pass the public tests: 31 % on average
REPAIRED = 0.05  # of the searches that go on, those that a further turn ends beside what N draws would


KINDS = ("rollouts", "trainings", "searches")


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens per second."""

    generation: float
    scoring: float
    training: float


@dataclass(frozen=True, slots=True)
class Work:
    """Tokens of one stage instance."""

    kind: str  # of KINDS
    instance: str  # as DVC names it: roll_out@base-0
    made_of: str  # what decides its result: equal work of two pieces is done once
    generated: float = 0.0
    scored: float = 0.0
    trained: float = 0.0

    def seconds(self, rates: Rates) -> float:
        return self.generated / rates.generation + self.scored / rates.scoring + self.trained / rates.training


def budget_table(root: Path, over: str, rates: Rates) -> str:
    """Piece by piece: hours by kind of work, and hours so far."""
    lines: list[tuple[str, ...]] = [("piece", "decides", "rollouts", "trainings", "searches", "hours", "hours so far")]
    done: set[str] = set()
    so_far = 0.0
    for piece in PIECES:
        new = [work for work in works(piece_config(piece, over, root)) if work.made_of not in done]
        done |= {work.made_of for work in new}
        hours = {kind: sum(w.seconds(rates) for w in new if w.kind == kind) / 3600 for kind in KINDS}
        so_far += sum(hours.values())
        shown = [*hours.values(), sum(hours.values()), so_far]
        lines.append((piece.name, piece.decides, *(f"{number:.2f}" for number in shown)))
    words = (
        f"At {rates.generation:g} tokens/s generated, {rates.scoring:g} scored and {rates.training:g} trained on. Assumed: "
        f"{REPLY} tokens a reply, {PASSES[0] / sum(PASSES):.0%} of replies pass the public test, {SOLVED:.0%} of the "
        "training problems are solved at least once.\n"
    )
    return f"{aligned(lines)}\n{words}"


def rows_table(root: Path, piece: Piece, over: str, rates: Rates) -> str:
    """A piece's rows: the tokens of each stage instance, those that other pieces share included."""
    head = ("kind", "instance", "generated", "scored", "trained on", "hours")
    rows = [
        (
            w.kind,
            w.instance,
            *(f"{n:,.0f}" for n in (w.generated, w.scored, w.trained)),
            f"{w.seconds(rates) / 3600:.2f}",
        )
        for w in works(piece_config(piece, over, root))
    ]
    return aligned([head, *rows])


def piece_config(piece: Piece, over: str, root: Path) -> Config:
    size = piece.size(over)
    return parse_config(load_yaml(parameters(size, root)), Path(size))


def works(config: Config) -> Iterator[Work]:
    """The work of a piece's whole plan."""
    plan = config.plan
    for key, item in plan["rollouts"].items():
        generated = _rollout_tokens(config, item["turns"])
        yield Work("rollouts", f"roll_out@{key}", _identity(config, plan, "rollouts", key), generated=generated)
    for key in plan["verifiers"]:
        made = _identity(config, plan, "verifiers", key)
        yield Work("trainings", f"train_verifier@{key}", made, trained=_verifier_tokens(config))
    for key in plan["generators"]:
        made = _identity(config, plan, "generators", key)
        yield Work("trainings", f"fine_tune@{key}", made, trained=_fine_tune_tokens(config))
    for key, item in plan["evaluations"].items():
        n, chosen = config.search.candidates, config.search.validation_selectors
        samples = config.problems.validation * _samples(config, item["turns"], [n], chosen, public_tests=True)
        yield _search(f"evaluate@{key}", _identity(config, plan, "evaluations", key), samples)
    for key, item in plan["benchmarks"].items():
        made, samples = _identity(config, plan, "benchmarks", key), _benchmark_samples(config, item["turns"])
        yield _search(f"benchmark@{key}", made, samples)


def failing(n: int) -> float:
    """The share of problems of which none of n samples passes the public tests."""
    a, b = PASSES
    return prod((b + i) / (a + b + i) for i in range(n))


def _search(instance: str, made_of: str, samples: float) -> Work:
    return Work("searches", instance, made_of, generated=samples * REPLY, scored=samples * DISTINCT * REPLY)


def _rollout_tokens(config: Config, turns: int) -> float:
    most = min(turns, config.rollout.turns) if turns else config.rollout.turns
    each = 1 + sum(failing(1) * (1 - REPAIRED) ** turn for turn in range(1, most))
    return config.problems.train * config.rollout.rollouts * each * REPLY


def _verifier_tokens(config: Config) -> float:
    section = config.verifier
    pairs = config.problems.train * SOLVED * section.pairs_per_problem
    return 2 * pairs * min(PROMPT + REPLY, section.max_tokens) * section.epochs


def _fine_tune_tokens(config: Config) -> float:
    """States of two turns on average; sharing their prefixes makes it cheaper than this."""
    section = config.fine_tune
    many = section.states_per_problem or config.rollout.rollouts * config.rollout.turns
    states = config.problems.train * SOLVED * many
    return states * min(PROMPT + 2 * REPLY + FEEDBACK, section.max_tokens) * section.epochs


def _benchmark_samples(config: Config, turns: int) -> float:
    search = config.search
    ns = [search.candidates, *search.other_candidates]
    total = 0.0
    for each in config.test_sets:
        drawn = _samples(config, turns, ns, search.selectors, public_tests=each.public_tests)
        greedy = _policy_samples(config, turns, 1, each.public_tests) if search.greedy else 0.0
        total += each.limit * (drawn + greedy)
    return total


def _samples(config: Config, turns: int, ns: list[int], selectors: tuple[str, ...], *, public_tests: bool) -> float:
    """Of one problem, all its searches: the first turn's are shared by all policies, a later state by those that agree
    on the way to it. random leads elsewhere, pt to its first failure, the others to their verifier's choice."""
    ways = {"random": "random", "pt": "pt"}
    later = sum(
        _policy_samples(config, turns, n, public_tests) - n
        for n in ns
        for _ in {ways.get(selector, "lv") for selector in selectors}
    )
    return config.search.searches * (max(ns) + later)


def _policy_samples(config: Config, turns: int, n: int, public_tests: bool) -> float:
    most = min(turns, config.search.turns) if turns else config.search.turns
    on = failing(n) if public_tests else 1.0
    return n * (1 + sum(on * (1 - REPAIRED) ** turn for turn in range(1, most)))


def _identity(config: Config, plan: Plan, stage: str, key: str) -> str:
    """Everything that decides an instance's result, as text: its own item and sections, and those of what it reads."""
    return json.dumps([stage, key, _decided_by(config, plan, stage, key)], sort_keys=True, default=str)


def _decided_by(config: Config, plan: Plan, stage: str, key: str) -> list[Any]:
    item = plan[stage][key]
    base = [config.model.setting, config.problems.model_dump(), config.rollout.model_dump(), item]
    if stage == "rollouts":
        return [*base, *_of_generator(config, plan, item["generator"])]
    if stage == "verifiers":
        return [*base, config.verifier.model_dump(), _decided_by(config, plan, "rollouts", item["dataset"])]
    if stage == "generators":
        method = config.methods[item["method"]].model_dump()
        verifier = _of_verifier(config, plan, item["verifier"])
        return [*base, method, config.fine_tune.model_dump(), verifier]
    searched = _evaluated(config) if stage == "evaluations" else config.search.model_dump()
    if stage == "benchmarks" and not key.startswith("base-"):
        ways = [_decided_by(config, plan, "evaluations", each) for each in plan["evaluations"] if each.startswith(key)]
        return [*base, searched, ways]
    verifier = item["verifier"].removeprefix("verifiers/")
    generator = item["generator"].removeprefix("generators/")
    return [*base, searched, _of_verifier(config, plan, verifier), _of_generator(config, plan, generator)]


def _evaluated(config: Config) -> dict[str, Any]:
    """What the validation search reads of its section; the rest is the test sets'."""
    return config.search.model_dump(exclude={"other_candidates", "independent", "greedy", "selectors", "benchmarks"})


def _of_generator(config: Config, plan: Plan, out: str) -> list[Any]:
    key = next((key for key, item in plan["generators"].items() if item["out"] == out), None)
    return [] if key is None else _decided_by(config, plan, "generators", key)


def _of_verifier(config: Config, plan: Plan, out: str) -> list[Any]:
    key = next(key for key, item in plan["verifiers"].items() if item["out"] == out)
    return _decided_by(config, plan, "verifiers", key)
