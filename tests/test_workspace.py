from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mucode.config import load_config
from mucode.dvc_settings import settings_in
from mucode.plan import expand
from mucode.types import MucodeError
from mucode.workspace import (
    DEFAULT,
    MADE,
    alone_in,
    is_at_work,
    layers,
    make_workspace,
    place_of,
    renew_workspace,
    sizes,
    varied_workspace,
)
from mucode.yaml_files import load_yaml
from tests.repository import REPOSITORY, make_repository, with_study


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "root")


def test_every_profile_of_the_repository_makes_a_workspace_with_valid_parameters(tmp_path: Path) -> None:
    for size in sizes(REPOSITORY):
        workspace = make_workspace(size, REPOSITORY, tmp_path / size)
        load_config(workspace / "params.yaml")


@pytest.mark.parametrize("size", ["mbpp-1b", "mbpp-8b"])
def test_the_papers_sizes_hold_the_papers_hyperparameters(size: str, tmp_path: Path) -> None:
    config = load_config(make_workspace(size, REPOSITORY, tmp_path / size) / "params.yaml")
    verifier, generator, rollout, search = config.verifier, config.fine_tune, config.rollout, config.search
    assert (verifier.learning_rate, verifier.epochs, verifier.batch_size, verifier.max_tokens) == (1e-6, 2, 64, 2048)
    assert (verifier.loss, verifier.pairs_per_problem, verifier.score_penalty) == ("bradley_terry", 32, 1e-3)
    assert (generator.learning_rate, generator.epochs, generator.batch_size, generator.max_tokens) == (
        5e-7,
        2,
        32,
        4096,
    )
    for training in (verifier, generator):  # full fine-tuning, AdamW, linear, no warm-up
        assert (training.lora_rank, training.warmup_steps, training.schedule) == (0, 0, "linear")
        assert (training.adam_epsilon, training.weight_decay) == (1e-5, 0.0)
    assert (rollout.turns, rollout.rollouts, rollout.temperature, rollout.top_p) == (3, 15, 0.7, 1.0)
    assert (rollout.max_new_tokens, search.max_new_tokens) == (1000, 1000)
    assert (search.candidates, search.turns, search.searches, search.temperature) == (5, 3, 10, 0.7)
    assert (config.study.iterations, config.study.final_verifier) == (2, True)
    mucode = config.methods["mucode"]
    assert (mucode.beta_oracle, mucode.beta_learned, mucode.require_correct) == (1.0, 0.1, False)
    assert [each.name for each in config.problems.benchmarks] == ["mbpp/test", "humaneval/test"]


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


def test_a_varied_run_has_the_collected_problems_and_what_dvc_knows_of_them(root: Path) -> None:
    (root / "data/collected").mkdir(parents=True)
    for name, content in {"problems.jsonl": b"{}\r\n", "problems.jsonl.dvc": b"outs: []\n"}.items():
        (root / "data/collected" / name).write_bytes(content)
    folder = varied_workspace(root, {"study": {"seeds": [5]}})
    assert (folder / "data/collected/problems.jsonl").read_bytes() == b"{}\r\n"
    assert (folder / "data/collected/problems.jsonl.dvc").read_bytes() == b"outs: []\n"


