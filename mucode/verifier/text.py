"""(x, y) -> the tokens that the verifier reads: the first prompt and the program, never the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mucode.generator.tokens import chat_tokens
from mucode.prompts import Message, question, reply_for
from mucode.types import Problem


@dataclass(frozen=True, slots=True)
class Reader:
    """How a verifier reads its input."""

    tokenizer: Any  # a transformers tokenizer with a chat template
    max_tokens: int
    show_public_tests: bool

    def tokens(self, problem: Problem, program: str) -> list[int]:
        """Token ids of one user message (the problem) and one assistant message (the program).

        Longer than `max_tokens`: the front goes (the problem's), the program and what follows stay; a BOS stays, too.
        """
        asked = Message("user", question(problem, self.show_public_tests))
        ids = chat_tokens(self.tokenizer, [asked, Message("assistant", reply_for(program))])
        if len(ids) <= self.max_tokens:
            return ids
        start = ids[:1] if ids[0] == self.tokenizer.bos_token_id else []
        return start + ids[len(ids) - self.max_tokens + len(start) :]
