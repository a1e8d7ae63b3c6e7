"""The documents name what is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMED = re.compile(r"`((?:mucode|flows|benchmarks|tests)/[\w/]+\.py):(\w+)")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_function_that_a_document_names_exists(document: Path) -> None:
    named = NAMED.findall(document.read_text())
    assert [f"{path}:{name}" for path, name in named if name not in names_in(ROOT / path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_links_to_is_there(document: Path) -> None:
    linked = LINKED.findall(document.read_text())
    assert [target for target in linked if not (document.parent / target).exists()] == []
