"""What this machine offers for running programs safely, and whether it holds; one line a finding."""

from __future__ import annotations

from dataclasses import dataclass

from mucode.execution.layers import probe
from mucode.execution.pool import Pool
from mucode.execution.sandbox import open_sandbox
from mucode.execution.selftest import proofs
from mucode.types import MucodeError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `text` says what to install or change when it isn't right."""

    subject: str  # "layer bubblewrap+seccomp", "numpy for programs", "self-test: a lying object"
    right: bool
    needed: bool  # labels cannot be made without
    text: str


def doctor(timeout: float = 5.0, allow_weak: bool = False) -> list[Finding]:
    """Try every layer for real, then run the self-test in the best. Labels can be made when no needed one is wrong."""
    layers = list(probe(timeout, allow_weak=allow_weak))
    working = [layer for layer, seen in layers if seen.works]
    findings = [Finding(f"layer {seen.layer}", seen.works, False, seen.reason or "works") for _, seen in layers]
    if not working:
        return [*findings, Finding("isolation", False, True, "no layer works; programs are not run here")]
    chosen = working[0]
    findings.append(Finding("isolation", True, True, f"{chosen.name} is used"))
    findings.append(_numpy(chosen.numpy is not None))
    return [*findings, *self_test(timeout, allow_weak)]


def self_test(timeout: float = 5.0, allow_weak: bool = False) -> list[Finding]:
    """Run the self-test's attacks and its honest program in the best layer, and say of each how it ended."""
    try:
        with open_sandbox(1, timeout, allow_weak) as sandbox:
            return _answers(sandbox)
    except MucodeError as error:
        return [Finding("self-test", False, True, str(error))]


def _answers(sandbox: Pool) -> list[Finding]:
    tried = proofs(weak=sandbox.layer.key == "seccomp")
    verdicts = sandbox.judge([proof.job for proof in tried], "public")
    return [
        Finding(f"self-test: {proof.name}", verdict.status is proof.expected, True, f"ends as {verdict.status.value}")
        for proof, verdict in zip(tried, verdicts, strict=True)
    ]


def _numpy(there: bool) -> Finding:
    text = "programs can import it" if there else "programs that import it will fail; install the Python package numpy"
    return Finding("numpy for programs", there, False, text)
