"""`mucode register`: the selected pairs become versions in MLflow, and the best of them may become champion.

Run after the graph; it reads dvc.lock, so that a version says which weights and which data it is made of. Running it
again changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from mucode.config import Config, load_config
from mucode.lineage import lineage
from mucode.records import write_json
from mucode.registry.pairs import VersionPair, champion, outcomes, paired
from mucode.registry.promote import carry_out, consider, read_policy
from mucode.registry.selected import SelectedPair, best_on_validation, selected_pairs
from mucode.registry.standing import registry_in_order
from mucode.tracking import Registry, Version, send_records
from mucode.tracking.models import CHALLENGER

REPORT = Path(".mucode/registration.json")
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
    registry: str  # its address, without credentials: a run's own database has champions of its own


def register(workspace: Path = Path()) -> RegistrationReport:
    """Register every selected pair, point `challenger` at the best one on validation, and promote it if it may be.

    Args:
        workspace: the folder with dvc.lock, params.yaml and data/.

    Raises:
        MucodeError: the graph has not run, or its files are not those that dvc.lock records, or another registration is
            at work in the workspace.
        TrackingUnavailable: MLflow does not answer.
    """
    config = load_config(workspace / "params.yaml")
    policy, pairs = read_policy(workspace), selected_pairs(workspace, config)
    send_records(workspace)
    with registry_in_order(workspace) as registry:
        versions = {pair.group: _ensure_registered(registry, pair, config) for pair in pairs}
        best = best_on_validation(pairs)
        generator, verifier, _ = versions[best.group]
        registry.set_alias(CHALLENGER, verifier)
        registry.set_alias(CHALLENGER, generator)
        challenger = VersionPair(generator, verifier)
        decision = consider(registry, policy.policy, challenger)
        carry_out(registry, policy, challenger, decision)
        present = champion(registry)
    report = RegistrationReport(
        pairs=tuple(RegisteredPair(group, g.number, v.number, new) for group, (g, v, new) in versions.items()),
        challenger=best.group,
        promoted=decision.promote,
        reason=decision.reason,
        champion=present.numbers if present else None,
        registry=registry.address,
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
    is_pair = verifier and generator and generator.tags.get(paired(verifier)) == digest
    if verifier and generator and is_pair and outcomes(verifier) in generator.tags:
        return generator, verifier, False
    came_from = lineage(pair.workspace)
    run_id = registry.start_run(f"register {pair.group}", pair.params(config), pair.metrics(config), came_from)
    registry.write_text(run_id, "outcomes.json", measured)
    verifier = verifier or registry.add(pair.verifier_files(config), run_id)
    generator = generator or registry.add(pair.generator_files(config), run_id)
    registry.end_run(run_id)
    # What makes the two a pair comes last: a kill before it leaves a pair to register, not one without outcomes.
    registry.tag(generator, {outcomes(verifier): run_id, paired(verifier): digest})
    return registry.version("generator", generator.number), verifier, not known


def _tell(report: RegistrationReport) -> None:
    for pair in report.pairs:
        what = "registered" if pair.new else "registered before"
        logger.info(
            "%s: mucode-generator %d and mucode-verifier %d, %s", pair.group, pair.generator, pair.verifier, what
        )
    verdict = "becomes champion" if report.promoted else "is not promoted"
    logger.info("challenger %s %s in %s: %s", report.challenger, verdict, report.registry, report.reason)
