"""Workspaces: the same stages at another size, without touching the user's tree.

The default size runs in the repository itself. Any other runs in `runs/<size>/`, a DVC repository without git that
holds a merged params.yaml (DVC's templating reads no environment, so a size has to become a parameter file), a copy of
dvc.yaml and a link to the code. They share one DVC cache: what two sizes have in common is computed once.

A size is a profile or several laid over each other: "study/main" is profiles/study.yaml and over it
profiles/study/main.yaml; "study/main+smoke" lays profiles/smoke.yaml over both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from mucode.dvc_settings import renewed, settings_files, settings_in
from mucode.local_files import MODELS, link_model, model_at_hand, relative_link, with_files_of
from mucode.parameters import overlaid, with_plan
from mucode.processes import held
from mucode.records import write_json, written_whole
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml, read_yaml

DEFAULT = "default"  # params.yaml as committed
STUDY = "study"  # the profile that all pieces of the study are laid over
_BEGUN = {".mucode", MODELS}  # what there is of a workspace if its start was killed before its parameters were written
COLLECTED = Path("data/collected/problems.jsonl")  # as in problems.collected, the import of which takes its time
POINTER = COLLECTED.with_name(f"{COLLECTED.name}.dvc")  # DVC's: what a run branch keeps of them
MADE = Path(".mucode/made.json")

DVC_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What `make_workspace` has made a workspace of, as it keeps it there in MADE."""

    size: str
    elsewhere: bool  # in a folder that was named, with a cache of its own
    digests: Mapping[str, str]  # of the parameters and the stages as they were written, by the file's name


def sizes(root: Path) -> list[str]:
    """The sizes there are: the default, and a profile each."""
    folder = root / "profiles"
    return [DEFAULT, *sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))]


def layers(size: str, root: Path) -> list[Path]:
    """The profiles that make a size, in the order in which they are laid over params.yaml.

    Raises:
        MucodeError: no such size.
    """
    if size == DEFAULT:
        return []
    names = [name for part in size.split("+") for name in accumulate(part.split("/"), "{}/{}".format)]
    if not set(names) <= set(sizes(root)) - {DEFAULT}:
        raise MucodeError(f"there is no size {size!r}: choose one of {', '.join(sizes(root))}")
    return [root / "profiles" / f"{name}.yaml" for name in names]


def make_workspace(size: str, root: Path, folder: Path | None = None) -> Path:
    """The folder in which `size` runs, made or brought up to date; data/ and dvc.lock in it are left as they are.

    `root` is the repository. The workspace is `root`/runs/`size` and shares the repository's cache; a `folder` given
    instead gets a cache of its own, and can be thrown away whole.

    Raises:
        MucodeError: no such size, a profile that names an unknown parameter, a folder that holds something else, or one
            that a run is at work in.
    """
    if size == DEFAULT and folder is None:
        return root
    place = place_of(size, root, folder)
    files = _files_of(size, root, place)
    with alone_in(place):
        link_model(place, root, files["params.yaml"].decode())
        _set_up(place, root, files, DVC_CONFIG + ("" if folder else _cache_of(root, place)))
        made = Made(size, elsewhere=folder is not None, digests={name: _sha256(text) for name, text in files.items()})
        if _made(place) != made:
            write_json(place / MADE, asdict(made))
    return place


def renew_workspace(workspace: Path) -> str:
    """Bring a size's workspace up to date before a run of it, as `make_workspace` does, which made it.

    Every other folder stays as it is, the repository itself among them; so does one that a run is at work in, and a piece of
    the study, whose model and end `make study` watches over.

    Returns:
        What a person has edited there by hand, in a sentence: it stays as well. "": nothing.

    Raises:
        MucodeError: as `make_workspace`.
    """
    made, root = _made(workspace), (workspace / "mucode").resolve().parent
    if made is None or _is_of_study(layers(made.size, root)) or is_at_work(workspace):
        return ""
    folder = workspace if made.elsewhere else None
    if folder_of(made.size, root).resolve() != workspace.resolve() and folder is None:
        return ""  # a copy of what was made
    for name, text in _files_of(made.size, root, workspace).items():
        found = _sha256((workspace / name).read_bytes()) if (workspace / name).exists() else _sha256(text)
        if found not in (made.digests[name], _sha256(text)):
            again = f"mucode workspace --size {made.size}" + (f" --folder {workspace}" if made.elsewhere else "")
            return f"{workspace / name} was edited there and is not brought up to date; `{again}` makes it anew"
    make_workspace(made.size, root, folder)
    return ""


def place_of(size: str, root: Path, folder: Path | None = None) -> Path:
    """The folder that `make_workspace` makes or brings up to date; nothing is written.

    Raises:
        MucodeError: no such size, or the folder holds something else, or runs the code of another clone.
    """
    if size == DEFAULT and folder is None:
        return root
    title = _title(size, root)
    place = (folder or folder_of(size, root)).absolute()
    there = [path.name for path in place.iterdir()] if place.is_dir() else []
    others = sorted((name for name in there if name not in _BEGUN), key=lambda name: (name != "params.yaml", name))
    if others and not _begins_with(place / "params.yaml", title):
        raise MucodeError(
            f"{place} holds {others[0]} and was not made for the size {size}: name an empty folder, or move this one away"
        )
    code = place / "mucode"
    if code.exists() and code.resolve() != (root / "mucode").resolve():
        raise MucodeError(f"{place} runs the code of {code.resolve().parent}: give the command there")
    return place


@contextlib.contextmanager
def alone_in(workspace: Path) -> Iterator[None]:
    """What a run holds while it is at work in a workspace.

    Raises:
        MucodeError: another one is.
    """
    refusal = f"{workspace} is at work in another run: wait for it, or give this run a workspace of its own"
    with held(workspace / ".mucode/run.lock", refusal):
        yield


