"""Studies that several tests read; none of them changes their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mucode.report import write_report
from tests.report.study import Study, make_config, write_study

FEW = {"resamples": 200}


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The default study: one method, one seed, one iteration."""
    return write_study(tmp_path_factory.mktemp("study"), make_config(report=FEW))


@pytest.fixture(scope="session")
def out(study: Study) -> Path:
    """The default study's report."""
    folder = study.root / "out"
    write_report(out=folder, **study.arguments())
    return folder
