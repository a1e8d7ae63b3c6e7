"""Files of this machine that parameters name by a path: problems and a model of one's own, and the study's model, if local.

A workspace lies elsewhere than the parameters that it is made of, so a relative path is written anew, or a link laid.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mucode.parameters import overlaid, with_plan
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml, load_yaml, read_yaml

STUDY_MODEL = "MUCODE_STUDY_MODEL"  # gguf:PATH#sha256=... or dir:PATH#sha256=..., where the study's hub is not reached
MODELS = "models"  # the workspace's folder of links to such models: no parameter holds a path of this machine
LOCAL = ("gguf", "dir")  # the kinds of model that are named by a path


def with_files_of(origin: Path, text: str, folder: Path) -> str:
    """The parameters of `origin` for `folder`: what the one names by a relative path is the other's, too; a model of
    MODELS has a link in each."""
    values = load_yaml(text)
    moved = {path: os.path.relpath(origin.resolve() / path, folder.resolve()) for path in _relative_files(values)}
    files = {
        source: {"path": moved.get(file["path"], file["path"])} for source, file in values["problems"]["files"].items()
    }
    setting, model = str(values["model"]["setting"]), _model_file(values)
    if model in moved and not model.startswith(f"{MODELS}/"):
        setting = setting.replace(f":{model}", f":{moved[model]}", 1)
    changes = {"problems": {"files": files}, "model": {"setting": setting}}
    if overlaid(values, changes) == values:
        return text
    del values["plan"]
    title = text.splitlines(keepends=True)[0]
    moved_text = title + dump_yaml(overlaid(values, changes), allow_unicode=True)
    return with_plan(moved_text, origin / "params.yaml")


def model_at_hand(model: Any) -> Any:
    """The model section, in which the model that STUDY_MODEL names stands for one of the hub's, named as such.

    What is no section comes back as it is, to be refused with the other parameters.

    Raises:
        MucodeError: the variable names no local model, or one without its digest.
    """
    named = os.environ.get(STUDY_MODEL)
    if not named or not isinstance(model, dict) or not str(model.get("setting")).startswith("hub:"):
        return model
    kind, path, digest = _local_model(named)
    return {**model, "setting": f"{kind}:{MODELS}/{path.name}#sha256={digest}"}


def link_model(folder: Path, root: Path, text: str) -> None:
    """Link the local model that the new parameters name: the one at hand, or one of the repository's own MODELS.

    Raises:
        MucodeError: the workspace was begun with another model.
    """
    values, old = load_yaml(text), folder / "params.yaml"
    setting = values["model"]["setting"]
    before = read_yaml(old)["model"]["setting"] if old.exists() else setting
    digested = setting.startswith(f"{before}#")  # which a run had asked for
    if before != setting and not digested and f":{MODELS}/" in before + setting:
        raise MucodeError(
            f"{folder} was begun with {before}, not {setting}: name that one in {STUDY_MODEL}, or remove the folder"
        )
    model, named = _model_file(values), os.environ.get(STUDY_MODEL)
    at_hand = _local_model(named)[1] if named else root / model
    source = at_hand if f":{MODELS}/{at_hand.name}#" in setting else root / model
    if f":{MODELS}/" in setting and source.exists():
        (folder / model).parent.mkdir(parents=True, exist_ok=True)
        relative_link(folder / model, source)


def link_files(folder: Path, origin: Path, within: Path) -> None:
    """Link what the parameters of a folder name by a path that counts from `origin`, if its place is `within` and free."""
    for path in _relative_files(read_yaml(folder / "params.yaml")):
        ours = Path(os.path.normpath(folder / path)).is_relative_to(within)
        if ours and (origin / path).exists() and not (folder / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            relative_link(folder / path, origin / path)


def relative_link(link: Path, target: Path) -> None:
    """A relative link, so that the repository can be moved with its workspaces.

    Raises:
        MucodeError: something else than a link is in its place.
    """
    relative = os.path.relpath(target, link.parent)
    if link.is_symlink() and link.readlink() == Path(relative):
        return
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise MucodeError(f"{link} is in the way of a link to {target}: move it away, then run again")
    link.symlink_to(relative, target_is_directory=True)


def _relative_files(values: dict[str, Any]) -> list[str]:
    """The problem files and the local model that parameters name by a path which counts from their workspace."""
    named = [*(file["path"] for file in values["problems"].get("files", {}).values()), _model_file(values)]
    return [path for path in named if path and not Path(path).is_absolute()]


def _model_file(values: dict[str, Any]) -> str:
    """The path of a local model; nothing of any other."""
    kind, _, rest = str(values["model"]["setting"]).partition(":")
    return rest.partition("#sha256=")[0] if kind in LOCAL else ""


def _local_model(named: str) -> tuple[str, Path, str]:
    kind, _, rest = named.partition(":")
    path, _, digest = rest.partition("#sha256=")
    if kind not in LOCAL or not path or not digest:
        raise MucodeError(f"{STUDY_MODEL}={named} is neither gguf:PATH#sha256=... nor dir:PATH#sha256=...: correct it")
    return kind, Path(path).absolute(), digest
