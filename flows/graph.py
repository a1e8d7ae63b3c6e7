"""Reads the graph of stages that DVC has made of dvc.yaml: the only list of stages there is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, DirectoryPath, Field

from mucode.types import MucodeError
from mucode.yaml_files import read_yaml


def _with_stages(folder: Path) -> Path:
    if not (folder / "dvc.yaml").is_file():
        raise ValueError(f"{folder} has no dvc.yaml: name the repository, or a folder that `mucode workspace` made")
    return folder


Workspace = Annotated[
    DirectoryPath,
    AfterValidator(_with_stages),
    Field(description="the folder with dvc.yaml and params.yaml: the repository, or one made by `mucode workspace`"),
]


def require_git(workspace: Path) -> None:
    """Refuse a repository without git, such as an unpacked archive; a size of its own needs none.

    Raises:
        MucodeError: DVC would refuse it.
    """
    said = [file.read_text() for file in (workspace / ".dvc").glob("config*") if file.is_file()]
    without = any(re.search(r"no_scm\s*=\s*true", text, re.IGNORECASE) for text in said)
    above = (workspace.resolve(), *workspace.resolve().parents)
    if said and not without and not any((folder / ".git").exists() for folder in above):
        raise MucodeError(
            f"{workspace} is not under git, by which DVC knows a repository: clone it, or run `git init` there"
        )


def closure(workspace: Path, names: Iterable[str] | None = None) -> list[str]:
    """The instances ("label@base-0") of the named stages and of all they stand on, each after what it reads.

    None means every stage. Ties go by dvc.yaml's order, so that two readings agree. A stage whose foreach is over nothing,
    as where only the base model is measured, has no instance.

    Raises:
        MucodeError: dvc.yaml or params.yaml does not make a graph, or a name is no stage.
    """
    import networkx  # type: ignore[import-untyped]
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    try:
        with Repo(str(workspace)) as repo:
            graph = repo.index.graph  # an edge leads from a stage to one whose output it reads
    except DvcException as error:
        raise MucodeError(f"{workspace / 'dvc.yaml'} makes no graph: {' '.join(str(error).split())}") from error
    instances = [stage.name for stage in graph if isinstance(stage, PipelineStage)]  # not the files of `dvc add`
    reads = networkx.relabel_nodes(graph, lambda stage: getattr(stage, "name", stage.addressing))
    declared = set(read_yaml(workspace / "dvc.yaml")["stages"])
    asked = declared if names is None else set(names)
    unknown = asked - declared
    if unknown:
        raise MucodeError(f"{workspace / 'dvc.yaml'} has no stage {sorted(unknown)[0]!r}, which a flow is to run")
    wanted = {instance for instance in instances if stage_name(instance) in asked}
    wanted |= {below for instance in wanted for below in networkx.descendants(reads, instance)}
    rank = {node: position for position, node in enumerate(reads)}
    order = networkx.lexicographical_topological_sort(reads.reverse(copy=False), key=rank.__getitem__)
    return [node for node in order if node in wanted and node in instances]


def stage_name(instance: str) -> str:
    """ "label@base-0" -> "label"."""
    return instance.partition("@")[0]
