"""The starter set: whole, right, sharp, and not a copy of what is evaluated."""

from __future__ import annotations

import ast
import functools
import json
import os
from collections import Counter, defaultdict
from itertools import combinations

import pytest

from benchmarks.mutants import mutants
from benchmarks.starter_quality import WEAK, inputs_and_expected, sharpness
from mucode.problems import load_problems
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.problems.similarity import (
    Exercise,
    Likeness,
    content_words,
    near_duplicates,
    normal_form,
    text_overlap,
)
from mucode.problems.starter import STARTER_FILE
from mucode.types import Answer, Problem, Test

SPLITS = {"train": 160, "validation": 40, "test": 40}
TOPICS = {"strings", "lists", "dicts", "numbers", "sorting", "recursion", "parsing", "dates", "matrices"}
FIELDS = {"task_id", "text", "code", "test_setup_code", "test_list", "challenge_test_list", "split", "topic"}


@functools.cache
def starter() -> tuple[Exercise, ...]:
    return tuple(load_problems("starter"))


def rows() -> list[dict[str, object]]:
    return [json.loads(line) for line in STARTER_FILE.read_text("utf-8").splitlines()]


def split(name: str) -> list[Exercise]:
    return [pair for pair in starter() if pair[0].split == name]


def is_one_line(answer: Answer) -> bool:
    body = ast.parse(answer.reference).body
    return len(body) == 1 and isinstance(body[0], ast.FunctionDef) and len(body[0].body) == 1


def exercise(number: int, text: str, code: str) -> Exercise:
    return Problem(f"toy/{number}", "toy", "train", text, "f", ()), Answer(f"toy/{number}", (), code)


def test_every_row_has_mbpps_fields_and_our_two() -> None:
    assert all(set(row) == FIELDS for row in rows())
    assert [row["task_id"] for row in rows()] == list(range(1, 241))
    assert {row["topic"] for row in rows()} == TOPICS


def test_there_are_240_problems_in_three_splits() -> None:
    assert Counter(problem.split for problem, _ in starter()) == SPLITS


def test_every_topic_is_spread_over_the_splits_four_to_one_to_one() -> None:
    shares: defaultdict[object, Counter[object]] = defaultdict(Counter)
    for row in rows():
        shares[row["topic"]][row["split"]] += 1
    for topic, share in shares.items():
        assert share["validation"] == share["test"] == share["train"] / 4, topic


@pytest.mark.parametrize("name", SPLITS)
def test_most_problems_of_every_split_have_a_one_line_answer(name: str) -> None:
    share = sum(is_one_line(answer) for _, answer in split(name)) / SPLITS[name]
    assert 0.8 <= share <= 0.9


def test_every_problem_has_one_public_and_at_least_four_private_asserts_all_different() -> None:
    for problem, answer in starter():
        tests = [*problem.public_tests, *answer.private_tests]
        assert len(problem.public_tests) == 1
        assert len(answer.private_tests) >= 4, problem.id
        assert len(set(tests)) == len(tests), problem.id


def test_every_text_names_its_function_and_no_name_is_used_twice() -> None:
    names = [problem.entry_point for problem, _ in starter()]
    assert len(set(names)) == len(names)
    assert all(f"{problem.entry_point}(" in problem.text for problem, _ in starter())


def test_every_reference_passes_its_own_asserts() -> None:
    for problem, answer in starter():
        namespace: dict[str, object] = {}
        exec(answer.reference, namespace)
        for test in (*problem.public_tests, *answer.private_tests):
            exec(test.code, dict(namespace))


def test_no_program_that_ignores_its_input_passes() -> None:
    for problem, answer in starter():
        expected = [value for _, value in inputs_and_expected(problem, answer)]
        assert any(value != expected[0] for value in expected), problem.id


def test_no_program_that_returns_an_argument_unchanged_passes() -> None:
    for problem, answer in starter():
        pairs = inputs_and_expected(problem, answer)
        for place in range(len(pairs[0][0])):
            assert any(arguments[place] != expected for arguments, expected in pairs), problem.id


@pytest.mark.parametrize(("one", "other"), [*combinations(SPLITS, 2)])
def test_no_problem_has_a_near_duplicate_in_another_split(one: str, other: str) -> None:
    assert near_duplicates(split(one), split(other)) == []


def test_no_two_problems_have_the_same_program() -> None:
    programs = Counter(normal_form(answer.reference) for _, answer in starter())
    assert [program for program, count in programs.items() if count > 1] == []


@pytest.mark.slow
def test_no_problem_is_a_near_duplicate_of_one_of_humaneval() -> None:
    assert near_duplicates(starter(), load_problems("humaneval")) == []


@pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} names no local mbpp.jsonl")
@pytest.mark.slow
def test_no_problem_is_a_near_duplicate_of_one_that_mbpp_tests() -> None:
    tested = [pair for pair in load_problems("mbpp") if pair[0].split == "test"]
    assert near_duplicates(starter(), tested) == []


def test_the_asserts_of_a_sample_catch_small_mistakes() -> None:
    for problem, answer in starter()[::40]:
        assert sharpness(problem, answer).score >= WEAK, problem.id


