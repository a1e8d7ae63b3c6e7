"""What a run says of the arithmetic that it was made with."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from mucode.arithmetic import arithmetic, processor
from mucode.serving.install import VERSION, name_the_build

CPU = (
    "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 {}avx512f sse\n\nprocessor\t: 1\nmodel name\t: Other\n"
)


def test_a_processor_is_told_by_its_name_and_by_the_units_that_round_otherwise(tmp_path: Path) -> None:
    cpus = tmp_path / "cpuinfo"
    cpus.write_text(CPU.format("amx_bf16 "))
    assert processor(cpus) == f"{platform.machine()} Some CPU: avx2 avx512f amx_bf16"
    cpus.write_text(CPU.format(""))
    assert processor(cpus) == f"{platform.machine()} Some CPU: avx2 avx512f"


def test_of_a_processor_that_the_system_hides_the_machine_is_told(tmp_path: Path) -> None:
    assert processor(tmp_path / "none") == platform.machine()
    assert arithmetic(tmp_path / "none")["processor"] == platform.machine()


def test_the_vllm_of_a_run_is_the_one_of_the_environment_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUCODE_SERVE_ENV", str(tmp_path))
    assert "version.vllm" not in arithmetic()
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    name_the_build(tmp_path)
    assert arithmetic()["version.vllm"] == f"{VERSION}+cpu"
    monkeypatch.setenv("MUCODE_SERVER_URL", "http://gpu-host:8000")  # it may have another one
    assert "version.vllm" not in arithmetic()
