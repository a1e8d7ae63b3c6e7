"""A registered model is the very one that was trained."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from mucode.registry import register
from mucode.tracking import load_registered_generator, load_registered_verifier
from mucode.tracking.server import mlflow_at
from mucode.types import MucodeError, Sampling, State
from tests.registry.workspace import PROBLEM, RIGHT, WRONG, finish_workspace
from tests.training.tiny_model import tiny_base
from tests.training.tiny_pair import train_pair


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def pair(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generator and a verifier that were really trained, on a tiny random base."""
    folder = tmp_path_factory.mktemp("pair")
    train_pair(PROBLEM, RIGHT, WRONG, base, folder)
    return folder


@pytest.fixture
def trained(workspace: Path, pair: Path) -> Path:
    """A workspace with that pair registered."""
    shutil.copytree(pair, workspace / "data/selected/mucode-0")
    finish_workspace(workspace, [1.0], [1.0])
    register(workspace)
    return workspace


@pytest.mark.slow
def test_a_registered_verifier_gives_the_very_scores_of_the_trained_one(trained: Path, base: Path) -> None:
    from mucode.verifier.model import load_verifier

    question = [PROBLEM, PROBLEM], [RIGHT, WRONG]
    scores = load_verifier(base, trained / "data/selected/mucode-0/verifier").score(*question)
    shutil.rmtree(trained / "data")
    assert load_registered_verifier("champion", base, trained).score(*question) == scores
    assert load_registered_verifier("1", base, trained).score(*question) == scores


@pytest.mark.slow
def test_a_registered_generator_gives_the_very_replies_of_the_trained_one(trained: Path, base: Path) -> None:
    from mucode.generator.engines import load_generator

    draw = [State(PROBLEM)] * 4, [1, 2, 3, 4], Sampling(1.0, 1.0, 12)
    folder = trained / "data/selected/mucode-0/generator"
    replies = load_generator(base, folder, show_public_tests=True).generate(*draw)
    shutil.rmtree(trained / "data")
    assert load_registered_generator("champion", base, trained).generate(*draw) == replies


@pytest.mark.slow
def test_what_is_fetched_from_a_team_s_registry_is_gone_once_it_is_loaded(
    trained: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = [PROBLEM, PROBLEM], [RIGHT, WRONG]
    scores = load_registered_verifier("champion", base, trained).score(*question)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(trained / 'mlflow.db').rename(trained / 'team.db')}")
    (trained / "fetched").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(trained / "fetched"))
    verifier = load_registered_verifier("champion", base, trained)
    shutil.rmtree(trained / "mlartifacts")
    assert not list((trained / "fetched").iterdir())
    assert verifier.score(*question) == scores


@pytest.mark.slow
def test_another_base_than_the_one_trained_on_is_refused(
    trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tiny_base(tmp_path_factory.mktemp("other"), seed=1)
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_registered_verifier("champion", other, trained)
    (other / "script.json").write_text("{}")  # not even the scripted double is let through
    with pytest.raises(MucodeError, match="use the base it was trained on"):
        load_registered_generator("champion", other, trained)


@pytest.mark.slow
def test_anyone_with_mlflow_alone_can_ask_a_registered_model(
    trained: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mucode.verifier.model import load_verifier

    attempts = [{"text": PROBLEM.text, "public_tests": [t.code for t in PROBLEM.public_tests], "program": RIGHT}]
    with mlflow_at(trained):
        import mlflow

        monkeypatch.setenv("MUCODE_BASE", str(base))
        answer = mlflow.pyfunc.load_model("models:/mucode-verifier@champion").predict(attempts)
    direct = load_verifier(base, trained / "data/selected/mucode-0/verifier").score([PROBLEM], [RIGHT])
    assert answer == direct
