"""Our decode loop on the random two-layer model: what it shares, evicts and refills must not show in the replies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mucode.generator import load_generator
from mucode.generator.base_model import fetch_base_model
from mucode.generator.decoding import Decoding, _uniforms
from mucode.generator.packed import pack_linears
from mucode.generator.prefixes import Prefixes, common_beginning
from mucode.generator.random_model import random_model
from mucode.generator.sampling import draw
from mucode.generator.tokens import prompt_tokens
from mucode.generator.transformers_engine import Batching, TransformersGenerator
from mucode.prompts import chat, reply_for
from mucode.rollout import play
from mucode.schedule import SCHEDULES
from mucode.types import Completion, MucodeError, Sampling, State, Status, Turn, Verdict
from tests.conftest import TabularSandbox, make_problem

pytestmark = pytest.mark.slow

WARM, GREEDY = Sampling(1.0, 1.0, 24), Sampling(0.0, 1.0, 24)
STATES = [State(make_problem("long_name_" * (number % 5))) for number in range(10) for _ in range(3)]
SEEDS = range(len(STATES))


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Any, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield random_model("tiny")
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def restless(parts: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same model with so many end tokens that its replies end at different steps."""
    model, tokenizer = random_model("tiny")
    model.generation_config.eos_token_id = list(range(300, 350))
    return model, tokenizer


def replies(parts: tuple[Any, Any], batching: Batching, sampling: Sampling = WARM) -> list[Completion]:
    return TransformersGenerator(*parts, batching).generate(STATES, SEEDS, sampling)


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


def drained(session: Decoding) -> dict[int, Completion]:
    """All replies under way."""
    replies: dict[int, Completion] = {}
    while some := session.wait():
        replies |= {ticket: reply.completion for ticket, reply in some if reply.completion is not None}
    return replies


def after(state: State, completion: Completion) -> State:
    """The state of the next turn, after a failed test."""
    return State(state.problem, (*state.history, Turn(completion, Verdict(Status.FAILED, 0, 1, "p(1) gave 2."))))


@pytest.mark.parametrize("batching", [Batching(), Batching(rows=5, refill_share=0.01), Batching(cache_tokens=500)])
def test_work_that_comes_in_between_steps_gets_the_replies_of_one_call(
    restless: tuple[Any, Any], batching: Batching
) -> None:
    engine = TransformersGenerator(*restless, batching)
    found: dict[int, Completion] = {}
    with engine.open() as session:
        for ticket, (state, seed) in enumerate(zip(STATES, SEEDS, strict=True)):
            session.submit(ticket, state, seed, WARM)
            if ticket % 4 == 3:
                found |= {number: reply.completion for number, reply in session.wait(0.0) if reply.completion}
        found |= drained(session)
    assert [found[ticket] for ticket in range(len(STATES))] == replies(restless, Batching())


def test_requests_of_different_sampling_run_side_by_side(restless: tuple[Any, Any]) -> None:
    engine = TransformersGenerator(*restless)
    hows = [WARM, GREEDY, Sampling(0.5, 0.9, 7)]
    with engine.open() as session:
        for ticket, how in enumerate(hows):
            session.submit(ticket, STATES[0], 3, how)
        together = drained(session)
    assert [together[ticket] for ticket in range(3)] == [engine.generate([STATES[0]], [3], how)[0] for how in hows]


def test_wait_returns_after_a_step_when_its_time_is_over(parts: tuple[Any, Any]) -> None:
    with TransformersGenerator(*parts).open() as session:
        session.submit(0, STATES[0], 0, WARM)
        assert session.wait(0.0) == []
        assert session.work.drawn == 1
        assert len(drained(session)) == 1
        assert session.wait() == []


def second_turn(parts: tuple[Any, Any], kept: int) -> tuple[torch.Tensor, list[Completion], Decoding]:
    """Logits after the prompts of turn 2, its replies, and the session; `kept` tokens are kept between the turns."""
    model, tokenizer = parts
    seen: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.logits[:, -1].clone()))
    first = [State(make_problem(f"name_{number}")) for number in range(6)]
    try:
        with TransformersGenerator(model, tokenizer, Batching(kept_tokens=kept)).open() as session:
            for ticket, state in enumerate(first):
                session.submit(ticket, state, ticket, WARM)
            replies = drained(session)
            states = [after(state, replies[ticket]) for ticket, state in enumerate(first)]
            seen.clear()
            for ticket, state in enumerate(states):
                session.submit(ticket, state, ticket, WARM)
            again = drained(session)
    finally:
        hook.remove()
    return seen[-WARM.max_new_tokens], [again[ticket] for ticket in range(len(first))], session


def test_a_conversation_that_goes_on_is_not_read_again_and_its_logits_stay_the_same(parts: tuple[Any, Any]) -> None:
    logits, replies, session = second_turn(parts, kept=32_768)
    fresh_logits, fresh_replies, fresh = second_turn(parts, kept=0)
    torch.testing.assert_close(logits.sort(dim=0).values, fresh_logits.sort(dim=0).values, atol=1e-4, rtol=1e-4)
    assert replies == fresh_replies
    assert fresh.work.spared == 0
    assert session.work.read < 0.3 * fresh.work.read


