"""Where a reply ends: one rule for every engine, whatever it generated beyond."""

from __future__ import annotations

from typing import Any

from mucode.generator.tokens import tokens_with
from mucode.programs import closes_fence


class StopRule:
    """A reply ends with an end-of-turn token (counted, not part of the text) or the line that closes a code block."""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._ticks = tokens_with(tokenizer, "`")
        self.ends = ends

    def ended(self, tokens: list[int]) -> bool:
        """Whether the last token ends the reply."""
        if tokens[-1] in self.ends:
            return True
        return tokens[-1] in self._ticks and closes_fence(self.text(tokens))

    def cut(self, tokens: list[int], more: list[int]) -> tuple[list[int], bool]:
        """`tokens`, an unfinished reply, and those of `more` up to its end; whether that end was reached."""
        reply = list(tokens)
        for token in more:
            reply.append(token)
            if self.ended(reply):
                return reply, True
        return reply, False

    def text(self, tokens: list[int]) -> str:
        """The reply that the tokens spell."""
        own = [token for token in tokens if token not in self.ends]
        text: str = self._tokenizer.decode(own, skip_special_tokens=True)
        return text


def cut_text(text: str) -> str:
    """`text` up to the line that closes its first code block: the rule for a server that does not name its tokens."""
    if not closes_fence(text):
        return text
    lines = text.splitlines(keepends=True)
    last = next(n for n in range(1, len(lines) + 1) if closes_fence("".join(lines[:n])))
    return "".join(lines[:last])
