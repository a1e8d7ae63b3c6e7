"""A generator and a verifier that were really trained, on a tiny random base."""

from __future__ import annotations

from pathlib import Path

from mucode.types import Candidate, Demonstration, Problem
from tests.training.tiny_model import tiny_settings


def train_pair(problem: Problem, right: str, wrong: str, base: Path, folder: Path) -> None:
    """Train generator/ and verifier/ in `folder` on one problem, of which a right and a wrong program are known."""
    from mucode.generator.fine_tune import fine_tune
    from mucode.verifier.train import VerifierSettings, train_verifier

    demonstrations = [Demonstration(problem.id, (), right)]
    fine_tune(demonstrations, [problem], base, tiny_settings(), 0, folder / "generator", show_public_tests=True)
    candidates = [Candidate(problem.id, right, 1.0), Candidate(problem.id, wrong, 0.0)]
    settings = VerifierSettings(
        training=tiny_settings(),
        loss="bradley_terry",
        head_learning_rate=1e-2,
        score_penalty=1e-3,
        pairs_per_problem=4,
        score_batch_size=8,
        score_dtype="float32",
        show_public_tests=True,
    )
    train_verifier(candidates, [problem], base, settings, 0, folder / "verifier")
