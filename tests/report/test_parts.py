"""Labels, episodes, costs, words and plots, one by one."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mucode.metrics import Comparison, Estimate
from mucode.records import Experience
from mucode.report.charts import Point, Series, lines
from mucode.report.cost import costs
from mucode.report.episodes import KINDS, rollouts
from mucode.report.headline import _verdict
from mucode.report.labels import final_rewards, outcome
from mucode.report.svg import nice_ticks, spread
from mucode.report.words import interval, probability, signed_points, visible
from mucode.types import Status
from tests.report.study import Study
from tests.report.test_results import material_of


def row(turn: int, status: Status, reward: float, rollout: int = 0, program: str | None = "p") -> Experience:
    return Experience("a", 1, rollout, turn, "r", program, status, 0, 1, "", reward)


def test_an_outcome_looks_at_both_halves() -> None:
    assert outcome(row(1, Status.PASSED, 1.0)) == "correct"
    assert outcome(row(1, Status.PASSED, 0.0)) == "public pass only"
    assert outcome(row(1, Status.NO_CODE, 0.0)) == "no code"
    assert outcome(row(1, Status.MEMORY, 0.0)) == "other"


def test_an_episode_counts_by_its_last_program() -> None:
    rows = [row(2, Status.PASSED, 1.0), row(1, Status.FAILED, 0.0), row(1, Status.PASSED, 0.0, rollout=1)]
    assert final_rewards(rows) == {"a": (1.0, 0.0)}


def test_each_kind_of_episode_is_told_from_the_others() -> None:
    wrong, right = row(1, Status.FAILED, 0.0), row(1, Status.PASSED, 1.0)
    episodes = {
        "Repaired": (wrong, row(2, Status.PASSED, 1.0)),
        "Right at once": (right,),
        "Fools the public test": (wrong, row(2, Status.PASSED, 0.0)),
        "Not solved": (wrong, row(2, Status.ERROR, 0.0)),
    }
    for kind in KINDS:
        assert [title for title, turns in episodes.items() if kind.shows(turns)] == [kind.title]


def test_rows_become_episodes_in_order() -> None:
    rows = [row(2, Status.PASSED, 1.0, rollout=1), row(1, Status.PASSED, 1.0), row(1, Status.FAILED, 0.0, rollout=1)]
    assert [[(r.rollout, r.turn) for r in turns] for turns in rollouts(rows)] == [[(0, 1)], [(1, 1), (1, 2)]]


def test_costs_add_up_to_the_tokens_of_the_rows(study: Study) -> None:
    material = material_of(study)
    found = {(cost.stage, cost.of): cost for cost in costs(material)}
    steps = material.rounds[0].steps
    assert found["roll_out", "instruct 1, seed 0"].prompt == sum(step.prompt_tokens for step in steps)
    samples, _ = study.searches("mucode-0")
    assert found["benchmark", "mucode, seed 0"].completion == sum(sample.completion_tokens for sample in samples)
    assert found["train_verifier", "base-0"].trained == 3 * 5200  # three epochs


@given(st.text())
def test_visible_text_hides_nothing_and_turns_nothing(text: str) -> None:
    shown = visible(text)
    assert all(letter in "\n\t" or letter.isprintable() or letter.isspace() for letter in shown)
    shown.encode()


def test_visible_text_is_cut_and_says_so() -> None:
    assert visible("x" * 5000).endswith("(2000 more characters)")


def test_numbers_read_as_a_person_writes_them() -> None:
    assert signed_points(0.125) == "+12.5"
    assert signed_points(-0.00001) == signed_points(0.0) == "0.0"
    assert interval(Estimate(0.5, 0.25, 1.0, 4)) == "[25.0, 100.0]"
    assert probability(0.0004, relation=True) == "<\u00a00.001"


@given(st.floats(-1, 1), st.floats(0.001, 2))
def test_ticks_span_the_values_in_equal_steps(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    steps = [b - a for a, b in pairwise(ticks)]
    assert ticks[0] <= low + 1e-8
    assert ticks[-1] >= low + span - 1e-8
    assert 2 <= len(ticks) <= 8
    assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=7))
def test_labels_do_not_lie_on_each_other(wanted: list[float]) -> None:
    placed = spread(wanted, 14, 0, 100)
    ordered = sorted(placed)
    assert all(b - a >= 14 - 1e-9 for a, b in pairwise(ordered))
    assert max(placed) <= 100
    assert min(placed) >= -1e-9
    assert sorted(range(len(wanted)), key=lambda i: (wanted[i], i)) == sorted(
        range(len(wanted)), key=lambda i: placed[i]
    )


@pytest.mark.parametrize("place", [0.0, 50.0])
def test_labels_that_have_room_stay_where_they_are(place: float) -> None:
    assert spread([place, place + 20], 14, 0, 100) == [place, place + 20]


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (0.1, 0.3, 0.01, "more than chance would explain"),
        (-0.3, -0.1, 0.01, "more than chance would explain"),
        (0.1, 0.3, 0.2, "the interval and the test disagree"),
        (-0.1, 0.3, 0.01, "the interval and the test disagree"),
        (-0.1, 0.3, 0.2, "the interval holds zero"),
    ],
)
def test_a_difference_is_called_a_gain_only_where_interval_and_test_agree(
    study: Study, low: float, high: float, p: float, said: str
) -> None:
    change = Comparison(Estimate((low + high) / 2, low, high, 40), 5, 3, p)
    assert _verdict(material_of(study), change).startswith(said)


def test_every_line_of_a_plot_has_its_name_inside_the_frame() -> None:
    several = [Series(f"mucode-{place}", "c1", (Point(1, 0.5, None), Point(2, 0.5, None))) for place in range(30)]
    drawn = str(lines("many", several, "iteration", "accuracy", 1.0))
    height = float(re.findall(r'viewBox="0 0 \S+ (\S+)"', drawn)[0])
    labels = [float(y) for y in re.findall(r'class="label c1" x="\S+" y="(\S+)"', drawn)]
    assert len(labels) == 30
    assert 0 < min(labels) <= max(labels) < height
