"""One training in several processes of this machine: they are started, meet, and end together."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException, spawn

from mucode.processes import die_with_parent
from mucode.training.settings import TrainingSettings
from mucode.types import MucodeError

_log = logging.getLogger(__name__)
T = TypeVar("T")
PROCESSES = "MUCODE_TRAINING_PROCESSES"
_GRACE = 5.0  # seconds in which the others may end by themselves when one has failed


def processes_for(settings: TrainingSettings) -> int:
    """How many processes of this machine are to share a training; as PROCESSES says, else one.

    Raises:
        MucodeError: the variable holds no such number, or this training cannot be shared by as many.
    """
    said = os.environ.get(PROCESSES) or "1"
    if not said.isdecimal() or said == "0":
        raise MucodeError(f"{PROCESSES} = {said!r} is no number of processes: set it to how many GPUs are to be used")
    processes, examples = int(said), settings.batch_size // settings.accumulation
    if processes > 1 and settings.lora_rank > 0:
        raise MucodeError(
            f"{PROCESSES} = {said} shares full fine-tuning: unset it to train adapters, or set lora_rank: 0"
        )
    if processes > examples:
        raise MucodeError(f"{PROCESSES} = {said}, but a forward pass has {examples} examples: lower accumulation")
    return processes


def in_processes(processes: int, train: Callable[..., T], *arguments: Any) -> T:
    """`train(*arguments)`, in as many processes, which shard what it trains (`mucode/training/sharding.py`).

    Args:
        processes: 1: this process itself. Else each has a GPU of its own or, where there is none, some of the processors.
        train: a function of a module. The first process's result counts.
        arguments: of `train`; each process gets a copy.

    Raises:
        MucodeError: there are fewer GPUs, a process failed (the others are ended then), or `train` raised it.
    """
    if processes == 1:
        return train(*arguments)
    gpus = _gpus()
    if gpus and len(gpus) < processes:
        raise MucodeError(f"{processes} training processes need a GPU each, and {len(gpus)} are here: ask for fewer")
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder)
        work = bytes(ForkingPickler.dumps((train, arguments)))
        shared = (processes, os.getpid(), meeting, gpus, work)
        started = spawn(_take_part, shared, processes, join=False, daemon=True)  # type: ignore[no-untyped-call]
        try:
            while not started.join(grace_period=_GRACE):
                pass
        except ProcessException as error:
            raise _told(error, processes, meeting) from error
        finally:
            for file in started.error_files:  # of tracebacks; torch leaves them
                Path(file).unlink(missing_ok=True)
        result: T = ForkingPickler.loads(_outcome(meeting, 0).read_bytes())
    return result


def _gpus() -> list[str]:
    """What names each GPU that this process may use."""
    numbers = range(torch.cuda.device_count())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [visible.split(",")[number] if visible else str(number) for number in numbers]


def _take_part(rank: int, processes: int, parent: int, meeting: Path, gpus: list[str], work: bytes) -> None:
    """What each process does."""
    die_with_parent(parent=parent)
    if gpus:  # it sees but its own, so that all code for one device does; said before any library looks
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[rank]
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    train, arguments = ForkingPickler.loads(work)
    backend = "nccl" if gpus else "gloo"
    dist.init_process_group(backend, init_method=f"file://{meeting}/ranks", rank=rank, world_size=processes)
    try:
        result = train(*arguments)
    except MucodeError as error:
        _outcome(meeting, rank).write_bytes(ForkingPickler.dumps(error))
        raise
    if rank == 0:
        _outcome(meeting, rank).write_bytes(ForkingPickler.dumps(result))
    dist.destroy_process_group()


def _outcome(meeting: Path, rank: int) -> Path:
    return meeting / f"outcome-{rank}"


def _told(error: ProcessException, processes: int, meeting: Path) -> MucodeError:
    """What there is to say about processes of which one failed."""
    for file in map(_outcome, [meeting] * processes, range(processes)):
        if file.exists() and isinstance(outcome := ForkingPickler.loads(file.read_bytes()), MucodeError):
            return outcome
    if isinstance(error, ProcessExitedException):
        reason = error.signal_name or f"exit code {error.exit_code}"
    else:
        _log.error("%s", error.msg.strip())  # its traceback
        reason = error.msg.strip().splitlines()[-1]
    return MucodeError(
        f"training process {error.error_index + 1} of {processes} failed ({reason}) and the others were ended: "
        "run again, with smaller passes (accumulation) or more processes if memory was short"
    )
