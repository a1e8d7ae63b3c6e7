"""`mucode register`: the selected pairs become versions in MLflow, and the best of them may become champion.

Run after the graph; it reads dvc.lock, so that a version says which weights and which data it is made of. Running it
again changes nothing. Generator and verifier are promoted as a pair: an intent is noted before the aliases move and
removed afterwards, so that a run killed in between is completed by the next.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from mucode.config import Config, load_config
from mucode.records import write_json
from mucode.registry.card import settings_folder
from mucode.registry.promotion import Decision, Measured, Policy, decide, load_policy
from mucode.registry.selected import SelectedPair, selected_pairs
from mucode.tracking import Registry, Version, open_registry, send_records
from mucode.tracking.models import CHALLENGER, CHAMPION

REPORT = Path(".mucode/registration.json")
_INTENT = "promoting"  # note of the registered generator: "generator version/verifier version"

ALREADY = Decision(False, "it is the champion already")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredPair:
    """A selected pair and its versions."""

    group: str
    generator: int
    verifier: int
    new: bool  # whether this run registered any of the two


@dataclass(frozen=True, slots=True)
class RegistrationReport:
    """What a registration did; also written to REPORT for the flow's page."""

    pairs: tuple[RegisteredPair, ...]
    challenger: str  # its group
    promoted: bool
    reason: str
    champion: tuple[int, int] | None  # generator's and verifier's version afterwards; None: there is no champion pair


def register(workspace: Path = Path()) -> RegistrationReport:
    """Register every selected pair, point `challenger` at the best one on validation, and promote it if it may be.

    Args:
        workspace: the folder with dvc.lock, params.yaml and data/.

    Raises:
        MucodeError: the graph has not run, or its files are not those that dvc.lock records.
        TrackingUnavailable: MLflow does not answer.
    """
    config = load_config(workspace / "params.yaml")
    policy_path = settings_folder(workspace) / "promotion.yaml"
    policy, pairs = load_policy(policy_path), selected_pairs(workspace, config)
    send_records(workspace)
    with open_registry(workspace) as registry:
        _finish_promotion(registry)
        versions = {pair.group: _ensure_registered(registry, pair, config) for pair in pairs}
        best = max(pairs, key=lambda pair: pair.validation_accuracy)  # a tie goes to the earlier group
        generator, verifier, _ = versions[best.group]
        registry.set_alias(CHALLENGER, verifier)
        registry.set_alias(CHALLENGER, generator)
        decision = _consider(registry, policy, best.measured, (generator, verifier))
        if decision != ALREADY:
            _record_decision(registry, generator, verifier, decision, policy_path)
        if decision.promote:
            _promote(registry, generator, verifier)
        champion = _champion(registry)
    report = RegistrationReport(
        pairs=tuple(RegisteredPair(group, g.number, v.number, new) for group, (g, v, new) in versions.items()),
        challenger=best.group,
        promoted=decision.promote,
        reason=decision.reason,
        champion=(champion[0].number, champion[1].number) if champion else None,
    )
    write_json(workspace / REPORT, asdict(report))
    _tell(report)
    return report


def _ensure_registered(registry: Registry, pair: SelectedPair, config: Config) -> tuple[Version, Version, bool]:
    """The pair's versions: found by the DVC md5 of their weights, or made; the verifier first."""
    measured = pair.measured.as_json()
    digest = hashlib.sha256(measured.encode()).hexdigest()
    verifier = registry.find("verifier", "dvc_md5", pair.verifier_md5)
    generator = registry.find("generator", "dvc_md5", pair.generator_md5)
    known = verifier is not None and generator is not None
    if verifier and generator and generator.tags.get(_paired(verifier)) == digest:
        return generator, verifier, False
    run_id = registry.start_run(f"register {pair.group}", pair.params(config), pair.metrics())
    registry.write_text(run_id, "outcomes.json", measured)
    verifier = verifier or registry.add(pair.verifier_files(config), run_id)
    generator = generator or registry.add(pair.generator_files(config), run_id)
    registry.end_run(run_id)
    registry.tag(generator, {_paired(verifier): digest, _outcomes(verifier): run_id})
    return registry.version("generator", generator.number), verifier, not known


def _paired(verifier: Version) -> str:
    """The generator version's tag for a verifier version that it forms a pair with: the digest of how they did."""
    return f"pair.{verifier.number}"


def _outcomes(verifier: Version) -> str:
    """The tag for the run whose outcomes.json says how the pair did."""
    return f"outcomes.{verifier.number}"


def _consider(registry: Registry, policy: Policy, measured: Measured, challenger: tuple[Version, Version]) -> Decision:
    generator, verifier = (registry.aliased(kind, CHAMPION) for kind in ("generator", "verifier"))
    if generator is None and verifier is None:
        return decide(policy, measured, None)
    champion = _champion(registry)
    if champion is None:
        held = ", ".join(f"{v.kind} {v.number}" for v in (generator, verifier) if v)
        return Decision(False, f"the champion aliases were set by hand and form no pair ({held}): set both to one pair")
    if (champion[0].number, champion[1].number) == (challenger[0].number, challenger[1].number):
        return ALREADY
    stored = registry.read_text(champion[0].tags[_outcomes(champion[1])], "outcomes.json")
    return decide(policy, measured, Measured.from_json(stored))


def _champion(registry: Registry) -> tuple[Version, Version] | None:
    """The champion pair; None if there is none, or two aliases that were never registered together."""
    generator, verifier = registry.aliased("generator", CHAMPION), registry.aliased("verifier", CHAMPION)
    if generator is None or verifier is None or _paired(verifier) not in generator.tags:
        return None
    return generator, verifier


def _promote(registry: Registry, generator: Version, verifier: Version) -> None:
    registry.note(_INTENT, f"{generator.number}/{verifier.number}")
    registry.set_alias(CHAMPION, verifier)
    registry.set_alias(CHAMPION, generator)
    registry.note(_INTENT, None)


def _finish_promotion(registry: Registry) -> None:
    """Complete a promotion that a kill interrupted."""
    if (intent := registry.noted(_INTENT)) is not None:
        generator, verifier = intent.split("/")
        _promote(registry, registry.version("generator", int(generator)), registry.version("verifier", int(verifier)))


def _record_decision(
    registry: Registry, generator: Version, verifier: Version, decision: Decision, policy: Path
) -> None:
    """The audit trail: tags of the generator's version, one for each time it was decided about."""
    entry = {
        "promoted": decision.promote,
        "reason": decision.reason,
        "verifier": verifier.number,
        "policy_sha256": hashlib.sha256(policy.read_bytes()).hexdigest(),
    }
    last = max((name for name in generator.tags if name.startswith("decision.")), default="decision.0000")
    before = json.loads(generator.tags.get(last, "{}"))
    if {name: before.get(name) for name in entry} == entry:
        return
    entry["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    number = int(last.removeprefix("decision.")) + 1
    registry.tag(generator, {f"decision.{number:04}": json.dumps(entry, sort_keys=True)})


def _tell(report: RegistrationReport) -> None:
    for pair in report.pairs:
        what = "registered" if pair.new else "registered before"
        logger.info(
            "%s: mucode-generator %d and mucode-verifier %d, %s", pair.group, pair.generator, pair.verifier, what
        )
    verdict = "becomes champion" if report.promoted else "is not promoted"
    logger.info("challenger %s %s: %s", report.challenger, verdict, report.reason)
