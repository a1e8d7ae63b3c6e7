"""Our decode loop on the random two-layer model: what it shares, evicts and refills must not show in the replies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mucode.generator import load_generator
from mucode.generator.base_model import fetch_base_model
from mucode.generator.decoding import _uniforms
from mucode.generator.packed import pack_linears
from mucode.generator.random_model import random_model
from mucode.generator.sampling import draw
from mucode.generator.tokens import prompt_tokens
from mucode.generator.transformers_engine import Batching, TransformersGenerator
from mucode.prompts import chat, reply_for
from mucode.types import MucodeError, Sampling, State
from tests.conftest import make_problem
from tests.generator.replies import GREEDY, SEEDS, STATES, WARM, replies

pytestmark = pytest.mark.slow


def test_the_same_call_gives_the_same_replies(parts: tuple[Any, Any]) -> None:
    assert replies(parts, Batching()) == replies(parts, Batching())


def test_other_seeds_give_other_replies_to_the_same_state(parts: tuple[Any, Any]) -> None:
    drawn = TransformersGenerator(*parts).generate([STATES[0]] * 8, range(8), WARM)
    assert len({completion.reply for completion in drawn}) == 8


def test_a_reply_depends_on_its_own_seed_and_not_on_its_neighbours(parts: tuple[Any, Any]) -> None:
    alone = TransformersGenerator(*parts).generate([STATES[4]], [4], WARM)
    assert replies(parts, Batching())[4] == alone[0]


@pytest.mark.parametrize("sampling", [WARM, GREEDY, Sampling(0.5, 0.8, 24)])
def test_the_probability_of_a_reply_is_that_of_its_tokens_under_the_model_itself(
    parts: tuple[Any, Any], sampling: Sampling
) -> None:
    (completion,) = TransformersGenerator(*parts, log_probabilities=True).generate([STATES[0]], [3], sampling)
    tokens, expected = prompt_tokens(parts[1], chat(STATES[0])), 0.0
    for uniform in _uniforms(3, sampling)[: completion.completion_tokens]:
        with torch.inference_mode():
            logits = parts[0](input_ids=torch.tensor([tokens])).logits[:, -1]
        tokens.append(int(draw(logits, torch.tensor([uniform], dtype=torch.float64), sampling)))
        expected += float(logits.float().log_softmax(-1)[0, tokens[-1]])
    assert completion.log_probability == pytest.approx(expected, rel=1e-4)
    assert TransformersGenerator(*parts).generate([STATES[0]], [3], sampling)[0].log_probability is None


@pytest.mark.parametrize("sampling", [WARM, GREEDY, Sampling(1.0, 0.8, 24)])
def test_sharing_evicting_and_refilling_do_not_change_a_reply(restless: tuple[Any, Any], sampling: Sampling) -> None:
    one_by_one = [
        TransformersGenerator(*restless).generate([state], [seed], sampling)[0]
        for state, seed in zip(STATES, SEEDS, strict=True)
    ]
    assert sampling == GREEDY or len({completion.completion_tokens for completion in one_by_one}) > 5
    for batching in (Batching(rows=4, refill_share=0.01), Batching(rows=7), Batching(), Batching(cache_tokens=400)):
        assert replies(restless, batching, sampling) == one_by_one


def test_a_reply_longer_than_the_spare_columns_survives_the_move_of_the_cache(parts: tuple[Any, Any]) -> None:
    long = Sampling(1.0, 1.0, 80)
    generator = TransformersGenerator(*parts, Batching(rows=3))
    together = generator.generate(STATES[:9], SEEDS[:9], long)
    assert max(completion.completion_tokens for completion in together) > 70
    assert together[4] == generator.generate([STATES[4]], [4], long)[0]


def test_greedy_replies_are_those_of_transformers(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    for state, ours in list(zip(STATES, replies(parts, Batching(), GREEDY), strict=True))[::3]:
        prompt = torch.tensor([prompt_tokens(tokenizer, chat(state))])
        theirs = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=GREEDY.max_new_tokens
        )[0, prompt.shape[1] :]
        assert ours.reply == tokenizer.decode(theirs, skip_special_tokens=True)


class Parrot(torch.nn.Module):
    """Makes a model say one text, whatever it is asked, by overriding its logits at each position after the prompt."""

    def __init__(self, model: Any, prompt: int, tokens: list[int]) -> None:
        super().__init__()
        self.model, self.prompt, self.tokens = model, prompt, tokens
        self.config, self.generation_config = model.config, model.generation_config
        self.dtype, self.device = model.dtype, model.device
        self.set_attn_implementation = model.set_attn_implementation

    def forward(self, position_ids: torch.Tensor, **inputs: Any) -> Any:
        outputs = self.model(position_ids=position_ids, **inputs)
        said = int(position_ids[0, -1]) - self.prompt + 1
        outputs.logits[:] = 0.0
        outputs.logits[..., self.tokens[said]] = 100.0
        return outputs


def test_a_reply_ends_at_the_closing_fence(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    program = "def p(x):\n    return x"
    fenced = f"Sure.\n{reply_for(program)}"
    tokens = tokenizer(f"{fenced}\nAnd more words than are wanted.")["input_ids"]
    parrot = Parrot(model, len(prompt_tokens(tokenizer, chat(STATES[0]))), tokens)
    (completion,) = TransformersGenerator(parrot, tokenizer).generate(
        [STATES[0]], [0], replace(WARM, max_new_tokens=90)
    )
    assert completion.reply.rstrip() == fenced
    assert completion.program is not None
    assert completion.program.strip() == program
    assert completion.completion_tokens < len(tokens)


def test_the_end_of_turn_ends_a_reply_counts_as_a_token_and_is_not_part_of_it(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    tokens = [*tokenizer("No idea.")["input_ids"], tokenizer.eos_token_id]
    parrot = Parrot(model, len(prompt_tokens(tokenizer, chat(STATES[0]))), tokens)
    (completion,) = TransformersGenerator(parrot, tokenizer).generate([STATES[0]], [0], WARM)
    assert completion.reply == "No idea."
    assert (completion.program, completion.completion_tokens) == (None, len(tokens))


def test_no_reply_is_longer_than_allowed_and_no_states_give_no_replies(parts: tuple[Any, Any]) -> None:
    assert max(completion.completion_tokens for completion in replies(parts, Batching())) == WARM.max_new_tokens
    assert TransformersGenerator(*parts).generate([], [], WARM) == []


@pytest.mark.parametrize("shown", [True, False])
def test_public_tests_are_in_the_prompt_if_they_are_to_be_shown(parts: tuple[Any, Any], shown: bool) -> None:
    (completion,) = TransformersGenerator(*parts, show_public_tests=shown).generate([STATES[0]], [0], WARM)
    assert completion.prompt_tokens == len(prompt_tokens(parts[1], chat(STATES[0], shown)))
    assert chat(STATES[0], shown) != chat(STATES[0], not shown)


def test_a_prompt_that_exceeds_the_context_is_refused_by_the_problems_name(parts: tuple[Any, Any]) -> None:
    with pytest.raises(MucodeError, match=r"toy/p at turn 1: .* tokens exceed"):
        TransformersGenerator(*parts).generate([State(make_problem())], [0], Sampling(1.0, 1.0, 8192))


def test_a_loaded_folder_replies_like_the_model_it_was_saved_from(parts: tuple[Any, Any], tmp_path: Path) -> None:
    fetch_base_model("random:tiny", tmp_path / "base")
    loaded = load_generator(tmp_path / "base", tmp_path / "base", dtype="float32")
    assert loaded.generate(STATES, SEEDS, WARM) == replies(parts, Batching())


def test_packed_weights_change_no_bit() -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16 products: weights stay as they are")
    plain = torch.nn.Sequential(torch.nn.Linear(48, 96), torch.nn.Linear(96, 32, bias=False)).bfloat16()
    inputs = [torch.randn(rows, 2, 48).bfloat16() for rows in (1, 5, 64, 200)]
    with torch.inference_mode():
        before = [plain(x) for x in inputs]
        pack_linears(plain)
        assert not list(plain.parameters())
        assert all(torch.equal(plain(x), y) for x, y in zip(inputs, before, strict=True))


@pytest.mark.parametrize("family", ["Mistral", "Phi3", "Starcoder2"])
def test_a_model_with_a_window_is_refused_though_it_names_no_kinds_of_layers(family: str) -> None:
    import transformers

    model, tokenizer = random_model("tiny")
    model.config = getattr(transformers, f"{family}Config")(sliding_window=40, max_position_embeddings=80)
    with pytest.raises(MucodeError, match="sliding_attention"):
        TransformersGenerator(model, tokenizer)
