"""What does the arithmetic of a run: where it is another, samples and weights may differ by rounding."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

from mucode.serving.settings import default_environment

PACKAGES = ("torch", "transformers", "tokenizers", "peft", "numpy")  # of this environment; vLLM has one of its own
UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")  # of x86 and ARM: they round otherwise
CPUS = Path("/proc/cpuinfo")


def arithmetic(cpus: Path = CPUS) -> dict[str, str]:
    """Tags of a run: versions of Python, PACKAGES and the vLLM of this machine, and the processor; nothing is imported."""
    found = {"version.python": platform.python_version(), "processor": processor(cpus)}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[f"version.{name}"] = importlib.metadata.version(name)
    return found | ({"version.vllm": vllm} if (vllm := vllm_version(default_environment())) else {})


def vllm_version(environment: Path) -> str | None:
    """Of the vLLM that is installed in an environment; None: there is none, or a server that somebody else runs, whose
    version is not ours to know, writes the replies."""
    if os.environ.get("MUCODE_SERVER_URL"):
        return None
    packages = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    return next((found.version for found in importlib.metadata.distributions(name="vllm", path=packages)), None)


def processor(cpus: Path = CPUS) -> str:
    """ "x86_64 Intel(R) Xeon(R) Processor: avx2 avx512f amx_bf16", of the first one; without what the system hides."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in cpus.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip().lower(), value.strip())
    flags = (facts.get("flags") or facts.get("features") or "").split()
    units = " ".join(unit for unit in UNITS if unit in flags)
    return f"{platform.machine()} {facts.get('model name', '')}".strip() + (f": {units}" if units else "")
