"""What a piece leaves in git, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mucode.config import load_config
from mucode.records import write_json
from mucode.study.collected import collect, is_current, read_collected, read_study
from mucode.study.meter import SPENT, Spent
from mucode.study.page import markdown, write_results
from mucode.study.pieces import chosen
from mucode.study.rows import study_rows
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml, load_yaml
from tests.study.conftest import finish, write_lock


def test_a_piece_that_is_collected_again_keeps_what_it_has_cost(tmp_path: Path) -> None:
    (piece,) = chosen(["feedback"])
    workspace, out = finish(piece, tmp_path / "run"), tmp_path / "study/feedback"
    write_json(workspace / SPENT / "first.json", Spent(3600.0, None).as_json())
    collect(workspace, out)
    write_json(workspace / SPENT / "first.json", Spent(7200.0, None).as_json())
    collect(workspace, out)
    assert read_collected(out).spent.seconds == 3600.0  # nothing had run anew

    (workspace / SPENT / "first.json").rename(workspace / SPENT / "another.json")
    with (workspace / "dvc.lock").open("a") as lock:
        lock.write("# another run\n")
    collect(workspace, out)
    assert read_collected(out).spent.seconds == 10800.0


def test_what_another_version_collected_is_refused_with_the_way_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "main", tmp_path / "main")
    account = json.loads((tmp_path / "main/account.json").read_text())
    account["tokens"] = [{"stage": "roll_out", "generated": 1, "trained": 0}]
    (tmp_path / "main/account.json").write_text(json.dumps(account))
    with pytest.raises(MucodeError, match=r"collected by another version .* `make results` collects it anew where its"):
        read_study(tmp_path)


def test_what_another_version_collected_is_collected_anew_where_its_workspace_is(tmp_path: Path) -> None:
    (piece,) = chosen(["selectors"])
    workspace = finish(piece, tmp_path / "work")
    collect(workspace, tmp_path / "study")
    account = tmp_path / "study/account.json"
    before = account.read_text()
    for other in ({**json.loads(before), "version": 1}, {"version": 3}, "<<<<<<< ours"):
        account.write_text(json.dumps(other) if isinstance(other, dict) else other)
        assert not is_current(tmp_path / "study")
        collect(workspace, tmp_path / "study")
        assert account.read_text() == before


def test_an_unfinished_piece_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (piece,) = chosen(["feedback"])
    workspace = finish(piece, tmp_path / "run")
    (workspace / "data/benchmarks/mucode-2/choices.parquet").unlink()
    with pytest.raises(MucodeError, match="is missing"):
        collect(workspace, tmp_path / "study/feedback")
    assert not (tmp_path / "study").exists()


def test_a_folder_without_pieces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="holds nothing of a piece: `make study` makes them"):
        write_results(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_piece_kept_before_its_end_names_what_is_still_to_search(folder: Path, tmp_path: Path) -> None:
    (piece,) = chosen(["main"])
    workspace = finish(piece, tmp_path / "runs")
    plan = load_config(workspace / "params.yaml").plan
    missing = [group for group in plan["benchmarks"] if group != "mucode-0"]
    whole = load_yaml((workspace / "dvc.lock").read_text())["stages"]
    write_lock(workspace, whole.keys() - {f"benchmark@{group}" for group in missing})
    for group in missing:
        shutil.rmtree(workspace / "data/benchmarks" / group)
    assert collect(workspace, tmp_path / "study/main") == ("mucode-0",)
    found = read_study(tmp_path / "study")
    assert found[0].to_come == tuple(missing)
    assert {(row.method, row.seed) for row in study_rows(found)} == {("mucode", 0)}
    assert f"main (still to search: {', '.join(missing)})" in markdown(found)
    finished = read_collected(folder / "main")
    assert finished.to_come == ()
    assert found[0].account.data == finished.account.data  # of what has run nothing is left out


def test_of_a_piece_without_a_search_nothing_is_kept(tmp_path: Path) -> None:
    workspace = finish(chosen(["main"])[0], tmp_path / "runs")
    write_lock(workspace, ["roll_out@base-0"])
    assert collect(workspace, tmp_path / "study/main") == ()
    assert not (tmp_path / "study").exists()


def test_searches_that_were_kept_are_not_lost_to_a_workspace_that_begins_anew(folder: Path, tmp_path: Path) -> None:
    workspace = finish(chosen(["main"])[0], tmp_path / "runs")
    shutil.copytree(folder / "main", tmp_path / "main")
    names = load_yaml((workspace / "dvc.lock").read_text())["stages"].keys()
    write_lock(workspace, names - {"benchmark@mucode-1"})
    with pytest.raises(MucodeError, match="holds searches of mucode-1 that"):
        collect(workspace, tmp_path / "main")
    assert read_collected(tmp_path / "main").to_come == ()


def test_searches_that_were_kept_are_not_replaced_by_others(tmp_path: Path) -> None:
    workspace, out = finish(chosen(["selectors"])[0], tmp_path / "runs"), tmp_path / "study"
    stages = load_yaml((workspace / "dvc.lock").read_text())["stages"]

    def record(digest: str) -> None:
        stages["benchmark@mucode-0"]["outs"] = [{"path": "data/benchmarks/mucode-0", "md5": digest}]
        (workspace / "dvc.lock").write_text(dump_yaml({"schema": "2.0", "stages": stages}))

    record("a")
    collect(workspace, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    record("b")
    with pytest.raises(
        MucodeError, match=r"has another benchmark@mucode-0 than the one that .*mucode-0.parquet was kept"
    ):
        collect(workspace, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (out / "mucode-0.parquet").unlink()
    assert "mucode-0" in collect(workspace, out)
    assert read_collected(out).to_come == ()


def test_a_closed_piece_stays_as_it_is_and_the_page_says_why(folder: Path, tmp_path: Path) -> None:
    for name in ("main", "selectors"):
        shutil.copytree(folder / name, tmp_path / "study" / name)
    (tmp_path / "study/main/closed").write_text("its disk\nwas lost\n")
    with pytest.raises(MucodeError, match=r"main is closed \(its disk was lost\): to begin the piece anew"):
        collect(finish(chosen(["main"])[0], tmp_path / "runs"), tmp_path / "study/main")
    text = markdown(read_study(tmp_path / "study"))
    assert "- closed: main: its disk was lost" in text


def test_a_lock_file_that_is_just_being_written_is_not_kept(tmp_path: Path) -> None:
    workspace = finish(chosen(["main"])[0], tmp_path / "runs")
    (workspace / "dvc.lock").write_text("")
    with pytest.raises(MucodeError, match="is being written"):
        collect(workspace, tmp_path / "study/main")
