"""What may join the training set: each fault is told by name, and of two that are alike the earlier one stays."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mucode.collect.examine import Examined, examine
from mucode.collect.incoming import arrivals
from mucode.problems import load_problems
from mucode.problems.similarity import Exercise
from mucode.types import Half, Job, MucodeError, Status, Verdict
from tests.collect.rows import NEW, drop, row


@dataclass(frozen=True)
class OrdinarySandbox:
    """A judge for the programs of these tests, which can be trusted: it runs them right here."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]:
        return [self._verdict(job, half) for job in jobs]

    def _verdict(self, job: Job, half: Half) -> Verdict:
        tests = job.problem.public_tests if half == "public" else job.private_tests
        passed = sum(self._passes(job.program, test.code) for test in tests)
        return Verdict(Status.PASSED if passed == len(tests) else Status.FAILED, passed, len(tests))

    def _passes(self, program: str, test: str) -> bool:
        try:
            exec(f"{program}\n{test}", {})
        except AssertionError:
            return False
        return True


@functools.cache
def first_of(source: str, split: str) -> list[Exercise]:
    """Some problems of a split: enough to be copied from."""
    return [pair for pair in load_problems(source) if pair[0].split == split][:10]


def examined(folder: Path, *rows: object) -> list[Examined]:
    drop(folder, "new.jsonl", *rows)
    held_out = {f"{source}/test": first_of(source, "test") for source in ("starter", "humaneval")}
    return examine(arrivals(folder), first_of("starter", "train"), held_out, OrdinarySandbox())


def reasons(folder: Path, *rows: object) -> list[str]:
    return ["; ".join(one.reasons) for one in examined(folder, *rows)]


