"""The page and its rows say what the searches say, and claim no more."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree

import pytest

from mucode.report.headline import CLAIMS_NOTHING
from mucode.report.sources import BEFORE, Origin
from mucode.study.cells import HUMANEVAL, Spec, bootstrap_of, difference, find
from mucode.study.claims import CLAIMS, MUCODE, compared, summary, verdict
from mucode.study.collected import Collected, collect, read_study
from mucode.study.figures import figures
from mucode.study.page import html, markdown, write_results
from mucode.study.paper import BY_N
from mucode.study.pieces import MAIN_ROWS, chosen
from mucode.study.rows import study_rows
from mucode.study.tables import by_n_table, methods_table, training_table
from mucode.types import MucodeError
from tests.study.conftest import finish
from tests.study.pieces import only, rewards, with_one_seed, without

FOUND = ["accuracy", "ci_low", "ci_high", "problems"]
CONDITION = ["dataset", "split", "public_tests", "selector", "n", "turns", "loss", "verifier", "searches", "seed"]
FIELDS = ["method", *CONDITION, *FOUND, "piece"]


def test_a_row_has_exactly_the_fields_that_were_promised(folder: Path, tmp_path: Path) -> None:
    write_results(folder, tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text())
    assert all(sorted(row) == sorted(FIELDS) for row in rows)
    assert all(0 <= row["ci_low"] <= row["accuracy"] <= row["ci_high"] <= 1 for row in rows)


def test_a_row_s_accuracy_is_the_mean_over_problems_of_its_searches(folder: Path, pieces: list[Collected]) -> None:
    (row,) = (
        row
        for row in study_rows(pieces)
        if (
            row.method,
            row.seed,
            row.selector,
            row.n,
            row.turns,
            row.searches,
            row.loss,
            row.verifier,
            row.public_tests,
        )
        == ("mucode", 1, "pt+lv", 5, 3, 2, "bradley_terry", "once", True)
    )
    assert row.accuracy == pytest.approx(fmean(rewards(folder, "main", "mucode-1").values()))
    assert (row.dataset, row.split, row.problems) == ("mbpp", "test", 8)


def test_searches_that_pieces_share_have_one_row_and_others_their_own(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    assert {row.piece for row in study_rows([main, dataclasses.replace(main, name="methods")])} == {"main"}
    rows = study_rows(pieces)
    places = [tuple(getattr(row, name) for name in ["method", *CONDITION, "piece"]) for row in rows]
    assert len(set(places)) == len(places)
    assert len({dataclasses.replace(row, piece="") for row in rows}) == len(rows)


def test_rows_tell_selectors_losses_verifiers_and_public_tests_apart(pieces: list[Collected]) -> None:
    rows = study_rows(pieces)
    assert {row.selector for row in rows} == {"random", "lv", "pt", "pt+lv", "oracle", "greedy"}
    assert {row.loss for row in rows} == {"bradley_terry", "bce"}
    assert {row.verifier for row in rows if row.method == "mucode"} == {"each", "once"}
    assert {row.verifier for row in rows if row.method == "instruct"} == {"once"}
    assert {row.public_tests for row in rows} == {True, False}
    assert {row.turns for row in rows} == {1, 2, 3}


def test_a_claim_is_open_while_its_searches_are_to_come(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    claim = next(claim for claim in CLAIMS if claim.words == "µCode beats the base model")
    whole, half = compared([main], claim), compared([with_one_seed(main)], claim)
    assert whole is not None
    assert half is not None
    assert (whole.whole, whole.cell.seeds, whole.cell.searches) == (True, (0, 1), 4)
    assert (half.whole, half.cell.seeds, half.cell.searches) == (False, (0,), 2)
    above = dataclasses.replace(half.comparison.difference, value=0.2, low=0.1, high=0.3)
    better = dataclasses.replace(half.comparison, difference=above, p_value=0.01)
    assert [verdict(better, whole=whole) for whole in (True, False)] == ["holds", "open"]


def test_what_another_piece_has_still_to_search_and_this_one_has_leaves_no_claim_open(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    begun = dataclasses.replace(without(main, *main.material.test), name="methods")
    assert set(begun.to_come) >= {"base-0", "mucode-1"}
    claim = next(claim for claim in CLAIMS if claim.words == "µCode beats the base model")
    both = compared([main, begun], claim)
    assert both is not None
    assert both.whole
    partial = compared([with_one_seed(main), begun], claim)
    assert partial is not None
    assert not partial.whole


def test_a_seed_that_other_pieces_have_changes_no_claim_of_the_main_rows(pieces: list[Collected]) -> None:
    main, other = only(pieces, "main"), only(pieces, "candidates")
    assert find([main, other], MUCODE) != find([main], MUCODE)
    for begun in (other, without(other, Origin("mucode", 2)), without(other, Origin(BEFORE, 2))):
        for claim in CLAIMS:
            if "main" in claim.own:
                assert compared([main, begun], claim) == compared([main], claim)


def test_a_claim_whose_pieces_are_closed_is_not_said_to_be_to_come(pieces: list[Collected]) -> None:
    assert "(µCode_OV)" in summary(pieces).partition("Not run yet, ")[2]
    closed = [dataclasses.replace(only(pieces, "main"), name=name, closed="lost") for name in MAIN_ROWS]
    lost, _, to_come = summary(closed).partition("Not run, ")[2].partition("Not run yet, ")
    assert "(µCode_OV)" in lost
    assert "feedback of its own" in to_come


def test_what_a_piece_never_searches_leaves_no_claim_about_it_open(pieces: list[Collected]) -> None:
    blind, main = only(pieces, "blind"), only(pieces, "main")
    begun = dataclasses.replace(without(main, *main.material.test), name="methods")
    claim = next(claim for claim in CLAIMS if claim.words.startswith("without public tests µCode beats"))
    found = compared([begun, blind], claim)
    assert found is not None
    assert found.whole


def test_a_seed_that_only_another_piece_has_counts_as_well(pieces: list[Collected]) -> None:
    half = without(only(pieces, "main"), Origin("mucode", 0))
    joint = find([half, only(pieces, "candidates")], MUCODE)
    assert joint is not None
    assert joint.seeds == (1, 2)


def test_a_difference_is_judged_by_its_interval_and_its_test(pieces: list[Collected]) -> None:
    base = next(claim for claim in CLAIMS if claim.words == "µCode beats the base model")
    whole = compared(pieces, base)
    assert whole is not None
    found = whole.comparison
    above = dataclasses.replace(found.difference, value=0.2, low=0.1, high=0.3)
    below, across = dataclasses.replace(above, low=-0.3, high=-0.1), dataclasses.replace(above, low=-0.1)
    said = [verdict(dataclasses.replace(found, difference=d, p_value=0.01)) for d in (above, below, across)]
    assert said == ["holds", "does not: the other way", "open"]
    assert verdict(dataclasses.replace(found, difference=above, p_value=0.2)) == "open"


def test_once_and_each_are_told_apart_where_the_same_method_has_both(pieces: list[Collected]) -> None:
    claim = next(claim for claim in CLAIMS if claim.better.verifier == "each")
    each, once = find(pieces, claim.better), find(pieces, claim.worse)
    assert each is not None
    assert once is not None
    assert (each.seeds, once.seeds) == ((2,), (0, 1, 2))


def test_what_was_not_run_is_said_to_be_not_run(pieces: list[Collected]) -> None:
    text = markdown(pieces)
    assert find(pieces, Spec("mucode", HUMANEVAL)) is None
    assert "- not yet: methods, humaneval, rft, feedback" in text
    assert "not run" in next(line for line in text.splitlines() if line.startswith("| single-turn RFT"))


def test_the_first_page_of_one_piece_speaks_of_that_piece_alone(pieces: list[Collected]) -> None:
    text = markdown([only(pieces, "main")])
    assert 'Not run yet: `make study PIECES="selectors"`.' in text
    assert 'Not run yet: `make study PIECES="candidates loss"`.' in text
    assert list(figures([only(pieces, "main")])) == ["study-first.svg", "study-turns.svg"]
    assert "without (lv)" not in text
    assert list(figures([only(pieces, "main"), only(pieces, "loss")])) == ["study-first.svg", "study-turns.svg"]


def test_two_pieces_are_compared_by_as_many_searches_of_each(pieces: list[Collected]) -> None:
    two, one = find([only(pieces, "main")], MUCODE), find([only(pieces, "selectors")], MUCODE)
    assert two is not None
    assert one is not None
    found = difference(two, one, bootstrap_of(pieces))
    assert found is not None
    first = [fmean(values[0] for values in cell.by_seed[0].values()) for cell in (two, one)]
    assert found.difference.value == pytest.approx(first[1] - first[0])


def test_a_seed_that_one_method_alone_has_stays_out_of_table_1(pieces: list[Collected]) -> None:
    joint = find(pieces, MUCODE)
    assert joint is not None
    assert joint.seeds == (0, 1, 2)
    assert methods_table(pieces) == methods_table([only(pieces, "main")])


def test_a_method_s_row_under_a_seed_of_its_own_empties_no_other_row_of_table_2(pieces: list[Collected]) -> None:
    other = only(pieces, "candidates")
    moved = {Origin("rft_lv", o.seed) if o.method == "mucode" else o: t for o, t in other.material.test.items()}
    config = other.material.config
    config = config.model_copy(update={"study": config.study.model_copy(update={"methods": ["rft_lv"]})})
    material = dataclasses.replace(other.material, config=config, test=moved)
    rft = dataclasses.replace(other, name="rft", material=material)
    assert find([*pieces, rft], Spec("rft_lv")) is not None
    assert training_table([*pieces, rft]) == training_table(pieces)


def test_searches_by_turn_name_the_seeds_that_they_rest_on(pieces: list[Collected]) -> None:
    text = markdown(pieces)
    assert (
        "under the seeds that all methods run so far have (public tests, pt+lv: seeds 0, 1; no public tests, lv: "
        in text
    )
    assert "no public tests, lv: seed 2; public tests, greedy: seeds 0, 1)" in text
    assert "with public tests (pt+lv, seeds 0, 1), and without (lv, seed 2)." in text


def test_table_2_says_which_seeds_its_rows_share(pieces: list[Collected]) -> None:
    half = [with_one_seed(only(pieces, "main"))]
    assert "mbpp/test: seeds 0, 1; humaneval/test: none." in training_table(pieces).caption
    assert "mbpp/test: seed 0; humaneval/test: none." in training_table(half).caption


def test_the_paper_s_numbers_stand_beside_ours(pieces: list[Collected]) -> None:
    lines = markdown(pieces).splitlines()
    best = next(line for line in lines if line.startswith("| µCode, best of 5"))
    assert [number in best for number in ("51.1", "41.5", "70.6", "63.8", "16.3")] == [True] * 5
    assert "n = 8 × 4" in best


def test_scripted_replies_claim_nothing(tmp_path: Path) -> None:
    (piece,) = chosen(["main"])
    collect(finish(piece, tmp_path / "run", "random:tiny"), tmp_path / "study/main")
    write_results(tmp_path / "study", tmp_path)
    text = (tmp_path / "results.md").read_text()
    assert text.splitlines()[2] == f"**{CLAIMS_NOTHING}**"
    assert not any(
        words in text
        for words in ("beats Multi-STaR here", "cannot tell the two", "Interval and test agree", "| holds")
    )


def test_another_model_s_pieces_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    (piece,) = chosen(["candidates"])
    shutil.copytree(folder / "main", tmp_path / "study/main")
    collect(finish(piece, tmp_path / "run", "random:tiny"), tmp_path / "study/candidates")
    with pytest.raises(MucodeError, match=r"is of random:tiny, .*/main of gguf:models/some.*: run it with that"):
        read_study(tmp_path / "study")


@pytest.mark.parametrize("shared", ["roll_out@base-0", "fine_tune@mucode-0-1"])
def test_pieces_whose_rollouts_or_trainings_differ_are_not_compared(folder: Path, tmp_path: Path, shared: str) -> None:
    for name, digest in (("main", "a"), ("selectors", "b")):
        shutil.copytree(folder / name, tmp_path / name)
        stages = {stage: {"outs": [{"path": "data/x", "md5": digest}]} for stage in (shared, "report")}
        (tmp_path / name / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    with pytest.raises(MucodeError, match=f"selectors has another {shared} than main"):
        read_study(tmp_path)


def test_equal_files_give_equal_pages(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_results(folder, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    drawn = [f"study-{name}.svg" for name in ("first", "loss", "n", "turns")]
    assert files == ["results.html", "results.json", "results.md", *drawn]
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "other" / f).read_bytes() for f in files)


def test_a_figure_is_a_file_that_a_browser_reads(folder: Path, tmp_path: Path) -> None:
    write_results(folder, tmp_path)
    drawings = [ElementTree.parse(path).getroot() for path in tmp_path.glob("*.svg")]
    assert {drawing.tag for drawing in drawings} == {"{http://www.w3.org/2000/svg}svg"}


def test_the_html_page_says_what_the_markdown_says_and_fetches_nothing(pieces: list[Collected]) -> None:
    text = html(pieces)
    cells = {cell.strip() for line in markdown(pieces).splitlines() if line.startswith("|") for cell in line.split("|")}
    percents = {cell for cell in cells if "%" in cell}
    assert percents
    assert all(cell in text.replace("\u00a0", " ") for cell in percents)
    assert "http" not in text.replace("http-equiv", "")


def test_the_paper_s_numbers_for_an_n_that_was_not_searched_stand_below_the_table(pieces: list[Collected]) -> None:
    table = by_n_table(pieces)
    searched = {int(row[0]) for row in table.rows}
    assert 3 in BY_N.keys() - searched
    for n, reported in BY_N.items():
        assert (f"N = {n}: {reported.mbpp_1b}" in table.caption) == (n not in searched)
