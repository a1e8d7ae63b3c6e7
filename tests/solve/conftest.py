"""A pair that was really trained, on a tiny random base, where a workspace has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mucode.types import Candidate, Demonstration
from tests.conftest import make_problem
from tests.training.tiny_model import tiny_base, tiny_settings

PROBLEM = make_problem()
RIGHT, WRONG = "def p(x):\n    return x", "def p(x):\n    return None"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/generators/base, and data/selected/mucode-0 with generator/ and verifier/."""
    from mucode.generator.fine_tune import fine_tune
    from mucode.verifier.train import VerifierSettings, train_verifier

    root = tmp_path_factory.mktemp("workspace")
    base, pair = root / "data/generators/base", root / "data/selected/mucode-0"
    for folder in (base, pair):
        folder.mkdir(parents=True)
    tiny_base(base)
    demonstrations = [Demonstration(PROBLEM.id, (), RIGHT)]
    fine_tune(demonstrations, [PROBLEM], base, tiny_settings(), 0, pair / "generator", show_public_tests=True)
    candidates = [Candidate(PROBLEM.id, RIGHT, 1.0), Candidate(PROBLEM.id, WRONG, 0.0)]
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
    train_verifier(candidates, [PROBLEM], base, settings, 0, pair / "verifier")
    return root
