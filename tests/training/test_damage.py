"""A model folder of which a file is damaged is named in a sentence, whatever library stumbles over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.generator.engines import load_generator
from mucode.training.weights import ADAPTER, ADAPTER_CONFIG, CARD
from mucode.types import MucodeError
from mucode.verifier.model import HEAD, load_verifier
from tests.conftest import make_problem
from tests.training.tiny_model import tiny_base
from tests.training.tiny_pair import train_pair

pytestmark = pytest.mark.slow

Load = Callable[[Path], object]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train_pair(make_problem(), "def p(): return 1", "def p(): return 2", tiny_base(folder / "base"), folder)
    return folder


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def without_its_keys(file: Path) -> None:
    file.write_text("{}")


def base(models: Path) -> object:
    return load_generator(models / "base")


def generator(models: Path) -> object:
    return load_generator(models / "base", models / "generator")


def verifier(models: Path) -> object:
    return load_verifier(models / "base", models / "verifier")


@pytest.mark.parametrize(
    ("load", "name", "damage"),
    [
        (base, "model.safetensors", cut),
        (base, "model.safetensors", emptied),
        (base, "config.json", cut),
        (base, "tokenizer.json", cut),
        (base, "tokenizer_config.json", cut),
        (generator, ADAPTER, cut),
        (generator, ADAPTER_CONFIG, cut),
        (generator, CARD, cut),
        (generator, CARD, without_its_keys),
        (verifier, ADAPTER, cut),
        (verifier, HEAD, cut),
        (verifier, HEAD, emptied),
        (verifier, CARD, without_its_keys),
    ],
)
def test_the_folder_of_a_damaged_file_is_named_with_the_way_out(
    models: Path, tmp_path: Path, load: Load, name: str, damage: Callable[[Path], None]
) -> None:
    shutil.copytree(models, tmp_path / "models")
    folder = tmp_path / "models" / load.__name__
    damage(folder / name)
    with pytest.raises(MucodeError, match=rf"^{folder} cannot be loaded \(.+\): .*`dvc pull`") as refused:
        load(tmp_path / "models")
    assert "\n" not in str(refused.value)
