from __future__ import annotations

from pathlib import Path

import pytest

from mucode.dvc_settings import has_remote


@pytest.mark.parametrize("file", ["user/config", "here/.dvc/config", "here/.dvc/config.local"])
def test_a_default_remote_is_seen_wherever_dvc_reads_it_and_however_it_is_indented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "user"))
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("['remote \"team\"']\nurl = a\n  jobs = 3\n[core]\nanalytics = false\n")
    assert not has_remote(tmp_path / "here")
    with (tmp_path / file).open("a") as settings:
        settings.write("    remote = team # ours\n")
    assert has_remote(tmp_path / "here")
