"""A server process of our own, played by Python's http.server: started, watched, started again, ended with us."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from mucode.serving.local import Launch, LocalServer
from mucode.types import MucodeError

# It writes its process id and that of a child beside it (vLLM computes in a child, too)
HEALTHY = """
import os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
child = subprocess.Popen(["sleep", "60"])
print("I am up", flush=True)
open("pids.new", "w").write(f"{os.getpid()} {child.pid}"); os.rename("pids.new", "pids")
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
OWNER = """
import sys, time
from pathlib import Path
from mucode.serving.local import Launch, LocalServer
port = int(sys.argv[2])
launch = Launch("it", [sys.executable, "-c", sys.argv[1], str(port)], port, Path("it.log").resolve())
with LocalServer(launch):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as reserved:  # it does not listen, so the server may; nobody else is given the port meanwhile
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, "-c", HEALTHY, str(port)]
        yield Launch("the toy server", command, port, tmp_path / "logs/toy.log", seconds_to_start=30.0, restarts=1)


def answers(server: LocalServer) -> bool:
    return httpx.get(f"{server.url}/health", trust_env=False, verify=False).status_code == 200


def pids() -> list[int]:
    return [int(word) for word in Path("pids").read_text().split()]


def are_gone(some: list[int], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(_lives(pid) for pid in some) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(_lives(pid) for pid in some)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_server_is_up_in_its_block_and_gone_with_its_children_after_it(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    with LocalServer(launch) as server:
        assert answers(server)
    assert are_gone(pids())
    assert f"the toy server is up at {server.url} after" in capsys.readouterr().err


def test_a_server_that_ends_while_it_starts_is_an_error_with_the_end_of_its_log(launch: Launch) -> None:
    script = "print('MemoryError: no memory left'); print('bye\\n' * 20)"
    broken = replace(launch, command=[sys.executable, "-c", script])
    with pytest.raises(MucodeError, match=r"(?s)the toy server ended .*toy\.log says why:.*no memory left.*bye"):
        LocalServer(broken).__enter__()


@pytest.mark.slow
def test_a_server_that_takes_too_long_is_ended(launch: Launch) -> None:
    script = "import time; time.sleep(60)"
    slow = replace(launch, command=[sys.executable, "-c", script], seconds_to_start=0.3)
    with pytest.raises(MucodeError, match="the toy server is not up after"):
        LocalServer(slow).__enter__()


def test_a_server_that_dies_is_started_again_with_a_word_about_it(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    with LocalServer(launch) as server:
        before = pids()
        os.kill(before[0], signal.SIGKILL)
        assert are_gone(before)  # what it had started goes, too
        deadline = time.monotonic() + 10
        while pids() == before and time.monotonic() < deadline:
            time.sleep(0.02)
        server.wait_until_up()
        assert answers(server)
    assert "the toy server is started again" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_dies_too_often_is_gone_for_good_and_its_log_is_shown(launch: Launch) -> None:
    with LocalServer(replace(launch, restarts=0)) as server:
        os.kill(pids()[0], signal.SIGKILL)
        assert are_gone(pids())
        said = ""
        deadline = time.monotonic() + 60
        while not said and time.monotonic() < deadline:
            try:
                server.wait_until_up()
            except MucodeError as error:
                said = str(error)
            time.sleep(0.1)  # it is looked after every 0.2 s
        assert re.search(r"(?s)the toy server ended by itself; .*I am up", said)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_neither_a_server_nor_its_children_outlive_a_killed_owner(launch: Launch, by: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, HEALTHY, str(launch.port)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.send_signal(by)
        assert are_gone(pids())
