"""Our own servers are asked directly, whatever proxy stands between this machine and others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.server import DATABASES, Server, answers, kept_port, prefect_server, settings, wait_until_up

ASKS = """
import os, sys
from pathlib import Path
from flows.server import answers, settings
os.environ.update(settings(Path(), sys.argv[1]))
sys.exit(not any(answers(sys.argv[1]) for _ in range(10)))  # the machine may be busy; a proxy refuses all
"""  # in a process of its own, because urllib reads the proxies once


class Up(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing: the answer says all."""


class Guarded(Up):
    def do_GET(self) -> None:
        self.send_error(401)


class NoHttp(Up):
    def do_GET(self) -> None:
        self.wfile.write(b"220 mail\r\n")


@contextmanager
def listening(handler: type[Up]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("handler", "up"), [(Up, True), (Guarded, True), (NoHttp, False)])
def test_a_server_that_asks_who_is_there_is_up_and_one_that_speaks_no_http_is_not(handler: type[Up], up: bool) -> None:
    with listening(handler) as host:
        assert answers(f"http://{host}/health") is up
    assert not answers("http://ada:t0ken@127.0.0.1/health")  # which urllib takes for a port


def test_a_token_in_an_address_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(Up) as host:
        wait_until_up(Server(f"http://ada:t0ken@{host}", lambda: True, Path()), "MLflow", f"http://{host}/health")
    assert f"MLflow is up at http://{host} after" in capsys.readouterr().err


def test_an_address_that_others_keep_is_the_same_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / ".mucode/reports.port"
    port = kept_port(file)
    assert kept_port(file) == port
    with HTTPServer(("127.0.0.1", port), Up):
        assert kept_port(file) != port  # for as long as somebody else has it
    assert kept_port(file) == port


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def environment(process: str) -> dict[str, str]:
    text = Path(f"/proc/{process}/environ").read_text()
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


@pytest.mark.parametrize("shared", [False, True])
def test_a_run_s_own_server_leaves_a_team_s_database_alone(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mucode/logs").mkdir(parents=True)
    for name in DATABASES:
        monkeypatch.setenv(name, "postgresql+asyncpg://nobody@127.0.0.1:9/prefect")
    before = children()
    with prefect_server(tmp_path, shared=shared):
        (server,) = children() - before
        while "PREFECT__SERVER_FINAL" not in (told := environment(server)):
            time.sleep(0.01)  # it has not begun yet and shows what it was forked of
    assert told["PREFECT_HOME"] == str(tmp_path / ".mucode/prefect")
    assert all((name in told) is shared for name in DATABASES)


@pytest.mark.parametrize("spelling", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_is_not_asked_for_a_server_of_our_own(spelling: str) -> None:
    with listening(Up) as host:
        bare = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        asked = subprocess.run(
            [sys.executable, "-c", ASKS, f"http://{host}"], env={**bare, spelling: "http://127.0.0.1:9"}, check=False
        )
    assert asked.returncode == 0


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("", "127.0.0.1,localhost"),
        ("example.org, .local", "example.org,.local,127.0.0.1,localhost"),
        ("127.0.0.1,localhost", "127.0.0.1,localhost"),
        ("*", "*"),
    ],
)
def test_hosts_that_need_no_proxy_already_still_need_none(
    said: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", said)
    found = settings(Path(), "http://127.0.0.1:4200")
    assert (found["no_proxy"], found["NO_PROXY"]) == (says, says)
