from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mucode.config import load_config
from mucode.plan import expand
from mucode.types import MucodeError
from mucode.workspace import DEFAULT, make_workspace, sizes

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with this one's parameters and stages, and one profile."""
    root = tmp_path / "root"
    (root / "profiles").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / "mucode").mkdir()
    for name in ("params.yaml", "dvc.yaml", ".dvcignore", ".dvc/.gitignore"):
        (root / name).write_text((REPOSITORY / name).read_text())
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 1\nstudy:\n  iterations: 2\n  seeds: [3]\n")
    return root


def test_every_profile_of_the_repository_makes_a_workspace_with_valid_parameters(tmp_path: Path) -> None:
    for size in sizes(REPOSITORY):
        workspace = make_workspace(size, REPOSITORY, tmp_path / size)
        load_config(workspace / "params.yaml")


def test_a_profile_changes_what_it_names_and_nothing_else(root: Path) -> None:
    before = load_config(root / "params.yaml")
    after = load_config(make_workspace("small", root) / "params.yaml")
    assert (after.rollout.turns, after.study.iterations, after.study.seeds) == (1, 2, (3,))
    assert after.rollout.rollouts == before.rollout.rollouts
    assert after.verifier == before.verifier


def test_the_plan_follows_from_the_merged_study(root: Path) -> None:
    config = load_config(make_workspace("small", root) / "params.yaml")
    assert config.plan == expand(config.study, config.methods)
    assert "mucode-3-2" in config.plan["generators"]


def test_the_default_size_is_the_repository_itself(root: Path) -> None:
    assert make_workspace(DEFAULT, root) == root
    assert not (root / "runs").exists()


def test_an_unknown_size_is_refused_with_the_ones_there_are(root: Path) -> None:
    with pytest.raises(MucodeError, match="no size 'smal': choose one of default, small"):
        make_workspace("smal", root)


def test_a_misspelt_parameter_in_a_profile_is_refused_by_name(root: Path) -> None:
    (root / "profiles/small.yaml").write_text("rollout:\n  turn: 1\n")
    with pytest.raises(MucodeError, match=r"small\.yaml: rollout\.turn is no parameter"):
        make_workspace("small", root)


def test_making_a_workspace_again_brings_it_up_to_date_and_keeps_the_results(root: Path) -> None:
    workspace = make_workspace("small", root)
    assert (workspace / "data/collected").is_dir()  # a stage reads it, empty or not
    (workspace / "data/problems.parquet").write_text("results")
    (workspace / "dvc.lock").write_text("locked")
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 4\n")
    assert make_workspace("small", root) == workspace
    assert load_config(workspace / "params.yaml").rollout.turns == 4
    assert (workspace / "data/problems.parquet").read_text() == "results"
    assert (workspace / "dvc.lock").read_text() == "locked"


def test_a_file_that_says_so_already_is_not_written_again(root: Path) -> None:
    workspace = make_workspace("small", root)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    make_workspace("small", root)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_stages_of_a_workspace_read_the_repository_s_code(root: Path) -> None:
    (root / "mucode/rollout.py").write_text("code")
    assert (make_workspace("small", root) / "mucode/rollout.py").read_text() == "code"


def test_a_size_shares_the_repository_s_cache_and_a_folder_elsewhere_has_its_own(root: Path, tmp_path: Path) -> None:
    shared = (make_workspace("small", root) / ".dvc/config").read_text()
    cache = shared.partition("dir = ")[2].strip()
    assert (root / "runs/small/.dvc" / cache).resolve() == (root / ".dvc/cache").resolve()
    assert "[cache]" not in (make_workspace("small", root, tmp_path / "elsewhere") / ".dvc/config").read_text()


def test_the_stages_of_a_workspace_are_the_repository_s(root: Path) -> None:
    workspace = make_workspace("small", root)
    assert yaml.safe_load((workspace / "dvc.yaml").read_text()) == yaml.safe_load((root / "dvc.yaml").read_text())
