"""The results as Markdown, for the terminal and the README."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.report import comparisons, headline
from mucode.report.results import Row
from mucode.report.sources import Material


def markdown(material: Material, tables: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """The tables, aligned so that they also read well in a terminal."""
    parts = [f"**{headline.CLAIMS_NOTHING}**\n"] if headline.claims_nothing(material) else []
    for benchmark, rows in tables:
        if not rows:
            parts.append(f"{benchmark} holds no problem.\n")
            continue
        parts.append(aligned([headline.HEAD, *(headline.cells(row) for row in rows)]))
        parts.append(_plain(headline.caption(material, benchmark, rows)) + "\n")
        if lines := headline.seed_by_seed(material, rows):
            parts.append(aligned(lines))
            parts.append(_plain(headline.SEEDS) + "\n")
        if compared := comparisons.main_comparisons(material, benchmark):
            parts.append(aligned([comparisons.HEAD, *(comparisons.cells(one) for one in compared)]))
            parts.append(_plain(f"{benchmark}, methods compared. {comparisons.caption(material)}") + "\n")
    return "\n".join(parts)


def aligned(lines: Sequence[tuple[str, ...]], labels: int = 2) -> str:
    """A Markdown table of a head and rows; the first `labels` columns are text, the others numbers."""
    cells = [tuple(_plain(cell) for cell in line) for line in lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    rows = ["| " + " | ".join(_padded(line, widths, labels)) + " |" for line in cells]
    rule = "|".join("-" * (width + 2) if at < labels else "-" * (width + 1) + ":" for at, width in enumerate(widths))
    return "\n".join([rows[0], f"|{rule}|", *rows[1:]]) + "\n"


def _padded(cells: Sequence[str], widths: Sequence[int], labels: int) -> list[str]:
    both = zip(cells, widths, strict=True)
    return [cell.ljust(width) if at < labels else cell.rjust(width) for at, (cell, width) in enumerate(both)]


def _plain(text: str) -> str:
    return text.replace("\u2212", "-").replace("\u00a0", " ")
