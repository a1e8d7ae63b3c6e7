"""A Prefect server of a workspace's own: on loopback, with its database inside the workspace, gone when its starter is.

Never Prefect's ephemeral server: that is a plain child which survives a SIGKILL, and it has no UI. One server at a time
has the database; who comes second (a run while `make ui` is open) uses the first one's.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.commands import QUIET
from mucode.lineage.git import without_credentials
from mucode.processes import has_ended, held, spawn, stop
from mucode.types import MucodeError

SECONDS_TO_START = 300.0  # a busy machine takes ten times as long as an idle one
DATABASES = tuple(f"PREFECT_{part}_DATABASE_CONNECTION_URL" for part in ("SERVER", "API"))  # Prefect reads both


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is starting or up: where it listens, whether it still lives, where its output goes."""

    url: str
    alive: Callable[[], bool]
    log: Path

    @property
    def api(self) -> str:
        return f"{self.url}/api"


@contextlib.contextmanager
def prefect_server(workspace: Path, port: int = 0, *, shared: bool = False) -> Iterator[Server]:
    """The workspace's server, starting (see `wait_until_up`); ended with the block if the block started it.

    Args:
        shared: over the database that the environment names, a team's, if it names one. A run's own server never is: it
            takes whatever runs are in its database for its own, and a dead one's.
    """
    lock = workspace / ".mucode/server.lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(lock, "taken"))
        except MucodeError:
            yield _running(workspace)
            return
        url = f"http://127.0.0.1:{port or free_port()}"
        lock.write_text(url)
        log = workspace / ".mucode/logs/prefect-server.log"
        env = {name: value for name, value in os.environ.items() if shared or name not in DATABASES}
        env |= {**settings(workspace, url), "PREFECT__SERVER_FINAL": "1"}
        process = spawn(_command(url), cwd=workspace, env=env, log=log)
        stack.callback(stop, process)
        yield Server(url, lambda: not has_ended(process), log)


def settings(workspace: Path, url: str) -> dict[str, str]:
    """Environment of the server and of all that talks to it; to be set before Prefect is imported."""
    return {
        **QUIET,
        "PREFECT_HOME": str(workspace / ".mucode/prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",  # without it the UI asks port 4200
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        **_no_proxy(os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))),
    }


def _no_proxy(said: str) -> dict[str, str]:
    """No proxy for our own servers either, in both spellings, since some read the one and some the other."""
    hosts = [host for each in said.split(",") if (host := each.strip())]
    if hosts != ["*"]:  # all, but only where it stands alone
        hosts = list(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(hosts))


def wait_until_up(server: Server, name: str, health: str) -> None:
    """Wait for `health` to answer, telling on stderr how long it takes.

    Raises:
        MucodeError: the server ended, or took too long.
    """
    started = time.monotonic()
    while not answers(health):
        waited = time.monotonic() - started
        if not server.alive():
            raise MucodeError(f"{name} ended before it was up: the end of {server.log} says why")
        if waited > SECONDS_TO_START:
            raise MucodeError(f"{name} is not up after {waited:.0f} s: the end of {server.log} says why")
        _tell(f"\rwaiting for {name} ... {waited:.0f} s", on_terminal_only=True)
        time.sleep(0.2)
    _tell("\r", on_terminal_only=True)
    _tell(f"{name} is up at {without_credentials(server.url)} after {time.monotonic() - started:.0f} s\n")


@contextlib.contextmanager
def watched(server: Server, when_gone: Callable[[], None]) -> Iterator[None]:
    """Call `when_gone` from a thread as soon as the server goes while the block is at work."""
    done = threading.Event()

    def watch() -> None:
        while server.alive():
            if done.wait(0.5):
                return
        when_gone()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def answers(url: str) -> bool:
    """Whether a server is up there, if only to ask who is there."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except (OSError, http.client.HTTPException):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kept_port(file: Path) -> int:
    """A port that is the same each time, because its address is kept elsewhere; another one while that is taken."""
    said = file.read_text() if file.is_file() else ""
    if not said.isdecimal():
        said = str(free_port())
        file.parent.mkdir(exist_ok=True)
        file.write_text(said)
    return free_port() if is_taken(int(said)) else int(said)


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _command(url: str) -> list[str]:
    """What `prefect server start` runs, without the process between: that one would not pass a SIGKILL on."""
    app = ["--factory", "prefect.server.api.server:create_app"]
    port = url.rpartition(":")[2]
    quiet = ["--log-level", "warning", "--timeout-keep-alive", "5"]
    return [sys.executable, "-m", "uvicorn", *app, "--host", "127.0.0.1", "--port", port, *quiet]


def _running(workspace: Path) -> Server:
    """The server that another process has started here and holds the lock for."""
    lock = workspace / ".mucode/server.lock"
    for _ in range(20):
        if url := lock.read_text():
            return Server(url, lambda: _is_held(lock), workspace / ".mucode/logs/prefect-server.log")
        time.sleep(0.1)
    raise MucodeError(f"another process holds {lock} without saying where its server is: end it, then run again")


def _is_held(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _tell(text: str, *, on_terminal_only: bool = False) -> None:
    if sys.stderr.isatty() or not on_terminal_only:
        sys.stderr.write(text)
        sys.stderr.flush()
