"""A study's files without a language model: scripted players run through the real rollout and search code."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mucode.checks.audit import Auditor, audit
from mucode.checks.columns import plain
from mucode.checks.drift import drift
from mucode.checks.expectations import Expectation
from mucode.checks.gate import GateReport, label_facts
from mucode.config import Config, Method, parse_config
from mucode.config import Study as StudySection
from mucode.dataset import experiences, label_steps, union
from mucode.expert import candidates_by_problem, demonstrations
from mucode.parameters import overlaid
from mucode.plan import expand
from mucode.policies import Conditions, SearchSettings
from mucode.records import Experience, SearchChoice, SearchSample, Step, read_rows, write_json, write_rows
from mucode.rollout import roll_out, to_steps
from mucode.search import Players, search
from mucode.seeds import seed_for
from mucode.types import Answer, Completion, Demonstration, Half, Job, Problem, Sampling, State, Status, Test, Verdict
from mucode.yaml_files import read_yaml

PARAMS = Path(__file__).parents[2] / "params.yaml"
HOSTILE = '</pre><script>alert("x")</script><img src=//evil.example onerror=alert(1)>\u202e\x1b[31m'

RIGHT, FOOLED, WRONG, BROKEN, CODELESS = "right", "fooled", "wrong", "broken", "codeless"
VERDICTS = {
    RIGHT: Verdict(Status.PASSED, 1, 1, "All tests passed."),
    FOOLED: Verdict(Status.PASSED, 1, 1, "All tests passed."),
    WRONG: Verdict(Status.FAILED, 0, 1, "assert largest([3, 1, 2]) == 3\nAssertionError: got 2, expected 3"),
    BROKEN: Verdict(
        Status.ERROR,
        0,
        1,
        "File \"solution.py\", line 2, in largest\n    return max(vals)\nNameError: name 'vals' is not defined",
    ),
}
BODIES = {
    RIGHT: (
        "return max(values)",
        "return sorted(values)[-1]",
        "best = values[0]\n    for value in values:\n        best = max(best, value)\n    return best",
    ),
    FOOLED: ("return values[0]", "return 3"),
    WRONG: ("return values[-1]", "return min(values)", "return sum(values) / len(values)"),
    BROKEN: ("return max(vals)", "return value.max()"),
}
TASKS = ("largest", "most_common", "last_sorted", "deepest", "longest_run", "top_score", "peak", "upper_bound")


@dataclass(frozen=True, slots=True)
class World:
    """What the scripted players know: how good each is."""

    skill: float = 0.0  # added to the chance of a right program
    sharpness: float = 1.5  # how far right and wrong programs' scores lie apart
    hopeless: bool = False  # nothing is ever right
    fluent: bool = True  # False: no reply holds a program
    hostile: bool = False  # wrong programs try to break out of the page


@dataclass(frozen=True, slots=True)
class ScriptedGenerator:
    """Draws a kind of program by the problem's difficulty; better after feedback."""

    world: World

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        return [self._one(state, random.Random(seed)) for state, seed in zip(states, seeds, strict=True)]

    def _one(self, state: State, rng: random.Random) -> Completion:
        kind = self._kind(state, rng)
        tokens = {"prompt_tokens": 90 + 70 * len(state.history), "completion_tokens": rng.randint(14, 60)}
        if kind == CODELESS:
            return Completion(f"I cannot do that. {HOSTILE}", None, **tokens)
        name = state.problem.entry_point
        body = rng.choice(BODIES[kind])
        if kind == WRONG and self.world.hostile:
            body = f'return "{HOSTILE}"'
        program = f"def {name}(values):  # {kind}\n    {body}\n"
        return Completion(f"```python\n{program}```", program, **tokens)

    def _kind(self, state: State, rng: random.Random) -> str:
        if not self.world.fluent or rng.random() < 0.06:
            return CODELESS
        ease = random.Random(seed_for(1, state.problem.id)).random() ** 2
        right = 0.0 if self.world.hopeless else min(0.95, 0.55 * ease + self.world.skill + 0.04 * len(state.history))
        if rng.random() < right:
            return RIGHT
        return rng.choices([FOOLED, WRONG, BROKEN], [0.12, 0.6, 0.28])[0]


