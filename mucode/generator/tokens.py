"""Chat <-> tokens: the only place where a tokenizer's chat template is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from mucode.prompts import Message
from mucode.types import MucodeError

# A template may write today's date into the chat (Llama 3 does): every day would have prompts of its own
_STEADY_DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro %}"


def prompt_tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """The chat up to and including the opening of the assistant's answer, as token ids.

    The template writes a leading beginning-of-text token itself where there is one: none is added. A control token that
    a message spells out stays ordinary text: a program's output cannot end its turn and speak as somebody else.
    """
    return _ids(tokenizer, messages, opened=True)


def chat_tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """A chat whose last answer is closed, as token ids, by the rules of `prompt_tokens`."""
    return _ids(tokenizer, messages, opened=False)


def _ids(tokenizer: Any, messages: Sequence[Message], opened: bool) -> list[int]:
    options = {"add_generation_prompt": opened, "sanitize_control_tokens": True, "return_dict": False}
    ids: list[int] = _templated(tokenizer, messages, options)
    return ids


def answer_tokens(tokenizer: Any, messages: Sequence[Message], reply: str) -> list[int]:
    """The reply's tokens and the end-of-turn token; not the template text after it, which inference never generates.

    Raises:
        MucodeError: the chat template rewrites the reply or closes it with no special token.
    """
    asked = _text(tokenizer, messages, opened=True)
    whole = _text(tokenizer, [*messages, Message("assistant", reply)], opened=False)
    if not whole.startswith(asked + reply):
        raise MucodeError("the chat template changes an answer or what precedes it: choose another base model")
    ids: list[int] = tokenizer(reply, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    after = tokenizer(whole[len(asked) + len(reply) :], add_special_tokens=False)["input_ids"]
    if not after or after[0] not in tokenizer.added_tokens_decoder:
        raise MucodeError("the chat template closes an answer with no special token: choose another base model")
    return [*ids, after[0]]


def _text(tokenizer: Any, messages: Sequence[Message], opened: bool) -> str:
    text: str = _templated(tokenizer, messages, {"add_generation_prompt": opened, "tokenize": False})
    return text


def _templated(tokenizer: Any, messages: Sequence[Message], options: Mapping[str, bool]) -> Any:
    """What the tokenizer's chat template makes of a chat.

    Raises:
        MucodeError: it refuses it, as those do that know no system role (Gemma 1, Mistral 0.1).
    """
    plain = [{"role": message.role, "content": message.content} for message in messages]
    try:
        return tokenizer.apply_chat_template(plain, chat_template=_template(tokenizer), **options)
    except TemplateError as error:
        raise MucodeError(f"the chat template refuses our chat ({error}): choose another base model") from error


def _template(tokenizer: Any) -> str:
    template: str = tokenizer.get_chat_template()
    return _STEADY_DATE + template if "strftime_now" in template else template


def end_of_turn(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an assistant's answer.

    Raises:
        MucodeError: neither model nor tokenizer names one.
    """
    named = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])} - {None}
    if not ends:
        raise MucodeError("the base model names no end-of-turn token (eos_token): choose an instruction-tuned one")
    return frozenset(ends)


def tokens_with(tokenizer: Any, character: str) -> frozenset[int]:
    """Every token whose text holds an ASCII character."""
    return frozenset(index for token, index in tokenizer.get_vocab().items() if character in token)
