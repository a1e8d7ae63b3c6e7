"""`mucode promote` and `mucode rollback`: which pair is champion, by the policy file alone, and back again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mucode.registry.card import settings_folder
from mucode.registry.pairs import VersionPair, challenger, champion, is_registered, move_champion, pair_of
from mucode.registry.promotion import Decision, Policy, decide, load_policy
from mucode.registry.standing import registry_in_order, standing
from mucode.registry.trail import Entry, What, entries, new_entry, record_held, reigns, removal_of
from mucode.tracking import Registry, Version, registry_to_read
from mucode.types import MucodeError

ALREADY = Decision(False, "it is the champion already")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The policy, and which text it was read from."""

    policy: Policy
    sha256: str


def read_policy(workspace: Path) -> PolicyFile:
    """The workspace's mlflow/promotion.yaml, else the one beside the code."""
    path = settings_folder(workspace) / "promotion.yaml"
    return PolicyFile(load_policy(path), hashlib.sha256(path.read_bytes()).hexdigest())


def promote(*, dry_run: bool = False, history: bool = False) -> Decision | None:
    """Make the challenger champion, if mlflow/promotion.yaml allows it.

    Parameters
    ----------
    dry_run:
        Say what would be decided and why; change nothing.
    history:
        Only show who decided what, when and why; RUN is what `make reproduce` takes.
    """
    if history:
        with registry_to_read(Path()) as registry:
            _show(entries(registry))
        return None
    policy = read_policy(Path())
    with registry_to_read(Path()) if dry_run else registry_in_order(Path()) as registry:
        pair = challenger(registry)
        if pair is None:
            raise MucodeError("there is no challenger pair: run `mucode register` after the graph")
        decision = consider(registry, policy.policy, pair)
        if not dry_run:
            carry_out(registry, policy, pair, decision)
    verdict = "becomes champion" if decision.promote else "is not promoted"
    logger.info(
        "%schallenger %s %s: %s", "dry run: " if dry_run else "", _named(pair.numbers), verdict, decision.reason
    )
    if not (dry_run or decision.promote or decision == ALREADY):
        raise MucodeError(f"not promoted: {decision.reason}")
    return decision


def rollback(*, reason: str = "", dry_run: bool = False) -> tuple[int, int]:
    """Make the champion before the present one champion again; the present one is then promoted by hand only.

    Parameters
    ----------
    reason:
        Why, for the audit trail.
    dry_run:
        Say which pair it would be; change nothing.
    """
    with registry_to_read(Path()) if dry_run else registry_in_order(Path()) as registry:
        now = standing(registry)
        present = now.champion
        if present is None:
            none = "there is no champion pair to roll back: see `mucode promote --history`"
            raise MucodeError(_no_pair(now.strays) if now.strays else none)
        others = (numbers for numbers in reigns(now.trail) if numbers != present.numbers)
        past = [numbers for numbers in others if is_registered(registry, numbers)]
        if not past:
            raise MucodeError(
                f"there was no champion before {_named(present.numbers)}, or its versions were deleted: "
                "see `mucode promote --history`"
            )
        before = pair_of(registry, past[-1])
        if not dry_run:
            why = reason or "no reason was given"
            move_champion(registry, new_entry("rolled back", before.numbers, present.numbers, why, before.run))
    logger.info(
        "%s%s is champion again in place of %s",
        "dry run: " if dry_run else "",
        _named(before.numbers),
        _named(present.numbers),
    )
    return before.numbers


def consider(registry: Registry, policy: Policy, pair: VersionPair) -> Decision:
    """What the policy says about a pair as it stands now; nothing is changed."""
    now = standing(registry)
    present = now.champion
    if now.strays:
        return Decision(False, _no_pair(now.strays))
    if present is not None and present.numbers == pair.numbers:
        return ALREADY
    if registry.shared and "claims" in pair.generator.tags:
        return Decision(False, "it was made of a random model, which is champion in its own workspace's database only")
    if (removed := removal_of(now.trail, pair.numbers)) is not None:
        return Decision(False, f"{_told(removed)}: set both champion aliases to it by hand if that is over")
    return decide(policy, pair.measured(registry), present.measured(registry) if present else None)


def carry_out(registry: Registry, policy: PolicyFile, pair: VersionPair, decision: Decision) -> None:
    """Move the aliases if that was decided, and put the decision into the trail."""
    if decision == ALREADY:
        return
    present = champion(registry)
    before = present.numbers if present else None
    what: What = "promoted" if decision.promote else "held"
    entry = new_entry(what, pair.numbers, before, decision.reason, pair.run, policy.sha256)
    if decision.promote:
        move_champion(registry, entry)
    else:
        record_held(registry, entry)


def _no_pair(strays: Sequence[Version]) -> str:
    aliases = ", ".join(f"{version.kind} {version.number}" for version in strays)
    return (
        f"the champion aliases were set by hand, or a version was deleted, and form no pair ({aliases}): "
        "in MLflow's UI set both to one pair, or remove them"
    )


def _told(removed: Entry) -> str:
    if removed.what == "found":
        return f"somebody replaced it by hand, as was noticed at {removed.at}"
    return f"{removed.who} rolled it back at {removed.at} ({removed.reason})"


def _named(numbers: tuple[int, int]) -> str:
    return f"mucode-generator {numbers[0]} with mucode-verifier {numbers[1]}"


def _show(trail: list[Entry]) -> None:
    for entry in trail:
        against = f" (champion before: {entry.before[0]}/{entry.before[1]})" if entry.before else ""
        logger.info(
            "%s  %s  %s  %d/%d%s  RUN=%s\n    %s",
            entry.at[:19],
            entry.who,
            entry.what,
            *entry.pair,
            against,
            entry.run,
            entry.reason,
        )
    if not trail:
        logger.info("nothing has been decided yet")