def kind_of(program: str) -> str:
    return program.split("# ", 1)[1].split("\n", 1)[0]


@dataclass(frozen=True, slots=True)
class ScriptedSandbox:
    """Reads the verdict off the program."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [self._one(kind_of(job.program), half) for job in jobs]

    def _one(self, kind: str, half: Half) -> Verdict:
        if half == "public":
            return VERDICTS[kind]
        return Verdict(Status.PASSED, 4, 4) if kind == RIGHT else Verdict(Status.FAILED, 2, 4)


@dataclass(frozen=True, slots=True)
class ScriptedVerifier:
    """A noisy look at the truth, with a level of its own for each problem."""

    world: World

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
        return [self._one(problem.id, program) for problem, program in zip(problems, programs, strict=True)]

    def _one(self, problem: str, program: str) -> float:
        level = random.Random(seed_for(2, problem)).gauss(0, 0.7)
        noise = random.Random(seed_for(3, problem, program)).gauss(0, 1)
        return level + noise + self.world.sharpness * (kind_of(program) == RIGHT)


@dataclass(frozen=True, slots=True)
class Study:
    """The folders that the report reads, below one root, and the config that names their files."""

    root: Path
    config: Config

    def arguments(self) -> dict[str, Any]:
        names = ("datasets", "gates", "evaluations", "benchmarks", "rollouts", "verifiers", "generators")
        folders: dict[str, Any] = {name: self.root / name for name in names}
        return {"problems": self.root / "problems.parquet", "config": self.config, **folders}

    def searches(self, group: str) -> tuple[list[SearchSample], list[SearchChoice]]:
        folder = self.root / "benchmarks" / group
        return read_rows(folder / "samples.parquet", SearchSample), read_rows(folder / "choices.parquet", SearchChoice)


def make_config(**sections: dict[str, Any]) -> Config:
    """params.yaml with sections laid over it, and the plan that follows."""
    values = overlaid(read_yaml(PARAMS), sections)
    methods = {name: Method.model_validate(block) for name, block in values["methods"].items()}
    return parse_config({**values, "plan": expand(StudySection.model_validate(values["study"]), methods)}, PARAMS)


def make_problems(split: str, many: int) -> list[Problem]:
    return [
        Problem(
            id=f"starter/{split}-{index:02}",
            source="starter",
            split=split,
            text=f"Write a function {TASKS[index % len(TASKS)]} that returns the largest number of a list <of ints>.",
            entry_point=TASKS[index % len(TASKS)],
            public_tests=(Test(f"assert {TASKS[index % len(TASKS)]}([3, 1, 2]) == 3"),),
        )
        for index in range(many)
    ]


def write_study(root: Path, config: Config, *, problems: int = 12, worlds: dict[str, World] | None = None) -> Study:
    """Run the whole plan with scripted players.

    Args:
        worlds: by generator, "base" or "mucode-0/1" (or "mucode" for all of them); what is missing
            gets better with each iteration.
    """
    study = Study(root, config)
    splits = {split: make_problems(split, problems) for split in ("train", "validation", "test")}
    write_rows(root / "problems.parquet", [p for split in splits.values() for p in split], Problem)
    known = worlds or {}
    for key, item in config.plan["rollouts"].items():
        _write_round(root, config, splits["train"], key, item, _world(known, item["generator"]))
    for item in config.plan["verifiers"].values():
        losses = (0.69, 0.55, 0.48)
        account = {"losses": losses, "final_loss": losses[-1], "accuracy": 0.8, "examples": 40, "tokens": 5200}
        write_json(root / "verifiers" / item["out"] / "training.json", account)
    for key, item in config.plan["generators"].items():
        _write_demonstrations(root, config, key, item)
        write_json(root / "generators" / item["out"] / "training.json", {"losses": [0.31, 0.22], "tokens": 20480})
    for item in config.plan["evaluations"].values():
        folder, world = root / "evaluations" / item["out"], _world(known, item["generator"])
        _write_searches(
            folder, world, {"starter/validation": _settings(config, item, test=False)}, splits["validation"]
        )
        pair = {"generator": f"data/generators/{item['generator']}", "verifier": f"data/verifiers/{item['verifier']}"}
        write_json(folder / "pair.json", pair)
    for group, item in config.plan["benchmarks"].items():
        generator = "base" if group.startswith("base-") else f"{group}/{config.study.iterations}"
        settings = _settings(config, item, test=True)
        sets = {
            each.name: dataclasses.replace(settings, conditions=Conditions(each.public_tests, each.feedback))
            for each in config.test_sets
        }
        _write_searches(root / "benchmarks" / group, _world(known, generator), sets, splits["test"])
    return study


def _write_demonstrations(root: Path, config: Config, key: str, item: dict[str, Any]) -> None:
    rows = read_rows(root / f"datasets/{item['dataset']}.parquet", Experience)
    scores = {(c.problem_id, c.program): c.reward for found in candidates_by_problem(rows).values() for c in found}
    found = demonstrations(rows, scores, **config.methods[item["method"]].choice)
    write_rows(root / f"demonstrations/{key}.parquet", found, Demonstration)


def _world(worlds: dict[str, World], generator: str) -> World:
    method = generator.split("-", maxsplit=1)[0]
    iteration = 0 if generator == "base" else int(generator.rsplit("/", 1)[1])
    return worlds.get(generator, worlds.get(method, World(skill=0.13 * iteration, sharpness=1.2 + 0.3 * iteration)))


def _write_round(
    root: Path, config: Config, problems: Sequence[Problem], key: str, item: dict[str, Any], world: World
) -> None:
    section = config.rollout
    episodes = roll_out(
        problems,
        ScriptedGenerator(world),
        ScriptedSandbox(),
        turns=min(item["turns"] or section.turns, section.turns),
        rollouts=section.rollouts,
        sampling=section.sampling,
        seed=item["seed"],
        iteration=item["iteration"],
    )
    steps = to_steps(episodes, item["iteration"])
    labels = label_steps(steps, problems, [Answer(p.id, (), "") for p in problems], ScriptedSandbox())
    before = root / "datasets" / f"{item['previous']}.parquet"
    earlier = read_rows(before, Experience) if before.exists() else []
    write_rows(root / "rollouts" / f"{key}.parquet", steps, Step)
    write_rows(root / "datasets" / f"{key}.parquet", union(earlier, experiences(steps, labels)), Experience)
    auditor = Auditor([Answer(p.id, (), "") for p in problems], lambda _: nullcontext(ScriptedSandbox()), 0.01, 8)
    gate = GateReport(
        passed=True,
        expectations=(Expectation("pass_rate", "the share of passes is within its bounds", True),),
        facts=label_facts([plain(row) for row in labels]),
        drift=drift(labels, steps, earlier),
        audit=audit(labels, problems, auditor).facts,
    )
    write_json(root / "gates" / f"{key}.json", dataclasses.asdict(gate))


def _settings(config: Config, item: dict[str, Any], *, test: bool) -> SearchSettings:
    """Those of the stages `evaluate` and `benchmark`."""
    section = config.search
    settings = SearchSettings(
        selectors=section.validation_selectors,
        candidates=(section.candidates,),
        turns=min(item["turns"] or section.turns, section.turns),
        searches=section.searches,
        sampling=section.sampling,
        seed=item["seed"],
    )
    if not test:
        return settings
    return dataclasses.replace(
        settings,
        selectors=section.selectors,
        candidates=(section.candidates, *section.other_candidates),
        independent=section.independent,
        greedy=section.greedy,
    )


def _write_searches(folder: Path, world: World, sets: dict[str, SearchSettings], problems: Sequence[Problem]) -> None:
    players = Players(ScriptedGenerator(world), ScriptedVerifier(world), ScriptedSandbox())
    samples: list[SearchSample] = []
    choices: list[SearchChoice] = []
    for name, settings in sets.items():
        drawn, chosen = search(name, problems, {p.id: Answer(p.id, (), "") for p in problems}, players, settings)
        samples, choices = samples + drawn, choices + chosen
    write_rows(folder / "samples.parquet", samples, SearchSample)
    write_rows(folder / "choices.parquet", choices, SearchChoice)
