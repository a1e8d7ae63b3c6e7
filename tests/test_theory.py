"""Does the whole algorithm do what the theory says, in worlds where one knows? The check at its full size, with its
figures: docs/theory.md."""

from __future__ import annotations

import dataclasses
from statistics import fmean

import pytest

from benchmarks.theory.curves import Curves, useless_verifier, verifier_curves
from benchmarks.theory.generator import TabularGenerator, situation
from benchmarks.theory.loop import SAMPLING, Ground, Size, make_ground, rolled_out, shown
from benchmarks.theory.methods import Outcome, compare_methods, params_methods
from benchmarks.theory.sandbox import ReadingSandbox
from benchmarks.theory.study import advantage, difference, mean, prediction_error
from benchmarks.theory.verifier import best_of_n
from benchmarks.theory.world import Assumptions, Program, Slip, make_world
from mucode.types import Demonstration, Job, State

FREE = Assumptions()
LOCKED = dataclasses.replace(FREE, recoverable=False)
SIZE = Size(train=160, test=250, rollouts=4)
SEEDS = 2


@pytest.fixture(scope="module")
def free() -> Outcome:
    return _compared(FREE, "instruct", "star", "multi_star", "mucode", "mucode_lv")


@pytest.fixture(scope="module")
def locked() -> Outcome:
    return _compared(LOCKED, "star", "multi_star", "mucode")


@pytest.fixture(scope="module")
def curves() -> Curves:
    return verifier_curves(FREE, Size(train=0, test=250, turns=1), SEEDS, aucs=(0.5, 0.8, 1.0), counts=(1, 2, 8))


@pytest.fixture(scope="module")
def ground() -> Ground:
    return make_ground(0, FREE, Size(train=120, test=20))


def _compared(given: Assumptions, *names: str) -> Outcome:
    methods = params_methods()
    return compare_methods({name: methods[name] for name in names}, given, SIZE, SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["star", "multi_star"])
def test_where_every_state_is_recoverable_mucode_solves_more_than_imitation_of_own_answers(
    free: Outcome, rival: str
) -> None:
    alone, best = (advantage(free, rival, measure).difference for measure in ("single", "best"))
    assert alone.low > 0.0
    assert best.low > 0.0


@pytest.mark.slow
def test_what_mucode_gains_it_gains_after_the_first_turn(free: Outcome) -> None:
    assert advantage(free, "star", "first").difference.value < 0.02
    assert advantage(free, "star", "single").difference.value > 0.03


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["star", "multi_star"])
def test_where_the_first_approach_locks_the_rest_the_advantage_goes(free: Outcome, locked: Outcome, rival: str) -> None:
    assert free.recoverable == 1.0
    assert locked.recoverable < 0.5
    before, after = (advantage(outcome, rival, "single").difference.value for outcome in (free, locked))
    assert after < 0.5 * before


@pytest.mark.slow
def test_training_helps_every_method_that_the_oracle_filters(free: Outcome) -> None:
    base = mean(free.scores["instruct"].single)
    assert all(mean(free.scores[name].single) > base + 0.02 for name in ("star", "multi_star", "mucode"))


def test_with_an_oracle_the_verifier_only_chooses_among_drafts_of_one_meaning(ground: Ground) -> None:
    seen = rolled_out(ground, TabularGenerator(ground.world), 3, 1)
    both, oracle_only = (shown(ground, seen, params_methods()[name]) for name in ("mucode", "mucode_ov"))
    assert [without_draft(d) for d in both] == [without_draft(d) for d in oracle_only]


def without_draft(demonstration: Demonstration) -> Demonstration:
    meaning = dataclasses.replace(Program.read(demonstration.program), draft=0)
    return dataclasses.replace(demonstration, program=meaning.text)


def test_only_the_papers_own_rule_imitates_wrong_programs_where_no_correct_one_is_known(ground: Ground) -> None:
    seen = rolled_out(ground, TabularGenerator(ground.world), 3, 1)
    strict, literal = (shown(ground, seen, params_methods()[name]) for name in ("mucode", "mucode_any_target"))
    solved = {row.problem_id for row in seen if row.reward == 1.0}
    assert {each.problem_id for each in strict} == solved
    assert {each.problem_id for each in literal} == set(ground.train) != solved
    assert [each for each in literal if each.problem_id in solved] == strict


@pytest.mark.slow
def test_an_expert_that_trusts_a_fallible_verifier_alone_teaches_less(free: Outcome) -> None:
    without, with_oracle = (mean(free.scores[name].single) for name in ("mucode_lv", "mucode"))
    assert without < with_oracle


def test_star_learns_nothing_about_states_with_a_history(ground: Ground) -> None:
    seen = rolled_out(ground, TabularGenerator(ground.world), 3, 1)
    methods = params_methods()
    assert not any(each.history for each in shown(ground, seen, methods["star"]))
    assert any(each.history for each in shown(ground, seen, methods["mucode"]))


