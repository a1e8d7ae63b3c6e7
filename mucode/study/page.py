"""docs/results.md, results.json and the figures: made from the pieces' small files, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mucode.records import write_json, written_whole
from mucode.report.headline import CLAIMS_NOTHING
from mucode.report.words import count, interval, percent, probability, signed_points
from mucode.study.behind import COST, cost_table, data_table, trainings_table, verifiers_table
from mucode.study.cells import MBPP
from mucode.study.claims import claims_table, summary
from mucode.study.collected import Collected, read_study
from mucode.study.figures import figures
from mucode.study.pieces import PIECES
from mucode.study.primary import DISCORDANT, SEARCHES, Primary, detectable, planned_error, primary
from mucode.study.rows import as_json, study_rows
from mucode.study.tables import by_n_table, by_turn_table, methods_table, selectors_table, training_table

CAPTIONS = {
    "study-n.svg": "Best of N with pt+lv on MBPP, three turns.",
    "study-turns.svg": "MBPP after each turn, best of 5: with public tests (pt+lv), and without (lv).",
    "study-loss.svg": "µCode's best of N with a verifier of each loss, MBPP.",
}


def write_results(study: Path, out: Path) -> None:
    """Write results.md, results.json and the figures to the folder `out`; equal inputs give equal bytes.

    Args:
        study: the folder with a folder of small files for each finished piece.
        out: where the page goes.

    Raises:
        MucodeError: no piece is finished, or they are not of one model.
    """
    pieces = read_study(study)
    drawings = figures(pieces)
    for name, drawing in drawings.items():
        with written_whole(out / name) as partial:
            partial.write_text(drawing, encoding="utf-8", newline="\n")
    write_json(out / "results.json", as_json(study_rows(pieces)))
    with written_whole(out / "results.md") as partial:
        partial.write_text(page(pieces, list(drawings)), encoding="utf-8", newline="\n")


def claims_nothing(pieces: Sequence[Collected]) -> bool:
    return any(piece.material.config.model.setting.startswith("random:") for piece in pieces)


def page(pieces: Sequence[Collected], drawings: Sequence[str] = ()) -> str:
    """The page's Markdown."""
    judge = not claims_nothing(pieces)
    parts = [
        "# The study: does µCode beat Multi-STaR and STaR here?",
        *([] if judge else [f"**{CLAIMS_NOTHING}**"]),
        _conditions(pieces),
        "## The primary comparison",
        _primary(pieces, primary(pieces), judge),
        "## What holds and what does not",
        *([summary(pieces)] if judge else []),
        "All of this is exploratory: chosen to look at, not fixed beforehand, and no p is corrected for their number. "
        "Each difference is paired on the same problems and seeds.",
        claims_table(pieces, judge=judge),
        *_tables(pieces),
        *(f"![{CAPTIONS[name]}]({name})\n\n{CAPTIONS[name]}" for name in drawings),
        "## How it came about",
        data_table(pieces),
        trainings_table(pieces),
        verifiers_table(pieces),
        "## What it cost",
        cost_table(pieces),
        COST,
    ]
    return "\n\n".join(part.strip("\n") for part in parts).replace("\u00a0", " ").replace("\u2212", "-") + "\n"


def _conditions(pieces: Sequence[Collected]) -> str:
    config = pieces[0].material.config
    return (
        f"Model: `{config.model.setting}`. {count(config.problems.train, 'training problem')} × "
        f"{count(config.rollout.rollouts, 'rollout')} × {count(config.rollout.turns, 'turn')}, M = "
        f"{config.study.iterations}; a LoRA of rank {config.fine_tune.lora_rank}. Temperature "
        f"{config.search.temperature:g}, at most {config.search.max_new_tokens} new tokens. The plan, written before "
        "any result: [study.md](study.md). A cell is an accuracy with its "
        f"{percent(config.report.confidence, 0)} bootstrap interval over problems and searches, and n = problems × "
        f"searches of each (all seeds together). N = 1 is greedy. Pieces run: {', '.join(p.name for p in pieces)}; "
        f"not yet: {', '.join(p.name for p in PIECES if p.name not in {c.name for c in pieces}) or 'none'}. The rows "
        "behind the tables, seed by seed: [results.json](results.json)."
    )


def _primary(pieces: Sequence[Collected], found: Primary | None, judge: bool) -> str:
    """The sentence that the README may quote."""
    planned = (
        f"Fixed beforehand: mucode minus multi_star on {MBPP}, pt+lv, N = 5, T = 3, at least {SEARCHES} searches of every "
        "problem."
    )
    if found is None:
        return f"{planned} Not run yet."
    n = found.comparison.difference.n
    before = planned_error(n)
    width = (
        f"Expected beforehand for {n} problems, {percent(DISCORDANT, 0)} of them discordant: a standard error of "
        f"{100 * before:.1f} points, so that a true difference of {100 * detectable(before):.1f} is found four times in "
        f"five. Found: {100 * found.error:.1f} points, detectable {100 * detectable(found.error):.1f}."
    )
    return " ".join([planned, _outcome(found, judge), width])


def _outcome(found: Primary, judge: bool) -> str:
    ours, rival = found.accuracies
    change = found.comparison.difference
    words = (
        f"µCode solves {percent(ours.value)} {interval(ours)}, Multi-STaR {percent(rival.value)} {interval(rival)}: "
        f"**{signed_points(change.value)} points {interval(change, points=True)}** (n = {change.n} problems, "
        f"{found.searches} searches each, seeds {', '.join(map(str, found.ours.seeds))}; better : worse "
        f"{found.comparison.better} : {found.comparison.worse}, McNemar p "
        f"{probability(found.comparison.p_value, relation=True)})."
    )
    if not judge:
        return words
    if not found.decided:
        return f"{words} Not decided: these are fewer searches than were fixed."
    if change.low > 0:
        return f"{words} µCode beats Multi-STaR here."
    if change.high < 0:
        return f"{words} Multi-STaR beats µCode here."
    return f"{words} The interval holds zero: this study cannot tell the two apart."


def _tables(pieces: Sequence[Collected]) -> list[str]:
    return [
        "## Table 1: methods",
        methods_table(pieces),
        "The paper's accuracies are in percent and carry no intervals. CodeContests was not run here.",
        "## Table 2: what the generator is trained on",
        "Best of 5 with pt+lv, three turns, under the seeds that all methods have.",
        training_table(pieces),
        "## Table 3: who picks",
        "µCode, best of 5, three turns.",
        selectors_table(pieces),
        "## By N",
        "With pt+lv, three turns.",
        by_n_table(pieces),
        "## By turn",
        by_turn_table(pieces),
    ]
