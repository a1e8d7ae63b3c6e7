"""MBPP's rows: splits, public and private tests, entry points, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mucode.config import LocalFile
from mucode.problems import load_problems, local_path, problem_from_mbpp_row
from mucode.problems.mbpp import PATH_VARIABLE
from mucode.types import MucodeError, Problem

needs_mbpp = pytest.mark.skipif(PATH_VARIABLE not in os.environ, reason=f"{PATH_VARIABLE} names no local mbpp.jsonl")


_UNCALLED = "def test():\n    assert double(1) == 2"


def row(**changes: Any) -> dict[str, Any]:
    plain = {
        "task_id": 602,
        "text": "Write a function that doubles.",
        "code": "def double(x):\r\n    return 2 * x",
        "test_setup_code": "",
        "test_list": ["assert double(1) == 2", "assert double(2) == 4", "assert double(0) == 0"],
        "challenge_test_list": ["assert double(-1) == -2"],
    }
    return {**plain, **changes}


def parsed(**changes: Any) -> Problem:
    return problem_from_mbpp_row(row(**changes), "mbpp", "train")[0]


def test_the_first_assert_is_public_and_all_others_are_private() -> None:
    problem, answer = problem_from_mbpp_row(row(), "mbpp", "train")
    assert (problem.id, answer.problem_id) == ("mbpp/602", "mbpp/602")
    assert [test.code for test in problem.public_tests] == ["assert double(1) == 2"]
    assert [test.code for test in answer.private_tests] == [
        "assert double(2) == 4",
        "assert double(0) == 0",
        "assert double(-1) == -2",
    ]
    assert answer.reference == "def double(x):\n    return 2 * x"


@pytest.mark.parametrize("code", ["class Pair: ...\ndef longest(pairs): ...", None])
def test_the_entry_point_is_the_function_called_outermost(code: str | None) -> None:
    tests = ["assert longest([Pair(5, 24), Pair(15, 25)]) == 3", "assert set(longest([Pair(1, 2)])) == {1}"]
    assert parsed(code=code, test_list=tests).entry_point == "longest"


def test_a_function_that_shadows_a_builtin_is_an_entry_point() -> None:
    assert parsed(code=None, test_list=["assert sum(10, 15) == 6"], challenge_test_list=[]).entry_point == "sum"


def test_a_function_of_the_setup_is_no_entry_point() -> None:
    problem = parsed(
        code=None, test_setup_code="def near(a, b): return a - b < 1", test_list=["assert near(half(3), 1.5)"]
    )
    assert problem.entry_point == "half"
    assert problem.setup.startswith("def near")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"test_list": []}, "mbpp/602 has no tests"),
        ({"test_list": ["def test_one():\n    assert double(1) == 2"]}, "nothing runs them"),
        ({"test_list": ["class TestOne:\n    def test(self):\n        assert double(1) == 2"]}, "nothing runs them"),
        ({"test_list": [f"import pytest\n@pytest.mark.slow\n{_UNCALLED}"]}, "nothing runs them"),
        ({"test_list": [f"from pytest import mark\n@mark.slow\n{_UNCALLED}"]}, "nothing runs them"),
        ({"test_list": [f"import pytest as pt\n@pt.mark.slow\n{_UNCALLED}"]}, "nothing runs them"),
        ({"test_list": ["class A(object):\n    def test(self):\n        assert double(1) == 2"]}, "nothing runs them"),
        (
            {
                "test_list": [
                    "import unittest as u\nclass A(u.TestCase):\n    def test(self):\n        assert double(1) == 2"
                ]
            },
            "nothing runs them",
        ),
        ({"test_list": ["if __name__ == '__main__':\n    assert double(1) == 2"]}, "nothing runs them"),
        ({"test_list": [f"{_UNCALLED}\nif __name__ == '__main__':\n    test()"]}, "nothing runs them"),
        ({"test_list": [f"{_UNCALLED}\ndef main():\n    test()"]}, "nothing runs them"),
        ({"test_list": ["assert double(1 == 2"]}, "is no Python"),
        ({"test_list": ["double(1) == 2"]}, "asserts nothing"),
        ({"test_list": ["assert double(1) == 2; return"]}, "is no Python"),
        ({"test_setup_code": "def double("}, "mbpp/602: test_setup_code is no Python"),
        ({"test_list": ["assert eval(double(1)) == 2"]}, r"a test runs data as code \(eval\)"),
        ({"test_list": ["assert list(map(eval, double(['1']))) == [2]"]}, r"\(eval\)"),
        ({"test_list": ["import pickle\nassert pickle.loads(double(b'')) == 2"]}, r"\(pickle.loads\)"),
        ({"test_list": ["from pickle import dumps, loads\nassert loads(double(b'')) == 2"]}, r"\(pickle.loads\)"),
        ({"test_setup_code": "def value(text): exec(text)"}, r"test_setup_code runs data as code \(exec\)"),
        ({"test_setup_code": "def a(exec): exec(1)\ndef b(text): exec(text)"}, r"runs data as code \(exec\)"),
        ({"test_setup_code": "from builtins import eval\ndef b(text): eval(text)"}, r"runs data as code \(eval\)"),
        ({"test_list": "assert double(1) == 2"}, "test_list must be a list of texts"),
        ({"test_list": [1]}, "test_list must be a list of texts"),
        ({"code": 3}, "code must be text"),
        ({"task_id": None}, "task_id must be there"),
        ({"task_id": True}, "task_id must be there"),
    ],
)
def test_a_malformed_row_is_refused_in_one_sentence(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        parsed(**changes)


@pytest.mark.parametrize(
    "test",
    [
        f"{_UNCALLED}\ntest()",
        f"def main():\n    test()\n{_UNCALLED}\nmain()",
        f"{_UNCALLED}\nif __name__ == '__main__':\n    pass\nelse:\n    test()",
        f"{_UNCALLED}\nfor value in list(globals().values()):\n    if callable(value):\n        value()",
        "import asyncio\nasync def test():\n    assert double(1) == 2\nasyncio.run(test())",
        "class Test:\n    def one(self):\n        assert double(1) == 2\nTest().one()",
        "class Test:\n    def one(self):\n        assert double(1) == 2\ngetattr(Test(), 'o' + 'ne')()",
        "class Test:\n    def a(self):\n        assert double(1) == 2\n[Test.__dict__[n](0) for n in dir(Test) if n == 'a']",
        f"import inspect, sys\n{_UNCALLED}\nfor _, each in inspect.getmembers(sys.modules[__name__]):\n    each()",
        "import ast\nclass V(ast.NodeVisitor):\n    def visit_Name(self, n):\n        assert n.id\nV().visit(double('a'))",
        "class Test:\n    def __init__(self):\n        assert double(1) == 2\nTest()",
        "def at_once(run):\n    run()\n@at_once\ndef test():\n    assert double(1) == 2",
        "try:\n    double('')\nexcept TypeError:\n    pass\nelse:\n    assert False",
        "for x in (1, 2):\n    with open('/dev/null'):\n        assert double(x) == 2 * x",
    ],
)
def test_asserts_that_run_by_whatever_way_are_a_test(test: str) -> None:
    assert parsed(test_list=[test]).public_tests[0].code == test


def test_a_test_may_run_text_that_it_spells_out() -> None:
    tests = ["assert double(1) == eval('1 + 1')", "import json\nassert json.loads(double('1')) == 11"]
    assert len(parsed(test_list=tests).public_tests) == 1


@pytest.mark.parametrize(
    "test",
    [
        "def eval(text):\n    return int(text)\nassert eval(double('1')) == 11",
        "def check(exec):\n    assert exec(double(1)) == 2\ncheck(int)",
        "eval = int\nassert list(map(eval, double(['1']))) == [1, 1]",
    ],
)
def test_a_test_may_call_its_own_function_by_a_built_in_name(test: str) -> None:
    assert parsed(test_list=[test]).public_tests[0].code == test


def test_a_local_file_is_sorted_into_the_splits_of_its_authors(tmp_path: Path) -> None:
    numbers = [974, 601, 600, 511, 510, 11, 10, 1]
    path = tmp_path / "mbpp.jsonl"
    path.write_text("\n".join(json.dumps(row(task_id=number)) for number in numbers))
    found = [(problem.id, problem.split) for problem, _ in load_problems("mbpp", path)]
    assert found == [
        ("mbpp/1", "prompt"),
        ("mbpp/10", "prompt"),
        ("mbpp/11", "test"),
        ("mbpp/510", "test"),
        ("mbpp/511", "validation"),
        ("mbpp/600", "validation"),
        ("mbpp/601", "train"),
        ("mbpp/974", "train"),
    ]


def test_a_row_without_a_number_has_no_split(tmp_path: Path) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text(json.dumps(row(task_id="one")))
    with pytest.raises(MucodeError, match="'one' of MBPP is no number"):
        load_problems("mbpp", path)


@needs_mbpp
def test_the_whole_of_mbpp_loads() -> None:
    pairs = load_problems("mbpp")
    assert Counter(p.split for p, _ in pairs) == {"prompt": 10, "test": 500, "validation": 90, "train": 374}
    assert all(p.entry_point and p.entry_point in a.reference for p, a in pairs)
    assert sum(len(a.private_tests) for _, a in pairs) == 974 * 2 + 8 + 2 * 3 + 2


@pytest.mark.slow
def test_a_hub_that_is_not_reached_is_one_sentence(tmp_path: Path) -> None:
    source = "from mucode.problems import load_problems; load_problems('mbpp')"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    environment.pop(PATH_VARIABLE, None)
    ended = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    raised, _, sentence = ended.stderr.strip().splitlines()[-1].partition(": ")
    assert raised == "mucode.types.Unavailable"
    assert f"name a local file in {PATH_VARIABLE}" in sentence


def test_a_file_that_only_looks_like_mbpp_is_refused_where_mbpp_itself_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text(
        json.dumps({"task_id": 601, "text": "Add.", "code": "", "test_list": ["assert f(1) == 2"] * 2}) + "\n"
    )
    assert len(load_problems("mbpp", path)) == 1
    monkeypatch.setenv("MUCODE_MBPP", str(path))
    with pytest.raises(MucodeError, match="is not MBPP as it was published"):
        load_problems("mbpp")


def test_a_file_named_in_the_parameters_must_have_the_digest_named_there(tmp_path: Path) -> None:
    path = tmp_path / "mbpp.jsonl"
    path.write_text("{}\n")
    digest = hashlib.sha256(b"{}\n").hexdigest()
    files = {"mbpp": LocalFile(path=str(path), sha256=digest)}
    assert local_path(files, "mbpp") == path
    assert local_path(files, "humaneval") is None
    path.write_text("{ }\n")
    with pytest.raises(MucodeError, match=r"problems\.files\.mbpp"):
        local_path(files, "mbpp")
