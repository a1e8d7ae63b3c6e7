"""Registered models: versions, aliases, and loading one back on the very base it was trained on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mucode.lineage.git import without_credentials
from mucode.tracking.server import experiment_id, mlflow_at, own_database, require_there, tracking_uri, transfer
from mucode.types import Generator, Verifier

Kind = Literal["generator", "verifier"]
NAMES: Mapping[Kind, str] = {"generator": "mucode-generator", "verifier": "mucode-verifier"}
CHAMPION, CHALLENGER = "champion", "challenger"
_REQUIRED = ("torch", "transformers", "peft", "safetensors", "pydantic", "pyarrow", "tqdm", "mlflow")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What becomes a version."""

    kind: Kind
    folder: Path  # trained weights; the base they belong to is named in `config`, not copied
    config: Mapping[str, Any]  # what the served model needs beside the weights
    tags: Mapping[str, str]
    card: str  # Markdown


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version."""

    kind: Kind
    number: int
    tags: Mapping[str, str]  # as they were when it was read


class Registry:
    """The two registered models of one tracking server; `open_registry` gives one. To look makes nothing."""

    def __init__(self, client: Any, workspace: Path) -> None:
        self._client = client
        self._workspace = workspace
        self.address = without_credentials(tracking_uri(workspace))
        self.shared = tracking_uri(workspace) != own_database(workspace)  # perhaps a team's

    def find(self, kind: Kind, tag: str, value: str) -> Version | None:
        """The first version with that tag."""
        wanted = f"name = '{NAMES[kind]}' and tags.`{tag}` = '{value}'"
        found = self._client.search_model_versions(wanted, order_by=["version_number ASC"], max_results=1)
        return Version(kind, int(found[0].version), dict(found[0].tags)) if found else None

    def version(self, kind: Kind, number: int) -> Version:
        found = self._client.get_model_version(NAMES[kind], str(number))
        return Version(kind, number, dict(found.tags))

    def has(self, kind: Kind, number: int) -> bool:
        """Whether there is such a version."""
        wanted = f"name = '{NAMES[kind]}' and version_number = {number}"
        return bool(self._client.search_model_versions(wanted, max_results=1))

    def aliased(self, kind: Kind, alias: str) -> Version | None:
        model = self._model(kind)
        aliases = model.aliases if model else {}
        return self.version(kind, int(aliases[alias])) if alias in aliases else None

    def set_alias(self, alias: str, version: Version) -> None:
        self._client.set_registered_model_alias(NAMES[version.kind], alias, str(version.number))

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self._client.set_model_version_tag(NAMES[version.kind], str(version.number), name, value)

    def note(self, name: str, value: str | None) -> None:
        """Set, or with None remove, a tag of the registered generator itself."""
        model = NAMES["generator"]
        if value is not None:
            self._client.set_registered_model_tag(model, name, value)
        elif self.noted(name) is not None:
            self._client.delete_registered_model_tag(model, name)

    def noted(self, name: str) -> str | None:
        return self.notes(name).get(name)

    def notes(self, prefix: str) -> dict[str, str]:
        """The notes whose names begin so."""
        model = self._model("generator")
        return {name: value for name, value in model.tags.items() if name.startswith(prefix)} if model else {}

    def start_run(
        self, name: str, params: Mapping[str, str], metrics: Mapping[str, float], came_from: Mapping[str, str]
    ) -> str:
        """A run for a registration, tagged with where it comes from; its id."""
        from mlflow.entities import Metric, Param

        experiment = experiment_id(self._client, self._workspace)
        tags = {**came_from, "stage": "register"}
        run_id: str = self._client.create_run(experiment, run_name=name, tags=tags).info.run_id
        now = time.time_ns() // 1_000_000
        self._client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
            params=[Param(key, value) for key, value in params.items()],
        )
        return run_id

    def end_run(self, run_id: str) -> None:
        self._client.set_terminated(run_id)

    def write_text(self, run_id: str, name: str, text: str) -> None:
        self._client.log_text(run_id, text, name)

    def read_text(self, run_id: str, name: str) -> str:
        with tempfile.TemporaryDirectory(prefix="mucode-") as folder:
            return Path(self._client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")

    def add(self, model: ModelFiles, run_id: str) -> Version:
        """Log a model in a run and register it with all its tags in one request: there is no half a version."""
        import mlflow

        with mlflow.start_run(run_id=run_id), transfer():
            logged = mlflow.pyfunc.log_model(
                name=model.kind,
                python_model=str(Path(__file__).with_name(f"served_{model.kind}.py")),
                artifacts={"weights": str(model.folder)},
                pip_requirements=_requirements(),
                model_config={"base": "", **model.config},
                metadata={"base_setting": model.tags["base_setting"], "base_sha256": model.tags["base_sha256"]},
            )
        if self._model(model.kind) is None:
            self._client.create_registered_model(NAMES[model.kind])
        made = self._client.create_model_version(
            NAMES[model.kind],
            source=logged.model_uri,
            run_id=run_id,
            model_id=logged.model_id,
            tags=dict(model.tags),
            description=model.card,
        )
        return self.version(model.kind, int(made.version))

    def _model(self, kind: Kind) -> Any | None:
        """The registered model; by its name, since a team's server may list more models than one answer holds."""
        found = self._client.search_registered_models(f"name = '{NAMES[kind]}'", max_results=1)
        return found[0] if found else None


@contextlib.contextmanager
def open_registry(workspace: Path) -> Iterator[Registry]:
    """The registry that a workspace's models belong to.

    Raises:
        TrackingUnavailable: anything in the block that mlflow could not do.
    """
    with mlflow_at(workspace) as client:
        yield Registry(client, workspace)


@contextlib.contextmanager
def registry_to_read(workspace: Path) -> Iterator[Registry]:
    """The same, for what only looks: no database is made.

    Raises:
        MucodeError: there is none.
        TrackingUnavailable: as of `open_registry`.
    """
    require_there(workspace)
    with open_registry(workspace) as registry:
        yield registry


def load_registered_generator(version: str, base: Path, workspace: Path = Path()) -> Generator:
    """A registered generator, ready to sample.

    Args:
        version: an alias ("champion") or a number ("3").
        base: folder of the base model, whose weights must be those that it was trained on.
        workspace: whose registry.

    Raises:
        MucodeError: no such version, or another base.
    """
    generator: Generator = _load("generator", version, base, workspace)
    return generator


def load_registered_verifier(version: str, base: Path, workspace: Path = Path()) -> Verifier:
    """A registered verifier, ready to score; arguments and errors as of `load_registered_generator`."""
    verifier: Verifier = _load("verifier", version, base, workspace)
    return verifier


def _load(kind: Kind, version: str, base: Path, workspace: Path) -> Any:
    import mlflow

    reference = f"/{version}" if version.isdigit() else f"@{version}"
    config = {"base": str(base.resolve())}
    with mlflow_at(workspace), transfer(), _download_folder(workspace) as folder:
        loaded = mlflow.pyfunc.load_model(f"models:/{NAMES[kind]}{reference}", model_config=config, dst_path=folder)
    return loaded.unwrap_python_model().model


@contextlib.contextmanager
def _download_folder(workspace: Path) -> Iterator[str | None]:
    """Where weights are fetched to until they are loaded; None: those of our own database lie here, and are not copied."""
    if tracking_uri(workspace) == own_database(workspace):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mucode-") as folder:
        yield folder


def _requirements() -> list[str]:
    """What a loading process needs beside this package, at the versions that trained."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIRED]
