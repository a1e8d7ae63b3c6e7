from __future__ import annotations

from pathlib import Path

import pytest

from mucode.records import Experience
from mucode.serving.install import name_the_build
from mucode.shards import EDITORS, Shards, digest, pieces
from tests.conftest import make_experience


def test_a_finished_piece_is_read_back_and_not_made_again(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> list[list[Experience]]:
        made.append("once")
        return [[make_experience("x")]]

    for _ in range(2):
        assert Shards("s", [], {}, tmp_path).tables("000", [Experience], make) == [[make_experience("x")]]
    assert made == ["once"]


def test_other_inputs_or_settings_never_see_the_old_pieces(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("one")
    first = Shards("s", [data], {"turns": 2}, tmp_path).folder
    assert Shards("s", [data], {"turns": 3}, tmp_path).folder != first
    data.write_text("two")
    assert Shards("s", [data], {"turns": 2}, tmp_path).folder != first


def test_pieces_of_another_version_of_a_library_are_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUCODE_SERVE_ENV", str(tmp_path))
    before = Shards("s", [], {}, tmp_path).folder
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    name_the_build(tmp_path)  # a vLLM is installed
    assert Shards("s", [], {}, tmp_path).folder != before


def test_cleared_shards_are_gone(tmp_path: Path) -> None:
    shards = Shards("s", [], {}, tmp_path)
    shards.tables("000", [Experience], lambda: [[make_experience("x")]])
    shards.clear()
    assert list(tmp_path.iterdir()) == []


def test_pieces_cover_everything_in_order() -> None:
    assert [list(range(10))[piece] for piece in pieces(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_file_that_is_only_open_in_an_editor_changes_no_digest(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1\n")
    before = digest(tmp_path)
    for name in (".code.py.swp", "code.py~", ".#code.py", ".DS_Store"):
        (tmp_path / name).write_text("mine")
        assert digest(tmp_path) == before
    told = (Path(__file__).parents[1] / ".dvcignore").read_text().splitlines()
    assert set(EDITORS) <= set(told)
    (tmp_path / "code.py").write_text("x = 2\n")
    assert digest(tmp_path) != before
