from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flows.commands import run_visibly
from flows.progress import Bar, last_bar

DRAW = """
import sys
from tqdm import tqdm
with tqdm(total=8, desc="score programs", unit="program", mininterval=0) as bar:
    for _ in range(6):
        bar.update()
    sys.stderr.write("\\nmucode: a line between\\n")
"""


def test_what_tqdm_draws_in_a_stage_is_read_as_it_comes(tmp_path: Path) -> None:
    seen: list[Bar] = []

    def read(chunk: bytes) -> None:
        if bar := last_bar(chunk.decode()):
            seen.append(bar)

    assert run_visibly([sys.executable, "-c", DRAW], tmp_path, tmp_path / "x.log", read).returncode == 0
    assert (seen[-1].title, seen[-1].percent) == ("score programs", 75.0)
    assert seen[-1].rest.startswith("6/8, ")


@pytest.mark.parametrize("text", ["", "Running stage 'label':", "generate:  12%|", "a | table: 3 | 4/5 [x]"])
def test_what_is_no_bar_is_no_progress(text: str) -> None:
    assert last_bar(text) is None


def test_the_newest_bar_counts() -> None:
    text = "\rgenerate:  50%|#####     | 1/2 [00:01<00:01,  1.00reply/s]\rgenerate: 100%|####| 2/2 [00:02<00:00]"
    assert last_bar(text) == Bar("generate", 100.0, "2/2, 00:02<00:00")
