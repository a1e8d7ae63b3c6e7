"""Promotion and rollback: pairs change places whole, and the word of a person stands."""

from __future__ import annotations

import getpass
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.registry import register
from mucode.registry.promote import ALREADY, promote, rollback
from mucode.tracking import Registry, Version, open_registry
from mucode.tracking.models import NAMES
from mucode.tracking.server import EXPERIMENT, mlflow_at
from mucode.types import MucodeError
from tests.registry.workspace import champions, delete, remove_champion, set_champion, trail, write_workspace


def crown_two(workspace: Path) -> None:
    """Register a pair that solves nothing and one that solves all: 1/1 was champion, 2/2 is."""
    for name, solved in (("1", 0), ("2", 12)):
        rewards = [1.0] * solved + [0.0] * (12 - solved)
        write_workspace(workspace, generator=f"g{name}", verifier=f"v{name}", validation=rewards)
        register(workspace)


def delete_pair(workspace: Path, number: int) -> None:
    for kind in NAMES:
        delete(workspace, kind, number)


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
def test_a_rollback_passes_over_champions_whose_versions_were_deleted(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, solved in (("1", 0), ("2", 6), ("3", 12)):
        rewards = [1.0] * solved + [0.0] * (12 - solved)
        write_workspace(workspace, generator=f"g{name}", verifier=f"v{name}", validation=rewards)
        register(workspace)
    delete(workspace, "generator", 2)
    monkeypatch.chdir(workspace)
    assert rollback() == (1, 1)
    delete(workspace, "generator", 1)  # the verifier's alias stays
    with pytest.raises(MucodeError, match=r"a version was deleted, and form no pair \(verifier 1\)"):
        rollback()


@pytest.mark.slow
def test_a_rollback_says_that_the_only_other_champion_was_deleted(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown_two(workspace)
    delete(workspace, "verifier", 1)
    monkeypatch.chdir(workspace)
    with pytest.raises(MucodeError, match=r"no champion before .*, or its versions were deleted"):
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
def test_a_rollback_from_a_champion_that_was_taken_out_of_service_goes_behind_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown_two(workspace)
    remove_champion(workspace)
    monkeypatch.chdir(workspace)
    moved = Registry.set_alias

    def killed_at_the_second(registry: Registry, alias: str, version: Version) -> None:
        if version.kind == "generator":
            raise KeyboardInterrupt
        moved(registry, alias, version)

    monkeypatch.setattr(Registry, "set_alias", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        rollback()
    monkeypatch.setattr(Registry, "set_alias", moved)
    report = register(workspace)
    assert (report.promoted, report.champion) == (False, (1, 1))
    assert "rolled it back" in report.reason
    remove_champion(workspace)
    with pytest.raises(MucodeError, match=r"no champion before mucode-generator 1 with mucode-verifier 1"):
        rollback()


@pytest.mark.slow
@pytest.mark.parametrize("deleted_first", [False, True])
def test_weights_that_were_rolled_back_stay_so_when_their_versions_are_deleted_and_registered_anew(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, deleted_first: bool
) -> None:
    crown_two(workspace)
    monkeypatch.chdir(workspace)
    steps: list[Callable[[], object]] = [
        lambda: rollback(reason="it writes endless loops"),
        lambda: delete_pair(workspace, 2),
    ]
    for step in reversed(steps) if deleted_first else steps:
        step()
    report = register(workspace)  # of the same graph
    assert [(pair.generator, pair.new) for pair in report.pairs] == [(3, True)]
    assert (report.promoted, report.champion) == (False, (1, 1))
    assert "it writes endless loops" in report.reason
    with pytest.raises(MucodeError, match=r"not promoted: .* rolled it back"):
        promote()
    set_champion(workspace, 3, 3)  # a person's word stands over it
    assert promote() == ALREADY


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


@pytest.mark.slow
def test_a_rollback_holds_against_the_next_registration_and_everybody_can_read_why(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[0.0] * 12)
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0] * 12)
    register(workspace)
    monkeypatch.chdir(workspace)
    assert rollback(dry_run=True) == (1, 1)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert rollback(reason="it writes endless loops") == (1, 1)
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    report = register(workspace)  # the next scheduled run
    assert not report.promoted
    assert "it writes endless loops" in report.reason
    assert champions(workspace) == {"generator": 1, "verifier": 1}
    promote(history=True)
    said = capsys.readouterr().out.splitlines()
    (number,) = [number for number, line in enumerate(said) if "rolled back" in line]
    assert getpass.getuser() in said[number]
    assert "it writes endless loops" in said[number + 1]
    set_champion(workspace, 2, 2)  # a person's word stands over it
    assert not register(workspace).promoted
    assert champions(workspace) == {"generator": 2, "verifier": 2}
