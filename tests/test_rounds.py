"""A round of rollouts that is stopped, killed or answered badly, and what is known of it afterwards."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from mucode.generator import ENGINES, Playing
from mucode.generator.incremental import EngineRecord
from mucode.generator.server_engine import ServerGenerator
from mucode.records import Step, read_rows
from mucode.rollout import RolloutSettings
from mucode.rounds import Found, Round, run_round
from mucode.serving.endpoint import Endpoint, ServerGone
from mucode.shards import Shards
from mucode.types import Completion, MucodeError, Sampling, State
from mucode.workspace import make_workspace
from mucode.yaml_files import load_yaml
from tests.conftest import SAMPLING, FunctionGenerator, TabularSandbox, make_problem
from tests.generator.test_server_engine import ENDS, LONG, QUICK, asks_for, program_of
from tests.serving.scripted_server import Letters, Script, serving

ROOT = Path(__file__).parent.parent
RECORD = EngineRecord("scripted", "double", "request", "text", "in the text")
PROBLEMS = [make_problem(name) for name in "abcdefgh"]


def settings(schedule: str, sampling: Sampling = SAMPLING) -> RolloutSettings:
    return RolloutSettings(turns=2, rollouts=2, sampling=sampling, seed=0, iteration=1, schedule=schedule)


MORE = Round(PROBLEMS, replace(settings("arrival", LONG), rollouts=3))


@dataclass
class Dying:
    """An engine whose process ends at its `last`-th call."""

    last: int
    asked: list[State] = field(default_factory=list)
    calls: int = 0

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        self.calls += 1
        if self.calls == self.last:
            raise ServerGone("the server is gone")
        self.asked += states
        programs = FunctionGenerator(lambda state, seed: f"right {seed}" if state.problem.id < "toy/e" else "wrong")
        return programs.generate(states, seeds, sampling)


def run(player: Playing, shards: Shards, schedule: str, sampling: Sampling = SAMPLING) -> Found:
    return run_round(Round(PROBLEMS, settings(schedule, sampling)), player, TabularSandbox(), shards)


def test_finished_rollouts_are_not_rolled_out_again_after_a_stop(tmp_path: Path) -> None:
    whole = run(Playing(Dying(0), RECORD), Shards("whole", [], {}, tmp_path), "arrival")
    shards, second = Shards("stopped", [], {}, tmp_path), Dying(0)
    with pytest.raises(ServerGone):  # in turn 2: four problems have passed by then
        run(Playing(Dying(2), RECORD), shards, "arrival")
    assert run(Playing(second, RECORD), shards, "arrival").steps == whole.steps
    assert {state.problem.id for state in second.asked} == {f"toy/{name}" for name in "efgh"}


def test_a_rollout_whose_reply_failed_is_no_data_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = Script(program_of, fault=lambda body, earlier: 500 if asks_for("c", body) else None)
    with serving(script) as url, caplog.at_level(logging.WARNING):
        engine = ServerGenerator(partial(Endpoint, url, patience=QUICK), Letters(), ENDS, log_probabilities=True)
        found = run(Playing(engine, engine.record), Shards("s", [], {}, tmp_path), "arrival", LONG)
        record = found.record(settings("arrival", LONG), engine.record)
    assert {step.problem_id for step in found.steps} == {problem.id for problem in PROBLEMS} - {"toy/c"}
    assert all(step.log_probability == pytest.approx(-0.5 * step.completion_tokens) for step in found.steps)
    assert [(f["problem_id"], f["rollout"], f["turn"]) for f in record["failed"]] == [("toy/c", 0, 1), ("toy/c", 1, 1)]
    assert (record["engine"]["seed_scope"], record["schedule"], record["rollouts"]) == ("none", "arrival", 14)
    assert "2 of 16 rollouts failed and are left out of the data; the first is toy/c, rollout 0" in caplog.text


def test_a_round_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    script = Script(program_of, fault=lambda body, earlier: 400)
    with serving(script) as url:
        engine = ServerGenerator(partial(Endpoint, url, patience=QUICK), Letters(), ENDS)
        with pytest.raises(MucodeError, match="all 16 rollouts failed; the first is toy/a"):
            run(Playing(engine, engine.record), Shards("s", [], {}, tmp_path), "arrival", LONG)


def test_a_server_that_goes_away_ends_the_round_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    shards = Shards("s", [], {}, tmp_path)
    with serving(Script(lambda prompt: "no code")) as url:
        engine = ServerGenerator(partial(Endpoint, url, patience=QUICK), Letters(), ENDS)
        run(Playing(engine, RECORD), shards, "arrival", LONG)
    with pytest.raises(ServerGone, match=rf"{url} did not answer in 4 attempts \(ConnectError"):
        run_round(MORE, Playing(engine, RECORD), TabularSandbox(), shards)
    with shards.growing("rollouts", Step) as kept:
        assert len(kept.groups()) == 16


def test_a_server_that_loses_its_model_ends_the_round_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    shards, lost = Shards("s", [], {}, tmp_path), threading.Event()
    with serving(Script(lambda prompt: "no code", fault=lambda body, earlier: 404 if lost.is_set() else None)) as url:
        engine = ServerGenerator(partial(Endpoint, url, patience=QUICK), Letters(), ENDS)
        run(Playing(engine, RECORD), shards, "arrival", LONG)
        lost.set()
        with pytest.raises(ServerGone, match=rf"{url} no longer serves toy to us"):
            run_round(MORE, Playing(engine, RECORD), TabularSandbox(), shards)
    with shards.growing("rollouts", Step) as kept:
        assert len(kept.groups()) == 16


def test_every_engine_that_promises_nothing_for_a_seed_is_refused_the_fixed_schedule() -> None:
    from mucode.config import parse_config

    assert set(ENGINES) == {"transformers", "vllm"}
    values = load_yaml((ROOT / "params.yaml").read_text())
    values["generation"]["engine"] = "vllm"
    with pytest.raises(MucodeError, match=r"params\.yaml: rollout\.schedule fixed .* generation\.engine vllm cannot"):
        parse_config(values, Path("params.yaml"))
    values["rollout"]["schedule"] = "arrival"
    assert parse_config(values, Path("params.yaml")).generation.engine == "vllm"


ROLL_OUT = (
    "roll_out --problems data/problems.parquet --base data/generators/base --generator data/generators/base "
    "--seed 0 --iteration 1 --turns 0 --out data/rollouts/r.parquet --record data/rollouts/r.json"
)


def stage(folder: Path, command: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "mucode", "stage", *command.split()],
        cwd=folder,
        env=environment,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripted double and 70 problems: three pieces."""
    folder = make_workspace("tiny", ROOT, tmp_path_factory.mktemp("killed") / "workspace")
    change(folder, "problems", train=70)
    answers = "--answers data/answers.parquet"
    problems = "--collected data/collected --problems data/problems.parquet"
    prepared = f"prepare {problems} {answers} --empty-dataset data/empty.parquet"
    for command in (prepared, f"base_model {answers} --out data/generators/base"):
        assert stage(folder, command).wait() == 0
    return folder