def is_at_work(workspace: Path) -> bool:
    """Whether a run is at work in a workspace just now."""
    try:
        with alone_in(workspace):
            return False
    except MucodeError:
        return True


def varied_workspace(workspace: Path, changes: dict[str, Any]) -> Path:
    """The folder in which `workspace` runs with other parameters, made or brought up to date.

    It is named after a digest of the changes, so that the same ones find the same folder with its results, and shares
    the workspace's cache: only what depends on a changed parameter is computed. `workspace` itself is left as it is.

    Raises:
        MucodeError: the changes name an unknown parameter, or a value that is out of bounds; or a run is at work there.
    """
    digest = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()
    folder = workspace / "runs" / f"varied-{digest[:8]}"
    said = json.dumps(changes, sort_keys=True, ensure_ascii=False)
    committed = workspace / "params.yaml"
    title = f"# Made of {committed.name} and a run's own parameters, {said}: change those, and run again.\n"
    text = with_files_of(workspace, _merged(read_yaml(committed), changes, title, committed), folder)
    files = {"params.yaml": text.encode(), "dvc.yaml": (workspace / "dvc.yaml").read_bytes()}
    with alone_in(folder):
        _set_up(folder, workspace, files, DVC_CONFIG + _cache_of(workspace, folder))
        for path in (COLLECTED, POINTER):
            if (workspace / path).exists():
                _write(folder / path, (workspace / path).read_bytes())
        if (workspace / MODELS).exists():
            relative_link(folder / MODELS, workspace / MODELS)
    return folder


def folder_of(size: str, root: Path) -> Path:
    """Where a size runs, if it is told no other folder: side by side, whatever the profiles' folders."""
    return root / "runs" / size.replace("/", "-")


def parameters(size: str, root: Path) -> str:
    """The text of params.yaml for a size: its profiles laid over the committed one, its plan unrolled anew."""
    committed = root / "params.yaml"
    profiles = layers(size, root)
    changes: dict[str, Any] = {}
    for profile in profiles:
        changes = overlaid(changes, read_yaml(profile))
    values = read_yaml(committed)
    if _is_of_study(profiles) and "model" in values:
        changes["model"] = model_at_hand(overlaid(values, changes)["model"])
    return _merged(values, changes, _title(size, root), profiles[-1] if profiles else committed)


def _is_of_study(profiles: Sequence[Path]) -> bool:
    return bool(profiles) and profiles[0].stem == STUDY


def _title(size: str, root: Path) -> str:
    """The first line of a size's params.yaml, by which its workspace is known."""
    names = [path.name for path in (root / "params.yaml", *layers(size, root))]
    return f"# Made of {' and '.join(names)}: change those, and run again.\n"


def _begins_with(path: Path, line: str) -> bool:
    return path.exists() and path.read_bytes().startswith(line.encode())


def _merged(committed: dict[str, Any], changes: dict[str, Any], title: str, culprit: Path) -> str:
    values = overlaid(committed, changes)
    values.pop("plan", None)
    return with_plan(title + dump_yaml(values, allow_unicode=True), culprit)


def _files_of(size: str, root: Path, place: Path) -> dict[str, bytes]:
    """The parameters and the stages of a size's workspace."""
    params = with_files_of(root, parameters(size, root), place)
    return {"params.yaml": params.encode(), "dvc.yaml": (root / "dvc.yaml").read_bytes()}


def _made(workspace: Path) -> Made | None:
    """None where `make_workspace` did not make it, or an older version did."""
    file = workspace / MADE
    return Made(**json.loads(file.read_bytes())) if file.is_file() else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _set_up(folder: Path, origin: Path, files: Mapping[str, bytes], dvc_config: str) -> None:
    """Give a workspace its parameters, the stages, and all that they need."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        _write(folder / name, content)
    furnish(folder, origin, dvc_config)


def furnish(folder: Path, origin: Path, dvc_config: str = DVC_CONFIG) -> None:
    """Put into a folder that has parameters and stages whatever else a DVC repository without git needs to run them,
    and the code of `origin`. A remote that a person has set there stays."""
    (folder / ".dvc").mkdir(exist_ok=True)
    _write(folder / ".dvcignore", (origin / ".dvcignore").read_bytes())
    _write(folder / ".dvc/.gitignore", (origin / ".dvc/.gitignore").read_bytes())
    _write(folder / ".dvc/config", renewed(folder / ".dvc/config", dvc_config).encode())
    (folder / COLLECTED).parent.mkdir(parents=True, exist_ok=True)  # `mucode collect` fills it; a stage reads it
    relative_link(folder / "mucode", (origin / "mucode").resolve())


def _cache_of(workspace: Path, folder: Path) -> str:
    """The section by which `folder` uses the cache of `workspace`, and as that does."""
    cache = {"dir": str(workspace / ".dvc/cache")}
    for file in settings_files(workspace):
        said = settings_in(file)
        cache.update(said.items("cache") if said.has_section("cache") else [])
        if said.has_option("cache", "dir"):  # a path counts from the file that says it
            cache["dir"] = str(file.parent / Path(said["cache"]["dir"].strip("\"'")).expanduser())
    cache["dir"] = os.path.relpath(cache["dir"], folder / ".dvc")
    return "[cache]\n" + "".join(f"    {name} = {value}\n" for name, value in cache.items())


def _write(path: Path, content: bytes) -> None:
    """Write a file unless it says so already: DVC looks at the time of change first."""
    if not path.exists() or path.read_bytes() != content:
        with written_whole(path) as partial:
            partial.write_bytes(content)
