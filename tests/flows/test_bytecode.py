"""What `make install` ends with: packages are imported once and stay compiled, whatever the environment says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.bytecode import import_all
from mucode.types import MucodeError


def test_what_is_imported_stays_compiled_even_where_python_is_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    import_all([("yaml",), ("json.tool", "mucode.seeds")], at_once=2)
    compiled = {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert {"loader", "tool", "seeds"} <= compiled


def test_a_package_that_cannot_be_imported_is_named_with_the_way_out() -> None:
    with pytest.raises(MucodeError, match=r"No module named 'nowhere'.*make install"):
        import_all([("json",), ("nowhere",)], at_once=1)
