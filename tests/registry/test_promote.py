"""Promotion: pairs change places whole, and the word of a person stands."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.registry import register
from mucode.registry.promote import ALREADY, promote, rollback
from mucode.tracking import open_registry
from mucode.tracking.server import EXPERIMENT, mlflow_at
from mucode.types import MucodeError
from tests.registry.workspace import champions, crown_two, remove_champion, set_champion, trail, write_workspace


@pytest.mark.slow
def test_a_better_pair_takes_the_place_of_the_champion_and_a_worse_one_does_not(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0, 0.0, 0.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v1", validation=[0.0, 0.0, 0.0, 0.0])
    report = register(workspace)
    assert (report.promoted, report.champion) == (False, (1, 1))
    with open_registry(workspace) as registry:
        challenger = registry.aliased("generator", "challenger")
    assert challenger is not None
    assert challenger.number == 2
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0, 1.0, 1.0, 1.0])
    report = register(workspace)
    assert (report.promoted, report.champion) == (True, (3, 2))  # the second verifier: v1 was not registered twice
    assert champions(workspace) == {"generator": 3, "verifier": 2}


@pytest.mark.slow
def test_a_challenger_held_twice_for_one_reason_has_one_entry_in_the_audit_trail(workspace: Path) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v1", validation=[0.0, 0.0])
    for _ in range(2):
        register(workspace)
    assert [(entry.what, entry.pair) for entry in trail(workspace)] == [("promoted", (1, 1)), ("held", (2, 1))]


@pytest.mark.slow
def test_champions_set_by_hand_that_form_no_pair_are_left_alone(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 0.0])
    register(workspace)
    with open_registry(workspace) as registry:
        registry.set_alias("champion", registry.version("generator", 2))
    report = register(workspace)
    assert not report.promoted
    assert "by hand" in report.reason
    assert champions(workspace) == {"generator": 2, "verifier": 1}
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=r"form no pair \(generator 2, verifier 1\): in MLflow's UI set both"):
        rollback()


@pytest.mark.slow
def test_a_pair_promoted_by_hand_is_the_champion_that_challengers_are_held_against(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0] * 12)
    register(workspace)
    set_champion(workspace, 2, 2)  # as MLflow's UI does
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0] * 6 + [0.0] * 6)
    report = register(workspace)
    assert (report.promoted, report.champion) == (True, (3, 3))
    found = trail(workspace)[-2]
    assert (found.what, found.pair, found.before, found.who) == ("found", (2, 2), (1, 1), "somebody, by hand")
    monkeypatch.chdir(workspace)
    assert rollback() == (2, 2)
    assert rollback() == (1, 1)
    with pytest.raises(MucodeError, match="no champion before"):
        rollback()


@pytest.mark.slow
def test_the_next_registration_does_not_take_back_what_a_person_put_in_the_champion_s_place(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[0.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0] * 12)
    assert register(workspace).champion == (2, 2)
    set_champion(workspace, 1, 1)
    monkeypatch.chdir(workspace)
    dry = promote(dry_run=True)
    assert dry is not None
    assert "somebody replaced it by hand" in dry.reason
    assert len(trail(workspace)) == 2
    report = register(workspace)  # of the same graph
    assert (report.promoted, report.champion) == (False, (1, 1))
    assert "somebody replaced it by hand" in report.reason
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0] * 12)
    assert register(workspace).champion == (3, 3)  # another pair may take the place


@pytest.mark.slow
def test_a_champion_that_was_taken_out_of_service_by_hand_is_not_put_back(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown_two(workspace)
    remove_champion(workspace)
    report = register(workspace)  # of the same graph
    assert (report.promoted, report.champion) == (False, None)
    assert "by hand" in report.reason
    write_workspace(workspace, generator="g3", verifier="v3", validation=[1.0] * 12)
    assert register(workspace).champion is None
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=r"removed by hand.* \(mucode-generator 2 with mucode-verifier 2\)"):
        promote()
    assert rollback(dry_run=True) == (1, 1)
    set_champion(workspace, 3, 3)  # the way back in
    assert promote() == ALREADY
    assert trail(workspace)[-1].what == "found"


@pytest.mark.slow
def test_to_look_into_an_empty_registry_leaves_it_empty(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=f"no challenger pair in sqlite:///{workspace}/mlflow.db"):
        promote(dry_run=True)
    with pytest.raises(MucodeError, match=f"no champion pair to roll back in sqlite:///{workspace}/mlflow.db"):
        rollback(dry_run=True)
    promote(history=True)
    with mlflow_at(workspace) as client:
        assert list(client.search_registered_models()) == []
        assert client.get_experiment_by_name(EXPERIMENT) is None


@pytest.mark.parametrize(
    "look",
    [
        lambda: promote(history=True),
        lambda: promote(dry_run=True),
        lambda: rollback(dry_run=True),
        promote,
        rollback,
    ],
)
def test_to_look_or_decide_where_there_is_no_registry_makes_none(
    look: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MucodeError, match=r"no registry .*mlflow\.db: run where mlflow\.db lies"):
        look()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_the_policy_held_can_be_promoted_once_the_policy_allows_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0, 1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 1.0, 1.0, 1.0])
    register(workspace)
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=r"not promoted: on validation it is -0\.250"):
        promote()
    policy = workspace / "mlflow/promotion.yaml"
    loose = policy.read_text().replace("difference: 0.01", "difference: -1.0").replace("bound: 0.0", "bound: -1.0")
    policy.write_text(loose)
    before = trail(workspace), champions(workspace)
    with caplog.at_level(logging.INFO, logger="mucode"):
        dry = promote(dry_run=True)
    assert dry is not None
    assert dry.promote
    assert "dry run: challenger mucode-generator 2 with mucode-verifier 2 becomes champion in sqlite:" in caplog.text
    assert (trail(workspace), champions(workspace)) == before
    promote()
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert promote() == ALREADY
    assert [entry.what for entry in trail(workspace)] == ["promoted", "held", "promoted"]


@pytest.mark.slow
def test_what_is_said_names_the_registry_since_a_workspace_may_hold_one_of_before_beside_the_team_s(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(workspace / "mlflow.db", workspace / "team.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team := f"sqlite:///{workspace / 'team.db'}")
    crown_two(workspace)
    monkeypatch.chdir(workspace)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="mucode"):
        register(workspace)
        promote()
        rollback()
    decided = [said for said in caplog.messages if "champion" in said]
    assert [f" in {team}" in said for said in decided] == [True] * 3
    with pytest.raises(MucodeError, match=f"no champion before .* in {team}, or"):
        rollback()
