"""The chat: what the generator is shown at s_t."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from mucode.problems import load_problems
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.problems.similarity import near_duplicates
from mucode.programs import closes_fence, program_in
from mucode.prompts import EXAMPLE, EXAMPLE_PROGRAM, chat, question, reply_for
from mucode.types import Answer, Completion, State, Status, Test, TestKind, Turn, Verdict
from tests.conftest import make_problem

PROGRAM = "def p(x):\n    return x"


def turn(program: str | None, reply: str, feedback: str) -> Turn:
    return Turn(Completion(reply, program), Verdict(Status.FAILED, 0, 1, feedback))


def test_the_first_chat_ends_with_the_problem_and_its_public_test() -> None:
    last = chat(State(make_problem()))[-1]
    assert last.role == "user"
    assert last.content == question(make_problem()) == "Write the function p.\nassert p(1) == 1"


def test_without_public_tests_no_test_is_shown_anywhere() -> None:
    messages = chat(State(make_problem()), show_public_tests=False)
    assert not any("assert" in message.content for message in messages)


def test_a_hidden_test_leaves_the_name_of_the_function() -> None:
    nameless = replace(make_problem("total"), text="Add the numbers.")
    assert question(nameless, show_public_tests=False) == "Add the numbers.\nName the function total."


def test_a_word_of_the_task_is_no_name_of_a_function() -> None:
    task = replace(make_problem("sum"), text="Find the sum of common divisors.")
    assert question(task, show_public_tests=False) == "Find the sum of common divisors.\nName the function sum."
    named = replace(task, text="Write sum(a, b), the sum of common divisors.")
    assert question(named, show_public_tests=False) == named.text


@pytest.mark.parametrize("source", ["starter", "humaneval"])
def test_a_task_that_names_its_function_is_all_that_is_shown_without_tests(source: str) -> None:
    problems = [problem for problem, _ in load_problems(source)]
    assert [question(problem, show_public_tests=False) for problem in problems] == [p.text.strip() for p in problems]


@pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} does not name MBPP's file")
@pytest.mark.slow
def test_without_tests_every_problem_of_mbpp_names_its_function() -> None:
    for problem, _ in load_problems("mbpp"):
        assert question(problem, show_public_tests=False).endswith(f"\nName the function {problem.entry_point}.")


def test_a_test_on_standard_input_shows_input_and_output() -> None:
    problem = replace(make_problem(), public_tests=(Test("3 4\n", "7\n", TestKind.STDIO),))
    assert question(problem).endswith("Input:\n3 4\nOutput:\n7")


def test_a_past_program_stands_in_the_chat_as_it_would_as_a_training_target() -> None:
    state = State(make_problem(), (turn(PROGRAM, f"Sure!\n```python\n{PROGRAM}\n```", "p(1) gave 2"),))
    assistant, user = chat(state)[-2:]
    assert (assistant.role, assistant.content) == ("assistant", reply_for(PROGRAM))
    assert user.role == "user"
    assert user.content.startswith("p(1) gave 2\n")


def test_a_program_that_failed_a_test_is_called_wrong_and_one_that_no_test_judged_is_not() -> None:
    judged, unjudged = Verdict(Status.FAILED, 0, 1, "p(1) gave 2"), Verdict(Status.FAILED, 0, 0, "No tests.")
    asked = [
        chat(State(make_problem(), (Turn(Completion("", PROGRAM), verdict),)))[-1] for verdict in (judged, unjudged)
    ]
    assert [message.content for message in asked] == [
        "p(1) gave 2\nThe program is wrong. Write the corrected function.",
        "No tests.\nCheck the program and answer with the function, changed or as it is.",
    ]


def test_where_a_problem_has_no_tests_the_worked_example_shows_none_either() -> None:
    messages = chat(State(replace(make_problem(), public_tests=())))
    assert not any("assert" in message.content for message in messages)
    assert "assert shout" in chat(State(make_problem()))[1].content


def test_a_past_reply_without_code_is_shown_as_it_was_and_answered_even_without_feedback() -> None:
    assistant, user = chat(State(make_problem(), (turn(None, "I do not know.", ""),)))[-2:]
    assert assistant.content == "I do not know."
    assert "no Python program" in user.content


def test_every_past_turn_adds_two_messages_and_roles_alternate() -> None:
    past = turn(PROGRAM, "", "wrong")
    roles = [message.role for message in chat(State(make_problem(), (past, past)))]
    assert len(roles) == len(chat(State(make_problem()))) + 4
    assert roles[1:] == ["user", "assistant"] * ((len(roles) - 2) // 2) + ["user"]


def test_a_training_target_is_read_back_as_its_program_and_stops_generation() -> None:
    target = reply_for(PROGRAM)
    assert program_in(target) is not None
    assert program_in(target).strip() == PROGRAM  # type: ignore[union-attr]  # asserted above
    assert closes_fence(target)


@pytest.mark.slow
def test_the_worked_example_is_no_problem_of_any_source_at_hand() -> None:
    example = (EXAMPLE, Answer(EXAMPLE.id, (), EXAMPLE_PROGRAM))
    for source in ("starter", "humaneval"):
        assert near_duplicates([example], load_problems(source)) == []


@pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} does not name MBPP's file")
@pytest.mark.slow
def test_the_worked_example_is_no_problem_of_mbpp() -> None:
    assert near_duplicates([(EXAMPLE, Answer(EXAMPLE.id, (), EXAMPLE_PROGRAM))], load_problems("mbpp")) == []
