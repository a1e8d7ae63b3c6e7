"""Our own servers are asked directly, whatever proxy stands between this machine and others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.server import settings

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


@pytest.mark.parametrize("spelling", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_is_not_asked_for_a_server_of_our_own(spelling: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Up) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        bare = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        asked = subprocess.run(
            [sys.executable, "-c", ASKS, url], env={**bare, spelling: "http://127.0.0.1:9"}, check=False
        )
        server.shutdown()
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
