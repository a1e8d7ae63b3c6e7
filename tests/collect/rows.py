"""Rows for the drop folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NEW: dict[str, Any] = {
    "task_id": 1,
    "text": "Write a function weigh(a, b) that gives nine times the apples plus the square of the bananas, minus four.",
    "code": "def weigh(a, b):\n    return 9 * a + b ** 2 - 4",
    "test_list": ["assert weigh(1, 2) == 9", "assert weigh(0, 0) == -4", "assert weigh(2, 3) == 23"],
}


def row(name: str) -> dict[str, Any]:
    """A sound problem unlike any other: its text and its program are about `name` alone."""
    code = f"def {name}(x):\n    return '{name}' * 3 + str(x) + '{name[::-1]}'"
    tests = [f"assert {name}({n}) == {f'{name * 3}{n}{name[::-1]}'!r}" for n in (1, 2)]
    return {"task_id": name, "text": f"Dress {name} with {name}isms and {name}ology.", "code": code, "test_list": tests}


def drop(folder: Path, name: str, *rows: object) -> Path:
    """Write a file of rows; what is text already goes in as a line of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder / name