@pytest.mark.slow
def test_the_asserts_catch_nearly_every_small_mistake() -> None:
    results = [sharpness(problem, answer) for problem, answer in starter()]
    caught, missed = sum(result.caught for result in results), sum(len(result.missed) for result in results)
    assert caught / (caught + missed) >= 0.95
    assert [result.problem.id for result in results if result.score < WEAK] == []


def test_a_weak_set_of_asserts_is_found_out() -> None:
    problem, _ = exercise(1, "Is n large?", "")
    loose = tuple(Test(f"assert f({n}) == {n > 9}") for n in (50, 1, 12, 11))
    tight = (*loose, Test("assert f(9) == False"), Test("assert f(10) == True"))
    reference = "def f(n):\n    return n > 9"
    assert sharpness(problem, Answer(problem.id, loose, reference)).missed == (
        "def f(n):\n    return n >= 9",
        "def f(n):\n    return n > 10",
        "def f(n):\n    return n > 8",
    )
    assert sharpness(problem, Answer(problem.id, tight, reference)).score == 1.0


def test_a_mutant_that_behaves_like_the_reference_is_not_held_against_the_asserts() -> None:
    problem, _ = exercise(1, "Add up the positive numbers.", "")
    tests = tuple(
        Test(f"assert f({numbers}) == {total}") for numbers, total in (([1, -2, 3], 4), ([0], 0), ([5, 6], 11))
    )
    result = sharpness(problem, Answer(problem.id, tests, "def f(x):\n    return sum(n for n in x if n > 0)"))
    assert result.missed == ()
    assert result.equivalent == 2  # n >= 0, n > -1


def test_mutants_differ_from_the_program_and_from_each_other() -> None:
    code = "def f(x):\n    return max(x[1:]) if x else not x"
    found = mutants(code)
    assert len(set(found)) == len(found)
    assert ast.unparse(ast.parse(code)) not in found
    assert "def f(x):\n    return min(x[1:]) if x else not x" in found
    assert "def f(x):\n    return max(x[2:]) if x else not x" in found
    assert "def f(x):\n    return max(x[1:]) if x else x" in found


@pytest.mark.parametrize(
    "copy",
    [
        "def largest(numbers: list[int]) -> int:\n    'The largest.'\n    return max(numbers) + 1",
        "from typing import List\ndef f(a):\n    result = max(a) + 1\n    return result",
    ],
)
def test_new_names_notes_and_a_variable_for_the_result_do_not_hide_a_copied_program(copy: str) -> None:
    original = exercise(1, "Beat the best score.", "def f(x):\n    return max(x) + 1")
    found = near_duplicates([original], [exercise(2, "Something else entirely.", copy)])
    assert [(pair.first, pair.second, pair.likeness) for pair in found] == [("toy/1", "toy/2", Likeness.SAME_PROGRAM)]


@pytest.mark.parametrize(
    "other", ["def f(x):\n    return max(x) + 2", "def f(x):\n    return min(x) + 1", "def f(x):\n    return x"]
)
def test_programs_that_compute_something_else_are_told_apart(other: str) -> None:
    assert (
        near_duplicates(
            [exercise(1, "Beat the best.", "def f(x):\n    return max(x) + 1")], [exercise(2, "Stir.", other)]
        )
        == []
    )


def test_a_reworded_text_is_found_whatever_its_program() -> None:
    one = exercise(1, "Write a function to count the vowels of a word.", "def f(x):\n    return 1")
    other = exercise(2, "Count vowels in the given words", "def g(y):\n    return sum(c in 'aeiou' for c in y)")
    assert [pair.likeness for pair in near_duplicates([one], [other])] == [Likeness.SAME_TEXT]


def test_another_constant_hides_a_copy_only_if_the_text_differs_too() -> None:
    one = exercise(1, "Test whether a number is a multiple of three.", "def f(n):\n    return n % 3 == 0")
    alike = exercise(2, "Test whether some number is a multiple of eleven.", "def f(n):\n    return n % 11 == 0")
    unlike = exercise(3, "Is this year an olympic one?", "def f(n):\n    return n % 4 == 0")
    assert [(p.second, p.likeness) for p in near_duplicates([one], [alike, unlike])] == [("toy/2", Likeness.SAME_SHAPE)]


def test_problems_without_references_are_compared_by_their_texts() -> None:
    assert near_duplicates([exercise(1, "Sort words.", "")], [exercise(2, "Mirror a picture.", "")]) == []


def test_a_problem_is_no_duplicate_of_itself() -> None:
    assert near_duplicates(starter()[:5], starter()[:5]) == []


def test_a_reference_that_is_no_python_3_is_compared_by_its_text() -> None:
    assert normal_form("print 'a'") == normal_form("print  'a'\n") != normal_form("print 'b'")


def test_the_words_compared_are_those_that_say_something() -> None:
    assert content_words("Write a function first_words(text) that returns the words.") == {"first", "word", "text"}
    assert text_overlap(frozenset("ab"), frozenset("bc")) == 1 / 3
    assert text_overlap(frozenset(), frozenset()) == 0.0
