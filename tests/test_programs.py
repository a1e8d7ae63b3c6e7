"""Reply -> program: the rule, and every odd text that must not break it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.programs import closes_fence, program_in

PROGRAM = "def double(x):\n    return 2 * x\n"
OTHER = "def double(x):\n    return x + x\n"
STUB = 'def double(x):\n    """Twice x.\n    >>> double(2)\n    4\n    """\n'


def fenced(code: str, tag: str = "python", mark: str = "```") -> str:
    return f"{mark}{tag}\n{code}{mark}"


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        (PROGRAM, PROGRAM),
        (PROGRAM.replace("\n", "\r\n"), PROGRAM),
        (f"\ufeff{PROGRAM}", PROGRAM),
        ("print(sum(map(int, input().split())))", "print(sum(map(int, input().split())))"),
        (f"Here it is:\n{fenced(PROGRAM)}\nIt doubles.", PROGRAM),
        (fenced(PROGRAM, "Python"), PROGRAM),
        (fenced(PROGRAM, "py"), PROGRAM),
        (fenced(PROGRAM, "python3 title=x"), PROGRAM),
        (fenced(PROGRAM, " {.python}"), PROGRAM),
        (fenced(PROGRAM, mark="~~~"), PROGRAM),
        (fenced(PROGRAM, mark="````"), PROGRAM),
        (f"First {fenced(OTHER)}\nor better\n{fenced(PROGRAM)}", PROGRAM),
        (f"{fenced(PROGRAM)}\nIt prints\n{fenced('4', '')}", PROGRAM),
        (f"{fenced(PROGRAM)}\n```python\ndef cut(", PROGRAM),
        (f"{fenced(PROGRAM)}\n{fenced('', 'python')}", PROGRAM),
        (f"Code:\n{fenced(PROGRAM, '')}\nOutput:\n{fenced('4 is it', '')}", PROGRAM),
        (f"Sure:\n```python\n{PROGRAM}", PROGRAM),
        (f"Sure:\n```\n{PROGRAM}", PROGRAM),
        (f"Sure:\n```python\n{PROGRAM.rstrip()}```", PROGRAM.rstrip()),
        (f"1. So:\n   ```python\n   {PROGRAM.replace(chr(10), chr(10) + '   ').rstrip()}\n   ```", PROGRAM),
        (f"```python\nnot closed\n```python\n{PROGRAM}```", PROGRAM),
        (fenced("def broken(:\n"), "def broken(:\n"),
    ],
)
def test_the_program_of_a_reply_is_found(reply: str, program: str) -> None:
    assert program_in(reply) == program


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n",
        "Sure",
        "Sure, here",
        "Sure (see below)",
        "not sure",
        "Answer: yes",
        "# only a comment",
        "'''A text in quotes.'''",
        "I cannot write this program.",
        f"{fenced('let x = 1;', 'js')}",
        f"{fenced('a table of results', '')}",
        "```python\ndef cut(x:\n    retu",
        "```js\nx = 1",
        "~~~python\n",
        "```python\n```",
        "    return 2 * x\n",
    ],
)
def test_a_reply_without_code_has_no_program(reply: str) -> None:
    assert program_in(reply) is None


def test_a_fence_inside_a_docstring_does_not_end_the_program() -> None:
    program = 'def double(x):\n    """Twice.\n```\ndouble(2)\n```\n    """\n    return 2 * x\n'
    assert program_in(fenced(program)) == program


def test_a_program_that_holds_a_fence_in_a_string_is_taken_whole() -> None:
    program = 'TEXT = """\n```python\nx = 1\n```\n"""\n'
    assert program_in(program) == program


@pytest.mark.parametrize(
    "body",
    [
        "    return 2 * x\n",
        "return 2 * x",
        "  y = 2 * x\n  return y\n",
        "y = 2 * x\n    return y\n",
        "    return twice(x)\n\n\ndef twice(x):\n    return 2 * x\n",
        "for y in [x]:\n    yield 2 * y",
    ],
)
def test_a_body_alone_continues_the_stub(body: str) -> None:
    for reply in (body, f"Sure!\n{fenced(body.rstrip() + chr(10))}"):
        program = program_in(reply, STUB)
        assert program is not None
        assert program.startswith(STUB)
        function = ast.parse(program).body[0]
        assert isinstance(function, ast.FunctionDef)
        assert len(function.body) > 1


@pytest.mark.parametrize("reply", [PROGRAM, fenced(PROGRAM), f"import math\n{PROGRAM}"])
def test_a_whole_function_does_not_continue_the_stub(reply: str) -> None:
    program = program_in(reply, STUB)
    assert program is not None
    assert STUB not in program


@pytest.mark.parametrize("reply", ["Sure", "    Sure", "# nothing", "Answer: yes", "'''more'''"])
def test_prose_does_not_continue_the_stub(reply: str) -> None:
    assert program_in(reply, STUB) is None


def test_a_stub_without_a_docstring_is_continued_one_level_in() -> None:
    assert program_in("return 2 * x", "def double(x):\n") == "def double(x):\n    return 2 * x"


@pytest.mark.parametrize(
    "reply",
    [
        "def f(): pass\0",
        "x = '\ud800'",
        "(" * 100_000,
        "-" * 100_000 + "1",
        "x" + ".a" * 50_000,
        "1" + "+1" * 50_000,
        "lambda:" * 50_000 + "1",
        "a" * 5_000_000,
        "```\n" * 20_000,
        "so\n" + "~" * 1_000_000 + "`",
    ],
    ids=["NUL", "surrogate", "brackets", "minus", "attributes", "sum", "lambdas", "megabytes", "fences", "tildes"],
)
def test_an_odd_text_is_no_program_and_no_crash(reply: str) -> None:
    assert program_in(reply, STUB) is None


def test_a_two_megabyte_line_is_a_program_all_the_same() -> None:
    program = f"x = '{'a' * 2**21}'"
    assert program_in(program) == program


def test_a_fenced_program_with_a_nul_byte_is_still_the_answer() -> None:
    assert program_in(fenced("x = 1\0\n")) == "x = 1\0\n"


def test_a_bad_escape_in_a_program_raises_no_warning() -> None:
    program = "import re\nx = re.compile('\\d')\nassert x is 1\n"
    assert program_in(program) == program  # warnings are errors in these tests


@pytest.mark.parametrize(
    "text",
    [
        fenced(PROGRAM),
        f"So:\n{fenced(PROGRAM)}\nand",
        fenced(PROGRAM, ""),
        fenced(PROGRAM, mark="~~~"),
        "```\r\nx\r\n```",
    ],
)
def test_generation_stops_at_the_closing_fence(text: str) -> None:
    assert closes_fence(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROGRAM,
        "```python\n",
        f"```python\n{PROGRAM}",
        f"```python\n{PROGRAM}``",
        "```python\nx = '```'\n",
        "a ``` b\nc ```",
        "````\n```\n",
        "```python\n    ```",
    ],
)
def test_generation_goes_on_before_the_closing_fence(text: str) -> None:
    assert not closes_fence(text)


@given(st.text(alphabet=st.sampled_from("`~\n \tpyx=1:()'\"#\r\0"), max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    for stub in ("", STUB):
        program = program_in(text, stub)
        assert program is None or program.strip()


@given(st.text(alphabet=st.sampled_from("` \nab=1python"), max_size=60))
def test_a_closed_fence_stays_closed(text: str) -> None:
    if closes_fence(text):
        assert closes_fence(text + "\nand more")
