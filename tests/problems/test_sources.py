"""The table of sources, and what is refused before anything else reads a problem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mucode.problems import SOURCES, load_problems, load_split
from mucode.problems.rows import json_rows
from mucode.types import MucodeError


def starter_row(number: int, split: str = "train") -> dict[str, Any]:
    return {
        "task_id": number,
        "text": "Double x.",
        "split": split,
        "topic": "numbers",
        "test_list": ["assert d(1) == 2", "assert d(2) == 4"],
    }


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_every_source_says_what_it_is() -> None:
    assert list(SOURCES) == ["starter", "mbpp", "humaneval", "collected"]
    assert all(source.description and source.license for source in SOURCES.values())


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MucodeError, match="'mbbp' is no problem source: choose one of starter, mbpp, humaneval"):
        load_problems("mbbp")


def test_a_starter_row_keeps_its_split_and_order(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "s.jsonl", [starter_row(3, "test"), starter_row(1)])
    assert [(p.id, p.split, p.source) for p, _ in load_problems("starter", path)] == [
        ("starter/3", "test", "starter"),
        ("starter/1", "train", "starter"),
    ]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([starter_row(1, "training")], "line 1: split 'training' is none of"),
        ([starter_row(1), starter_row(1)], r"s\.jsonl: starter/1 is there twice"),
        ([starter_row(1), {**starter_row(2), "test_list": ["d(1)"]}], "line 2: starter/2: a test asserts nothing"),
        ([], "starter holds no problems"),
    ],
)
def test_a_bad_problem_file_is_refused(tmp_path: Path, rows: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(MucodeError, match=complaint):
        load_problems("starter", write_rows(tmp_path / "s.jsonl", rows))


@pytest.mark.parametrize("source", ["starter", "mbpp", "collected"])
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"text": None, "txt": "Double x."}, "text is empty or not there"),
        ({"text": " \n"}, "text is empty or not there"),
        ({"test_list": ["assert d(1) == 2"], "tests": ["assert d(2) == 4"]}, "there must be a second"),
    ],
)
def test_a_misspelt_field_of_an_own_file_is_named_with_its_line(
    tmp_path: Path, source: str, change: dict[str, Any], complaint: str
) -> None:
    path = write_rows(tmp_path / "own.jsonl", [starter_row(1), {**starter_row(2), **change}])
    with pytest.raises(MucodeError, match=rf"own\.jsonl, line 2: {source}/2: .*{complaint}"):
        load_problems(source, path)


def test_a_row_of_an_own_humaneval_file_is_refused_by_its_line(tmp_path: Path) -> None:
    good = {"task_id": 1, "prompt": "def d(x):\n", "entry_point": "d", "test": "def check(c):\n    assert c(1) == 2"}
    path = write_rows(tmp_path / "own.jsonl", [good, {**good, "task_id": 2, "entry_point": "e"}])
    with pytest.raises(MucodeError, match=r"own\.jsonl, line 2: humaneval/2: the prompt defines no function 'e'"):
        load_problems("humaneval", path)


def test_a_split_gives_its_first_problems_and_refuses_to_give_fewer(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "s.jsonl", [starter_row(n, "train" if n % 2 else "test") for n in range(6)])
    assert [p.id for p, _ in load_split("starter", "train", 2, path)] == ["starter/1", "starter/3"]
    assert len(load_split("starter", "test", path=path)) == 3
    for split, number in (("train", r"problems\.train"), ("test", r"its limit in problems\.benchmarks")):
        with pytest.raises(MucodeError, match=rf"s\.jsonl: starter/{split} holds 3 problems, not 4: lower {number} "):
            load_split("starter", split, 4, path)


@pytest.mark.parametrize(
    ("split", "other"), [("test", r"set in problems\.benchmarks"), ("validation", r"problems\.source")]
)
@pytest.mark.parametrize("limit", [0, 40])
def test_a_split_without_a_problem_is_refused_with_a_way_out(
    split: str, other: str, limit: int, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "s.jsonl", [starter_row(1, "train")])
    complaint = rf"s\.jsonl: starter has no problem of split {split}: give rows of it, or name another {other}$"
    with pytest.raises(MucodeError, match=complaint):
        load_split("starter", split, limit, path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"a": 1}\n\n{"a": \n', "line 3 is no JSON"),
        (b'{"a": 1}\n[1]\n', "line 2 is JSON, but no object"),
        (b'{"a": "\xff"}\n', "line 1 is not UTF-8"),
        (b"[" * 100_000, "line 1 is no JSON"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(MucodeError, match=complaint):
        list(json_rows(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match=r"none\.jsonl cannot be read"):
        list(json_rows(tmp_path / "none.jsonl"))
