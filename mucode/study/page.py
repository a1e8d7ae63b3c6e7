"""docs/results.md, results.html, results.json and the figures: made from the pieces' small files, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mucode.records import write_json, written_whole
from mucode.report.blocks import Block, Figures, Paragraph, Section, Table
from mucode.report.headline import CLAIMS_NOTHING
from mucode.report.markdown import aligned
from mucode.report.page import rendered
from mucode.study.collected import Collected, read_study
from mucode.study.figures import as_file, figures
from mucode.study.rows import as_json, study_rows
from mucode.study.sections import claims_nothing, facts, sections

TITLE = "The study: does µCode beat Multi-STaR and STaR here?"
BESIDE = (
    "The plan, written before any result, says what each piece is: [study.md](study.md#the-pieces). The numbers of every "
    "seed are in results.json (without the control piece `feedback`); pieces that searched alike have a row each, told "
    "apart by `piece` and `searches`."
)


def write_results(study: Path, out: Path) -> None:
    """Write results.md, results.html, results.json and the figures to `out`; equal inputs give equal bytes.

    Args:
        study: the folder with a folder of small files for each finished piece.
        out: where the page goes.

    Raises:
        MucodeError: no piece is finished, or they are not of one model.
    """
    pieces = read_study(study)
    texts = {name: as_file(figure) for name, figure in figures(pieces).items()}
    texts |= {"results.md": markdown(pieces), "results.html": html(pieces)}
    for name, text in texts.items():
        with written_whole(out / name) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    write_json(out / "results.json", as_json(study_rows(pieces)))


def html(pieces: Sequence[Collected]) -> str:
    """One document that fetches nothing."""
    return rendered(TITLE, sections(pieces), facts(pieces), CLAIMS_NOTHING if claims_nothing(pieces) else "")


def markdown(pieces: Sequence[Collected]) -> str:
    """The same for a repository's reader; the figures are files beside it."""
    files = {figure.title: name for name, figure in figures(pieces).items()}
    parts = [f"# {TITLE}"]
    if claims_nothing(pieces):
        parts.append(f"**{CLAIMS_NOTHING}**")
    parts += ["\n".join(f"- {name}: {words}" for name, words in facts(pieces)), BESIDE]
    parts += [text for section in sections(pieces) for text in _section(section, files)]
    text = "\n\n".join(part.strip("\n") for part in parts if part)
    return text.replace("\u00a0", " ").replace("\u2212", "-") + "\n"


def _section(section: Section, files: Mapping[str, str]) -> list[str]:
    return [f"## {section.title}", *(text for block in section.blocks for text in _block(block, files))]


def _block(block: Block, files: Mapping[str, str]) -> list[str]:
    match block:
        case Paragraph(text=text):
            return [text]
        case Table(head=head, rows=rows, caption=caption, labels=labels):
            return [aligned([head, *rows], labels=labels), caption]
        case Figures(figures=drawn):
            return [f"![{one.title}]({files[one.title]})\n\n{one.caption}" for one in drawn]
        case _:
            raise TypeError(f"the study's page has no {block.kind}")
