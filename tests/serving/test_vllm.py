"""vLLM itself, on loopback: rollouts over several turns with the judge, a change of weights, a server killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mucode.generator.server_engine import ServerGenerator, served_generator
from mucode.problems import load_split
from mucode.records import Step, read_rows, row_from_json
from mucode.serving.settings import ServeSettings, default_environment
from mucode.serving.weights import weights_name
from mucode.types import Demonstration, MucodeError, Problem, Rollout, Sampling, State, StopReason
from mucode.workspace import make_workspace
from tests.serving.server_processes import is_guard, leaders, processes, session_ends

ROOT = Path(__file__).parent.parent.parent
BASE = Path(os.environ.get("MUCODE_TEST_BASE", ROOT / "data/generators/base"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (default_environment() / "bin/python").exists(), reason="no vLLM: python -m mucode.serving install"
    ),
    pytest.mark.skipif(not (BASE / "model.safetensors").exists(), reason=f"no base model in {BASE}: make quickstart"),
]
SAMPLING = Sampling(0.7, 1.0, 64)


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return [problem for problem, _ in load_split("starter", "train", 6)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServeSettings:
    return ServeSettings(
        folder=tmp_path_factory.mktemp("serving"), context=2048, sequences=32, cache_gib=1, compiled=False
    )


@pytest.fixture(scope="module")
def base_generator(settings: ServeSettings) -> Iterator[ServerGenerator]:
    with server_of_its_own(settings) as (generator, server):
        yield generator
    assert session_ends(server)


def roll_out(generator: ServerGenerator, problems: list[Problem], schedule: str = "arrival") -> list[Rollout]:
    from mucode.execution import open_sandbox
    from mucode.rollout import roll_out as run

    with open_sandbox() as sandbox:
        return run(
            problems,
            generator,
            sandbox,
            turns=2,
            rollouts=3,
            sampling=SAMPLING,
            seed=0,
            iteration=1,
            schedule=schedule,
        )


def test_the_server_names_its_tokens_and_so_ends_replies_as_every_engine_does(base_generator: ServerGenerator) -> None:
    assert base_generator.record.prompts == "token ids"
    assert base_generator.record.ends == "at a token"


def test_greedy_replies_are_those_of_transformers_but_for_near_ties(
    base_generator: ServerGenerator, problems: list[Problem]
) -> None:
    from mucode.generator import load_generator

    states, greedy = [State(problem) for problem in problems], Sampling(0.0, 1.0, 48)
    ours = load_generator(BASE).generate(states, range(len(states)), greedy)
    theirs = base_generator.generate(states, range(len(states)), greedy)
    assert [c.prompt_tokens for c in ours] == [c.prompt_tokens for c in theirs]
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    assert same >= len(states) // 2


@pytest.mark.parametrize("schedule", ["fixed", "arrival"])
def test_rollouts_of_several_turns_come_from_the_server_and_the_judge(
    base_generator: ServerGenerator, problems: list[Problem], schedule: str
) -> None:
    episodes = roll_out(base_generator, problems, schedule)
    assert [(e.problem_id, e.index) for e in episodes] == [(p.id, n) for p in problems for n in range(3)]
    assert all(e.stop is StopReason.PASSED_PUBLIC or len(e.turns) == 2 for e in episodes)
    tokens = [turn.completion.completion_tokens for e in episodes for turn in e.turns]
    assert 0 < min(tokens) <= max(tokens) <= SAMPLING.max_new_tokens
    assert len({e.turns[0].completion.reply for e in episodes}) > len(problems)  # seeds differ


def test_other_weights_are_another_server_which_says_what_they_say(
    base_generator: ServerGenerator, problems: list[Problem], settings: ServeSettings, tmp_path: Path
) -> None:
    from mucode.generator import load_generator

    trained = tmp_path / "trained"
    teach(problems, trained)
    states, greedy = [State(problem) for problem in problems], Sampling(0.0, 1.0, 48)
    with served_generator(BASE, trained, settings=replace(settings, folder=tmp_path / "serving")) as served:
        assert served.record.model != base_generator.record.model
        theirs = served.generate(states, range(len(states)), greedy)
    ours = load_generator(BASE, trained).generate(states, range(len(states)), greedy)
    before = base_generator.generate(states, range(len(states)), greedy)
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= len(states) // 2
    assert sum(a == b for a, b in zip(before, theirs, strict=True)) < len(states) // 2
    assert not list((tmp_path / "serving/weights").iterdir())


def teach(problems: list[Problem], out: Path) -> None:
    """Weights that answer all of these problems with one program."""
    from mucode.generator.fine_tune import fine_tune
    from tests.training.tiny_model import tiny_settings

    learnt = [Demonstration(problem.id, (), "def answer():\n    return 42") for problem in problems]
    rates = tiny_settings(learning_rate=1e-3, epochs=24, batch_size=6, accumulation=1, lora_rank=8, max_tokens=768)
    fine_tune(learnt, problems, BASE, rates, 0, out, True)


@contextmanager
def server_of_its_own(settings: ServeSettings) -> Iterator[tuple[ServerGenerator, int]]:
    """A generator and the process id that leads the session of its server's processes."""
    before = leaders()
    with served_generator(BASE, settings=settings) as generator:
        (server,) = leaders() - before
        yield generator, server


