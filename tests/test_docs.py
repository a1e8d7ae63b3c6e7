"""The documents name what is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from mucode.config import parse_config
from mucode.parameters import overlaid
from mucode.yaml_files import load_yaml, read_yaml

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(ROOT / name / "README.md" for name in ("data", "mlflow", "mucode/problems/starter")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMED = re.compile(r"`((?:mucode|flows|benchmarks|tests)/[\w/]+\.py):(\w+)")
LINKED = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def called(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def names_in(path: Path) -> set[str]:
    """What a module defines at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.AnnAssign(target=ast.Name(name)):
                found.add(name)
            case ast.Assign(targets=targets):
                found.update(each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
    return found


def anchors_of(path: Path) -> set[str]:
    """What GitHub calls the headings of a document."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(path.read_text())}


@pytest.mark.parametrize("document", DOCUMENTS, ids=called)
def test_every_function_that_a_document_names_exists(document: Path) -> None:
    named = NAMED.findall(document.read_text())
    assert [f"{path}:{name}" for path, name in named if name not in names_in(ROOT / path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=called)
def test_every_file_that_a_document_links_to_is_there(document: Path) -> None:
    linked = LINKED.findall(document.read_text())
    assert [target for target, _ in linked if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=called)
def test_every_heading_that_a_document_links_to_is_there(document: Path) -> None:
    linked = [(target, anchor) for target, anchor in LINKED.findall(document.read_text()) if anchor]
    files = [(document.parent / target if target else document, anchor) for target, anchor in linked]
    assert [(file.name, anchor) for file, anchor in files if anchor not in anchors_of(file)] == []


def test_the_profile_that_operations_shows_is_one_and_measures_on_the_problems_that_it_brings() -> None:
    shown = (ROOT / "docs/operations.md").read_text().partition("`profiles/mine.yaml`")[2].split("```")[1]
    shown = shown.replace("...", "ab" * 32)  # the digest
    params = ROOT / "params.yaml"
    problems = parse_config(overlaid(read_yaml(params), load_yaml(shown)), params).problems
    assert [(each.source, each.limit) for each in problems.benchmarks] == [(problems.source, 0)]
    assert set(problems.files) == {problems.source}
