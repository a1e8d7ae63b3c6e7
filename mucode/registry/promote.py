"""`mucode promote` and `mucode rollback`: which pair is champion, by the policy file alone, and back again."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mucode.registry.card import settings_folder
from mucode.registry.pairs import VersionPair, challenger, champion, is_registered, move_champion, pair_of, weights_of
from mucode.registry.promotion import Decision, Policy, decide, load_policy
from mucode.registry.standing import registry_in_order, standing
from mucode.registry.trail import Entry, What, entries, new_entry, record_held, reigns, removal_of
from mucode.tracking import Registry, Version, open_registry, registry_to_read
from mucode.tracking.server import require_there
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
            sys.stdout.writelines(f"{line}\n" for line in _told_all(entries(registry)))
        return None
    policy = read_policy(Path())
    with _opened(dry_run=dry_run) as registry:
        pair = challenger(registry)
        if pair is None:
            raise MucodeError(
                f"there is no challenger pair in {registry.address}: run `mucode register` after the graph"
            )
        decision = consider(registry, policy.policy, pair)
        if not dry_run:
            carry_out(registry, policy, pair, decision)
    verdict = f"{'becomes champion' if decision.promote else 'is not promoted'} in {registry.address}"
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
    with _opened(dry_run=dry_run) as registry:
        now = standing(registry)
        reigned = reigns(now.trail)
        if now.strays or not reigned:
            none = f"there is no champion pair to roll back in {registry.address}: see `mucode promote --history`"
            raise MucodeError(_no_pair(now.strays) if now.strays else none)
        present = reigned[-1]  # or the last one, where the aliases were removed
        past = [numbers for numbers in reigned if numbers != present and is_registered(registry, numbers)]
        if not past:
            raise MucodeError(
                f"there was no champion before {_named(present)} in {registry.address}, or its versions were deleted: "
                "see `mucode promote --history`"
            )
        before = pair_of(registry, past[-1])
        if not dry_run:
            why, weights = reason or "no reason was given", weights_of(registry, before.numbers, present)
            entry = new_entry(now.trail, "rolled back", before.numbers, present, why, before.run, weights)
            move_champion(registry, entry)
    logger.info(
        "%s%s is champion again in place of %s in %s",
        "dry run: " if dry_run else "",
        _named(before.numbers),
        _named(present),
        registry.address,
    )
    return before.numbers


def consider(registry: Registry, policy: Policy, pair: VersionPair) -> Decision:
    """What the policy says about a pair as it stands now; nothing is changed."""
    now = standing(registry)
    present = now.champion
    if now.strays:
        return Decision(False, _no_pair(now.strays))
    if present is None and (reigned := reigns(now.trail)):
        return Decision(False, _removed(reigned[-1]))
    if present is not None and present.numbers == pair.numbers:
        return ALREADY
    if registry.shared and "claims" in pair.generator.tags:
        return Decision(False, "it was made of a random model, which is champion in its own workspace's database only")
    if (removed := removal_of(now.trail, pair.numbers, pair.weights)) is not None:
        return Decision(False, f"{_told(removed)}: set both champion aliases to it by hand if that is over")
    return decide(policy, pair.measured(registry), present.measured(registry) if present else None)


def carry_out(registry: Registry, policy: PolicyFile, pair: VersionPair, decision: Decision) -> None:
    """Move the aliases if that was decided, and put the decision into the trail."""
    if decision == ALREADY:
        return
    present = champion(registry)
    before = present.numbers if present else None
    what: What = "promoted" if decision.promote else "held"
    trail, weights = entries(registry), weights_of(registry, pair.numbers, before)
    entry = new_entry(trail, what, pair.numbers, before, decision.reason, pair.run, weights, policy.sha256)
    if decision.promote:
        move_champion(registry, entry)
    else:
        record_held(registry, entry)


def _opened(*, dry_run: bool) -> AbstractContextManager[Registry]:
    """The registry, to look into or to change; where there is none, none is made."""
    require_there(Path())
    return open_registry(Path()) if dry_run else registry_in_order(Path())


def _no_pair(strays: Sequence[Version]) -> str:
    aliases = ", ".join(f"{version.kind} {version.number}" for version in strays)
    return (
        f"the champion aliases were set by hand, or a version was deleted, and form no pair ({aliases}): "
        "in MLflow's UI set both to one pair, or remove both, which takes the champion out of service"
    )


def _removed(last: tuple[int, int]) -> str:
    return (
        f"the champion aliases were removed by hand, or a version was deleted ({_named(last)}): set both to one pair "
        "in MLflow's UI, or go back to the champion before it with `mucode rollback`"
    )


def _told(removed: Entry) -> str:
    if removed.what == "found":
        return f"somebody replaced it by hand, as was noticed at {removed.at}"
    return f"{removed.who} rolled it back at {removed.at} ({removed.reason})"


def _named(numbers: tuple[int, int]) -> str:
    return f"mucode-generator {numbers[0]} with mucode-verifier {numbers[1]}"


def _told_all(trail: Sequence[Entry]) -> Iterator[str]:
    for entry in trail:
        against = f" (champion before: {entry.before[0]}/{entry.before[1]})" if entry.before else ""
        pair = f"{entry.pair[0]}/{entry.pair[1]}"
        yield f"{entry.at[:19]}  {entry.who}  {entry.what}  {pair}{against}  RUN={entry.run}"
        yield f"    {entry.reason}"
    if not trail:
        yield "nothing has been decided yet"