def test_an_unknown_size_is_refused_with_the_ones_there_are(root: Path) -> None:
    with pytest.raises(MucodeError, match="no size 'smal': choose one of default, small"):
        make_workspace("smal", root)


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ("rollout: {turn: 1}", "rollout.turn is no parameter: correct its name or remove it"),
        ("study: {seed: [1]}", "study.seed is no parameter: correct its name or remove it"),
        ("study: {seeds: [-1]}", "study.seeds.0 = -1: input should be greater than or equal to 0"),
        ("study: {seeds: 3}", "study.seeds = 3: it must be a list"),
        ("study: {seeds: [0, 1, 0]}", "study.seeds: names 0 twice: leave one out"),
        ("study: {methods: [star, star]}", "study.methods: names 'star' twice: leave one out"),
        ("methods: {star-2: {top: 1}}", "methods.star-2.[key] = 'star-2': letters, digits and underscores only"),
        ("search: {selectors: [pt, lv, pt]}", "search.selectors: names 'pt' twice: leave one out"),
        ("study: {methods: []}", "study.methods = []: it must hold at least one entry"),
        ("study:", "study = None: it must be a block of names with values"),
        ("methods: {mine: {top: 1}}", "methods.mine.trains is missing: add it (there are no defaults)"),
        ("methods: {mucode: {top: -1}}", "methods.mucode.top = -1: input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_in_a_profile_is_refused_by_name_in_one_sentence(root: Path, profile: str, sentence: str) -> None:
    (root / "profiles/small.yaml").write_text(profile)
    with pytest.raises(MucodeError) as refused:
        make_workspace("small", root)
    assert str(refused.value) == f"{root}/profiles/small.yaml: {sentence}"


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


def test_what_a_person_has_set_for_dvc_in_a_workspace_stays_when_it_is_brought_up_to_date(root: Path) -> None:
    config = make_workspace("small", root) / ".dvc/config"
    made = config.read_text()
    with_remote = made.replace("[core]\n", "[core]\n    remote = mine\n")
    config.write_text(f"{with_remote}['remote \"mine\"']\n    url = ../a #1\n")
    make_workspace("small", root)
    said = settings_in(config, comments=True)
    assert (said["core"]["remote"], said["'remote \"mine\"'"]["url"]) == ("mine", "../a #1")
    assert (said["core"]["no_scm"], said["cache"]["dir"]) == ("true", "../../../.dvc/cache")
    config.write_text(config.read_text().replace("no_scm = true", "no_scm = false").replace("/cache", "/own"))
    make_workspace("small", root)
    assert settings_in(config)["core"]["no_scm"] == "true"
    assert settings_in(config)["cache"]["dir"] == "../../../.dvc/cache"
    config.write_text("no section\n")
    with pytest.raises(MucodeError, match=r"\.dvc/config is no configuration of DVC .*: correct it, or delete it"):
        make_workspace("small", root)


def test_a_file_that_says_so_already_is_not_written_again(root: Path) -> None:
    workspace = make_workspace("small", root)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    make_workspace("small", root)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_repository_itself_and_another_clone_are_no_folder_for_a_size(root: Path, tmp_path: Path) -> None:
    (root / ".dvc/config").write_text("['remote \"team\"']\n    url = ../shelf\n")
    clone = tmp_path / "clone"
    shutil.copytree(root, clone)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for size, folder in (("small", root), ("small", clone), (DEFAULT, root)):
        with pytest.raises(MucodeError, match=r"holds params\.yaml and was not made for the size .*: name an empty"):
            make_workspace(size, root, folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["dvc.yaml", ".dvc/config", ".dvcignore", "data/reports/mine.txt"])
def test_a_folder_of_something_else_is_none_for_a_size(root: Path, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(MucodeError, match=f"holds {name.partition('/')[0]} and was not made for the size small"):
        make_workspace("small", root, tmp_path / "theirs")
    assert theirs.read_text() == "theirs"


def test_a_folder_holds_one_size_and_is_brought_up_to_date_for_that_one_only(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    (root / "profiles/other.yaml").write_text("rollout:\n  turns: 3\n")
    make_workspace("small", root, folder)
    with pytest.raises(MucodeError, match=r"holds params\.yaml and was not made for the size other"):
        make_workspace("other", root, folder)
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 4\n")
    assert load_config(make_workspace("small", root, folder) / "params.yaml").rollout.turns == 4


def test_a_start_that_was_killed_at_its_beginning_is_begun_anew(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/.mucode").mkdir(parents=True)
    (tmp_path / "elsewhere/models").mkdir()
    assert (make_workspace("small", root, tmp_path / "elsewhere") / "params.yaml").exists()


def test_a_workspace_is_brought_up_to_date_by_the_clone_whose_code_it_runs(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace("small", root)
    shutil.copytree(root, tmp_path / "clone", ignore=shutil.ignore_patterns("runs"))
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    with pytest.raises(MucodeError, match=f"runs the code of {root}: give the command there"):
        make_workspace("small", tmp_path / "clone", workspace)
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before


def test_nothing_is_written_to_find_out_where_a_size_runs(root: Path) -> None:
    assert (place_of("small", root), place_of(DEFAULT, root)) == (root / "runs/small", root)
    with pytest.raises(MucodeError, match="no size 'smal'"):
        place_of("smal", root)
    assert not (root / "runs").exists()


def test_what_a_run_is_at_work_with_stays_as_the_run_has_found_it(root: Path) -> None:
    workspace = make_workspace("small", root)
    varied = varied_workspace(workspace, {"study": {"seeds": [5]}})
    before = {path: path.read_bytes() for path in workspace.rglob("*.yaml")}
    (root / "profiles/small.yaml").write_text("rollout:\n  turns: 4\n")
    with alone_in(workspace), alone_in(varied):
        assert is_at_work(workspace)
        with pytest.raises(MucodeError, match="runs/small is at work in another run: wait for it"):
            make_workspace("small", root)
        with pytest.raises(MucodeError, match="is at work in another run"):
            varied_workspace(workspace, {"study": {"seeds": [5]}})
        assert {path: path.read_bytes() for path in workspace.rglob("*.yaml")} == before
    assert not is_at_work(workspace)
    assert load_config(make_workspace("small", root) / "params.yaml").rollout.turns == 4


def test_stages_of_a_workspace_read_the_repository_s_code(root: Path) -> None:
    (root / "mucode/rollout.py").write_text("code")
    assert (make_workspace("small", root) / "mucode/rollout.py").read_text() == "code"


def test_a_size_shares_the_repository_s_cache_and_a_folder_elsewhere_has_its_own(root: Path, tmp_path: Path) -> None:
    shared = (make_workspace("small", root) / ".dvc/config").read_text()
    cache = shared.partition("dir = ")[2].strip()
    assert (root / "runs/small/.dvc" / cache).resolve() == (root / ".dvc/cache").resolve()
    assert "[cache]" not in (make_workspace("small", root, tmp_path / "elsewhere") / ".dvc/config").read_text()


def test_a_cache_that_was_moved_is_the_one_that_a_size_shares(root: Path, tmp_path: Path) -> None:
    (root / ".dvc/config").write_text(f"[cache]\n    dir = {tmp_path}/moved\n")
    workspace = make_workspace("small", root)
    cache = (workspace / ".dvc/config").read_text().partition("dir = ")[2].strip()
    assert (workspace / ".dvc" / cache).resolve() == tmp_path / "moved"


def test_what_is_said_of_a_cache_holds_in_a_size_too(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc/config").write_text('[cache]\n    dir = "own" # of all repositories\n')
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "dvc"))
    (root / ".dvc/config").write_text(
        '[cache]\n    shared = group\n    type = "reflink,hardlink"\n[core]\n    remote = x\n'
    )
    made = (make_workspace("small", root) / ".dvc/config").read_text()
    assert made.endswith('[cache]\n    dir = ../../../../dvc/own\n    shared = group\n    type = "reflink,hardlink"\n')
    (root / ".dvc/config.local").write_text("[cache]\n    dir = '../moved'\n")
    cache = (make_workspace("small", root) / ".dvc/config").read_text().partition("dir = ")[2].partition("\n")[0]
    assert (root / "runs/small/.dvc" / cache).resolve() == root / "moved"


def test_the_stages_of_a_workspace_are_the_repository_s(root: Path) -> None:
    workspace = make_workspace("small", root)
    assert load_yaml((workspace / "dvc.yaml").read_text()) == load_yaml((root / "dvc.yaml").read_text())


@pytest.fixture
def hub(root: Path) -> Path:
    return with_study(root)


def test_profiles_are_laid_over_each_other_in_the_order_of_the_size_s_name(hub: Path) -> None:
    assert [path.relative_to(hub / "profiles").as_posix() for path in layers("study/part+small", hub)] == [
        "study.yaml",
        "study/part.yaml",
        "small.yaml",
    ]
    config = load_config(make_workspace("study/part+small", hub) / "params.yaml")
    assert (config.rollout.rollouts, config.rollout.turns, config.model.setting) == (7, 1, "hub:some/model@0")


def test_the_workspaces_of_layered_sizes_lie_side_by_side_and_share_the_cache(hub: Path) -> None:
    workspace = make_workspace("study/part", hub)
    assert workspace == hub / "runs/study-part"
    cache = (workspace / ".dvc/config").read_text().partition("dir = ")[2].strip()
    assert (workspace / ".dvc" / cache).resolve() == (hub / ".dvc/cache").resolve()


@pytest.mark.parametrize("size", ["study/prt", "study+smal", "default/part", "small/", ""])
def test_a_size_of_an_unknown_part_is_refused(hub: Path, size: str) -> None:
    with pytest.raises(
        MucodeError, match=re.escape(f"no size {size!r}: choose one of default, small, study, study/part")
    ):
        make_workspace(size, hub)


def test_a_test_set_that_no_problems_are_loaded_for_is_refused(hub: Path) -> None:
    (hub / "profiles/study/part.yaml").write_text("search:\n  benchmarks: [mbpp/test]\n")
    with pytest.raises(
        MucodeError, match=r"search.benchmarks names 'mbpp/test'; problems.benchmarks has \['starter/test'\]"
    ):
        make_workspace("study/part", hub)


def edit_profile(root: Path, turns: int) -> None:
    (root / "profiles/small.yaml").write_text(f"rollout:\n  turns: {turns}\n")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_before_a_run_a_workspace_is_made_of_the_profile_and_the_stages_as_they_are_now(
    root: Path, tmp_path: Path, elsewhere: bool
) -> None:
    workspace = make_workspace("small", root, tmp_path / "elsewhere" if elsewhere else None)
    (workspace / "dvc.lock").write_text("locked")
    settings = (workspace / ".dvc/config").read_text()
    edit_profile(root, turns=4)
    with (root / "dvc.yaml").open("a") as stages:
        stages.write("# another\n")
    assert renew_workspace(workspace) == ""
    assert load_config(workspace / "params.yaml").rollout.turns == 4
    assert (workspace / "dvc.yaml").read_bytes() == (root / "dvc.yaml").read_bytes()
    assert (workspace / "dvc.lock").read_text() == "locked"
    assert (workspace / ".dvc/config").read_text() == settings
    edit_profile(root, turns=5)
    assert renew_workspace(workspace) == ""  # again and again
    assert load_config(workspace / "params.yaml").rollout.turns == 5


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_what_was_edited_in_a_workspace_stays_before_a_run_and_is_named(root: Path, name: str) -> None:
    workspace = make_workspace("small", root)
    made = (workspace / name).read_text()
    (workspace / name).write_text(f"# mine\n{made}")
    edit_profile(root, turns=4)
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    said = renew_workspace(workspace)
    assert said.startswith(f"{workspace / name} was edited there")
    assert "`mucode workspace --size small` makes it anew" in said
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before
    (workspace / name).write_text(made)  # taken back
    assert renew_workspace(workspace) == ""
    assert load_config(workspace / "params.yaml").rollout.turns == 4


def test_a_start_that_was_killed_before_it_noted_what_it_had_made_has_edited_nothing(root: Path) -> None:
    workspace = make_workspace("small", root)
    noted = (workspace / MADE).read_bytes()
    edit_profile(root, turns=4)
    make_workspace("small", root)
    (workspace / MADE).write_bytes(noted)
    assert renew_workspace(workspace) == ""
    edit_profile(root, turns=5)
    assert renew_workspace(workspace) == ""
    assert load_config(workspace / "params.yaml").rollout.turns == 5


def test_before_a_run_no_other_folder_is_touched(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace("small", root)
    varied = varied_workspace(workspace, {"study": {"seeds": [5]}})
    old = make_workspace("small", root, tmp_path / "old")
    (old / MADE).unlink()  # as an older version made it
    copy = root / "runs/copy"
    shutil.copytree(workspace, copy, symlinks=True)
    piece = make_workspace("study/part", with_study(root))
    edit_profile(root, turns=4)
    (root / "profiles/study.yaml").write_text("rollout:\n  turns: 4\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with alone_in(workspace):
        assert [renew_workspace(each) for each in (root, workspace, varied, old, copy, piece)] == [""] * 6
    assert {path: path.read_bytes() for path in before} == before
    assert renew_workspace(workspace) == ""
    assert (workspace / "params.yaml").read_bytes() != before[workspace / "params.yaml"]


def test_before_a_run_a_wrong_profile_is_refused_and_the_workspace_stays_as_it_was(root: Path) -> None:
    workspace = make_workspace("small", root)
    before = (workspace / "params.yaml").read_bytes()
    (root / "profiles/small.yaml").write_text("rollout:\n  turn: 1\n")
    with pytest.raises(MucodeError, match=r"small\.yaml: rollout\.turn is no parameter"):
        renew_workspace(workspace)
    assert (workspace / "params.yaml").read_bytes() == before