def test_a_sound_new_problem_is_accepted_and_kept_under_a_name_that_says_what_it_holds(tmp_path: Path) -> None:
    (one,) = examined(tmp_path, NEW)
    assert one.reasons == ()
    kept = one.arrival.row
    assert kept["text"] == NEW["text"]
    assert kept["origin"] == "new.jsonl"
    (again,) = examined(tmp_path, {**NEW, "task_id": 77, "note": "sent by somebody else"})
    assert again.arrival.row["task_id"] == kept["task_id"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": ""}, "code is empty: it must hold a reference solution"),
        ({"text": " "}, "text is empty"),
        ({"text": None}, "text is empty"),
        ({"text": 5}, "text must be text"),
        ({"test_list": "assert 1"}, "test_list must be a list of texts"),
        ({"test_list": NEW["test_list"][:1]}, "there must be a second"),
        ({"test_list": ["assert 1 ==", "assert 2"]}, "a test is no Python"),
        ({"test_list": ["weigh(1, 2)", "assert True"]}, "a test asserts nothing"),
        ({"split": "test"}, "its split is not train"),
        ({"code": "def weigh(a, b):\n    return a"}, "its own code fails its tests (public: failed"),
    ],
)
def test_each_fault_of_a_row_is_told(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert reason in reasons(tmp_path, {**NEW, **changes})[0]


@pytest.mark.parametrize("line", ["{not json", "[1, 2]", '"text"'])
def test_a_broken_line_costs_no_other_line(tmp_path: Path, line: str) -> None:
    broken, sound = examined(tmp_path, line, NEW)
    assert "this line is" in broken.reasons[0]
    assert broken.arrival.row == {"line": line}
    assert sound.reasons == ()


@pytest.mark.parametrize("changes", [{"text": "an \ud800"}, {"note": [{"\udfff": 1}]}])
def test_half_a_character_anywhere_in_a_row_costs_no_other_row(tmp_path: Path, changes: dict[str, Any]) -> None:
    broken, sound = examined(tmp_path, {**NEW, **changes}, NEW)
    assert re.fullmatch(r"this line is JSON with half a character in it \(\\u(d800|dfff)\): .*", broken.reasons[0])
    assert json.loads(json.dumps(broken.refusal(), ensure_ascii=False).encode())["line"] == json.dumps(NEW | changes)
    assert sound.reasons == ()


ELIFS = "".join(f"    elif a == {n}:\n        return {n}\n" for n in range(400))
DEEP = {
    "elif": f"def weigh(a, b):\n    if a == -1:\n        return 0\n{ELIFS}    return 9 * a + b ** 2 - 4",
    "minus": f"def weigh(a, b):\n    return {'-' * 20000}1",
    "dots": f"def weigh(a, b):\n    return a{'.b' * 20000}",
    "digits": f"def weigh(a, b):\n    return 0x{'f' * 9000}",
}


@pytest.mark.parametrize("code", DEEP.values(), ids=DEEP)
def test_a_reference_that_cannot_be_compared_costs_no_other_row(tmp_path: Path, code: str) -> None:
    broken, sound = examined(tmp_path, {**NEW, "code": code}, NEW)
    assert "its code cannot be compared with other programs" in broken.reasons[0]
    assert sound.reasons == ()


def test_a_problem_that_no_prompt_has_room_for_is_refused(tmp_path: Path) -> None:
    told = reasons(
        tmp_path, {**NEW, "text": "long " * 2000}, {**NEW, "test_list": [f"assert {'1' * 9000}", "assert 1"]}
    )
    assert all("text and first test are longer than the 8000 characters" in each for each in told)


def test_a_row_that_comes_back_from_quarantine_is_refused_for_what_is_wrong_with_it_now(tmp_path: Path) -> None:
    back = {"refused": ["an older reason"], "from": "older.jsonl, line 7", **NEW, "code": ""}
    refused, other = examined(tmp_path, back, {**back, "refused": 5})
    assert refused.refusal() == {**back, "refused": list(refused.reasons), "from": "new.jsonl, line 1"}
    assert other.refusal()["refused"] == list(other.reasons)
    assert "code is empty" in refused.reasons[0]


@pytest.mark.parametrize("name", ["starter/test", "humaneval/test"])
def test_a_copy_of_a_tested_problem_is_refused_as_a_leak_under_any_name(tmp_path: Path, name: str) -> None:
    source = name.partition("/")[0]
    problem, answer = first_of(source, "test")[0]
    copied = {**NEW, "text": problem.text, "code": answer.reference, "test_list": ["assert True", "assert True"]}
    assert f"as {problem.id}, which {name} measures: it would leak" in reasons(tmp_path, copied)[0]


def test_what_trains_already_is_refused_as_such(tmp_path: Path) -> None:
    problem, answer = first_of("starter", "train")[0]
    tests = [test.code for test in (*problem.public_tests, *answer.private_tests)]
    copied = {"text": problem.text, "code": answer.reference, "test_list": tests}
    assert reasons(tmp_path, copied) == [f"same program as {problem.id}, which trains already"]


def test_of_two_that_are_alike_the_earlier_one_is_accepted(tmp_path: Path) -> None:
    renamed = json.loads(json.dumps(NEW).replace("weigh", "ponder"))
    first, second = reasons(tmp_path, NEW, renamed)
    assert first == ""
    assert second == "same program as new.jsonl, line 1, which is accepted"


def test_a_refused_problem_stands_in_nobody_s_way(tmp_path: Path) -> None:
    broken = {**NEW, "test_list": ["assert weigh(1, 2) == 0", "assert weigh(1, 2) == 0"]}
    first, second = reasons(tmp_path, broken, NEW)
    assert "fails its tests" in first
    assert second == ""


def test_rows_of_several_files_come_by_file_name_and_line(tmp_path: Path) -> None:
    drop(tmp_path, "b.jsonl", row("one"), row("two"))
    drop(tmp_path, "a.jsonl", row("three"))
    drop(tmp_path, "notes.txt", "nothing of ours")
    assert [one.origin for one in arrivals(tmp_path)] == ["a.jsonl, line 1", "b.jsonl, line 1", "b.jsonl, line 2"]


def test_what_is_not_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    drop(tmp_path, "read.jsonl", NEW)
    drop(tmp_path, ".hidden", NEW)
    with caplog.at_level(logging.WARNING, logger="mucode"):
        assert len(arrivals(tmp_path)) == 1
        assert caplog.messages == []
        for folder, name in ((tmp_path, "new.json"), (tmp_path, "NEW.JSONL"), (tmp_path / "sub", "new.jsonl")):
            drop(folder, name, NEW)
        assert len(arrivals(tmp_path)) == 1
    assert caplog.messages == [
        f"{tmp_path}/NEW.JSONL is not read (1 of 3 that do not end in .jsonl): rename or convert it"
    ]


def test_a_drop_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match=r"incoming is a file: make it a folder"):
        arrivals(drop(tmp_path, "incoming", NEW))
