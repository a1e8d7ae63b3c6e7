"""A pair that was really trained, on a tiny random base, where a workspace has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import make_problem
from tests.training.tiny_model import tiny_base
from tests.training.tiny_pair import train_pair

PROBLEM = make_problem()
RIGHT, WRONG = "def p(x):\n    return x", "def p(x):\n    return None"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/generators/base, and data/selected/mucode-0 with generator/ and verifier/."""
    root = tmp_path_factory.mktemp("workspace")
    base, pair = root / "data/generators/base", root / "data/selected/mucode-0"
    for folder in (base, pair):
        folder.mkdir(parents=True)
    tiny_base(base)
    train_pair(PROBLEM, RIGHT, WRONG, base, pair)
    return root
