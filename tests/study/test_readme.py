"""What README says of the study is what the page says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURE = re.compile(r"[+-]?\d+\.\d(?: %)? \[[^\]]+\]")  # "+4.7 [+0.8, +8.7]"


def figures(text: str) -> set[str]:
    """Also those whose interval has a column of its own."""
    return {found.replace(" %", "") for found in FIGURE.findall(" ".join(text.replace("|", " ").split()))}


def test_every_figure_of_the_study_in_readme_stands_on_the_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    own = figures(readme[readme.index("## Results") : readme.index("`make quickstart SIZE=full`, a 135M model")])
    assert len(own) > 30
    assert own - figures((ROOT / "docs/results.md").read_text(encoding="utf-8")) == set()
