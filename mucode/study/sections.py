"""What the page of the study says, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from mucode.report.words import count, percent
from mucode.study.behind import cost_table, data_table, drawn_table, imitated_table, trainings_table, verifiers_table
from mucode.study.cells import bootstrap_of
from mucode.study.claims import claims_table, summary
from mucode.study.collected import Collected
from mucode.study.figures import figures
from mucode.study.first import picks, picks_table, worth_table
from mucode.study.fresh import fresh, fresh_tables
from mucode.study.pieces import PIECES
from mucode.study.tables import by_n_table, methods_table, selectors_table, training_table
from mucode.study.turns import by_turn_table
from mucode.study.verdict import primary_words
from mucode.study.widest import first_turn_table

CELL = (
    "A cell is an accuracy with its interval (bootstrap over problems, each with all its searches; the "
    "exact binomial one where all came out alike), and n = problems × "
    "searches of each, all seeds together; differences are taken before rounding. N = 1 is greedy. Beside ours stand the "
    "numbers of the paper (Jain et al., Multi-Turn Code Generation Through Single-Step Rewards, ICML 2025): Llama models "
    "of 1B and 8B parameters, wholly fine-tuned, on its test sets, without intervals. Ours is another model with other "
    "prompts on a part of the problems: what can be compared is the order of the rows, not their level, and where n "
    "differs not even that: such rows rest on different seeds or searches. Paired differences stand above."
)
UNTESTED = 6  # of HumanEval's first 82 problems, whose text shows no example
HUMANEVAL_TESTS = (
    f"{UNTESTED} of the 82 problems show no public test: every program passes there, so that a search ends at turn 1, pt "
    "takes the first program and pt+lv the verifier's best; what is said of programs that pass the public test holds them, "
    "too"
)
STAND_IN = "{}; a local copy in place of the hub's weights{}"
QUANTISED = ", read from a quantised file and therefore not the published ones"
METHODS = (
    "Methods: instruct is the base model, instruct_single the same in one turn; star is trained on its own "
    "correct first programs; multi_star on its own episodes that ended correct; mucode at every visited state on "
    "the best known program of the problem, which oracle and verifier choose together; mucode_ov: which the oracle "
    "alone chooses; mucode_lv: the verifier alone; rft_lv on the verifier's best episodes."
)
SELECTORS = (
    "Who picks among a turn's programs: random; lv the highest score of the learned verifier; pt the first "
    "that passes the public test; pt+lv the verifier among those that pass, or among all if none does; oracle "
    "looks at the private tests; greedy is one program at temperature 0."
)
KEYS = (
    "mucode-0 is a method and its seed, mucode-0-1 the round of training as well, base-0 the base model's "
    "rollouts under seed 0. A verifier is trained once, on the base model's rollouts, or with each round."
)


def claims_nothing(pieces: Sequence[Collected]) -> bool:
    """Whether a piece's replies came from a script."""
    return any(piece.material.config.model.setting.startswith("random:") for piece in pieces)


def sections(pieces: Sequence[Collected]) -> list[Section]:
    """All of them; scripted replies are shown and not judged."""
    judge = not claims_nothing(pieces)
    verdict = [Paragraph(summary(pieces))] if judge else []
    drawn = figures(pieces)
    return [
        _section("names", "Names", Paragraph(METHODS), Paragraph(SELECTORS), Paragraph(KEYS)),
        _section("primary", "The primary comparison", *map(Paragraph, primary_words(pieces, judge=judge))),
        _section("turn", "By turn", by_turn_table(pieces), *_drawn(drawn, "turns")),
        *([_section("fresh", "Further turns or fresh programs", *fresh_tables(pieces))] if fresh(pieces) else []),
        _section("claims", "What holds and what does not", *verdict, claims_table(pieces, judge=judge)),
        _section("methods", "Table 1: methods", Paragraph(CELL), methods_table(pieces)),
        _section("training", "Table 2: variants of the expert", training_table(pieces)),
        _section("selectors", "Table 3: who picks", _if_run(pieces, selectors_table, "selectors")),
        _section("first", "Who picks at the first turn, by N", *_first(pieces), *_drawn(drawn, "first")),
        _section("n", "By N", *_by_n(pieces), *_drawn(drawn, "n", "loss")),
        _section("data", "The training data", data_table(pieces)),
        _section("trainings", "Trainings: losses and demonstrations", trainings_table(pieces), imitated_table(pieces)),
        _section("verifiers", "How well the verifiers rank", verifiers_table(pieces)),
        _section("drawn", "What was drawn turn by turn", drawn_table(pieces)),
        _section("cost", "What it cost", cost_table(pieces)),
    ]


