"""What the paper claims, each as one paired difference of ours: exploratory, all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from mucode.metrics import Comparison, mcnemar
from mucode.policies import GREEDY
from mucode.report.blocks import Table
from mucode.report.sources import BEFORE, Origin
from mucode.report.words import interval, probability, signed_points
from mucode.study.cells import (
    BLIND,
    HUMANEVAL,
    RANDOM_FEEDBACK,
    Cell,
    Spec,
    alike,
    bootstrap_of,
    difference,
    find,
    verifier_of,
)
from mucode.study.collected import Collected
from mucode.study.pieces import MAIN_ROWS
from mucode.study.primary import LEVEL


@dataclass(frozen=True, slots=True)
class Claim:
    """`better` should do better than `worse`, by the searches of the pieces `own`: the same piece's where most are."""

    words: str
    better: Spec
    worse: Spec
    own: frozenset[str] = frozenset(MAIN_ROWS)


MUCODE = Spec("mucode")
LV_BLIND = Spec("mucode", BLIND, selector="lv")
SELECTORS, CANDIDATES, BLINDED = frozenset({"selectors"}), frozenset({"candidates"}), frozenset({"blind"})
IMITATION, LOSSES, VERIFIERS, CONTROL = (CANDIDATES | {name} for name in ("rft", "loss", "verifier", "feedback"))
CLAIMS = (
    Claim("µCode beats Multi-STaR on HumanEval", Spec("mucode", HUMANEVAL), Spec("multi_star", HUMANEVAL)),
    Claim(
        "µCode beats Multi-STaR with one greedy program a turn",
        Spec("mucode", selector=GREEDY, n=1),
        Spec("multi_star", selector=GREEDY, n=1),
    ),
    Claim(
        "µCode beats Multi-STaR on HumanEval with one greedy program a turn (a claim made after it was seen)",
        Spec("mucode", HUMANEVAL, GREEDY, n=1),
        Spec("multi_star", HUMANEVAL, GREEDY, n=1),
    ),
    Claim("µCode beats STaR, each with its own number of turns", MUCODE, Spec("star", turns=1)),
    Claim(
        "µCode's first turn beats STaR's (a claim made after it was seen)",
        Spec("mucode", turns=1),
        Spec("star", turns=1),
    ),
    Claim("µCode beats the base model", MUCODE, Spec("instruct")),
    Claim("Multi-STaR beats the base model", Spec("multi_star"), Spec("instruct")),
    Claim("the expert beats the verifier's best rollouts (RFT_LV)", MUCODE, Spec("rft_lv"), IMITATION),
    Claim("oracle and verifier beat the oracle alone (µCode_OV)", MUCODE, Spec("mucode_ov")),
    Claim("oracle and verifier beat the verifier alone (µCode_LV)", MUCODE, Spec("mucode_lv")),
    Claim("pt+lv beats a random pick", MUCODE, Spec("mucode", selector="random"), SELECTORS),
    Claim("pt+lv beats lv", MUCODE, Spec("mucode", selector="lv"), SELECTORS),
    Claim("pt+lv beats pt", MUCODE, Spec("mucode", selector="pt"), SELECTORS),
    Claim("N = 8 beats N = 1", Spec("mucode", n=8), Spec("mucode", n=1), CANDIDATES),
    Claim(
        "Bradley-Terry beats BCE, for the verifier and by it for the generator",
        MUCODE,
        Spec("mucode", loss="bce"),
        LOSSES,
    ),
    Claim(
        "a verifier trained on the latest rollouts beats one trained once",
        Spec("mucode", verifier="each"),
        MUCODE,
        VERIFIERS,
    ),
    Claim(
        "without public tests µCode recovers from turn 1 to turn 3",
        LV_BLIND,
        Spec("mucode", BLIND, "lv", turns=1),
        BLINDED,
    ),
    Claim("without public tests µCode beats Multi-STaR", LV_BLIND, Spec("multi_star", BLIND, selector="lv"), BLINDED),
    Claim("feedback of its own beats another problem's (a control)", MUCODE, Spec("mucode", RANDOM_FEEDBACK), CONTROL),
)
CAPTION = (
    "Exploratory: chosen to look at, not fixed beforehand, and no p is corrected for their number. Each difference is "
    "paired on the same problems, seeds and number of searches; p is the exact sign test over problems (McNemar's, with one "
    "search each). A claim holds if interval and test agree and all its searches are there, else it is open. If "
    "nothing were true, the test alone would let {} of these {} hold on average."
)
HEAD = ("claim", "difference", "interval", "problems", "seeds", "searches of each", "better : worse", "p", "verdict")


@dataclass(frozen=True, slots=True)
class Compared:
    """A claim's difference, and the searches that it rests on."""

    comparison: Comparison
    cell: Cell  # of the worse one; the better one's are alike
    whole: bool  # all searches of both that the pieces plan are there


