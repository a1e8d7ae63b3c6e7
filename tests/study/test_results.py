"""The page and its rows say what the searches say, and claim no more."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree

import pytest

from mucode.config import load_config, load_yaml
from mucode.metrics import Bootstrap
from mucode.records import SearchChoice, SearchSample, read_rows, write_json
from mucode.report.headline import CLAIMS_NOTHING
from mucode.report.sources import Material, Origin, Searches
from mucode.study.cells import HUMANEVAL, Cell, Spec, bootstrap_of, difference, find, value
from mucode.study.claims import CLAIMS, MUCODE, compared, verdict
from mucode.study.collected import Collected, collect, is_current, read_collected, read_study
from mucode.study.drawn import drawn
from mucode.study.figures import figures
from mucode.study.meter import SPENT, Spent
from mucode.study.page import html, markdown, write_results
from mucode.study.pieces import chosen
from mucode.study.primary import SEEDS, Primary, primary, standard_error, there
from mucode.study.rows import study_rows
from mucode.study.tables import NOT_RUN
from mucode.study.turns import BEST, BY_TURN, ONE, by_turn_table, seeds_of
from mucode.study.verdict import decided, primary_words
from mucode.types import MucodeError
from tests.study.conftest import ROOT, finish, write_lock

FOUND = ["accuracy", "ci_low", "ci_high", "problems"]
CONDITION = ["dataset", "split", "public_tests", "selector", "n", "turns", "loss", "verifier", "searches", "seed"]
FIELDS = ["method", *CONDITION, *FOUND, "piece"]


def rewards(folder: Path, piece: str, group: str, selector: str = "pt+lv", n: int = 5) -> dict[str, float]:
    """Mean reward of the answers, problem by problem, read off the choices directly."""
    rows = read_rows(folder / piece / f"{group}.parquet", SearchChoice)
    chosen = [row for row in rows if (row.selector, row.n, row.final) == (selector, n, True)]
    return {p: fmean(r.reward for r in chosen if r.problem_id == p) for p in {row.problem_id for row in chosen}}


def only(pieces: list[Collected], name: str) -> Collected:
    return next(piece for piece in pieces if piece.name == name)


def without(piece: Collected, *gone: Origin) -> Collected:
    test = {origin: found for origin, found in piece.material.test.items() if origin not in gone}
    return dataclasses.replace(piece, material=dataclasses.replace(piece.material, test=test))


def with_one_seed(piece: Collected) -> Collected:
    return without(piece, *(origin for origin in piece.material.test if origin.seed != 0))


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


def test_the_primary_difference_is_paired_over_both_seeds(folder: Path, pieces: list[Collected]) -> None:
    found = primary(pieces)
    assert found is not None
    ours, rival = ([rewards(folder, "main", f"{m}-{seed}") for seed in (0, 1)] for m in ("mucode", "multi_star"))
    changes = [fmean([a[p] for a in ours]) - fmean([b[p] for b in rival]) for p in ours[0]]
    assert found.comparison.difference.value == pytest.approx(fmean(changes))
    assert found.ours.searches == found.rival.searches == 4


def test_with_fewer_searches_than_fixed_no_number_of_the_primary_comparison_is_shown(pieces: list[Collected]) -> None:
    fewer = [with_one_seed(only(pieces, "main"))]
    assert primary(fewer) is None
    paragraph = " ".join(primary_words(fewer, judge=True))
    assert "so far: mucode 2 with seed 0, 0 with seed 1; multi_star 2 with seed 0, 0 with seed 1." in paragraph
    assert "%" not in paragraph


def test_one_method_s_second_seed_is_not_compared_with_nothing(pieces: list[Collected]) -> None:
    half = [without(only(pieces, "main"), Origin("multi_star", 1))]
    assert primary(half) is None
    assert there(half) == {"mucode": {0: 2, 1: 2}, "multi_star": {0: 2, 1: 0}}


def test_searches_added_later_do_not_change_the_primary_comparison(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    more = {
        origin: Searches((), (*found.choices, *(dataclasses.replace(c, search=c.search + 2) for c in found.choices)))
        for origin, found in main.material.test.items()
    }
    doubled = dataclasses.replace(main, material=dataclasses.replace(main.material, test=more))
    assert there([doubled])["mucode"] == {0: 4, 1: 4}
    assert primary([doubled]) == primary([main])


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


def test_a_seed_that_only_another_piece_has_counts_as_well(pieces: list[Collected]) -> None:
    half = without(only(pieces, "main"), Origin("mucode", 0))
    joint = find([half, only(pieces, "candidates")], MUCODE)
    assert joint is not None
    assert joint.seeds == (0, 1)


def test_turns_are_compared_under_the_seeds_that_all_methods_have(pieces: list[Collected]) -> None:
    half = [without(only(pieces, "main"), Origin("multi_star", 1))]
    assert seeds_of(half, BY_TURN[BEST]) == {0}
    assert all(cell.endswith("× 2") for row in by_turn_table(half).rows[:3] for cell in row[2:5])


def test_each_training_s_difference_is_told(pieces: list[Collected]) -> None:
    found = primary(pieces)
    assert found is not None
    assert fmean(each.value for each in found.by_seed.values()) == pytest.approx(found.comparison.difference.value)
    assert "By training: " in markdown(pieces)


def points(cell: str) -> float:
    """ "−4.0 [-9.3, +1.0]" -> -4.0."""
    return float(cell.split(maxsplit=1)[0].replace("\u2212", "-"))


def of_changes(better: int, worse: int) -> Primary:
    """A primary comparison over 40 problems, so many of them changed in all their searches."""
    won = [1.0] * better + [0.0] * (40 - better)
    lost = [0.0] * better + [1.0] * worse + [0.0] * (40 - better - worse)
    ours, rival = (
        Cell({seed: {str(place): (value, value) for place, value in enumerate(values)} for seed in SEEDS})
        for values in (won, lost)
    )
    bootstrap = Bootstrap(0.95, 400)
    first, second = value(ours, bootstrap), value(rival, bootstrap)
    found = difference(rival, ours, bootstrap)
    assert first is not None
    assert second is not None
    assert found is not None
    return Primary(ours, rival, (first, second), found, bootstrap)


def test_the_interval_decides_and_where_the_claims_rule_would_not_the_page_says_so() -> None:
    assert decided(of_changes(10, 0)).endswith("The interval decides: µCode beats Multi-STaR here.")
    assert decided(of_changes(0, 10)).endswith("Multi-STaR beats µCode here.")
    assert "holds zero" in decided(of_changes(6, 5))
    open_by_the_other_rule = decided(of_changes(5, 0))  # 5 : 0 is p = 0.06
    assert "µCode beats Multi-STaR here." in open_by_the_other_rule
    assert "this would be open" in open_by_the_other_rule


def test_searches_won_and_lost_are_told_and_a_test_that_weighs_them() -> None:
    found = of_changes(5, 1)
    assert found.moved == (20, 4)
    assert of_changes(10, 0).by_size < 0.01
    assert of_changes(6, 5).by_size > 0.5


def test_the_difference_turn_by_turn_is_paired_and_ends_in_the_primary_one(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    found = primary([main])
    assert found is not None
    rows = {row[:2]: row[2:] for row in by_turn_table([main]).rows}
    first, _, last, gain = map(points, rows[BEST, "mucode minus multi_star"])
    assert last == pytest.approx(100 * found.comparison.difference.value, abs=0.05)
    assert gain == pytest.approx(last - first, abs=0.11)
    own = [points(rows[BEST, method][3]) for method in ("multi_star", "mucode")]
    assert gain == pytest.approx(own[1] - own[0], abs=0.11)


def test_the_base_model_s_greedy_search_does_not_reduce_the_other_methods_seeds(pieces: list[Collected]) -> None:
    rows = {row[:2]: row[2:] for row in by_turn_table([only(pieces, "main")]).rows}
    assert rows[ONE, "instruct"][2].endswith("× 1")
    assert rows[ONE, "mucode"][2].endswith("× 2")
    half = [without(only(pieces, "main"), Origin("multi_star", 0))]
    rows = {row[:2]: row[2:] for row in by_turn_table(half).rows}
    assert rows[ONE, "instruct"][2].endswith("× 1")


def test_the_difference_rests_on_all_seeds_of_the_two_though_the_base_model_has_one(pieces: list[Collected]) -> None:
    whole, half = only(pieces, "main"), without(only(pieces, "main"), Origin("instruct", 1))
    rows = {row[:2]: row[2:] for row in by_turn_table([half]).rows}
    assert all(rows[BEST, method][2].endswith("× 2") for method in ("instruct", "multi_star", "mucode"))
    assert all(cell.endswith("n = 8 × 4") for cell in rows[BEST, "mucode minus multi_star"])
    assert rows[BEST, "mucode minus multi_star"] == by_turn_table([whole]).rows[3][2:]


def test_methods_that_share_no_seed_are_not_put_side_by_side(pieces: list[Collected]) -> None:
    apart = [without(only(pieces, "main"), Origin("multi_star", 0), Origin("mucode", 1), Origin("instruct", 1))]
    assert {cell for row in by_turn_table(apart).rows[:3] for cell in row[2:]} == {NOT_RUN}


def test_a_study_without_its_main_piece_says_that_the_comparison_was_not_run(pieces: list[Collected]) -> None:
    assert "Not run yet." in markdown([only(pieces, "selectors")])


def test_the_standard_error_is_that_of_the_problems_differences() -> None:
    before = {"a": (0.0, 1.0), "b": (0.0,), "c": (1.0,)}
    after = {"a": (1.0, 1.0), "b": (0.0,), "c": (0.0,)}
    assert standard_error(before, after) == pytest.approx(
        (((0.5 + 1 / 6) ** 2 + (1 / 6) ** 2 + (5 / 6) ** 2) / 6) ** 0.5
    )


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
    assert (each.seeds, once.seeds) == ((0,), (0, 1))


def test_what_was_not_run_is_said_to_be_not_run(pieces: list[Collected]) -> None:
    text = markdown(pieces)
    assert find(pieces, Spec("mucode", HUMANEVAL)) is None
    assert "- not yet: methods, humaneval, feedback" in text
    assert "not run" in next(line for line in text.splitlines() if line.startswith("| single-turn RFT"))


def test_the_first_page_of_one_piece_speaks_of_that_piece_alone(pieces: list[Collected]) -> None:
    text = markdown([only(pieces, "main")])
    assert 'Not run yet: `make study PIECES="selectors"`.' in text
    assert 'Not run yet: `make study PIECES="candidates loss"`.' in text
    assert list(figures([only(pieces, "main")])) == ["study-first.svg", "study-turns.svg"]
    assert "without (lv)" not in text
    assert list(figures([only(pieces, "main"), only(pieces, "loss")])) == ["study-first.svg", "study-turns.svg"]


def test_the_base_model_s_greedy_search_counts_once_however_many_seeds(pieces: list[Collected]) -> None:
    base, ours = (find(pieces, Spec(method, selector="greedy", n=1)) for method in ("instruct", "mucode"))
    assert base is not None
    assert ours is not None
    assert (base.seeds, ours.seeds) == ((0,), (0, 1))


def test_two_pieces_are_compared_by_as_many_searches_of_each(pieces: list[Collected]) -> None:
    two, one = find([only(pieces, "main")], MUCODE), find([only(pieces, "candidates")], MUCODE)
    assert two is not None
    assert one is not None
    found = difference(two, one, bootstrap_of(pieces))
    assert found is not None
    first = [fmean(values[0] for values in cell.by_seed[0].values()) for cell in (two, one)]
    assert found.difference.value == pytest.approx(first[1] - first[0])


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


def test_pieces_whose_rollouts_differ_are_not_compared(folder: Path, tmp_path: Path) -> None:
    for name, digest in (("main", "a"), ("selectors", "b")):
        shutil.copytree(folder / name, tmp_path / name)
        stages = {stage: {"outs": [{"path": "data/x", "md5": digest}]} for stage in ("roll_out@base-0", "report")}
        (tmp_path / name / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    with pytest.raises(MucodeError, match="selectors has another roll_out@base-0 than main"):
        read_study(tmp_path)


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
    with pytest.raises(MucodeError, match=r"collected by another version .* remove it and give `make study` again"):
        read_study(tmp_path)


def test_what_another_version_collected_is_collected_anew_where_its_workspace_is(tmp_path: Path) -> None:
    (piece,) = chosen(["selectors"])
    workspace = finish(piece, tmp_path / "work")
    collect(workspace, tmp_path / "study")
    account = tmp_path / "study/account.json"
    before = account.read_text()
    for other in ({**json.loads(before), "version": 1}, {"version": 2}, "<<<<<<< ours"):
        account.write_text(json.dumps(other) if isinstance(other, dict) else other)
        assert not is_current(tmp_path / "study")
        collect(workspace, tmp_path / "study")
        assert account.read_text() == before


def test_tokens_of_stages_that_pieces_share_count_once_in_the_total(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    alone, twice = (
        [line for line in markdown(own).splitlines() if line.startswith("| together")]
        for own in ([main], [main, dataclasses.replace(main, name="methods")])
    )
    assert alone[0].split("|")[4:] == twice[0].split("|")[4:]
    assert sum(each.generated for each in main.account.tokens) > 0


def test_an_unfinished_piece_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (piece,) = chosen(["feedback"])
    workspace = finish(piece, tmp_path / "run")
    (workspace / "data/benchmarks/mucode-0/choices.parquet").unlink()
    with pytest.raises(MucodeError, match="is missing"):
        collect(workspace, tmp_path / "study/feedback")
    assert not (tmp_path / "study").exists()


def test_a_folder_without_pieces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MucodeError, match="holds nothing of a piece: `make study` makes them"):
        write_results(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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


def test_seeds_added_later_do_not_change_the_primary_comparison(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    third = {dataclasses.replace(o, seed=2): found for o, found in main.material.test.items() if o.seed == 0}
    more = dataclasses.replace(main.material, test={**main.material.test, **third})
    assert primary([dataclasses.replace(main, material=more)]) == primary([main])


def test_the_account_counts_what_there_was_to_learn_from(pieces: list[Collected]) -> None:
    data = only(pieces, "main").account.data
    assert [row.key for row in data] == ["base-0", "base-1"]
    assert all(row.repaired <= row.failures and row.solved <= row.problems == 8 for row in data)
    assert all(row.turns == row.rollouts + row.failures for row in data)
    assert {row.benchmark for row in only(pieces, "main").account.ranked} == {"mbpp/test"}


def test_a_verifier_is_measured_on_problems_that_have_something_to_rank(tmp_path: Path) -> None:
    (piece,) = chosen(["selectors"])
    workspace = finish(piece, tmp_path / "work")
    collect(workspace, tmp_path / "selectors")
    (all_, passers) = (row for row in read_collected(tmp_path / "selectors").account.ranked if row.group == "mucode-0")
    samples = read_rows(workspace / "data/benchmarks/mucode-0/samples.parquet", SearchSample)
    for row, own in ((all_, samples), (passers, [s for s in samples if s.public_passed])):
        programs = {(s.problem_id, s.program): s.reward == 1.0 for s in own if s.program is not None}
        kinds = {p: {right for (q, _), right in programs.items() if q == p} for p, _ in programs}
        both = [right for (p, _), right in programs.items() if len(kinds[p]) == 2]
        assert (row.programs, row.correct) == (len(both), sum(both))
        assert (0 if row.auc is None else row.auc.n) == sum(len(kind) == 2 for kind in kinds.values())
    assert (all_.among, passers.among) == ("all", "passers")
    assert 0 < passers.programs < all_.programs


def test_the_account_tells_what_generators_imitated(pieces: list[Collected]) -> None:
    found = {row.key: row for row in only(pieces, "main").account.imitated}
    ours, rival = found["mucode-0-1"], found["multi_star-0-1"]
    assert ours.weight > rival.weight > 0
    assert ours.programs == ours.problems < rival.programs


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


def test_a_lock_file_that_is_just_being_written_is_not_kept(tmp_path: Path) -> None:
    workspace = finish(chosen(["main"])[0], tmp_path / "runs")
    (workspace / "dvc.lock").write_text("")
    with pytest.raises(MucodeError, match="is being written"):
        collect(workspace, tmp_path / "study/main")


def test_what_was_drawn_is_told_turn_by_turn(pieces: list[Collected]) -> None:
    main = only(pieces, "main")
    rows = [row for row in main.account.drawn if row.group == "instruct-0"]
    assert [row.turn for row in rows] == [1, 2, 3]
    first = rows[0]
    assert (first.states, first.right.n, first.again) == (16, 8, None)  # 8 problems, 2 searches
    assert first.programs == 16 * main.material.config.search.candidates
    assert all(later.states <= before.states for before, later in itertools.pairwise(rows))
    assert all(row.again is not None and 0 <= row.again.value <= 1 for row in rows[1:])
    assert all(0 < row.distinct.value <= 1 for row in rows)
    assert any(line.startswith("| instruct-0") and "mbpp/test" in line for line in markdown([main]).splitlines())


def test_a_program_that_has_just_failed_is_known_again() -> None:
    """Two candidates: the first turn's choice fails, one of the second turn's programs is the same text."""
    sample = SearchSample("mbpp/test", "p", 0, 1, "s1", 0, "wrong", False, 0.5, 0.0, 9)
    again = dataclasses.replace(sample, turn=2, state="s2")
    samples = (
        sample,
        dataclasses.replace(sample, candidate=1, program="other", score=0.1),
        again,
        dataclasses.replace(again, candidate=1, program="right", public_passed=True, reward=1.0),
        dataclasses.replace(again, candidate=-1, program="wrong"),  # a greedy reply is no candidate
    )
    first = SearchChoice("mbpp/test", "p", 0, "pt+lv", 2, 1, "s1", 0, False, 0.0, False)
    second = dataclasses.replace(first, turn=2, state="s2", candidate=1, public_passed=True, reward=1.0)
    third = dataclasses.replace(second, turn=3, final=True)  # the search has ended: its choice stays
    config = load_config(ROOT / "params.yaml")
    config = config.model_copy(update={"search": config.search.model_copy(update={"candidates": 2})})
    benchmark = config.problems.benchmarks[0].model_copy(update={"source": "mbpp"})
    config = config.model_copy(
        update={
            "problems": config.problems.model_copy(update={"benchmarks": [benchmark]}),
            "search": config.search.model_copy(update={"benchmarks": ["mbpp/test"]}),
        }
    )
    material = Material(config, {}, (), {}, {}, {Origin("mucode", 0): Searches(samples, (first, second, third))}, ())
    one, two = drawn(material)
    assert (one.turn, one.states, one.programs, one.right.value, one.distinct.value) == (1, 1, 2, 0.0, 1.0)
    assert (two.turn, two.states, two.programs, two.right.value) == (2, 1, 2, 0.5)
    assert two.again is not None
    assert two.again.value == 0.5
