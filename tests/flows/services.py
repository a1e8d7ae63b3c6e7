"""Real servers for the team's profile: PostgreSQL as Debian installs it, and an S3 of moto's, on free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.server import free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextlib.contextmanager
def postgresql(*databases: str) -> Iterator[str]:
    """An empty PostgreSQL with these databases; yields "user@host:port". It refuses to run as root, so root steps down."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    unprivileged = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    port = str(free_port())
    with tempfile.TemporaryDirectory(prefix="mucode-postgresql-", ignore_cleanup_errors=True) as home:
        if unprivileged:
            shutil.chown(home, "nobody", "nogroup")

        def run(program: str, *arguments: str) -> None:
            command = [str(BINARIES[-1] / program), *arguments]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, **unprivileged)  # type: ignore[call-overload]
            assert done.returncode == 0, done.stderr

        run("initdb", "--pgdata", f"{home}/data", "--username", "mucode", "--auth", "trust", "--no-sync")
        server = subprocess.Popen(
            [str(BINARIES[-1] / "postgres"), "-D", f"{home}/data", "-h", "127.0.0.1", "-p", port, "-k", home, "-F"],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **unprivileged,  # type: ignore[call-overload]
        )
        try:
            _wait(lambda: _accepts(home, port))
            for database in databases:
                run("createdb", "--host", home, "--port", port, "--username", "mucode", database)
            yield f"mucode@127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _accepts(home: str, port: str) -> bool:
    asked = [str(BINARIES[-1] / "pg_isready"), "--host", home, "--port", port]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def s3(*buckets: str) -> Iterator[str]:
    """An S3 with these empty buckets; yields its address. AWS_* in the environment say who asks: anybody may."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install -e '.[team]'")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: pip install -e '.[team]'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=url)
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield url
    finally:
        server.stop()


def _wait(ready: object, seconds: float = 60) -> None:
    assert callable(ready)
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "the server is not up"
        time.sleep(0.1)
