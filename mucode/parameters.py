"""Writing parameter files: profiles laid over params.yaml, and the plan that follows from a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mucode.config import parse_sections
from mucode.plan import expand
from mucode.records import written_whole
from mucode.types import MucodeError
from mucode.yaml_files import dump_yaml, load_yaml, read_yaml

PLAN_TITLE = "# What follows is written by `mucode plan` from study: the instances behind dvc.yaml's foreach.\n"


def overlaid(base: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    """`profile` over `base`, section by section; lists are replaced whole."""
    merged = dict(base)
    for key, value in profile.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = overlaid(base[key], value) if both else value
    return merged


def with_plan(text: str, path: Path) -> str:
    """A parameter file's text with its plan made anew; everything above it, comments included, stays.

    Args:
        text: what the file holds, or is to hold.
        path: the file, or whichever is to blame for what is wrong with it.

    Raises:
        MucodeError: the stages would refuse the file, or its plan is not where it was written.
    """
    head = text.split(PLAN_TITLE, maxsplit=1)[0].rstrip("\n")
    values = load_yaml(head) or {}
    if "plan" in values:  # YAML would take the last of the two
        raise MucodeError(
            f"{path}: the comment above plan is gone, by which it is found: remove what begins with `plan:`, and run again"
        )
    config = parse_sections({**values, "plan": {}}, path)
    return f"{head}\n\n{PLAN_TITLE}{dump_yaml({'plan': expand(config.study, config.methods)}, width=120)}"


def plan(params: Path = Path("params.yaml")) -> None:
    """Write the plan that follows from `study` into a parameter file, unless the stages would refuse the file.

    Args:
        params: the file to renew.
    """
    read_yaml(params)  # refuses what is no YAML
    text = with_plan(params.read_text(encoding="utf-8"), params)
    with written_whole(params) as partial:
        partial.write_text(text, encoding="utf-8")
