"""What the Hub's client says while it is asked."""

from __future__ import annotations

import logging

import pytest
from huggingface_hub.utils import logging as client

from mucode.collect.hub import patient


def test_of_all_that_the_client_says_the_first_retry_is_told_and_afterwards_it_speaks_as_before(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    speaker = client.get_logger("huggingface_hub.utils._http")
    with patient():
        for attempt in (1, 2):
            speaker.warning("'[Errno -2]' thrown while requesting HEAD https://hub/x")
            speaker.warning("Retrying in 1s [Retry %d/5].", attempt)
    assert caplog.messages == ["the Hub does not answer: trying again, for up to a minute"]
    assert capfd.readouterr().err == ""
    speaker.warning("something else")
    assert caplog.messages[1:] == ["something else"]
