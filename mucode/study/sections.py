"""What the page of the study says, section by section."""

from __future__ import annotations

from collections.abc import Sequence

from mucode.report.blocks import Block, Figures, Paragraph, Section
from mucode.report.words import count, interval, percent, probability, signed_points
from mucode.study.behind import cost_table, data_table, trainings_table, verifiers_table
from mucode.study.cells import MBPP
from mucode.study.claims import claims_table, summary
from mucode.study.collected import Collected
from mucode.study.figures import figures
from mucode.study.pieces import PIECES
from mucode.study.primary import DISCORDANT, SEARCHES, Primary, detectable, planned_error, primary
from mucode.study.tables import by_n_table, by_turn_table, methods_table, selectors_table, training_table

CELL = (
    "A cell is an accuracy with its bootstrap interval over problems and searches, and n = problems × searches of each, all "
    "seeds together. N = 1 is greedy."
)


def claims_nothing(pieces: Sequence[Collected]) -> bool:
    """Whether a piece's replies came from a script."""
    return any(piece.material.config.model.setting.startswith("random:") for piece in pieces)


def sections(pieces: Sequence[Collected]) -> list[Section]:
    """All of them; scripted replies are shown and not judged."""
    judge = not claims_nothing(pieces)
    verdict = [Paragraph(summary(pieces))] if judge else []
    drawings = tuple(figures(pieces).values())
    return [
        _section("primary", "The primary comparison", Paragraph(primary_words(primary(pieces), judge=judge))),
        _section("claims", "What holds and what does not", *verdict, claims_table(pieces, judge=judge)),
        _section("methods", "Table 1: methods", Paragraph(CELL), methods_table(pieces)),
        _section("training", "Table 2: what the generator is trained on", training_table(pieces)),
        _section("selectors", "Table 3: who picks", selectors_table(pieces)),
        _section("n", "By N", by_n_table(pieces)),
        _section("turn", "By turn", by_turn_table(pieces)),
        *([_section("figures", "Figures", Figures(drawings))] if drawings else []),
        _section("data", "What there was to learn from", data_table(pieces)),
        _section("trainings", "What was learned", trainings_table(pieces)),
        _section("verifiers", "How well the verifiers rank", verifiers_table(pieces)),
        _section("cost", "What it cost", cost_table(pieces)),
    ]


def facts(pieces: Sequence[Collected]) -> list[tuple[str, str]]:
    """What was run, in a line each."""
    config = pieces[0].material.config
    section, search = config.rollout, config.search
    run = {piece.name for piece in pieces}
    return [
        ("model", config.model.setting),
        ("training", f"{count(config.problems.train, 'problem')}, M = {config.study.iterations}"),
        ("rollouts", f"{section.rollouts} a problem, T = {section.turns}, temperature {section.temperature:g}"),
        ("LoRA", f"rank {config.fine_tune.lora_rank}, learning rate {config.fine_tune.learning_rate:g}"),
        ("searches", f"temperature {search.temperature:g}, at most {search.max_new_tokens} new tokens"),
        ("intervals", f"{percent(config.report.confidence, 0)}, {config.report.resamples:,} resamples"),
        ("pieces run", ", ".join(piece.name for piece in pieces)),
        ("not yet", ", ".join(piece.name for piece in PIECES if piece.name not in run) or "none"),
    ]


def _section(name: str, title: str, *blocks: Block) -> Section:
    return Section(name, title, blocks)


def primary_words(found: Primary | None, *, judge: bool) -> str:
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
        f"{signed_points(change.value)} points {interval(change, points=True)} (n = {change.n} problems, "
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
