"""What a run of a flow can be told: typed and bounded, so that the form in Prefect's UI refuses what could not run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from flows.graph import Workspace
from flows.remotes import inherit
from mucode.collect.version import require_version
from mucode.workspace import renew_workspace, varied_workspace
from mucode.yaml_files import read_yaml

PARAMS = Path(__file__).resolve().parent.parent / "params.yaml"

MODELS = "pypi:NAME==VERSION, hub:ORG/NAME@COMMIT, dir:/PATH#sha256=..., gguf:/PATH#sha256=..., random:tiny"

Setting = Annotated[str, Field(pattern="^(pypi|hub|dir|gguf|random):.+$")]
Iterations = Annotated[int, Field(ge=1, le=100)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class _OneOfTheMethods:
    """Lists the methods of params.yaml in the form; what a workspace of its own defines, its own params.yaml decides."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": sorted(read_yaml(PARAMS)["methods"])}


class Variation(BaseModel):
    """Where one run departs from the workspace's params.yaml; what is left empty stays as it is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Annotated[Annotated[str, _OneOfTheMethods()] | None, Field(description="instead of study.methods")] = None
    model: Annotated[Setting | None, Field(description=f"instead of model.setting: {MODELS}")] = None
    iterations: Annotated[Iterations | None, Field(description="instead of study.iterations")] = None
    seeds: Annotated[Seeds | None, Field(description="instead of study.seeds")] = None

    def as_parameters(self) -> dict[str, Any]:
        """Laid out as in params.yaml; empty if nothing departs."""
        study: dict[str, Any] = {"iterations": self.iterations, "seeds": self.seeds}
        study["methods"] = None if self.method is None else [self.method]
        sections = {"model": {"setting": self.model}, "study": study}
        given = {name: {k: v for k, v in section.items() if v is not None} for name, section in sections.items()}
        return {name: section for name, section in given.items() if section}


AS_COMMITTED = Variation()
Hours = Annotated[
    float, Field(gt=0, le=1000, description="the run is stopped after so many hours; the next one goes on from there")
]


def workspace_of(workspace: Workspace, variation: Variation) -> Path:
    """The folder in which a run happens: `workspace` itself, or one beside its runs with the variation's parameters; of a
    size, brought up to date with its profile before.

    Raises:
        MucodeError: the workspace cannot be brought up to date, as when its profile is wrong; or the variation does not fit
            its params.yaml, or the collected problems, which it takes along, are not its version.
    """
    if edited := renew_workspace(workspace.resolve()):
        get_run_logger().warning(edited)
    changes = variation.as_parameters()
    if not changes:
        return workspace.resolve()
    require_version(workspace)
    varied = varied_workspace(workspace.resolve(), changes)
    inherit(varied, workspace)
    return varied
