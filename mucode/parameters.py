"""Writing parameter files: profiles laid over params.yaml, and the plan that follows from a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mucode.config import Method, Study, parse_sections
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


def with_plan(text: str) -> str:
    """A parameter file's text with its plan made anew; everything above it, comments included, stays.

    Raises:
        ValueError: no study, no methods, one that is not defined, or a plan that is not where it was written.
    """
    head = text.split(PLAN_TITLE, maxsplit=1)[0].rstrip("\n")
    values = load_yaml(head) or {}
    missing = {"study", "methods"} - set(values)
    if missing:
        raise ValueError(f"{min(missing)} is missing: add it")
    if "plan" in values:  # YAML would take the last of the two
        raise ValueError(
            "the comment above plan is gone, by which it is found: remove what begins with `plan:`, and run again"
        )
    if not isinstance(values["methods"], dict):
        raise ValueError("methods holds no blocks by name: restore it")
    study = Study.model_validate(values["study"])
    methods = {name: Method.model_validate(block) for name, block in values["methods"].items()}
    unknown = sorted(set(study.methods) - set(methods))
    if unknown:
        raise ValueError(f"study.methods names {unknown[0]!r}; methods defines {sorted(methods)}")
    return f"{head}\n\n{PLAN_TITLE}{dump_yaml({'plan': expand(study, methods)}, width=120)}"


def plan(params: Path = Path("params.yaml")) -> None:
    """Write the plan that follows from `study` into a parameter file, unless the stages would refuse the file.

    Args:
        params: the file to renew.
    """
    values = read_yaml(params)
    try:
        text = with_plan(params.read_text(encoding="utf-8"))
    except ValidationError:
        parse_sections({**values, "plan": {}}, params)  # refuses it in the stages' words
        raise
    except ValueError as error:
        raise MucodeError(f"{params}: {' '.join(str(error).split())}") from error
    parse_sections(load_yaml(text), params)
    with written_whole(params) as partial:
        partial.write_text(text, encoding="utf-8")
