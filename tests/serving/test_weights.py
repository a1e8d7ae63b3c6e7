"""Weights for a server: adapters merged into the base, under a name that no other weights answer to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mucode.serving.weights import merge_adapter, servable, weights_name
from mucode.training.weights import load_causal_model, load_tokenizer, load_trained_causal
from mucode.types import Demonstration, MucodeError
from tests.conftest import make_problem
from tests.training.tiny_model import folder_digests, tiny_base, tiny_settings

pytestmark = pytest.mark.slow  # imports torch

PROBLEM = make_problem("double")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module", params=[4, 0], ids=["adapters", "all weights"])
def trained(request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mucode.generator.fine_tune import fine_tune

    out = tmp_path_factory.mktemp("trained") / "it"
    demonstration = Demonstration(PROBLEM.id, (), "def double(x):\n    return 2 * x\n")
    fine_tune([demonstration], [PROBLEM], base, tiny_settings(lora_rank=request.param), 0, out, True)
    return out


def test_the_merged_folder_is_by_itself_the_model_that_was_trained(base: Path, trained: Path, tmp_path: Path) -> None:
    merge_adapter(base, trained, tmp_path / "merged", "float32")
    ids = torch.arange(12)[None]
    with torch.inference_mode():
        merged = load_causal_model(tmp_path / "merged", "float32")(ids).logits
        assert torch.equal(merged, load_trained_causal(base, trained, "float32")(ids).logits)
        assert not torch.equal(merged, load_causal_model(base, "float32")(ids).logits)
    here, there = load_tokenizer(base), load_tokenizer(tmp_path / "merged")
    assert (here.get_vocab(), here.chat_template) == (there.get_vocab(), there.chat_template)


def test_equal_weights_are_merged_to_equal_bytes_once(base: Path, trained: Path, tmp_path: Path) -> None:
    first = servable(base, trained, tmp_path / "a", "bfloat16")
    before = (first / "model.safetensors").stat().st_mtime_ns
    assert servable(base, trained, tmp_path / "a", "bfloat16") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == before
    assert folder_digests(first) == folder_digests(servable(base, trained, tmp_path / "b", "bfloat16"))
    assert servable(base, None, tmp_path / "a", "bfloat16") == base


def test_a_name_belongs_to_the_bytes_of_the_weights(base: Path, trained: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(trained, moved)
    assert weights_name(base, moved) == weights_name(base, trained) != weights_name(base)
    weights = next(moved.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes() + b"\0")
    assert weights_name(base, moved) != weights_name(base, trained)


def test_weights_of_another_base_are_not_merged(trained: Path, tmp_path: Path) -> None:
    other = tiny_base(tmp_path / "other", seed=1)
    with pytest.raises(MucodeError, match="was trained on the base"):
        merge_adapter(other, trained, tmp_path / "out", "float32")
    assert not (tmp_path / "out").exists()
