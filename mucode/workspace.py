"""Workspaces: the same stages at another size, without touching the user's tree.

The default size runs in the repository itself. Any other runs in `runs/<size>/`, a DVC repository without git that
holds a merged params.yaml (DVC's templating reads no environment, so a size has to become a parameter file), a copy of
dvc.yaml and a link to the code. They share one DVC cache: what two sizes have in common is computed once.
"""

from __future__ import annotations

import hashlib
import json
import os
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import yaml

from mucode.config import parse_config, read_yaml
from mucode.parameters import overlaid, with_plan
from mucode.records import written_whole
from mucode.types import MucodeError

DEFAULT = "default"  # params.yaml as committed

DVC_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
"""


def sizes(root: Path) -> list[str]:
    """The sizes there are: the default, and a profile each."""
    return [DEFAULT, *sorted(profile.stem for profile in (root / "profiles").glob("*.yaml"))]


def make_workspace(size: str, root: Path, folder: Path | None = None) -> Path:
    """The folder in which `size` runs, made or brought up to date; data/ and dvc.lock in it are left as they are.

    `root` is the repository. The workspace is `root`/runs/`size` and shares the repository's cache; a `folder` given
    instead gets a cache of its own, and can be thrown away whole.

    Raises:
        MucodeError: no such size, or a profile that names an unknown parameter.
    """
    if size not in sizes(root):
        raise MucodeError(f"there is no size {size!r}: choose one of {', '.join(sizes(root))}")
    if size == DEFAULT and folder is None:
        return root
    shared = "" if folder else "[cache]\n    dir = ../../../.dvc/cache\n"  # counted from the folder of the setting
    folder = (folder or root / "runs" / size).absolute()
    _furnish(folder, root, parameters(size, root), DVC_CONFIG + shared)
    return folder


def varied_workspace(workspace: Path, changes: dict[str, Any]) -> Path:
    """The folder in which `workspace` runs with other parameters, made or brought up to date.

    It is named after a digest of the changes, so that the same ones find the same folder with its results, and shares
    the workspace's cache: only what depends on a changed parameter is computed. `workspace` itself is left as it is.

    Raises:
        MucodeError: the changes name an unknown parameter, or a value that is out of bounds.
    """
    digest = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()
    folder = workspace / "runs" / f"varied-{digest[:8]}"
    said = json.dumps(changes, sort_keys=True, ensure_ascii=False)
    committed = workspace / "params.yaml"
    title = f"# Made of {committed.name} and a run's own parameters, {said}: change those, and run again.\n"
    text = _merged(read_yaml(committed), changes, title, committed)
    _furnish(folder, workspace, text, f"{DVC_CONFIG}[cache]\n    dir = {_cache_seen_from(folder, workspace)}\n")
    return folder


def parameters(size: str, root: Path) -> str:
    """The text of params.yaml for a size: the profile laid over the committed one, its plan unrolled anew."""
    committed = root / "params.yaml"
    profile = committed if size == DEFAULT else root / "profiles" / f"{size}.yaml"
    title = f"# Made of {committed.name} and {profile.name}: change those, and run again.\n"
    return _merged(read_yaml(committed), read_yaml(profile), title, profile)


def _merged(committed: dict[str, Any], changes: dict[str, Any], title: str, culprit: Path) -> str:
    values = overlaid(committed, changes)
    values.pop("plan", None)
    try:
        text = with_plan(title + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    except ValueError as error:
        raise MucodeError(f"{culprit}: {' '.join(str(error).split())}: compare with `study` in params.yaml") from error
    parse_config(yaml.safe_load(text), culprit)
    return text


def _furnish(folder: Path, origin: Path, params: str, dvc_config: str) -> None:
    """Give a workspace everything that a DVC repository without git needs, and the code of `origin`."""
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    _write(folder / "params.yaml", params)
    _write(folder / "dvc.yaml", (origin / "dvc.yaml").read_text())
    _write(folder / ".dvcignore", (origin / ".dvcignore").read_text())
    _write(folder / ".dvc/.gitignore", (origin / ".dvc/.gitignore").read_text())
    _write(folder / ".dvc/config", dvc_config)
    _link(folder / "mucode", (origin / "mucode").resolve())


def _cache_seen_from(folder: Path, workspace: Path) -> str:
    """The setting by which `folder` uses the cache of `workspace`; both count from the folder of the setting."""
    settings = ConfigParser(interpolation=None)
    settings.read([workspace / ".dvc/config", workspace / ".dvc/config.local"])
    cache = workspace / ".dvc" / settings.get("cache", "dir", fallback="cache")
    return os.path.relpath(cache, folder / ".dvc")


def _write(path: Path, text: str) -> None:
    """Write a file unless it says so already: DVC looks at the time of change first."""
    if not path.exists() or path.read_text() != text:
        with written_whole(path) as partial:
            partial.write_text(text)


def _link(link: Path, target: Path) -> None:
    """A relative link, so that the repository can be moved with its workspaces."""
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and link.readlink() == Path(relative):
        return
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise MucodeError(f"{link} is in the way of a link to the code: move it away, then run again")
    link.symlink_to(relative, target_is_directory=True)
