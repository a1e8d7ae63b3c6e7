"""State -> chat: the one path from s_t to the messages that every engine reads and that training teaches to answer.

An earlier turn's program stands in the chat exactly as `reply_for` writes it as a training target, so that what the
generator sees of itself and what it is trained to write agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mucode.types import Problem, State, Test, TestKind, Turn

_SYSTEM = "You are a Python programmer. Answer with one ```python block and nothing else."
_RETRY = "The program is wrong. Write the corrected function."
_CHECK = "Check the program and answer with the function, changed or as it is."  # no test has said that it is wrong
_NO_PROGRAM = "The reply holds no Python program."
# With one worked example SmolLM2-135M's replies are half as long, and 2 instead of 36 of 128 hold no code (docs/log.md)
EXAMPLE = Problem(
    id="example",
    source="example",
    split="train",
    text="Write a function shout(word) that returns the word in upper case with an exclamation mark at its end.",
    entry_point="shout",
    public_tests=(Test('assert shout("hey") == "HEY!"'),),
)  # no problem of any source; a test says so
EXAMPLE_PROGRAM = 'def shout(word):\n    return word.upper() + "!"'


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


def chat(state: State, show_public_tests: bool = True) -> tuple[Message, ...]:
    """The chat that asks for y_t: a worked example, the problem x, then each past program with its observation o.

    Args:
        state: s_t.
        show_public_tests: whether the problem shows its public tests (the paper's control leaves them out). The worked
            example shows its own where the problem does.

    Returns:
        Four messages for s_1, the last of them `question`; two more for each past turn.
    """
    opening = (
        Message("system", _SYSTEM),
        Message("user", question(EXAMPLE, show_public_tests and bool(state.problem.public_tests))),
        Message("assistant", reply_for(EXAMPLE_PROGRAM)),
        Message("user", question(state.problem, show_public_tests)),
    )
    return opening + tuple(message for turn in state.history for message in _exchange(turn))


def question(problem: Problem, show_public_tests: bool = True) -> str:
    """x as text: the task and its public tests; without tests to read it off, the function's name."""
    parts = [problem.text.strip()]
    if problem.public_tests and show_public_tests:
        parts += [_shown(test) for test in problem.public_tests]
    elif problem.entry_point and f"{problem.entry_point}(" not in problem.text:  # "find the sum" names no function
        parts.append(f"Name the function {problem.entry_point}.")
    return "\n".join(parts)


def reply_for(program: str) -> str:
    """The reply that consists of this program alone: the target of training, without the end-of-turn token."""
    return f"```python\n{program.strip()}\n```"


def _shown(test: Test) -> str:
    if test.kind is TestKind.STDIO:
        return f"Input:\n{test.code.strip()}\nOutput:\n{test.expected.strip()}"
    return test.code.strip()


def _exchange(turn: Turn) -> tuple[Message, Message]:
    program, reply = turn.completion.program, turn.completion.reply
    answer = reply if program is None else reply_for(program)
    observation = turn.verdict.feedback.strip() or _NO_PROGRAM
    request = _CHECK if program is not None and turn.verdict.tests_total == 0 else _RETRY
    return Message("assistant", answer.strip()), Message("user", f"{observation}\n{request}")
