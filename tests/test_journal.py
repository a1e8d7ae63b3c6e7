"""What a killed run leaves behind, and what the next one makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mucode.journal import journal_beside
from mucode.types import MucodeError


def entries(path: Path, inputs: str = "inputs") -> list[object]:
    with journal_beside(path, inputs) as journal:
        return list(journal.entries())


def begun(path: Path, count: int = 3) -> Path:
    with journal_beside(path, "inputs") as journal:
        journal.append([{"n": n} for n in range(count)])
    return journal.path


def test_entries_are_kept_for_the_next_run(tmp_path: Path) -> None:
    begun(tmp_path / "l.jsonl")
    with journal_beside(tmp_path / "l.jsonl", "inputs") as journal:
        assert journal.done == 3
        journal.append([{"n": 3}])
        assert journal.done == 4
        assert list(journal.entries()) == [{"n": n} for n in range(4)]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_half_written_entry_is_forgotten(tmp_path: Path, cut: int) -> None:
    journal = begun(tmp_path / "l.jsonl")
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert entries(tmp_path / "l.jsonl") == [{"n": 0}, {"n": 1}]


def test_a_half_written_first_line_is_begun_anew(tmp_path: Path) -> None:
    journal = begun(tmp_path / "l.jsonl")
    journal.write_bytes(journal.read_bytes()[:4])
    assert entries(tmp_path / "l.jsonl") == []


def test_the_journal_of_other_inputs_is_not_continued(tmp_path: Path) -> None:
    begun(tmp_path / "l.jsonl")
    assert entries(tmp_path / "l.jsonl", "other inputs") == []
    assert entries(tmp_path / "l.jsonl", "inputs") == []


def test_a_long_journal_is_not_read_byte_by_byte(tmp_path: Path) -> None:
    def reads() -> int:
        return int(Path("/proc/self/io").read_text().partition("syscr: ")[2].split()[0])

    begun(tmp_path / "l.jsonl", count=2000)
    before = reads()
    assert len(entries(tmp_path / "l.jsonl")) == 2000
    assert reads() - before < 100


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with journal_beside(tmp_path / "l.jsonl", "inputs"), pytest.raises(MucodeError, match="another run is writing"):
        entries(tmp_path / "l.jsonl")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MucodeError, match="cannot be written"):
        entries(tmp_path / "file" / "l.jsonl")
