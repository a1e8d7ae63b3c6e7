"""The paper's tables, ours with intervals beside theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mucode.policies import GREEDY
from mucode.report.blocks import Table
from mucode.report.words import interval, percent
from mucode.study.cells import HEADLINE, HUMANEVAL, MBPP, Cell, Spec, bootstrap_of, find, value
from mucode.study.collected import Collected
from mucode.study.paper import BY_N, METHODS, SELECTORS, TRAINING, Reported
from mucode.study.pieces import MAIN_ROWS

NOT_RUN = "not run"
GROUPS = {  # Table 1: what the paper calls it
    ("instruct_single", 1): "single-turn Instruct",
    ("star", 1): "single-turn RFT (STaR)",
    ("instruct", 1): "multi-turn Instruct",
    ("instruct", 5): "multi-turn Instruct, best of 5",
    ("multi_star", 1): "multi-turn RFT (Multi-STaR)",
    ("multi_star", 5): "multi-turn RFT, best of 5",
    ("mucode", 1): "µCode",
    ("mucode", 5): "µCode, best of 5",
}
SINGLE_TURN = ("instruct_single", "star")
BY_N_CAPTION = (
    "With pt+lv, three turns{}; N = 1 is one program drawn at each turn here, a greedy one in the paper. Its further "
    "numbers: {}. BCE: the verifier's loss, and so also what the expert chose for the generator to learn."
)
TRAINING_CAPTION = (
    "Best of 5 with pt+lv, three turns, under the seeds that all methods run so far have, so that a row may differ from "
    "Table 1's, which has all seeds: {}. What the piece rft adds (rft_lv, under another seed) stands among the claims alone."
)
PAPER_HEAD = ("paper 1B MBPP", "1B HumanEval", "8B MBPP", "8B HumanEval", "8B CodeContests")


def methods_table(pieces: Sequence[Collected]) -> Table:
    """Table 1: of its pieces alone, so that one method's row rests on no seed that its rivals do not have."""
    own = [piece for piece in pieces if piece.name in MAIN_ROWS]
    head = ("", "method", "N", "MBPP", "HumanEval", *PAPER_HEAD)
    lines: list[tuple[str, ...]] = []
    for (method, n), words in GROUPS.items():
        spec = Spec(method, selector=GREEDY if n == 1 else HEADLINE, n=n, turns=1 if method in SINGLE_TURN else 3)
        lines.append((words, method, str(n), *_both(own, spec), *_reported(METHODS[method, n])))
    return Table(head, tuple(lines), "CodeContests was not run here.", labels=2)


def training_table(pieces: Sequence[Collected]) -> Table:
    """Table 2: of its pieces, under the seeds that all methods run so far have, so that no row rests on more work."""
    own = [piece for piece in pieces if piece.name in MAIN_ROWS]
    head = ("method", "MBPP", "HumanEval", *PAPER_HEAD[:2])
    lines: list[tuple[str, ...]] = []
    shared = {name: shared_seeds(own, [Spec(method, name) for method in TRAINING]) for name in (MBPP, HUMANEVAL)}
    for method, reported in TRAINING.items():
        found = [_cell(own, Spec(method, benchmark), shared[benchmark]) for benchmark in shared]
        lines.append((method, *found, *_reported(reported)[:2]))
    return Table(
        head,
        tuple(lines),
        TRAINING_CAPTION.format("; ".join(f"{name}: {named(seeds)}" for name, seeds in shared.items())),
    )


def named(seeds: set[int] | None) -> str:
    """ "seeds 0, 1"."""
    if not seeds:
        return "none"
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, sorted(seeds)))}"


def selectors_table(pieces: Sequence[Collected]) -> Table:
    """Table 3: µCode; the paper does not have the oracle. All rows from the same searches."""
    own = [piece for piece in pieces if piece.name == "selectors"]
    head = ("selector", "MBPP", *PAPER_HEAD[:2])
    lines: list[tuple[str, ...]] = []
    for selector in (*SELECTORS, "oracle"):
        found = _cell(own, Spec("mucode", selector=selector))
        lines.append((selector, found, *_reported(SELECTORS.get(selector, Reported()))[:2]))
    under = trained_under(pieces, "selectors")
    return Table(head, tuple(lines), f"µCode, best of 5, three turns; all rows from the same searches{under}.")


def by_n_table(pieces: Sequence[Collected]) -> Table:
    """The figure by N in numbers, with both losses."""
    own = [piece for piece in pieces if piece.name in {"candidates", "loss"}]
    head = ("N", "instruct", "µCode, Bradley-Terry", "µCode, BCE", "paper 1B MBPP (µCode)")
    lines: list[tuple[str, ...]] = []
    ns = candidates(own)
    for n in ns:
        specs = (Spec("instruct", n=n), Spec("mucode", n=n), Spec("mucode", n=n, loss="bce"))
        paper = _reported(BY_N.get(n, Reported()))[0]
        lines.append((str(n), *(_cell(own, spec) for spec in specs), paper))
    further = ", ".join(f"N = {n}: {row.mbpp_1b}" for n, row in BY_N.items() if n not in ns)
    return Table(head, tuple(lines), BY_N_CAPTION.format(trained_under(pieces, "candidates", "loss"), further))


def trained_under(pieces: Sequence[Collected], *names: str) -> str:
    """ ", seed 2": what the searches of these pieces rest on, for a caption; nothing where none has run."""
    seeds = {seed for piece in pieces if piece.name in names for seed in piece.material.config.study.seeds}
    return f", {named(seeds)}" if seeds else ""


def candidates(pieces: Sequence[Collected]) -> list[int]:
    """Every N that these pieces searched with."""
    searches = [piece.material.config.search for piece in pieces]
    return sorted({n for search in searches for n in (search.candidates, *search.other_candidates)})


def cell_text(cell: Cell | None, pieces: Sequence[Collected], seeds: set[int] | None = None) -> str:
    """ "31.2 % [25.0, 37.5], n = 150", and how many searches of each problem that is."""
    found = None if cell is None else value(cell, bootstrap_of(pieces), seeds)
    if cell is None or found is None:
        return NOT_RUN
    searches = min(len(rewards) for rewards in cell.outcomes(seeds).values())
    return f"{percent(found.value)} {interval(found)}, n = {found.n} × {searches}"


def _cell(pieces: Sequence[Collected], spec: Spec, seeds: set[int] | None = None) -> str:
    return cell_text(find(pieces, spec), pieces, seeds)


def _both(pieces: Sequence[Collected], spec: Spec) -> tuple[str, str]:
    return _cell(pieces, spec), _cell(pieces, replace(spec, benchmark=HUMANEVAL))


def _reported(row: Reported) -> tuple[str, ...]:
    numbers = (row.mbpp_1b, row.humaneval_1b, row.mbpp_8b, row.humaneval_8b, row.codecontests_8b)
    return tuple("" if number is None else f"{number:.1f}" for number in numbers)


def shared_seeds(pieces: Sequence[Collected], specs: Iterable[Spec]) -> set[int] | None:
    """The seeds that everything of this has that was run at all, perhaps none; None: nothing was run."""
    seeds = [set(cell.seeds) for spec in specs if (cell := find(pieces, spec)) is not None]
    return set.intersection(*seeds) if seeds else None
