"""A promotion that a kill interrupted is completed, unless people have overtaken it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mucode.registry import register
from mucode.registry.promote import ALREADY, promote, rollback
from mucode.registry.trail import Entry, entries, new_entry, record
from mucode.tracking import open_registry
from mucode.tracking.models import Registry, Version
from tests.registry.workspace import champions, delete, set_champion, trail, write_workspace


@pytest.mark.slow
def test_a_promotion_that_a_kill_interrupted_is_completed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 1.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[0.0, 0.0])
    register(workspace)
    with open_registry(workspace) as registry:  # as a kill between the two aliases leaves them
        run = registry.version("generator", 2).tags["outcomes.2"]
        entry = new_entry(entries(registry), "promoted", (2, 2), (1, 1), "it did better", run, {})
        registry.note("promoting", json.dumps(dataclasses.asdict(entry)))
        registry.set_alias("champion", registry.version("verifier", 2))
    monkeypatch.chdir(workspace)
    assert promote(dry_run=True) == ALREADY  # as it will be
    assert rollback(dry_run=True) == (1, 1)
    assert champions(workspace) == {"generator": 1, "verifier": 2}
    report = register(workspace)
    assert report.champion == (2, 2)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert [entry.what for entry in trail(workspace)] == ["promoted", "held", "promoted"]
    with open_registry(workspace) as registry:
        assert registry.noted("promoting") is None


@pytest.mark.slow
def test_a_registration_killed_between_the_two_champions_is_completed_by_the_next(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0, 0.0, 0.0])
    register(workspace)
    write_workspace(workspace, generator="g2", verifier="v2", validation=[1.0, 1.0, 1.0, 1.0])
    moved = Registry.set_alias

    def killed_at_the_second(registry: Registry, alias: str, version: Version) -> None:
        if (alias, version.kind) == ("champion", "generator"):
            raise KeyboardInterrupt
        moved(registry, alias, version)

    monkeypatch.setattr(Registry, "set_alias", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        register(workspace)
    monkeypatch.setattr(Registry, "set_alias", moved)
    assert champions(workspace) == {"generator": 1, "verifier": 2}
    assert register(workspace).champion == (2, 2)
    assert champions(workspace) == {"generator": 2, "verifier": 2}
    assert [entry.what for entry in trail(workspace)][:2] == ["promoted", "promoted"]


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 1], ids=["the first", "the second, which used to come first"])
def test_a_registration_killed_between_the_two_tags_of_its_pair_is_completed_by_the_next(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    write_workspace(workspace, generator="g1", verifier="v1", validation=[1.0, 0.0])
    tag = Registry.tag

    def killed_after_one(registry: Registry, version: Version, tags: Mapping[str, str]) -> None:
        tag(registry, version, dict([list(tags.items())[kept]]))
        raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "tag", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        register(workspace)
    monkeypatch.setattr(Registry, "tag", tag)
    assert register(workspace).champion == (1, 1)


def overtaken_by_hand(folder: Path, entry: Entry) -> None:
    set_champion(folder, 3, 3)


def overtaken_by_a_deletion(folder: Path, entry: Entry) -> None:
    delete(folder, "generator", 2)
    delete(folder, "verifier", 2)


def overtaken_at_its_end(folder: Path, entry: Entry) -> None:
    """The kill came after the entry; then somebody set the aliases back."""
    with open_registry(folder) as registry:
        record(registry, entry)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overtake", "champion"), [(overtaken_by_hand, 3), (overtaken_by_a_deletion, 1), (overtaken_at_its_end, 1)]
)
def test_a_promotion_that_people_have_overtaken_is_not_completed(
    workspace: Path, overtake: Callable[[Path, Entry], None], champion: int
) -> None:
    for name, validation in (("1", [1.0, 1.0]), ("2", [0.0, 0.0]), ("3", [0.0, 0.0])):
        write_workspace(workspace, generator=f"g{name}", verifier=f"v{name}", validation=validation)
        register(workspace)
    with open_registry(workspace) as registry:  # as a kill leaves it
        run = registry.version("generator", 2).tags["outcomes.2"]
        entry = new_entry(entries(registry), "promoted", (2, 2), (1, 1), "it did better", run, {})
        registry.note("promoting", json.dumps(dataclasses.asdict(entry)))
    overtake(workspace, entry)
    report = register(workspace)
    assert report.champion == (champion, champion)
    with open_registry(workspace) as registry:
        assert registry.noted("promoting") is None
