from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.server import answers, free_port
from flows.ui import brought_up_to_date, main
from mucode.processes import held, tied
from mucode.workspace import alone_in, make_workspace
from tests.flows.test_quickstart import tree
from tests.test_processes import is_gone

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parent.parent.parent


def ui(workspace: Path, prefect_port: int, mlflow_port: int) -> subprocess.Popen[str]:
    ports = ["--prefect-port", str(prefect_port), "--mlflow-port", str(mlflow_port)]
    return subprocess.Popen(
        tied([sys.executable, "-m", "flows.ui", *ports], signal.SIGTERM),
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_both_servers_answer_at_the_printed_addresses_and_go_with_their_starter(
    toy: Callable[..., Path], end: signal.Signals
) -> None:
    workspace = toy(deployed=True)
    (workspace / "params.yaml").write_text("model: {setting: 'dir:models/one'}\n")
    with ui(workspace, free_port(), free_port()) as process:
        assert process.stdout is not None
        addresses = [process.stdout.readline().split()[1] for _ in range(2)]
        assert process.stdout.readline().startswith("report:")
        assert process.stdout.readline().endswith("; weights and rollouts are on this disk alone\n")
        assert all(answers(f"{address}/") for address in addresses)
        processes = tree(process.pid)
        os.kill(process.pid, end)
        assert process.wait(timeout=120) == (0 if end == signal.SIGINT else -signal.SIGKILL)
        assert [pid for pid in processes if not is_gone(pid, 60)] == []  # MLflow ends in its own time


def test_a_taken_port_is_refused_with_the_way_out(toy: Callable[..., Path]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ui(toy(), port, free_port()) as process:
            _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert (
        said == f"mucode: port {port} is taken: end what listens there, or `make ui PREFECT_PORT=...` names another\n"
    )


def test_a_second_one_over_the_same_workspace_is_refused(toy: Callable[..., Path]) -> None:
    root = toy(deployed=True)
    refusal = f"the UIs of {root} are open already"
    with held(root / ".mucode/ui.lock", "taken"), ui(root, free_port(), free_port()) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert refusal in said


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "argv", ["flows.ui", "--size", "tiny", "--folder", str(tmp_path / "file/tiny")])
    assert main() == 1
    assert (
        capsys.readouterr().err == f"mucode: {tmp_path}/file/tiny/.mucode: Not a directory; mend that and run again\n"
    )


def test_a_workspace_is_shown_as_the_run_that_is_at_work_in_it_has_found_it(tmp_path: Path) -> None:
    workspace = make_workspace("tiny", REPOSITORY, tmp_path / "tiny")
    made = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(f"{made}# as it was when the run began\n")
    with alone_in(workspace):
        assert brought_up_to_date("tiny", REPOSITORY, workspace) == workspace
        assert (workspace / "params.yaml").read_text() != made
    assert brought_up_to_date("tiny", REPOSITORY, workspace) == workspace
    assert (workspace / "params.yaml").read_text() == made
