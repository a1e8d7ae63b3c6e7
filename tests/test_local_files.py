from __future__ import annotations

import re
from pathlib import Path

import pytest

from mucode.config import load_config
from mucode.local_files import STUDY_MODEL
from mucode.types import MucodeError
from mucode.workspace import make_workspace, varied_workspace
from tests.repository import make_repository, with_study


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "root")


@pytest.fixture
def hub(root: Path) -> Path:
    return with_study(root)


def test_a_file_of_problems_is_the_same_one_wherever_a_size_or_a_varied_run_lies(root: Path, tmp_path: Path) -> None:
    own, other = root / "data/my.jsonl", tmp_path / "other.jsonl"
    said = f"{{mbpp: {{path: data/my.jsonl, sha256: {'a' * 64}}}, humaneval: {{path: {other}, sha256: {'b' * 64}}}}}"
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(re.sub(r"  files: \{\}", lambda found: f"  files: {said}", text))
    workspace = make_workspace("small", root)
    for folder in (workspace, make_workspace("small", root, tmp_path / "a/b/c"), varied_workspace(workspace, {})):
        files = load_config(folder / "params.yaml").problems.files
        assert ((folder / files["mbpp"].path).resolve(), files["humaneval"].path) == (own, str(other))


def test_a_local_model_is_the_same_one_wherever_a_size_or_a_varied_run_lies(root: Path, tmp_path: Path) -> None:
    text = (root / "params.yaml").read_text()
    for model in ("own/w.gguf", "models/w.gguf"):
        (root / model).parent.mkdir()
        (root / model).write_text("weights")
        said = f'  setting: "gguf:{model}#sha256={"a" * 64}"\n'
        (root / "params.yaml").write_text(re.sub(r"  setting: .*\n", said, text))
        workspace = make_workspace("small", root, tmp_path / model.partition("/")[0])
        for folder in (workspace, varied_workspace(workspace, {"study": {"seeds": [5]}})):
            kind, _, named = load_config(folder / "params.yaml").model.setting.partition(":")
            path, _, digest = named.partition("#sha256=")
            assert (kind, (folder / path).read_text(), digest) == ("gguf", "weights", "a" * 64)


def test_a_model_section_that_is_none_is_told_so_where_a_local_model_is_at_hand(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STUDY_MODEL, f"gguf:w.gguf#sha256={'a' * 64}")
    (hub / "profiles/study.yaml").write_text("model: random:tiny\n")
    with pytest.raises(MucodeError, match="model = 'random:tiny': it must be a block of names with values"):
        make_workspace("study", hub)


def test_the_digest_that_a_run_asked_for_may_be_appended_to_a_model_of_ones_own(root: Path) -> None:
    text = (root / "params.yaml").read_text()
    (root / "models").mkdir()
    (root / "models/w.gguf").write_text("weights")
    for digest in ("", f"#sha256={'a' * 64}"):
        (root / "params.yaml").write_text(
            re.sub(r"  setting: .*\n", f'  setting: "gguf:models/w.gguf{digest}"\n', text)
        )
        workspace = make_workspace("small", root)
    assert load_config(workspace / "params.yaml").model.setting.endswith("a" * 64)


def test_a_local_model_stands_for_the_hub_s_under_its_own_name_and_digest(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "weights.gguf"
    model.write_bytes(b"weights")
    monkeypatch.setenv(STUDY_MODEL, f"gguf:{model}#sha256={'a' * 64}")
    workspace = make_workspace("study", hub)
    assert load_config(workspace / "params.yaml").model.setting == f"gguf:models/weights.gguf#sha256={'a' * 64}"
    assert (workspace / "models/weights.gguf").read_bytes() == b"weights"
    assert str(tmp_path) not in (workspace / "params.yaml").read_text()


@pytest.mark.parametrize(("size", "setting"), [("study+scripted", "random:tiny"), ("other", "hub:other/model@0")])
def test_a_local_model_stands_for_no_model_but_the_study_s(
    hub: Path, size: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hub / "profiles/scripted.yaml").write_text("model:\n  setting: random:tiny\n")
    (hub / "profiles/other.yaml").write_text("model:\n  setting: hub:other/model@0\n")
    monkeypatch.setenv(STUDY_MODEL, f"dir:/some/where#sha256={'a' * 64}")
    assert load_config(make_workspace(size, hub) / "params.yaml").model.setting == setting


def test_a_workspace_does_not_change_its_model_behind_one_s_back(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STUDY_MODEL, f"gguf:/some/where/weights.gguf#sha256={'a' * 64}")
    text = (make_workspace("study", hub) / "params.yaml").read_text()
    monkeypatch.delenv(STUDY_MODEL)
    with pytest.raises(MucodeError, match=f"begun with gguf:models/weights.gguf.*name that one in {STUDY_MODEL}"):
        make_workspace("study", hub)
    assert (hub / "runs/study/params.yaml").read_text() == text


@pytest.mark.parametrize("named", ["gguf:/w.gguf", "hub:some/model@0", "/w.gguf#sha256=0", "gguf:#sha256=0"])
def test_a_local_model_without_kind_path_or_digest_is_refused(
    hub: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STUDY_MODEL, named)
    with pytest.raises(MucodeError, match=r"is neither gguf:PATH#sha256=\.\.\. nor dir:PATH#sha256=\.\.\.: correct it"):
        make_workspace("study", hub)
