from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mucode.serving.__main__ import run
from mucode.serving.install import VERSION, install, name_the_build
from mucode.serving.local import free_port
from mucode.serving.settings import ServeSettings, default_environment
from mucode.serving.vllm import vllm_launch
from mucode.types import MucodeError


def an_environment(folder: Path, script: str) -> Path:
    """An environment whose Python and pip are a shell script, which writes down what it is asked."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib/python3.11/site-packages").mkdir(parents=True)
    for name in ("python", "pip"):
        (folder / "bin" / name).write_text(f'#!/bin/sh\necho "$*" >> "{folder}/asked"\n{script}\n')
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_the_build_is_told_by_the_metadata_of_a_distribution_that_pip_can_read(tmp_path: Path) -> None:
    packages = an_environment(tmp_path, "") / "lib/python3.11/site-packages"
    name_the_build(tmp_path)
    name_the_build(tmp_path)
    (found,) = importlib.metadata.distributions(name="vllm", path=[str(packages)])
    assert found.version == f"{VERSION}+cpu"
    assert sorted(path.name for path in found.files or []) == ["INSTALLER", "METADATA", "RECORD"]


def test_a_whole_install_is_not_done_twice(tmp_path: Path) -> None:
    environment = an_environment(tmp_path, "")
    install(environment)
    asked = (environment / "asked").read_text()
    assert "uninstall --yes torchvision torchaudio torchcodec" in asked
    install(environment)
    assert (environment / "asked").read_text() == asked


def test_a_failed_step_is_named_and_done_again_the_next_time(tmp_path: Path) -> None:
    environment = an_environment(tmp_path, 'case "$*" in *uninstall*) exit 1;; esac')
    for _ in range(2):
        with pytest.raises(MucodeError, match="could not remove what does not match its torch"):
            install(environment)
    assert (environment / "asked").read_text().count("uninstall") == 2


def test_vllm_is_looked_for_beside_the_environment_of_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUCODE_SERVE_ENV", raising=False)
    assert default_environment() == Path(sys.prefix).parent / ".venv-serve"
    monkeypatch.setenv("MUCODE_SERVE_ENV", "elsewhere")
    assert ServeSettings().environment == Path("elsewhere")


def test_a_server_listens_on_loopback_only_and_takes_no_defaults_from_the_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 8192}')
    settings = replace(ServeSettings(folder=tmp_path), context=512, arguments=("--tensor-parallel-size", "2"))
    command = " ".join(vllm_launch(tmp_path, "mine", "bfloat16", settings).command)
    assert "--max-num-batched-tokens 2048" in command
    for part in ("--host 127.0.0.1", "--generation-config vllm", "--max-model-len 512", "--tensor-parallel-size 2"):
        assert part in command


def test_a_server_gets_no_longer_context_than_its_model_has(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 1024}')
    command = " ".join(vllm_launch(tmp_path, "mine", "bfloat16", ServeSettings(folder=tmp_path, context=4096)).command)
    assert "--max-model-len 1024" in command


@pytest.mark.slow  # imports torch
def test_a_server_started_by_hand_is_as_the_variables_say_but_for_what_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = an_environment(tmp_path / "environment", "exit 1")
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"max_position_embeddings": 1024}')
    (base / "model.safetensors").write_bytes(b"weights")
    for variable, value in {"ENV": environment, "CONTEXT": 512, "SEQUENCES": 3, "ARGUMENTS": "--enforce-eager"}.items():
        monkeypatch.setenv(f"MUCODE_SERVE_{variable}", str(value))
    monkeypatch.chdir(tmp_path)
    for context in (None, 700, 0):
        with pytest.raises(MucodeError, match="the model server ended by itself"):
            run(base, port=free_port(), context=context)
    asked = (environment / "asked").read_text().splitlines()
    assert all("--max-num-seqs 3" in line and line.endswith("--enforce-eager") for line in asked)
    assert [line.partition("--max-model-len ")[2].split()[0] for line in asked] == ["512", "700", "1024"]
