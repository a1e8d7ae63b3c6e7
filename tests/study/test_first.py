"""What the first turn's samples tell of selectors and N."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean

import pytest

from mucode.metrics import Outcomes, estimate, first_turn_passes
from mucode.policies import SELECTORS
from mucode.records import SearchSample, read_rows
from mucode.report.panels import ranked_rewards
from mucode.report.sources import Origin
from mucode.study.cells import MBPP, Spec, bootstrap_of, find
from mucode.study.collected import Collected, first_turns, read_study
from mucode.study.first import Picks, picks, picks_figure, picks_table, worth_table
from mucode.study.widest import first_turn_table
from mucode.study.words import share
from mucode.types import MucodeError


def mean(outcomes: Outcomes) -> float:
    return fmean(fmean(values) for values in outcomes.values())


def of(pieces: list[Collected], method: str) -> Picks:
    return next(one for one in picks(pieces) if (one.benchmark, one.method) == (MBPP, method))


@pytest.mark.parametrize(
    ("piece", "method"),
    [("main", "mucode"), ("main", "multi_star"), ("main", "instruct"), ("candidates", "mucode")],
)
def test_the_pick_among_all_samples_is_what_the_search_had_chosen_after_turn_1(
    pieces: list[Collected], piece: str, method: str
) -> None:
    own = [each for each in pieces if each.name == piece]
    chosen = find(own, Spec(method, n=own[0].material.config.search.candidates, turns=1))
    assert chosen is not None
    found = of(own, method)
    assert found.by["pt+lv"][found.most] == chosen.outcomes()


def test_every_n_up_to_the_largest_that_was_searched_stands_in_a_row_of_its_own(pieces: list[Collected]) -> None:
    own = [each for each in pieces if each.name in ("candidates", "loss")]
    table = first_turn_table(own)
    assert [row[0] for row in table.rows] == [str(n) for n in range(1, 9)]
    for column, piece in enumerate(own, start=1):
        config = piece.material.config
        wide = find([piece], Spec("mucode", n=8, turns=1, loss=config.verifier.loss))
        assert wide is not None
        assert table.rows[-1][column] == share(estimate(wide.outcomes(), bootstrap_of(own)))
        assert f"n = {len(wide.outcomes())}" in table.caption


def test_another_loss_or_a_verifier_trained_anew_is_no_plain_first_turn(pieces: list[Collected]) -> None:
    assert picks([each for each in pieces if each.name == "loss"]) == []
    assert {one.method for one in picks([each for each in pieces if each.name == "verifier"])} == {"instruct"}


def test_one_program_is_a_random_pick_and_the_oracle_is_pass_at_n(pieces: list[Collected], folder: Path) -> None:
    found = of(pieces, "mucode")
    alone = {selector: mean(by_n[1]) for selector, by_n in found.by.items()}
    assert set(alone) == {*SELECTORS, "oracle"}
    assert list(alone.values()) == pytest.approx([alone["random"]] * len(alone))
    seeds = [read_rows(folder / f"main/first/mucode-{seed}.parquet", SearchSample) for seed in (0, 1)]
    for n in (1, 2, 3):
        passes = fmean(mean(first_turn_passes(rows, n)) for rows in seeds)
        assert mean(found.by["oracle"][n]) == pytest.approx(passes)


def test_where_there_are_no_public_tests_nothing_picks_by_them(pieces: list[Collected]) -> None:
    blind = next(one for one in picks(pieces) if one.benchmark == "mbpp/test/no-public-tests")
    assert set(blind.by) == {"random", "lv", "oracle"}
    rows = worth_table([blind], bootstrap_of(pieces)).rows
    assert rows == ()


def test_what_is_kept_holds_no_program_and_ranks_as_the_whole_did(pieces: list[Collected], folder: Path) -> None:
    (piece, *_) = pieces
    whole = read_rows(folder.parent / "runs/main/data/benchmarks/mucode-0/samples.parquet", SearchSample)
    for selector in SELECTORS:
        kept = ranked_rewards(piece.material.test[Origin("mucode", 0)].samples, selector)
        assert kept == ranked_rewards(whole, selector)
    for searches in piece.material.test.values():
        assert {sample.program for sample in searches.samples} <= {"", None}
        assert all(sample.turn == 1 and sample.candidate >= 0 for sample in searches.samples)
    lost = SearchSample("mbpp/test", "p", 0, 1, "s", 0, None, False, float("-inf"), 0.0, 9)
    assert [row.program for row in first_turns([lost])] == [None]


def test_the_tables_name_problems_and_searches_and_the_figure_has_a_line_for_each_selector(
    pieces: list[Collected],
) -> None:
    found = [of(pieces, "mucode")]
    rows = picks_table(found, bootstrap_of(pieces)).rows
    assert {(row[2], row[4]) for row in rows} == {("0, 1", "8 \N{MULTIPLICATION SIGN} 4")}
    figure = picks_figure(pieces)
    assert figure is not None
    assert all(f">{selector}<" in str(figure.drawing) for selector in found[0].by)
    assert "µCode, seeds 0, 1:" in figure.caption


def test_a_piece_without_its_first_turns_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "main", tmp_path / "main")
    shutil.rmtree(tmp_path / "main/first")
    with pytest.raises(MucodeError, match=r"collected by another version .* `make results` collects it anew where its"):
        read_study(tmp_path)