def compared(pieces: Sequence[Collected], claim: Claim) -> Compared | None:
    """None: one of the two was not run, or they share no seed."""
    own = [piece for piece in pieces if piece.name in claim.own]
    better, worse = find(own, claim.better), find(own, claim.worse)
    if better is None or worse is None or not set(better.seeds) & set(worse.seeds):
        return None
    found = difference(worse, better, bootstrap_of(pieces))
    pairs = ((claim.better, better), (claim.worse, worse))
    whole = not any(_to_come(piece, spec, cell) for piece in own for spec, cell in pairs)
    return None if found is None else Compared(found, alike([worse, better])[0], whole)


def _to_come(piece: Collected, spec: Spec, cell: Cell) -> bool:
    """Whether the piece has still to search with this method what no piece has searched yet."""
    config = piece.material.config
    if spec.benchmark not in piece.material.benchmarks or config.verifier.loss != spec.loss:
        return False
    if verifier_of(piece.material, spec.method) != spec.verifier:
        return False
    owner = spec.method if config.methods[spec.method].trains else BEFORE
    seeds = {Origin.of(group).seed for group in piece.to_come if Origin.of(group).method == owner}
    each = 1 if spec.selector == GREEDY else config.search.searches
    return any(seed not in cell.by_seed or Cell({seed: cell.by_seed[seed]}).searches < each for seed in seeds)


def verdict(found: Comparison, *, whole: bool = True) -> str:
    """What the interval and the test say together, in one word or two; where they disagree it stays open.

    Args:
        whole: False: some of the searches are still to come.
    """
    if found.p_value >= LEVEL or not whole:
        return "open"
    if found.difference.low > 0:
        return "holds"
    return "does not: the other way" if found.difference.high < 0 else "open"


def claims_table(pieces: Sequence[Collected], *, judge: bool) -> Table:
    """Every claim; `judge` False: from scripted replies, which decide nothing."""
    lines: list[tuple[str, ...]] = []
    comparisons: list[Comparison] = []
    for claim in CLAIMS:
        found = compared(pieces, claim)
        if found is not None:
            lines.append(_line(claim, found, judge))
            comparisons.append(found.comparison)
    return Table(HEAD, tuple(lines), CAPTION.format(f"{by_chance(comparisons):.1f}", len(comparisons)))


def by_chance(comparisons: Sequence[Comparison]) -> float:
    """How many of them the sign test is expected to call better, at the planned level, where no problem prefers a side.

    It is exact, so that with few discordant problems it calls fewer than the level's half of them.
    """
    return sum(_called_better(each.better + each.worse) for each in comparisons)


def _called_better(discordant: int) -> float:
    """The chance of it when each of so many problems is better or worse by the toss of a coin."""
    won = [wins for wins in range(discordant + 1) if 2 * wins > discordant and mcnemar(wins, discordant - wins) < LEVEL]
    return float(sum(comb(discordant, wins) for wins in won) / 2**discordant)


def summary(pieces: Sequence[Collected]) -> str:
    """What holds and what does not, in a paragraph; the primary comparison has one of its own."""
    found = [(claim, result) for claim in CLAIMS if (result := compared(pieces, claim)) is not None]
    words = {
        "holds": "Interval and test agree that",
        "does not: the other way": "What came out the other way",
        "open": "Open, could be chance",
    }
    parts = ["Exploratory, and no p is corrected; what was fixed beforehand stands above."]
    for said, start in words.items():
        own = [
            f"{claim.words} ({signed_points(r.comparison.difference.value)} points)"
            for claim, r in found
            if verdict(r.comparison, whole=r.whole) == said
        ]
        if own:
            parts.append(f"{start}: {'; '.join(own)}.")
    absent = [claim for claim in CLAIMS if claim not in {own for own, _ in found}]
    lost = [claim for claim in absent if _never_to_come(pieces, claim)]
    for start, claims in (("Not run", lost), ("Not run yet", [claim for claim in absent if claim not in lost])):
        if claims:
            parts.append(f"{start}, {len(claims)} of {len(CLAIMS)}: {'; '.join(claim.words for claim in claims)}.")
    return " ".join(parts)


def _never_to_come(pieces: Sequence[Collected], claim: Claim) -> bool:
    """Whether every piece that it rests on is closed or at its end."""
    return claim.own <= {piece.name for piece in pieces if piece.closed or not piece.to_come}


def _line(claim: Claim, row: Compared, judge: bool) -> tuple[str, ...]:
    found, cell = row.comparison, row.cell
    change = found.difference
    return (
        claim.words,
        signed_points(change.value),
        interval(change, points=True),
        str(change.n),
        ", ".join(map(str, cell.seeds)),
        str(cell.searches),
        f"{found.better} : {found.worse}",
        probability(found.p_value),
        verdict(found, whole=row.whole) if judge else "",
    )