def test_a_server_killed_in_the_middle_is_started_again_and_one_killed_twice_is_an_error_with_its_log(
    problems: list[Problem], settings: ServeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with server_of_its_own(replace(settings, folder=tmp_path)) as (generator, server):
        others = leaders() - {server}
        kill_soon(server)
        episodes = roll_out(generator, problems * 4)
        assert len(episodes) == 12 * len(problems)  # no reply is lost
        assert "the model server is started again" in capsys.readouterr().err
        assert session_ends(server)
        (second,) = leaders() - others
        kill_soon(second)
        with pytest.raises(MucodeError, match=r"(?s)the model server ended by itself; .*vllm.log says why"):
            roll_out(generator, problems * 4)


def kill_soon(server: int) -> None:
    """Kill the process that answers requests, with SIGKILL, while it is at work."""
    (answering,) = [pid for pid, parent, _ in processes() if parent == server]
    threading.Timer(1.0, os.kill, (answering, signal.SIGKILL)).start()


OWNER = """
import sys, time
from pathlib import Path
from mucode.generator.server_engine import served_generator
from mucode.serving.settings import ServeSettings
settings = ServeSettings(folder=Path(sys.argv[2]), context=2048, cache_gib=1, compiled=False)
with served_generator(Path(sys.argv[1]), settings=settings):
    print("up", flush=True)
    time.sleep(600)
"""


def test_a_server_and_all_it_started_end_with_a_killed_owner(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(BASE), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        (server,) = [pid for pid, parent, session in processes() if parent == owner.pid and session == pid]
        owner.kill()
    assert session_ends(server)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default size with the engine vllm and 16 problems, as far as the base model."""
    folder = make_workspace("default", ROOT, tmp_path_factory.mktemp("stage") / "workspace")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["generation"] = {"engine": "vllm", "log_probabilities": True}
    params["rollout"]["schedule"] = "arrival"
    params["problems"]["train"] = 16
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "data/generators").mkdir(parents=True)
    (folder / "data/generators/base").symlink_to(BASE.resolve())
    answers = "data/answers.parquet --empty-dataset data/empty.parquet"
    with stage(
        folder, f"prepare --collected data/collected --problems data/problems.parquet --answers {answers}"
    ) as prepare:
        assert prepare.wait() == 0
    return folder


@contextmanager
def stage(folder: Path, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A stage as DVC runs it; its standard error goes to stage.log."""
    small = {"MUCODE_SERVE_ARGUMENTS": "--enforce-eager", "MUCODE_SERVE_CONTEXT": "2048", "MUCODE_SERVE_CACHE_GIB": "1"}
    environment = os.environ | small | {"PYTHONPATH": str(ROOT), "MUCODE_SERVE_ENV": str(default_environment())}
    environment.pop("MUCODE_SERVER_URL", None)
    arguments = [sys.executable, "-m", "mucode", "stage", *command.split()]
    with (
        (folder / "stage.log").open("wb") as log,
        subprocess.Popen(arguments, cwd=folder, env=environment, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def roll_out_stage(generator: str, out: str) -> str:
    return (
        "roll_out --problems data/problems.parquet --base data/generators/base --seed 0 --iteration 1 --turns 0 "
        f"--generator data/generators/{generator} --out data/rollouts/{out}.parquet --record data/rollouts/{out}.json"
    )


def wait_until_kept(folder: Path, count: int, process: subprocess.Popen[bytes]) -> list[str]:
    """The kept rollouts' lines, once there are so many."""
    while process.poll() is None:
        journals = (folder / ".mucode/shards").glob("*/.*.partial")
        lines = [line for path in journals for line in path.read_text().splitlines()]
        if len(lines) > count:
            return lines
        time.sleep(0.05)
    raise AssertionError((folder / "stage.log").read_text())


def record_of(folder: Path, out: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / f"data/rollouts/{out}.json").read_text())
    return record


def test_the_stage_starts_its_server_again_when_that_is_killed_and_no_rollout_is_lost(workspace: Path) -> None:
    with stage(workspace, roll_out_stage("base", "killed-server")) as process:
        wait_until_kept(workspace, 5, process)
        (server,) = [pid for pid, parent, session in processes() if parent == process.pid and is_guard(pid)]
        (answering,) = [pid for pid, parent, _ in processes() if parent == server]
        os.kill(answering, signal.SIGKILL)
        assert process.wait() == 0, (workspace / "stage.log").read_text()
    assert "the model server is started again" in (workspace / "stage.log").read_text()
    assert session_ends(server)
    record = record_of(workspace, "killed-server")
    assert (record["engine"]["engine"], record["engine"]["seed_scope"], record["schedule"]) == (
        "vllm",
        "none",
        "arrival",
    )
    assert (record["rollouts"], record["failed"]) == (48, [])
    steps = read_rows(workspace / "data/rollouts/killed-server.parquet", Step)
    assert {step.turn for step in steps} == {1, 2}
    assert all(step.log_probability is not None and step.log_probability < 0.0 for step in steps)


def test_a_killed_stage_goes_on_with_other_weights_where_it_was(workspace: Path, problems: list[Problem]) -> None:
    teach(problems, workspace / "data/generators/trained")
    with stage(workspace, roll_out_stage("trained", "trained")) as process:
        wait_until_kept(workspace, 5, process)
        (server,) = [pid for pid, parent, session in processes() if parent == process.pid and is_guard(pid)]
        process.kill()
    assert session_ends(server)
    (journal,) = (workspace / ".mucode/shards").glob("*/.*.partial")
    kept = [json.loads(line)["rows"] for line in journal.read_text().splitlines(keepends=True)[1:] if line[-1] == "\n"]
    with stage(workspace, roll_out_stage("trained", "trained")) as process:
        assert process.wait() == 0, (workspace / "stage.log").read_text()
    steps = read_rows(workspace / "data/rollouts/trained.parquet", Step)
    assert {row_from_json(row, Step) for rows in kept for row in rows} <= set(steps)
    assert record_of(workspace, "trained")["rollouts"] == 48
    assert record_of(workspace, "trained")["engine"]["model"] == weights_name(
        BASE, workspace / "data/generators/trained"
    )
    assert sum("return 42" in step.reply for step in steps) > len(steps) // 2  # it speaks as it was taught
