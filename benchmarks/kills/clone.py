"""A clone to be ill-treated: the repository's files in a folder of their own, with its own data, cache and dvc.lock."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mucode.workspace import DEFAULT

GIVEN = ("collected", ".gitignore", "README.md")  # in data/, what no stage makes
MAKE = ("make", "--old-file", ".venv/.installed", "quickstart")


@dataclass(frozen=True, slots=True)
class Clone:
    """A copy of the tracked files, and the size that runs in it."""

    root: Path
    size: str

    @property
    def workspace(self) -> Path:
        return self.root if self.size == DEFAULT else self.root / "runs" / self.size

    @property
    def lock_file(self) -> bytes:
        """What the workspace's dvc.lock holds; empty before there is one."""
        path = self.workspace / "dvc.lock"
        return path.read_bytes() if path.exists() else b""

    @property
    def output(self) -> Path:
        return self.root / "output.txt"

    def start(self) -> subprocess.Popen[bytes]:
        """`make quickstart` in a session of its own."""
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [*MAKE, f"SIZE={self.size}"],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            )

    def said(self, beginning: str) -> str:
        """The last line of the output that begins so, without the beginning."""
        lines = self.output.read_text(errors="replace").replace("\r", "\n").splitlines()
        return next((line.removeprefix(beginning) for line in reversed(lines) if line.startswith(beginning)), "")

    def flow_runs(self) -> dict[str, int]:
        """How many flow runs are in which state, as the Prefect server's database has it."""
        path = self.workspace / ".mucode/prefect/prefect.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return dict(database.execute("select state_type, count(*) from flow_run group by 1 order by 1"))

    def forget(self) -> None:
        """Back to a fresh clone, but for the Prefect server's database: what was computed is computed anew."""
        made = [folder for folder in (self.workspace / "data").iterdir() if folder.name not in GIVEN]
        for path in (*made, self.root / ".dvc/cache", self.workspace / ".mucode/shards"):
            if path.is_file():
                path.unlink()
            shutil.rmtree(path, ignore_errors=True)
        (self.workspace / "dvc.lock").unlink(missing_ok=True)


def clone(repository: Path, root: Path, size: str) -> Clone:
    """Copy the tracked files as they are now, and link the environment; the committed dvc.lock stays behind."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if name != "dvc.lock" and (repository / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, root / name)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".venv").symlink_to(repository / ".venv")
    return Clone(root, size)
