"""What docs/ tells to type, typed: it brings back what a remote has, and frees no space that a size still needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mucode.lineage import Git, commit_run
from mucode.workspace import make_workspace
from tests.flows.conftest import DVC_YAML, make_toy

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parent.parent.parent


def typed(commands: str, folder: Path) -> None:
    """Run the lines in a shell that finds `mucode` and `dvc`; the first that fails ends them."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-e", "-c", commands], cwd=folder, env=env, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with the toy's stages and a piece of the study."""
    root = make_toy(tmp_path / "root")
    for name in ("params.yaml", ".dvcignore", ".dvc/.gitignore", "profiles/tiny.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    (root / "profiles/tiny.yaml").rename(root / "profiles/study.yaml")
    (root / "profiles/study").mkdir()
    (root / "profiles/study/main.yaml").write_text("rollout:\n  turns: 2\n")
    (root / "dvc.yaml").write_text(DVC_YAML.replace("SLOW", "true").replace("GATE", "echo ok > data/gate"))
    (root / "mucode").symlink_to(REPOSITORY / "mucode")
    return root


def test_a_piece_of_the_study_comes_back_from_the_remote_into_a_clone(root: Path, tmp_path: Path) -> None:
    lost = make_toy(tmp_path / "lost")
    typed(f"dvc repro -q; dvc remote add -q -d study {tmp_path}/shelf; dvc push -q", lost)
    (root / "docs/study/main").mkdir(parents=True)
    shutil.copy(lost / "dvc.lock", root / "docs/study/main/dvc.lock")
    text = (REPOSITORY / "docs/study.md").read_text(encoding="utf-8")
    _, _, recipe = text.partition("Elsewhere, in a clone")
    commands = recipe.split("```")[1].strip()
    typed(commands.replace("s3://bucket/study", str(tmp_path / "shelf")), root)
    assert (root / "runs/study-main/data/reports/report.html").read_text() == "page\n"


def test_a_run_is_taken_over_where_it_happened_with_the_files_that_are_new_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("LC_ALL", "C")
    root = make_toy(tmp_path / "root")
    (root / "dvc.lock").write_text("stages: {}\n")
    (root / "profiles").mkdir()
    (root / "profiles/full.yaml").touch()
    (root / ".gitignore").write_text(".mucode/\n")
    typed("git init -q; git add -A; git -c user.name=x -c user.email=x@x commit -qm first", root)
    of_the_run = {
        "dvc.lock": "stages: {prepare: {}}\n",
        "params.yaml": "n: 2\n",
        "profiles/mine.yaml": "n: 3\n",
        "data/collected/problems.jsonl.dvc": "outs: []\n",
    }
    for name, text in of_the_run.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    made = commit_run(root, "run/2026-11-26-weekly", Git(root))
    refused = subprocess.run(["git", "merge", made.name], cwd=root, capture_output=True, text=True, check=False)
    changed, _, untracked = refused.stderr.partition("untracked working tree files")
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    commands = text.partition("To take a run over")[2].split("```")[1].strip().replace("run/DATE-NAME", made.name)
    for word, said in {"CHANGED": changed, "UNTRACKED": untracked}.items():
        commands = commands.replace(word, " ".join(re.findall(r"^\t(\S+)$", said, re.MULTILINE)))
    typed(commands, root)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert {name: (root / name).read_text() for name in of_the_run} == of_the_run


def test_freeing_space_leaves_what_the_repository_and_its_sizes_use(root: Path) -> None:
    workspace = make_workspace("study/main", root)
    for folder in (root, workspace):
        (folder / "mine").write_text(f"{folder.name}\n")
        typed("echo old > old; dvc add -q mine old; rm old.dvc", folder)
    worktree = root.parent / "worktree"  # as docs/study.md has it: the workspace's code is another commit's
    (worktree / "runs").mkdir(parents=True)
    (worktree / ".dvc").symlink_to(root / ".dvc")
    workspace.rename(worktree / "runs/study-main")
    workspace.symlink_to(worktree / "runs/study-main")
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    [command] = re.findall(r"`(dvc gc --workspace --projects [^`]+)`", text)
    typed(f"{command} --force", root)
    cached = {file.read_text() for file in (root / ".dvc/cache/files").rglob("*") if file.is_file()}
    assert cached == {"root\n", "study-main\n"}
