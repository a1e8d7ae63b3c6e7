"""Chat <-> tokens: the only place where a tokenizer's chat template is applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mucode.prompts import Message
from mucode.types import MucodeError


def prompt_tokens(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """The chat up to and including the opening of the assistant's answer, as token ids."""
    chat = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    # The template writes a leading beginning-of-text token itself where there is one: adding it here would double it
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


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
