"""Systems under comparison, each in a process of its own that takes a line of JSON and answers with one.

So none pays for what another has loaded, each has a peak of memory of its own, and they can be asked in turn: what else
a machine does then slows all alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from mucode.types import MucodeError

_CACHE = Path(".mucode/benchmarks")


class Apart:
    """A system's process: `python -m MODULE --serve NAME --base FOLDER`."""

    def __init__(self, module: str, name: str, base: Path) -> None:
        command = [sys.executable, "-m", module, "--serve", name, "--base", str(base)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.name = name

    def ask(self, **question: Any) -> dict[str, Any]:
        """What it answers.

        Raises:
            MucodeError: it has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the answer will be missing
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
        line = self._process.stdout.readline()
        if not line:
            raise MucodeError(f"the process of {self.name!r} ended: read its message above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def answers_alone() -> IO[str]:
    """This process's standard output, for its answers: what a library prints goes to standard error from now on."""
    answers, sys.stdout = sys.stdout, sys.stderr
    return answers


def answer_questions(answers: IO[str], answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The process's side, until its standard input ends."""
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def base_folder(setting: str) -> Path:
    """The folder of the base model that a setting as in params.yaml names, fetched when it is not there."""
    from mucode.generator.base_model import fetch_base_model

    folder = _CACHE / "".join(letter if letter.isalnum() else "-" for letter in setting)
    if not folder.exists():
        fetch_base_model(setting, folder)
    return folder


def peak_gb() -> float:
    """The most memory that this process has held since it was started (Linux).

    getrusage would count the process that started it.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM"))


def environment(*packages: str) -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    from mucode.training.weights import best_dtype

    return {
        "processor": _processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "dtype": best_dtype(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "transformers", *packages)},
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", ""),
    }


def _processor_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