def change(folder: Path, section: str, **values: Any) -> None:
    params = load_yaml((folder / "params.yaml").read_text())
    params[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def progress(folder: Path) -> int:
    """Pieces and rollouts that are kept."""
    found = list((folder / ".mucode/shards").glob("*/*.parquet"))
    grown = (folder / ".mucode/shards").glob("*/.*.partial")
    return len(found) + sum(path.read_bytes().count(b"\n") for path in grown)


@pytest.mark.slow
@pytest.mark.parametrize(("schedule", "moments"), [("fixed", (0, 1, 2)), ("arrival", (0, 1, 30, 100, 190))])
def test_a_stage_that_is_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    workspace: Path, schedule: str, moments: tuple[int, ...]
) -> None:
    change(workspace, "rollout", schedule=schedule)
    out, record = workspace / "data/rollouts/r.parquet", workspace / "data/rollouts/r.json"
    assert stage(workspace, ROLL_OUT).wait() == 0
    expected = out.read_bytes(), record.read_bytes()
    out.unlink()
    for least in moments:
        process = stage(workspace, ROLL_OUT)
        while progress(workspace) <= least and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
        assert progress(workspace) > least
    assert stage(workspace, ROLL_OUT).wait() == 0
    assert (out.read_bytes(), record.read_bytes()) == expected
    assert len(read_rows(out, Step)) > 200
    assert progress(workspace) == 0
