"""The committed page against a second implementation that knows nothing of the package."""

from __future__ import annotations

import pytest

from benchmarks.recompute import FOLDER, OURS, RIVAL, findings, permutation_test, rewards, sign_test
from mucode.study.collected import read_collected
from mucode.study.primary import primary
from mucode.study.turns import BEST, by_turn_table


def test_a_problem_that_is_not_there_cannot_be_left_out() -> None:
    with pytest.raises(SystemExit, match="has no problem 67: give names such as mbpp/"):
        rewards(FOLDER, OURS, without=["67"])


def test_the_primary_comparison_is_what_the_raw_files_say() -> None:
    main = read_collected(FOLDER)
    found = primary([main])
    assert found is not None
    again = {one.words: one for one in findings(FOLDER)}
    all_ = again["mucode minus multi_star"]
    change = found.comparison.difference
    assert all_.value == pytest.approx(100 * change.value)
    assert (all_.low, all_.high) == pytest.approx((100 * change.low, 100 * change.high), abs=0.35)  # Monte Carlo
    for seed, own in found.by_seed.items():
        same = again[f"mucode of seed {seed} minus multi_star of seed {seed}"]
        assert same.value == pytest.approx(100 * own.value)
    by_problem = rewards(FOLDER, OURS).mean(axis=(0, 2)) - rewards(FOLDER, RIVAL).mean(axis=(0, 2))
    assert found.comparison.p_value == pytest.approx(sign_test(by_problem))
    assert found.by_size == pytest.approx(permutation_test(by_problem), abs=0.01)
    each = 2 * len(found.by_seed)
    won, lost = each * by_problem[by_problem > 0].sum(), -each * by_problem[by_problem < 0].sum()
    assert found.moved == (round(won), round(lost))
    assert found.error == pytest.approx(by_problem.std(ddof=1) / len(by_problem) ** 0.5)
    row = next(row for row in by_turn_table([main]).rows if row[:2] == (BEST, "mucode minus multi_star"))
    for cell, words in ((row[2], "at turn 1"), (row[5], "what turns 2 and 3 add")):
        assert float(cell.split()[0].replace("\N{MINUS SIGN}", "-")) == pytest.approx(again[words].value, abs=0.06)
