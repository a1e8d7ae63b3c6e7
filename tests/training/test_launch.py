"""Several processes train what one trains, and end together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch.distributed as dist
from safetensors.torch import load_file

from benchmarks.processes import Watch
from mucode.generator.fine_tune import fine_tune
from mucode.training.launch import PROCESSES, in_processes, processes_for
from mucode.training.weights import FULL
from mucode.types import MucodeError
from mucode.verifier.model import HEAD
from mucode.verifier.train import train_verifier
from tests.generator.test_fine_tune import PROBLEM, twenty
from tests.training.tiny_model import tiny_base, tiny_settings
from tests.verifier.test_train import PROBLEMS, separable, settings

pytestmark = pytest.mark.slow  # imports torch, in each process

STAGE = "from mucode.training.launch import in_processes; from tests.training.test_launch import wait; in_processes(2, wait)"


@pytest.fixture(autouse=True)
def within_minutes() -> Iterator[None]:
    """Processes that wait for one another would do so for half an hour."""

    def too_long(*_: object) -> None:
        raise TimeoutError("the training processes did not end")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


def distances(one: Path, other: Path) -> dict[str, float]:
    """Of each tensor of two files, relative to its size in the first."""
    ours, theirs = load_file(one), load_file(other)
    assert ours.keys() == theirs.keys()
    return {name: ((ours[name] - theirs[name]).norm() / ours[name].norm()).item() for name in ours}


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(("dtype", "in_loss", "in_weights"), [("float32", 1e-5, 1e-4), ("bfloat16", 5e-3, 1.5e-3)])
def test_two_processes_fine_tune_to_the_weights_of_one(
    base: Path, tmp_path: Path, dtype: str, in_loss: float, in_weights: float
) -> None:
    """Passes of three examples are shared unequally, and of the last, which has one, a process has no part."""
    chosen = tiny_settings(lora_rank=0, batch_size=6, accumulation=2, learning_rate=1e-3, dtype=dtype)
    arguments = (twenty()[:19], [PROBLEM], base, chosen, 0)
    one, two = (in_processes(number, fine_tune, *arguments, tmp_path / str(number), True) for number in (1, 2))
    assert two.losses == pytest.approx(one.losses, rel=in_loss)
    assert names(tmp_path / "2") == names(tmp_path / "1")
    assert max(distances(tmp_path / "1" / FULL, tmp_path / "2" / FULL).values()) < in_weights
    assert (
        min(distances(tmp_path / "1" / FULL, base / FULL).values()) > 2 * in_weights
    )  # the training moved all of them
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("loss", "batch_size"), [("bradley_terry", 7), ("bce", 23)])
def test_two_processes_train_the_verifier_that_one_trains(
    base: Path, tmp_path: Path, loss: str, batch_size: int
) -> None:
    chosen = settings(loss, lora_rank=0, batch_size=batch_size, learning_rate=1e-4, epochs=1)
    one, two = (
        in_processes(number, train_verifier, separable(), PROBLEMS, base, chosen, 0, tmp_path / str(number))
        for number in (1, 2)
    )
    assert one.examples % batch_size == 1  # a process has no part of the last pass
    assert two.losses == pytest.approx(one.losses, rel=1e-5)
    assert two.accuracy == pytest.approx(one.accuracy)
    assert names(tmp_path / "2") == names(tmp_path / "1")
    for file in (FULL, HEAD):
        assert max(distances(tmp_path / "1" / file, tmp_path / "2" / file).values()) < 1e-4


def rank_or_death(victim: int) -> int:
    dist.barrier()
    if dist.get_rank() == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()
    return dist.get_rank()


def refuse() -> None:
    if dist.get_rank() == 1:
        raise MucodeError("a reason")
    dist.barrier()


def stumble() -> None:
    if dist.get_rank() == 0:
        raise ValueError("a mistake")
    dist.barrier()


def wait() -> None:
    sys.stdout.write("trains\n")
    sys.stdout.flush()
    time.sleep(600)


def test_a_killed_process_is_named_and_ends_the_others() -> None:
    with pytest.raises(MucodeError, match=r"training process 2 of 2 failed \(SIGKILL\)"):
        in_processes(2, rank_or_death, 1)
    assert multiprocessing.active_children() == []


def test_the_first_processs_result_counts() -> None:
    assert in_processes(2, rank_or_death, -1) == 0


def test_what_one_process_refuses_is_told_as_it_says_it() -> None:
    with pytest.raises(MucodeError, match=r"^a reason$"):
        in_processes(2, refuse)
    assert multiprocessing.active_children() == []


def test_of_a_mistake_the_traceback_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MucodeError, match=r"training process 1 of 2 failed \(ValueError: a mistake\)"):
        in_processes(2, stumble)
    assert "in stumble" in caplog.text


def test_a_killed_stage_leaves_no_process() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", STAGE], stdout=subprocess.PIPE, text=True) as stage,
        Watch(stage.pid) as watch,
    ):
        assert stage.stdout
        assert [stage.stdout.readline() for _ in range(2)] == ["trains\n"] * 2
        watch.look()
        stage.kill()
        stage.wait()
        assert len(watch.seen) >= 2
        assert watch.left(patience=5) == []


@pytest.mark.parametrize(
    ("said", "changes", "refusal"),
    [
        ("two", {}, "no number of processes"),
        ("0", {}, "no number of processes"),
        ("2", {"lora_rank": 4}, "unset it to train adapters"),
        ("4", {"batch_size": 6, "accumulation": 2}, "3 examples: lower accumulation"),
    ],
)
def test_a_training_that_cannot_be_shared_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, said: str, changes: dict[str, int], refusal: str
) -> None:
    monkeypatch.setenv(PROCESSES, said)
    with pytest.raises(MucodeError, match=refusal):
        processes_for(tiny_settings(**({"lora_rank": 0} | changes)))


def test_unless_told_otherwise_a_stage_trains_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROCESSES, raising=False)
    assert processes_for(tiny_settings()) == 1
    monkeypatch.setenv(PROCESSES, "4")
    assert processes_for(tiny_settings(lora_rank=0)) == 4
