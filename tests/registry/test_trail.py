"""The audit trail: who was champion when, and by whose word."""

from __future__ import annotations

import dataclasses
import json

import pytest

from mucode.registry.trail import Entry, Weights, What, new_entry, reigns, removal_of

UNKNOWN = "", ""


def weights(name: str) -> Weights:
    return f"g{name}", f"v{name}"


def decided(*steps: tuple[What, int]) -> list[Entry]:
    """A trail about pairs 1/1, 2/2, ...; each step says what became of which."""
    made: list[Entry] = []
    for number, (what, pair) in enumerate(steps):
        before = made[-1].pair if made else None
        made.append(Entry(f"{number:03}", "ada", what, (pair, pair), before, "why", "run", ""))
    return made


@pytest.mark.parametrize(
    ("steps", "champions"),
    [
        ([], []),
        ([("promoted", 1), ("held", 2), ("promoted", 3)], [1, 3]),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1)], [1]),
        ([("promoted", 1), ("found", 2), ("promoted", 3), ("rolled back", 2), ("rolled back", 1)], [1]),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 3)], [1, 3]),
        ([("promoted", 1), ("promoted", 2), ("promoted", 3), ("promoted", 4), ("rolled back", 2)], [1, 2]),
        ([("rolled back", 1)], [1]),
    ],
)
def test_the_trail_says_who_was_champion_before(steps: list[tuple[What, int]], champions: list[int]) -> None:
    assert reigns(decided(*steps)) == [(number, number) for number in champions]


def test_a_pair_that_was_rolled_back_counts_as_such_until_it_is_champion_again() -> None:
    undone = decided(("promoted", 1), ("promoted", 2), ("rolled back", 1))
    assert removal_of(undone, (2, 2), UNKNOWN) == undone[-1]
    assert removal_of(undone, (1, 1), UNKNOWN) is None
    assert removal_of([*undone, *decided(("found", 2))], (2, 2), UNKNOWN) is None


def test_a_pair_that_was_replaced_by_hand_counts_as_such_until_it_is_champion_again() -> None:
    replaced = decided(("promoted", 1), ("promoted", 2), ("found", 1))
    assert removal_of(replaced, (2, 2), UNKNOWN) == replaced[-1]
    assert removal_of(replaced, (1, 1), UNKNOWN) is None
    again = decided(("promoted", 1), ("promoted", 2), ("found", 1), ("rolled back", 2))
    assert removal_of(again, (2, 2), UNKNOWN) is None
    assert (
        removal_of(decided(("promoted", 1), ("promoted", 2)), (1, 1), UNKNOWN) is None
    )  # the policy's word, no person's


@pytest.mark.parametrize("what", ["rolled back", "found"])
def test_weights_that_lost_their_place_are_known_under_another_number_too(what: What) -> None:
    here = {(number, number): weights(str(number)) for number in (1, 2)}
    trail = [new_entry([], "promoted", (1, 1), None, "first", "run", here)]
    trail.append(new_entry(trail, "promoted", (2, 2), (1, 1), "better", "run", here))
    trail.append(new_entry(trail, what, (1, 1), (2, 2), "worse", "run", {}))  # when all versions are deleted already
    assert removal_of(trail, (3, 3), weights("2")) == trail[-1]
    assert removal_of(trail, (3, 3), weights("3")) is None
    assert removal_of(trail, (3, 3), weights("1")) is None
    trail.append(new_entry(trail, "found", (3, 3), (1, 1), "by hand", "run", {(3, 3): weights("2")}))
    trail.append(new_entry(trail, "promoted", (4, 4), (3, 3), "better", "run", {(4, 4): weights("4")}))
    assert removal_of(trail, (5, 5), weights("2")) is None  # a person has taken them back meanwhile


def test_what_is_decided_after_a_machine_whose_clock_is_ahead_comes_after_it_in_the_trail() -> None:
    ahead = new_entry([], "promoted", (2, 2), (1, 1), "better", "run", {})
    trail = [dataclasses.replace(ahead, at="2999-12-31T23:59:59.999999Z")]
    for pair in ((1, 1), (3, 3)):
        trail.append(new_entry(trail, "rolled back", pair, trail[-1].pair, "worse", "run", {}))
    assert sorted(trail, key=lambda entry: entry.at) == trail
    assert [entry.at for entry in trail[1:]] == ["3000-01-01T00:00:00.000000Z", "3000-01-01T00:00:00.000001Z"]
    assert new_entry([ahead], "held", (3, 3), (2, 2), "worse", "run", {}).at < "2999"  # else it is the time


def test_an_entry_survives_its_text() -> None:
    held = new_entry([], "held", (2, 1), (1, 1), "why", "run", {(2, 1): weights("2")})
    for entry in (held, new_entry([], "promoted", (1, 1), None, "first", "run", {})):
        assert Entry.from_json(json.dumps(dataclasses.asdict(entry))) == entry
        assert "@" in entry.who


def test_an_entry_of_before_weights_were_kept_is_read() -> None:
    entry = dataclasses.asdict(new_entry([], "held", (2, 1), (1, 1), "why", "run", {}))
    kept = {name: value for name, value in entry.items() if not name.startswith("weights")}
    assert dataclasses.asdict(Entry.from_json(json.dumps(kept))) == entry


def test_what_a_newer_version_has_added_to_an_entry_is_passed_over() -> None:
    (entry,) = decided(("promoted", 1))
    assert Entry.from_json(json.dumps({**dataclasses.asdict(entry), "signed": "x"})) == entry
