"""A rollback goes back to the champion before, says why, and holds against the next registration."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import pytest

from mucode.registry import register
from mucode.registry.promote import ALREADY, promote, rollback
from mucode.tracking import Registry, Version
from mucode.tracking.models import NAMES
from mucode.types import MucodeError
from tests.registry.workspace import champions, crown_two, delete, remove_champion, set_champion, write_workspace


def delete_pair(workspace: Path, number: int) -> None:
    for kind in NAMES:
        delete(workspace, kind, number)


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
def test_a_rollback_holds_against_the_next_registration_and_everybody_can_read_why(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crown_two(workspace)
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
