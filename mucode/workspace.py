"""Workspaces: the same stages at another size, without touching the user's tree.

The default size runs in the repository itself. Any other runs in `runs/<size>/`, a DVC repository without git that
holds a merged params.yaml (DVC's templating reads no environment, so a size has to become a parameter file), a copy of
dvc.yaml and a link to the code. They share one DVC cache: what two sizes have in common is computed once.
"""

from __future__ import annotations

import os
from pathlib import Path

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
    place = (folder or root / "runs" / size).absolute()
    place.mkdir(parents=True, exist_ok=True)
    _write(place / "params.yaml", parameters(size, root))
    _write(place / "dvc.yaml", (root / "dvc.yaml").read_text())
    furnish(place, root, shares_cache=folder is None)
    return place


def furnish(folder: Path, root: Path, *, shares_cache: bool) -> None:
    """Put into a folder that has parameters and stages whatever else they need to run."""
    shared = (
        "[cache]\n    dir = ../../../.dvc/cache\n" if shares_cache else ""
    )  # counted from the folder of the setting
    (folder / ".dvc").mkdir(exist_ok=True)
    _write(folder / ".dvcignore", (root / ".dvcignore").read_text())
    _write(folder / ".dvc/.gitignore", (root / ".dvc/.gitignore").read_text())
    _write(folder / ".dvc/config", DVC_CONFIG + shared)
    (folder / "data/collected").mkdir(parents=True, exist_ok=True)  # `mucode collect` fills it; a stage reads it
    _link(folder / "mucode", root / "mucode")


def parameters(size: str, root: Path) -> str:
    """The text of params.yaml for a size: the profile laid over the committed one, its plan unrolled anew."""
    committed = root / "params.yaml"
    profile = committed if size == DEFAULT else root / "profiles" / f"{size}.yaml"
    values = overlaid(read_yaml(committed), read_yaml(profile))
    values.pop("plan", None)
    title = f"# Made of {committed.name} and {profile.name}: change those, and run again.\n"
    try:
        text = with_plan(title + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    except ValueError as error:
        raise MucodeError(f"{profile}: {' '.join(str(error).split())}: compare with `study` in {committed}") from error
    parse_config(yaml.safe_load(text), profile)
    return text


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
