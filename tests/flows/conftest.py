"""A toy workspace: a small dvc.yaml of shell commands, and a stand-in for the `mucode` command beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
DVC_CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
DVC_YAML = """\
stages:
  prepare:
    cmd: echo hello > data/a
    outs: [data/a]
  label:
    foreach: {"base-0": {}, "mucode-0-1": {}}
    do:
      cmd: >-
        SLOW && cat data/a > data/label-${key}
      deps: [data/a]
      outs: ["data/label-${key}"]
  validate:
    cmd: >-
      GATE
    deps: [data/label-base-0]
    outs: [data/gate]
  report:
    cmd: mkdir data/reports && echo '| rows |' > data/reports/table.md && echo page > data/reports/report.html
    deps: [data/gate, data/label-mucode-0-1]
    outs: [data/reports]
"""


def make_toy(workspace: Path, slow: str = "true", gate: str = "echo ok > data/gate", deployed: bool = False) -> Path:
    """Make the workspace; `slow` and `gate` are the shell commands of label and validate.

    `deployed`: with the project's flows and deployments, as a repository has them.
    """
    (workspace / ".dvc").mkdir(parents=True)
    (workspace / "data").mkdir()
    (workspace / ".dvc/config").write_text(DVC_CONFIG)
    (workspace / "dvc.yaml").write_text(DVC_YAML.replace("SLOW", slow).replace("GATE", gate))
    (workspace / "params.yaml").write_text("{}\n")
    for name in ("flows", "mucode", "mlflow", "prefect.yaml") if deployed else ():
        (workspace / name).symlink_to(REPOSITORY / name)
    return workspace


def clone_repository(folder: Path) -> Path:
    """A clone of the last commit: a run that ends commits its dvc.lock to a branch of the repository it belongs to."""
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(folder)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """`make_toy` in a folder of the test's own."""
    return partial(make_toy, tmp_path / "toy")
