"""The reports of a workspace over HTTP, on loopback: from a page of Prefect's, browsers open no file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mucode.layout import Layout

REPORT = Layout().reports / "report.html"
REPORTS_URL = "MUCODE_REPORTS_URL"  # tells a flow where they are served


class _Reports(SimpleHTTPRequestHandler):
    """Serves what lies in the report folders of a workspace and of its runs, and nothing else of it."""

    def send_head(self) -> Any:
        folder = PurePosixPath(unquote(urlsplit(self.path).path)).parent.as_posix().lstrip("/")
        if ".." in folder or not folder.endswith(Layout().reports.as_posix()) or self.path.endswith("/"):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a person reads the terminal."""


@contextlib.contextmanager
def reports_server(workspace: Path, port: int) -> Iterator[str]:
    """Serve `workspace`'s reports in a thread of this process; the address."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Reports, directory=str(workspace))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