def facts(pieces: Sequence[Collected]) -> list[tuple[str, str]]:
    """What was run, in a line each."""
    config = pieces[0].material.config
    section, search = config.rollout, config.search
    run = {piece.name for piece in pieces}
    return [
        ("model", _model(config.model.setting)),
        ("training", f"{count(config.problems.train, 'problem')}, M = {config.study.iterations}"),
        ("rollouts", f"{section.rollouts} a problem, T = {section.turns}, temperature {section.temperature:g}"),
        ("LoRA", f"rank {config.fine_tune.lora_rank}, learning rate {config.fine_tune.learning_rate:g}"),
        ("searches", f"temperature {search.temperature:g}, at most {search.max_new_tokens} new tokens"),
        ("intervals", f"{percent(config.report.confidence, 0)}, {config.report.resamples:,} resamples"),
        *([("HumanEval", HUMANEVAL_TESTS)] if _searched(pieces, "humaneval", 82) else []),
        ("pieces run", ", ".join(_run(piece) for piece in pieces)),
        *(("closed", words) for words in _closed(pieces)),
        ("not yet", ", ".join(piece.name for piece in PIECES if piece.name not in run) or "none"),
    ]


def _searched(pieces: Sequence[Collected], source: str, limit: int) -> bool:
    sets = (found for piece in pieces for found in piece.material.config.test_sets)
    return any((found.source, found.limit) == (source, limit) for found in sets)


def _model(setting: str) -> str:
    if not setting.startswith(("gguf:", "dir:")):
        return setting
    return STAND_IN.format(setting, QUANTISED if "q4" in setting or "q8" in setting else "")


def _run(piece: Collected) -> str:
    words = "not searched in it" if piece.closed else "still to search"
    return f"{piece.name} ({words}: {', '.join(piece.to_come)})" if piece.to_come else piece.name


def _closed(pieces: Sequence[Collected]) -> Iterator[str]:
    """The pieces of which nothing more can run, and why."""
    for reason in dict.fromkeys(piece.closed for piece in pieces if piece.closed):
        yield f"{', '.join(piece.name for piece in pieces if piece.closed == reason)}: {reason}"


def _section(name: str, title: str, *blocks: Block) -> Section:
    return Section(name, title, blocks)


def _drawn(figures: Mapping[str, Figure], *names: str) -> list[Block]:
    """Those of these figures that there are."""
    own = tuple(figures[file] for name in names if (file := f"study-{name}.svg") in figures)
    return [Figures(own)] if own else []


def _first(pieces: Sequence[Collected]) -> list[Block]:
    found, bootstrap = picks(pieces), bootstrap_of(pieces)
    worth = worth_table(found, bootstrap)
    return [picks_table(found, bootstrap), *([worth] if worth.rows else [])]


def _by_n(pieces: Sequence[Collected]) -> list[Block]:
    names = ("candidates", "loss")
    first = [first_turn_table(pieces)] if any(piece.name in names for piece in pieces) else []
    return [_if_run(pieces, by_n_table, *names), *first]


def _if_run(pieces: Sequence[Collected], table: Callable[[Sequence[Collected]], Table], *names: str) -> Block:
    """The table, if one of the pieces that it is made from has run."""
    if any(piece.name in names for piece in pieces):
        return table(pieces)
    return Paragraph(f'Not run yet: `make study PIECES="{" ".join(names)}"`.')
