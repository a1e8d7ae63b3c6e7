"""Which folder or version a name means, and on which base it is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mucode.solve.models import locate, named, open_pair
from mucode.solve.registered import base_of_version, require_pair
from mucode.solve.solution import Unscored
from mucode.tracking import ModelFiles, open_registry
from mucode.tracking.models import NAMES, Kind
from mucode.tracking.server import mlflow_at
from mucode.types import MucodeError, State
from tests.conftest import SAMPLING
from tests.solve.conftest import PROBLEM, RIGHT
from tests.training.tiny_model import tiny_base


@pytest.mark.parametrize(
    ("kind", "name", "culprit"),
    [
        ("generator", "nowhere", "no folder nowhere"),
        ("generator", "empty", "neither trained weights"),
        ("generator", "verifier", "is a verifier"),
        ("generator", "scripted", "played by a script"),
        ("verifier", "generator", "is no verifier"),
        ("generator", "models:/mucode-generator", "names no version"),
        ("generator", "models:/mucode-verifier@champion", "not a generator"),
        ("verifier", "models:/mucode-generator/3", "not a verifier"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(
    kind: Kind, name: str, culprit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("empty/x", "verifier/head.safetensors", "scripted/script.json", "generator/trained.json"):
        Path(file).parent.mkdir()
        Path(file).touch()
    with pytest.raises(MucodeError, match=culprit):
        named(kind, name)


def test_a_name_in_the_registry_is_an_alias_or_a_number() -> None:
    assert named("generator", "models:/mucode-generator@champion").version == "champion"
    assert named("verifier", "models:/mucode-verifier/12").version == "12"


def test_asking_where_there_is_no_registry_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(MucodeError, match=r"no registry .*mlflow\.db"):
        base_of_version("generator", "champion", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_aliases_that_name_no_pair_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    kinds: tuple[Kind, ...] = ("generator", "verifier")
    with mlflow_at(tmp_path) as client:
        for kind in kinds:
            client.create_registered_model(NAMES[kind])
            client.create_model_version(NAMES[kind], source=str(tmp_path), tags={"pair.2": "", "base_sha256": ""})
            client.set_registered_model_alias(NAMES[kind], "champion", "1")
    with pytest.raises(
        MucodeError, match=r"@champion is version 1 and mucode-verifier@champion version 1, which form no"
    ):
        require_pair("champion", "champion", tmp_path)
    with mlflow_at(tmp_path) as client:
        client.set_model_version_tag("mucode-generator", "1", "pair.1", "")
    require_pair("champion", "champion", tmp_path)


@pytest.mark.slow
def test_a_version_that_people_registered_by_hand_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with mlflow_at(tmp_path) as client:
        client.create_registered_model("mucode-generator")
        client.create_model_version("mucode-generator", source=str(tmp_path))
    with pytest.raises(
        MucodeError, match=r"version 1 of mucode-generator at .* was not registered by `mucode register`"
    ):
        base_of_version("generator", "1", tmp_path)


@pytest.mark.slow
def test_a_trained_pair_finds_its_base_from_anywhere(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair = workspace / "data/selected/mucode-0"
    found = locate(named("generator", str(pair / "generator")), named("verifier", str(pair / "verifier")), None)
    assert [each and each.base for each in found] == [workspace / "data/generators/base"] * 2


@pytest.mark.slow
def test_weights_elsewhere_find_the_base_of_the_workspace_or_say_where_they_looked(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(workspace / "data/selected/mucode-0/generator", "mine")
    with pytest.raises(MucodeError, match=rf"{tmp_path}/data/generators/base: name its folder with --base"):
        locate(named("generator", "mine"), None, None)
    given = workspace / "data/generators/base"
    assert locate(named("generator", "mine"), None, given)[0].base == given
    monkeypatch.chdir(workspace)
    assert locate(named("generator", str(tmp_path / "mine")), None, None)[0].base == given


@pytest.mark.slow
def test_a_base_that_they_were_not_trained_on_is_passed_over(workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(workspace / "data/selected/mucode-0/generator", tmp_path / "mine")
    (tmp_path / "generators/base").mkdir(parents=True)
    tiny_base(tmp_path / "generators/base", seed=1)
    mine = named("generator", str(tmp_path / "mine"))
    for base in (tmp_path / "generators/base", None):
        with pytest.raises(MucodeError, match=r"mine was trained on the base model \w{12}, which is not in"):
            locate(mine, None, base)


@pytest.mark.slow
def test_a_base_model_is_a_generator_and_the_base_of_a_verifier(workspace: Path, tmp_path: Path) -> None:
    base = shutil.copytree(workspace / "data/generators/base", tmp_path / "model")
    verifier = shutil.copytree(workspace / "data/selected/mucode-0/verifier", tmp_path / "verifier")
    player, scorer = locate(named("generator", str(base)), named("verifier", str(verifier)), None)
    assert scorer is not None
    assert player.base == base == scorer.base
    with open_pair(player, None, "transformers") as (generator, _):
        assert len(generator.generate([State(PROBLEM)], [0], SAMPLING)) == 1


@pytest.mark.slow
def test_a_generator_alone_has_no_scores(workspace: Path) -> None:
    generator = named("generator", str(workspace / "data/selected/mucode-0/generator"))
    with open_pair(*locate(generator, None, None), "transformers") as (_, verifier):
        assert isinstance(verifier, Unscored)


@pytest.mark.slow
def test_a_registered_pair_plays_as_its_folders_do(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mucode.training.weights import base_digest

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(workspace / "data", "data")
    folder, tags = Path("data/selected/mucode-0"), {"base_setting": "tiny"}
    tags["base_sha256"] = base_digest(Path("data/generators/base"))
    config = {"show_public_tests": True, "temperature": 0.7, "top_p": 1.0, "max_new_tokens": 8}
    kinds: tuple[Kind, ...] = ("generator", "verifier")
    with open_registry(Path()) as registry:
        for kind in kinds:
            run = registry.start_run("test", {}, {}, {})
            settings = config if kind == "generator" else {}
            version = registry.add(ModelFiles(kind, (folder / kind).resolve(), settings, tags, ""), run)
            registry.set_alias("champion", version)

    def answers(names: list[str]) -> tuple[object, object]:
        models = [named(kind, name) for kind, name in zip(kinds, names, strict=True)]
        with open_pair(*locate(models[0], models[1], None), "transformers") as (generator, verifier):
            return generator.generate([State(PROBLEM)], [7], SAMPLING), verifier.score([PROBLEM], [RIGHT])

    registered = answers(["models:/mucode-generator@champion", "models:/mucode-verifier/1"])
    assert registered == answers([str(folder / kind) for kind in kinds])
    with pytest.raises(MucodeError, match="plays by transformers only: name the generator's folder for vllm"):
        open_pair(*locate(named("generator", "models:/mucode-generator/1"), None, None), "vllm").__enter__()
    with pytest.raises(MucodeError, match=r"no version 'best' of mucode-generator: it has @champion, /1"):
        locate(named("generator", "models:/mucode-generator@best"), None, None)
