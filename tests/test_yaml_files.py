from __future__ import annotations

from pathlib import Path

import pytest

from mucode.types import MucodeError
from mucode.yaml_files import load_yaml, read_yaml


def test_a_file_that_is_not_utf_8_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"# caf\xe9\na: 1\n")
    with pytest.raises(MucodeError, match=r"params\.yaml is not UTF-8 \(byte 5\): write it as UTF-8"):
        read_yaml(tmp_path / "params.yaml")


def test_a_key_that_is_there_twice_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("rollout:\n  turns: 2\n  rollouts: 3\n  turns: 3\n")
    with pytest.raises(MucodeError, match=r"params\.yaml is not YAML: the key turns is there twice in .* line 4"):
        read_yaml(tmp_path / "params.yaml")


def test_a_key_of_a_mapping_s_own_beside_the_one_that_it_merges_is_no_repetition() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, x: 3}\nd: {1: one, '1': text}\n"
    assert load_yaml(text) == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}, "d": {1: "one", "1": "text"}}


def test_a_file_that_is_no_yaml_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(MucodeError, match="is not YAML"):
        read_yaml(tmp_path / "params.yaml")
