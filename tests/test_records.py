from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.records import (
    Experience,
    SearchSample,
    folder_written_whole,
    read_rows,
    write_json,
    write_rows,
    written_whole,
)
from mucode.types import (
    Completion,
    Demonstration,
    MucodeError,
    Problem,
    Status,
    Test,
    TestKind,
    Turn,
    Verdict,
)
from tests.conftest import ANOTHER_LOCALE, make_experience, make_problem

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TURNS = st.builds(
    Turn,
    st.builds(Completion, TEXT, st.none() | TEXT, st.integers(0, 9), st.integers(0, 9)),
    st.builds(Verdict, st.sampled_from(Status), st.integers(0, 5), st.integers(0, 5), TEXT, st.just(0.0)),
)


@given(st.builds(Demonstration, TEXT, st.lists(TURNS, max_size=2).map(tuple), TEXT, st.floats(0, 9)))
def test_nested_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, row: Demonstration) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, [row], Demonstration)
    assert read_rows(path, Demonstration) == [row]


def test_problems_with_both_kinds_of_test_come_back_as_they_were(tmp_path: Path) -> None:
    reader = Problem("cc/1", "cc", "test", "Add.", "", (Test("1 2\n", "3\n", TestKind.STDIO),))
    write_rows(tmp_path / "p.parquet", [make_problem(), reader], Problem)
    assert read_rows(tmp_path / "p.parquet", Problem) == [make_problem(), reader]


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "empty.parquet", [], Experience)
    assert read_rows(tmp_path / "empty.parquet", Experience) == []


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_rows(tmp_path / name, [make_experience("x"), make_experience(None, rollout=1)], Experience)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match=r"gone\.parquet is missing: `dvc repro`"):
        read_rows(tmp_path / "gone.parquet", Experience)


def test_a_file_of_other_columns_is_refused_by_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", [make_problem()], Problem)
    with pytest.raises(MucodeError, match="lacks the columns"):
        read_rows(tmp_path / "rows.parquet", SearchSample)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(path, [make_experience("x")], Experience)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(MucodeError, match="no whole parquet file"):
        read_rows(path, Experience)


def test_a_damaged_page_is_refused_by_the_file_s_name_or_read_but_never_a_riddle(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(path, [make_experience(f"x = {number * 7919 % 1013}") for number in range(300)], Experience)
    whole = path.read_bytes()
    told = []
    for place in range(4, len(whole) // 2, len(whole) // 80):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            read_rows(path, Experience)
        except MucodeError as error:
            told.append(str(error))
    assert told
    assert all(each.startswith(f"{path} is no whole parquet file") for each in told)


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fill() -> None:
        with written_whole(path) as partial:
            partial.write_text("new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(MucodeError, match=r"out\.txt was not written \(No space left on device\)"):
        fill()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def stop_half_way() -> None:
        with folder_written_whole(folder) as partial:
            (partial / "weights").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert list(tmp_path.iterdir()) == []
    with folder_written_whole(folder) as partial:
        (partial / "weights").write_text("whole")
    assert (folder / "weights").read_text() == "whole"


def test_json_is_sorted_and_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "µ"})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": "µ",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", float("nan"))


def test_json_and_parameters_are_utf_8_whatever_the_locale_says(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from mucode.yaml_files import read_yaml\n"
        "from mucode.records import write_json\n"
        "write_json(Path('x.json'), read_yaml(Path('params.yaml')))"
    )
    (tmp_path / "params.yaml").write_text("a: µ\n", encoding="utf-8")
    environment = {**os.environ, **ANOTHER_LOCALE, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "a": "µ"\n}\n'