@pytest.mark.parametrize("name", ["star", "mucode", "mucode_ov"])
def test_what_the_oracle_chooses_passes_the_private_tests_too(ground: Ground, name: str) -> None:
    seen = rolled_out(ground, TabularGenerator(ground.world), 3, 1)
    jobs = [
        Job(ground.train[each.problem_id], each.program, ground.answers[each.problem_id].private_tests)
        for each in shown(ground, seen, params_methods()[name])
    ]
    assert len(jobs) > 100
    assert all(verdict.passed for verdict in ground.sandbox.judge(jobs, "private"))


@pytest.mark.slow
def test_a_verifier_that_knows_nothing_buys_nothing() -> None:
    random, learned = useless_verifier(FREE, dataclasses.replace(SIZE, test=300), SEEDS, n=5)
    gain = difference(random, learned).difference
    assert gain.low < 0.0 < gain.high
    assert abs(gain.value) < 0.03


@pytest.mark.slow
def test_the_better_the_verifier_the_more_best_of_n_gains(curves: Curves) -> None:
    gains = [mean(curves.final["lv", auc, 8]) - mean(curves.final["lv", auc, 1]) for auc in (0.5, 0.8, 1.0)]
    assert gains == sorted(gains)
    assert abs(gains[0]) < 0.05
    assert gains[1] > 0.2


@pytest.mark.slow
def test_public_tests_and_verifier_together_do_better_than_the_verifier_alone(curves: Curves) -> None:
    assert mean(curves.final["pt+lv", 0.8, 8]) > mean(curves.final["lv", 0.8, 8]) + 0.05


@pytest.mark.slow
def test_best_of_n_at_the_first_turn_is_what_probability_theory_says(curves: Curves) -> None:
    assert prediction_error(curves) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.5, 0.8])
def test_the_scripted_verifier_has_the_auc_it_claims(curves: Curves, auc: float) -> None:
    assert curves.measured_auc(auc) == pytest.approx(auc, abs=0.03)


def test_the_closed_form_has_the_values_that_need_no_integral() -> None:
    assert best_of_n(0.3, 1, 0.8) == pytest.approx(0.3, abs=1e-6)
    assert best_of_n(0.3, 8, 0.5) == pytest.approx(0.3, abs=1e-6)
    assert best_of_n(0.3, 8, 1.0) == pytest.approx(1 - 0.7**8, abs=1e-6)
    # Two programs of which one is correct (2 * .3 * .7) end right with the AUC, two correct ones always.
    assert best_of_n(0.3, 2, 0.8) == pytest.approx(0.3**2 + 2 * 0.3 * 0.7 * 0.8, abs=1e-6)


def test_a_locked_world_leaves_the_family_of_the_first_approach() -> None:
    assert make_world(0, FREE).reachable(3) == (0, 1, 2, 3, 4, 5)
    assert make_world(0, LOCKED).reachable(3) == (2, 3)
    assert make_world(0, LOCKED).reachable(None) == (0, 1, 2, 3, 4, 5)


def test_what_is_out_of_reach_is_never_written() -> None:
    ground = make_ground(0, LOCKED, Size(train=40, test=0))
    rows = rolled_out(ground, TabularGenerator(ground.world), 3, 1)
    families: dict[tuple[str, int], set[int]] = {}
    for row in rows:
        families.setdefault((row.problem_id, row.rollout), set()).add(Program.read(row.program or "").approach // 2)
    assert all(len(family) == 1 for family in families.values())


def test_only_a_careful_program_of_the_right_approach_passes_both_halves(ground: Ground) -> None:
    problem = ground.test[0]
    answer = ground.answers[problem.id]
    right = Program.read(answer.reference).approach
    passed = {
        (slip, half): ReadingSandbox()
        .judge([Job(problem, Program(right, slip, 1).text, answer.private_tests)], half)[0]
        .passed
        for slip in Slip
        for half in ("public", "private")
    }
    assert {key for key, good in passed.items() if good} == {
        (Slip.NONE, "public"),
        (Slip.NONE, "private"),
        (Slip.SHALLOW, "public"),
    }


def test_the_generator_writes_each_approach_as_often_as_its_row_says(ground: Ground) -> None:
    generator, state = TabularGenerator(ground.world), State(ground.test[0])
    seeds = [(7919 * k * 2**42 + k * 2**21 + k) % 2**63 for k in range(20000)]
    drawn = [Program.read(c.program or "") for c in generator.generate([state] * len(seeds), seeds, SAMPLING)]
    row = generator.row(situation(state.problem, ()), SAMPLING.temperature)
    for approach, probability in enumerate(row):
        assert fmean(program.approach == approach for program in drawn) == pytest.approx(probability, abs=0.01)