def test_what_is_kept_of_earlier_turns_never_exceeds_its_limit(parts: tuple[Any, Any]) -> None:
    _, replies, _ = second_turn(parts, kept=32_768)
    for kept in (10, 300, 700):
        _, same, session = second_turn(parts, kept)
        assert same == replies
        assert (session.work.spared == 0) is (kept == 10)  # no prompt is as short as that


@pytest.mark.parametrize("batching", [Batching(), Batching(rows=3, refill_share=0.01, kept_tokens=700)])
def test_multi_turn_rollouts_are_the_same_by_both_schedules_and_without_a_session(
    restless: tuple[Any, Any], batching: Batching
) -> None:
    class Bare:  # only `generate`: every turn is read from its beginning
        generate = TransformersGenerator(*restless).generate

    def rollouts(engine: Any, schedule: str) -> Any:
        return play(
            [make_problem(f"name_{number}") for number in range(5)],
            engine,
            TabularSandbox(),
            turns=3,
            rollouts=3,
            sampling=WARM,
            seed=0,
            iteration=1,
            schedule=schedule,
        ).episodes

    whole = rollouts(Bare(), "fixed")
    assert {len(rollout.turns) for rollout in whole} == {3}
    for schedule in SCHEDULES:
        assert rollouts(TransformersGenerator(*restless, batching), schedule) == whole


def test_the_clock_counts_all_that_the_engine_did_while_it_was_waited_for(parts: tuple[Any, Any]) -> None:
    with TransformersGenerator(*parts).open() as session:
        for ticket, state in enumerate(STATES):
            session.submit(ticket, state, ticket, WARM)
        drained(session)
        assert session.work.steps == WARM.max_new_tokens - 1
        assert 0.0 <= session.clock.idle_share < 0.1


def test_kept_sequences_are_found_by_their_longest_beginning_and_the_oldest_goes_first() -> None:
    def columns(tokens: tuple[int, ...]) -> list[torch.Tensor]:
        return [torch.tensor(tokens, dtype=torch.float32)[None, None, :, None].expand(2, 3, len(tokens), 4)]

    kept = Prefixes(10)
    for tokens in ((1, 2, 3, 4), (1, 2, 9), (5, 6)):
        kept.keep(tokens, columns(tokens))
    assert kept.longest((1, 2, 3, 7))[0][0, 0, :, 0].tolist() == [1, 2, 3]
    assert [kept.shared(tokens) for tokens in ((1, 2, 9, 9), (1, 7), (5, 6), (4,), ())] == [3, 1, 2, 0, 0]
    kept.keep((7, 7, 7), columns((7, 7, 7)))  # more than 10 tokens: the least recently used of the others goes
    assert (kept.shared((1, 2, 9)), kept.shared((1, 2, 3)), kept.shared((7, 7))) == (2, 3, 2)
    kept.keep(tuple(range(11)), columns(tuple(range(11))))
    assert kept.shared((0, 1)) == 0
    assert kept.longest((8,)) == []


def test_the_common_beginning_is_what_all_share() -> None:
    assert common_beginning([(1, 2, 3), (1, 2), (1, 2, 4, 5)]) == (1, 2)
    assert common_beginning([(1, 2)]) == (1, 2)
    assert common_beginning([(1,), (2,)]) == ()


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


@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_tokens_are_drawn_with_the_probabilities_of_the_logits(top_p: float) -> None:
    probabilities = torch.tensor([0.05, 0.3, 0.15, 0.5])
    wanted = probabilities if top_p == 1.0 else torch.tensor([0.0, 0.375, 0.0, 0.625])
    count = 20_000
    uniforms = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tokens = draw(probabilities.log().expand(count, 4), uniforms, Sampling(1.0, top_p, 1))
    shares = torch.bincount(tokens, minlength=4) / count
    torch.testing.assert_close(shares, wanted, atol=0.015, rtol=0.0)


def test_temperature_sharpens_the_distribution() -> None:
    logits = torch.tensor([[0.0, 1.0]]).expand(10_000, 2)
    uniforms = torch.rand(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = draw(logits, uniforms, Sampling(0.5, 1.0, 1)).float().mean()
    torch.testing.assert_close(share, torch.tensor(2.0).sigmoid(), atol=0.015, rtol=0.0)


def test_the_largest_random_number_still_draws_a_possible_token_of_a_large_vocabulary() -> None:
    logits = torch.full((2, 1000), -torch.inf)
    logits[:, [3, 700]] = 0.0
    tokens = draw(logits, torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64), Sampling(1.0, 1.0, 1))
    assert tokens.tolist() == [3, 700]


@pytest.mark.parametrize("family", ["Mistral", "Phi3", "Starcoder2"])
def test_a_model_with_a_window_is_refused_though_it_names_no_kinds_of_layers(family: str) -> None:
    import transformers

    model, tokenizer = random_model("tiny")
    model.config = getattr(transformers, f"{family}Config")(sliding_window=40, max_position_embeddings=80)
    with pytest.raises(MucodeError, match="sliding_attention"):
        TransformersGenerator(model, tokenizer)
