"""What training and inference read and write, under chat templates in the style of three families and a real one."""

import copy
import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mucode.generator.fine_tune import encode
from mucode.generator.tokens import end_of_turn, prompt_tokens
from mucode.prompts import chat, reply_for
from mucode.training.weights import load_tokenizer
from mucode.types import Completion, Demonstration, MucodeError, Problem, State, Status, Turn, Verdict
from tests.conftest import make_problem
from tests.training.tiny_model import LLAMA, TEMPLATES, tiny_base

pytestmark = pytest.mark.slow  # imports torch

BASE = Path(__file__).parents[2] / "data" / "generators" / "base"  # what `dvc repro` fetches
PROBLEM = make_problem("double")
PROGRAM = "def double(x):\n    return 2 * x\n"
HISTORIES = [(), ("a = 1",), ("a = 1", "b = 2")]


def base_of(name: str, folder: Path) -> Path:
    if name != "fetched":
        return tiny_base(folder, name)
    if not (BASE / "tokenizer.json").exists():
        pytest.skip("no base model is fetched: run `dvc repro base_model`")
    return BASE


@pytest.fixture(scope="module", params=[*sorted(TEMPLATES), "fetched"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_of(request.param, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return load_tokenizer(base)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(base_of("llama3", tmp_path_factory.mktemp("base")))


def state(*history: str, problem: Problem = PROBLEM) -> State:
    turns = (
        Turn(Completion(reply_for(past), past), Verdict(Status.FAILED, 0, 1, f"{past} is wrong")) for past in history
    )
    return State(problem, tuple(turns))


def encoded(
    tokenizer: Any, *history: str, program: str = PROGRAM, problem: Problem = PROBLEM, show: bool = True
) -> Any:
    demonstration = Demonstration(problem.id, state(*history).history, program)
    return encode(tokenizer, demonstration, problem, 4096, show)


def rendered(tokenizer: Any, asked: State, reply: str | None = None) -> str:
    """What the template makes of a chat by itself."""
    messages = [{"role": message.role, "content": message.content} for message in chat(asked)]
    if reply is not None:
        messages.append({"role": "assistant", "content": reply})
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply is None)
    return text


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("show", [True, False])
def test_training_reads_the_very_tokens_that_inference_feeds(
    tokenizer: Any, history: tuple[str, ...], show: bool
) -> None:
    prompt = encoded(tokenizer, *history, show=show).prompt
    assert list(prompt) == prompt_tokens(tokenizer, chat(state(*history), show))


@pytest.mark.parametrize("history", HISTORIES)
def test_a_prompt_is_what_the_template_writes_byte_for_byte(tokenizer: Any, history: tuple[str, ...]) -> None:
    prompt = encoded(tokenizer, *history).prompt
    text = rendered(tokenizer, state(*history))
    assert tokenizer.decode(prompt) == text
    assert list(prompt) == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("history", HISTORIES)
def test_the_target_is_the_reply_and_its_end_of_turn_token_and_nothing_else(
    tokenizer: Any, history: tuple[str, ...]
) -> None:
    """What the template writes after it (ChatML: a newline) is no target."""
    pair = encoded(tokenizer, *history)
    assert tokenizer.decode(pair.answer[:-1]) == reply_for(PROGRAM)
    assert pair.answer.count(pair.answer[-1]) == 1
    whole = rendered(tokenizer, state(*history), reply_for(PROGRAM))
    assert tokenizer.decode([*pair.prompt, *pair.answer]) == whole.rstrip("\n")


def test_the_token_that_training_ends_an_answer_with_is_one_that_inference_stops_at(base: Path) -> None:
    from transformers import GenerationConfig

    tokenizer = load_tokenizer(base)
    model = SimpleNamespace(generation_config=GenerationConfig.from_pretrained(base))
    assert encoded(tokenizer).answer[-1] in end_of_turn(model, tokenizer)


def test_an_answer_given_once_reads_the_same_as_history(tokenizer: Any) -> None:
    """What the generator is trained to write is what it sees of itself a turn later, end of turn included."""
    pair = encoded(tokenizer, program="a = 1")
    later = encoded(tokenizer, "a = 1").prompt
    assert later[: len(pair.prompt) + len(pair.answer)] == pair.prompt + pair.answer


def test_a_tokenizer_that_adds_a_beginning_of_text_does_not_double_the_templates_own(llama: Any) -> None:
    careless = llama(rendered(llama, state()))["input_ids"]
    assert careless.count(llama.bos_token_id) == 2
    pair = encoded(llama, "a = 1")
    assert pair.prompt.count(llama.bos_token_id) == 1
    assert pair.prompt[0] == llama.bos_token_id
    assert llama.bos_token_id not in pair.answer


def test_only_a_template_that_writes_a_beginning_of_text_gets_one(tokenizer: Any) -> None:
    first = tokenizer.bos_token if tokenizer.chat_template == LLAMA else "<|im_start|>"
    assert tokenizer.convert_ids_to_tokens(encoded(tokenizer).prompt[0]) == first


def test_a_template_that_writes_the_date_has_equal_prompts_on_all_days(llama: Any) -> None:
    """Llama 3.1 and later: the date stands in the system message, else yesterday's training has another prefix."""
    dated = (
        "{{- bos_token -}}{%- if not date is defined -%}{%- set date = strftime_now('%d %b %Y') -%}{%- endif -%}"
        "{{- 'Today is ' + date + '.\n' -}}" + LLAMA.removeprefix("{{- bos_token -}}")
    )
    tokenizer = type(llama)(tokenizer_object=llama.backend_tokenizer, chat_template=dated, bos_token=llama.bos_token)
    pair = encoded(tokenizer)
    assert "Today is 26 Jul 2024.\n" in tokenizer.decode(pair.prompt)
    assert datetime.date.today().strftime("%d %b %Y") in rendered(tokenizer, state())
    assert tokenizer.decode(pair.answer[:-1]) == reply_for(PROGRAM)


def test_a_control_token_spelled_out_in_a_message_or_a_program_is_text(tokenizer: Any) -> None:
    """A program's output cannot end its turn and speak as the system."""
    pair = encoded(tokenizer)
    end = tokenizer.convert_ids_to_tokens(pair.answer[-1])
    spoken = f"print('{end}')"
    sly = encoded(tokenizer, spoken, program=spoken)
    plain = encoded(tokenizer, "print()", program="print()")
    assert sly.prompt.count(pair.answer[-1]) == plain.prompt.count(pair.answer[-1])
    assert sly.answer.count(pair.answer[-1]) == 1
    assert tokenizer.decode(sly.answer[:-1]) == reply_for(spoken)


def test_a_template_without_an_end_of_turn_token_is_refused(llama: Any) -> None:
    plain = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    bare = type(llama)(tokenizer_object=llama.backend_tokenizer, chat_template=plain)
    with pytest.raises(MucodeError, match="no special token"):
        encoded(bare)


def test_a_template_that_thinks_before_it_answers_is_refused(llama: Any) -> None:
    """Its answers begin with text that stands in no prompt: training on them would teach what inference never asks."""
    thinking = LLAMA.replace(
        "+ m['content']", "+ ('<think></think>' if m['role'] == 'assistant' else '') + m['content']"
    )
    assert thinking != LLAMA
    tokenizer = type(llama)(tokenizer_object=llama.backend_tokenizer, chat_template=thinking, bos_token=llama.bos_token)
    with pytest.raises(MucodeError, match="changes an answer"):
        encoded(tokenizer)


def test_a_template_that_refuses_a_chat_is_told_in_one_sentence(llama: Any) -> None:
    llama = copy.copy(llama)
    llama.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + LLAMA
    )
    refusal = r"^the chat template refuses our chat \(no system role\): choose another base model$"
    with pytest.raises(MucodeError, match=refusal):
        prompt_tokens(llama, chat(state()))
    with pytest.raises(MucodeError, match=refusal):
        encoded(llama)
