"""Writing parameter files: profiles laid over params.yaml, and the plan that follows from a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mucode.config import Study, read_yaml
from mucode.plan import expand
from mucode.records import written_whole

PLAN_TITLE = "# What follows is written by `mucode plan` from study: the instances behind dvc.yaml's foreach.\n"


def overlaid(base: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    """`profile` over `base`, section by section; lists are replaced whole."""
    merged = dict(base)
    for key, value in profile.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = overlaid(base[key], value) if both else value
    return merged


def with_plan(text: str) -> str:
    """A parameter file's text with its plan made anew; everything above it, comments included, stays."""
    head = text.split(PLAN_TITLE, maxsplit=1)[0].rstrip("\n")
    study = Study.model_validate(yaml.safe_load(head)["study"])
    return f"{head}\n\n{PLAN_TITLE}{yaml.safe_dump({'plan': expand(study)}, sort_keys=False, width=120)}"


def plan(params: Path = Path("params.yaml")) -> None:
    """Write the plan that follows from `study` into a parameter file.

    Args:
        params: the file to renew.
    """
    read_yaml(params)
    text = with_plan(params.read_text())
    with written_whole(params) as partial:
        partial.write_text(text)


def profiled(base: Path, profile: Path) -> str:
    """The text of the parameter file that `profile` over `base` gives, its plan included."""
    merged = overlaid(read_yaml(base), read_yaml(profile))
    merged.pop("plan", None)
    title = f"# {base.name} with profiles/{profile.name} over it; made by `mucode workspace`.\n\n"
    return with_plan(title + yaml.safe_dump(merged, sort_keys=False, width=120))
