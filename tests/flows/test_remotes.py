"""Which DVC remotes a workspace has: its repository's as they are now, and whatever a person has set in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.remotes import DvcRemotes, inherit, no_remote, on_one_disk
from mucode.dvc_settings import has_remote
from tests.flows.conftest import DVC_CONFIG, make_toy

# DVC's use of pygtrie
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a workspace runs/small."""
    make_toy(tmp_path / "root/runs/small")
    return make_toy(tmp_path / "root")


def said(core: str = "[core]\n", **remotes: str) -> str:
    """What `dvc remote add` writes; the first one is the default."""
    named = "".join(f"['remote \"{name}\"']\n    url = {url}\n" for name, url in remotes.items())
    return f"{core}    remote = {next(iter(remotes))}\n{named}"


def urls(workspace: Path) -> dict[str, str]:
    return {name: Path(values["url"]).name for name, values in DvcRemotes.of(workspace).settings.items()}


@pytest.mark.parametrize("file", ["config", "config.local"])
def test_a_remote_set_in_a_workspace_stays_and_counts_whatever_its_repository_has(root: Path, file: str) -> None:
    workspace = root / "runs/small"
    (workspace / ".dvc" / file).write_text(said(DVC_CONFIG if file == "config" else "[core]\n", mine="../disk"))
    inherit(workspace, root)
    assert (urls(workspace), DvcRemotes.of(workspace).default) == ({"mine": "disk"}, "mine")

    (root / ".dvc/config.local").write_text(said(team="../shelf", mine="../other"))
    for _ in range(2):
        inherit(workspace, root)
        assert (urls(workspace), DvcRemotes.of(workspace).default) == ({"mine": "disk", "team": "shelf"}, "mine")

    (root / ".dvc/config.local").unlink()
    inherit(workspace, root)
    assert (urls(workspace), DvcRemotes.of(workspace).default) == ({"mine": "disk"}, "mine")


def test_what_was_handed_over_follows_the_repository_until_a_person_changes_it(root: Path) -> None:
    workspace = root / "runs/small"
    for url in ("../shelf", "../another"):
        (root / ".dvc/config").write_text(said(DVC_CONFIG, team=url))
        inherit(workspace, root)
        assert (urls(workspace), DvcRemotes.of(workspace).default) == ({"team": Path(url).name}, "team")
    local = workspace / ".dvc/config.local"
    local.write_text(local.read_text() + "    jobs = 3\n")
    (root / ".dvc/config").write_text(said(DVC_CONFIG, team="../third"))
    inherit(workspace, root)
    assert urls(workspace) == {"team": "another"}
    assert local.stat().st_mode & 0o077 == 0


def test_a_workspace_without_remotes_is_left_as_it_is(root: Path) -> None:
    before = sorted(root.rglob("*"))
    inherit(root / "runs/small", root)
    assert sorted(root.rglob("*")) == before


def test_the_folder_to_set_a_remote_in_is_the_one_that_workspaces_have_theirs_from(root: Path) -> None:
    varied, elsewhere = root / "runs/small/runs/varied-0", root.parent / "elsewhere/runs/small"
    for each in (root / "runs/small", varied):
        (each / ".dvc").mkdir(parents=True, exist_ok=True)
        (each / ".dvc/config").write_text(f"{DVC_CONFIG}[cache]\n    dir = ../../../.dvc/cache\n")
    for workspace, named in ((root, root), (root / "runs/small", root), (varied, root), (elsewhere, elsewhere)):
        workspace.mkdir(parents=True, exist_ok=True)
        assert no_remote(workspace).startswith(f"no DVC remote is set: in {named}, `dvc remote add")
    (root / ".dvc/config").write_text(said(DVC_CONFIG, team="../shelf"))
    inherit(root / "runs/small", root)
    assert has_remote(root / "runs/small")


def test_that_results_are_on_one_disk_is_said_where_there_is_something_to_lose(root: Path) -> None:
    for params, expected in (
        ("{}", False),
        ("model: {setting: 'random:tiny'}", False),
        ("model: {setting: 'hub:a'}", True),
    ):
        (root / "params.yaml").write_text(params)
        assert on_one_disk(root).endswith("weights and rollouts are on this disk alone\n") is expected
    (root / ".dvc/config").write_text(said(DVC_CONFIG, team="../shelf"))
    assert on_one_disk(root) == ""
