"""What clients of a served model send, and which base model it stands on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mucode.types import MucodeError, Problem, Test


class Question(BaseModel):
    """A problem as a client states it."""

    text: str
    entry_point: str = ""
    public_tests: list[str] = []

    def problem(self) -> Problem:
        tests = tuple(Test(code) for code in self.public_tests)
        identifier = f"served/{self.entry_point}/{self.text}/{self.public_tests}"  # equal questions, equal ids
        return Problem(identifier, "served", "test", self.text, self.entry_point, tests)


class Request(Question):
    """What a served generator answers with a reply."""

    seed: int = 0


class Attempt(Question):
    """What a served verifier answers with a score."""

    program: str


def base_folder(config: Mapping[str, Any]) -> Path:
    """The base model's folder: `model_config={"base": FOLDER}` at loading, else the environment's MUCODE_BASE.

    Raises:
        MucodeError: neither is given.
    """
    base = config["base"] or os.environ.get("MUCODE_BASE")
    if not base:
        raise MucodeError("no base model is named: give model_config={'base': FOLDER} or set MUCODE_BASE")
    return Path(base)
