"""The DVC remotes of one workspace handed over to another: what its user has set holds wherever its stages run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.commands import PUSH_ADVICE
from mucode.dvc_settings import has_remote, settings_in
from mucode.records import written_whole
from mucode.yaml_files import read_yaml

CACHE = "users-cache"  # the remote by which a worktree reads, and only reads, what this repository has cached
HANDED_OVER = Path(".mucode/remotes.json")  # digests of what a workspace has inherited: what its user sets differs


@dataclass(frozen=True, slots=True)
class DvcRemotes:
    """The DVC remotes that a user has set, here or for all repositories, credentials and all."""

    settings: Mapping[str, Mapping[str, Any]]
    default: str | None
    cache: str

    @classmethod
    def of(cls, workspace: Path) -> DvcRemotes:
        from dvc.repo import Repo

        with Repo(str(workspace)) as repo:
            settings, default = repo.config["remote"], repo.config["core"].get("remote")
            return cls(settings, default, repo.cache.local_cache_dir)

    def hand_over(self, workspace: Path) -> None:
        """Make them, and the cache as a remote CACHE, the only ones in the private settings of a worktree."""
        from dvc.config import Config

        with Config(str(workspace / ".dvc")).edit("local") as local:
            local["remote"] = {**self.settings, CACHE: {"url": self.cache}}
            local["core"].pop("remote", None)
            if self.default:
                local["core"]["remote"] = self.default
        (workspace / ".dvc/config.local").chmod(0o600)


def idle_advice(workspace: Path) -> bytes:
    """The line in which DVC advises to push, where there is nothing to push to; nothing where there is."""
    return b"" if has_remote(workspace) else PUSH_ADVICE


def no_remote(workspace: Path) -> str:
    """What there is to say where no remote is set, with the folder in which one holds for all that is made from there."""
    place = workspace.resolve()
    while place.parent.name == "runs" and settings_in(place / ".dvc/config").has_section("cache"):  # it was made there
        place = place.parent.parent
    return f"no DVC remote is set: in {place}, `dvc remote add --default NAME URL` sets one"


def on_one_disk(workspace: Path) -> str:
    """The line for who starts runs whose results go nowhere else; none where there is a remote, or where the weights are
    random ones or none, as in the sizes for tests, so that nothing would be lost."""
    model = read_yaml(workspace / "params.yaml").get("model", {}).get("setting", "random:")
    if model.startswith("random:") or has_remote(workspace):
        return ""
    return f"{no_remote(workspace)}; weights and rollouts are on this disk alone\n"


def inherit(workspace: Path, origin: Path) -> None:
    """Give a workspace the remotes of the repository or workspace that it was made from, as they are set now.

    What a person has set in the workspace itself stays and counts there: only what was handed over is taken away again.
    """
    if workspace.resolve() == origin.resolve():
        return
    said = (origin / ".dvc/config", origin / ".dvc/config.local", workspace / HANDED_OVER)
    if not any(file.is_file() and "remote" in file.read_text(encoding="utf-8") for file in said):
        return  # DVC need not be imported
    from dvc.config import Config

    given, config = DvcRemotes.of(origin), Config(str(workspace / ".dvc"))
    shared = config.load_one("repo")
    with config.edit("local") as local:
        _take_back(local, given, workspace / HANDED_OVER)
        own = {*shared["remote"], *local["remote"]}
        handed = {name: values for name, values in given.settings.items() if name not in own}
        local["remote"].update(handed)
        own_default = shared["core"].get("remote") or local["core"].get("remote")
        if given.default and not own_default:
            local["core"]["remote"] = given.default
    (workspace / ".dvc/config.local").chmod(0o600)
    _note(handed, None if own_default else given.default, workspace / HANDED_OVER)


def _take_back(local: dict[str, Any], given: DvcRemotes, noted: Path) -> None:
    """Leave in a workspace's private settings what a person has set: what is neither noted nor the same as there."""
    before = json.loads(noted.read_text(encoding="utf-8")) if noted.is_file() else {"remotes": {}, "default": None}
    for name, values in list(local["remote"].items()):
        if _digest(values) in (before["remotes"].get(name), _digest(given.settings.get(name, {}))):
            del local["remote"][name]
    if local["core"].get("remote") in (before["default"], given.default):
        local["core"].pop("remote", None)


def _note(handed: Mapping[str, Mapping[str, Any]], default: str | None, file: Path) -> None:
    if not handed and default is None:
        file.unlink(missing_ok=True)
        return
    remotes = {name: _digest(values) for name, values in handed.items()}
    with written_whole(file) as partial:
        partial.write_text(json.dumps({"remotes": remotes, "default": default}), encoding="utf-8")


def _digest(values: Mapping[str, Any]) -> str:
    """Of a remote's settings as DVC reads them, paths whole: of what is secret in them nothing is kept a second time."""
    return hashlib.sha256(json.dumps({k: str(v) for k, v in values.items()}, sort_keys=True).encode()).hexdigest()
