"""`mucode solve`: the program on standard output, everything else on standard error."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from mucode.execution import open_sandbox
from mucode.label.files import check_limits
from mucode.policies import SELECTORS, SearchSettings
from mucode.search import Move, Players
from mucode.solve.bars import lines_apart_from_bars
from mucode.solve.models import locate, named, open_pair
from mucode.solve.question import read_problem
from mucode.solve.show import as_json, result_lines, trace_lines, turn_line
from mucode.solve.solution import solve as search_for
from mucode.types import MucodeError, Problem, Sampling

SCORED = ("lv", "pt+lv")  # selectors that ask a verifier
_log = logging.getLogger(__name__)


class Unsolved(MucodeError):
    """The search ended without a program, or with one that does not pass the public tests."""

    exit_code = 3


def solve(  # noqa: PLR0913  # a command line's options
    problem: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    generator: str,
    verifier: str | None = None,
    base: Path | None = None,
    test: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    candidates: int = 5,
    turns: int = 3,
    selector: str | None = None,
    temperature: float = 0.7,
    max_new_tokens: int = 512,
    seed: int = 0,
    timeout: float = 5.0,
    engine: Literal["transformers", "vllm"] = "transformers",
    trace: Annotated[bool, Parameter(negative=())] = False,
    in_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    allow_weak_isolation: bool = False,
) -> None:
    """Solve one problem with a trained pair: search over several turns, run the public tests, print the best program.

    The program goes to standard output, everything else to standard error. Exit status 0: it passes the public tests
    (or there are none); 3: it does not, or no program was found; 1: an error. Tests, setup and docstring examples run
    outside the sandbox, in the judge: take problem files from people you trust.

    Parameters
    ----------
    problem:
        A file, or - for standard input. JSON is {"text": ..., "tests": ["assert ...", ...]} with, if need be,
        "entry_point" and "setup", or one row of MBPP (all of test_list is public) or of HumanEval (the docstring's
        examples are public; its `check`, which a user would not have, is not run). Anything else is a text.
    generator:
        A folder of trained weights, a base model's folder, or models:/mucode-generator@champion (or /VERSION) from the
        MLflow registry: that of MLFLOW_TRACKING_URI, else mlflow.db here.
    verifier:
        The same for a verifier. Without one the public tests alone choose.
    base:
        The folder of the base model on which the weights were trained. If not given: data/generators/base here, or
        generators/base in a folder above the weights.
    test:
        One more public test, such as "assert f(1) == 2"; may be repeated.
    candidates:
        N: programs drawn at each turn; one at temperature 0, where all would be equal.
    turns:
        T: at most so many turns; the first program chosen that passes the public tests ends the search.
    selector:
        Who chooses among the programs of a turn: pt+lv (public tests, then the verifier; the default with a verifier),
        pt (public tests; the default without), lv (the verifier alone), random.
    temperature:
        Of the sampling.
    max_new_tokens:
        Of one reply.
    seed:
        Equal seeds give equal programs; with vllm not necessarily.
    timeout:
        Wall seconds for loading one program and running its tests.
    engine:
        Who generates: transformers in this process, or vllm, a server that is started for it or that MUCODE_SERVER_URL
        names.
    trace:
        Show the turns: every program drawn, and what the chosen one was told.
    in_json:
        Print one JSON object (program, score, passed, public_tests, and with --trace the turns) instead of the program.
    allow_weak_isolation:
        Run programs even where neither namespaces nor Landlock are to be had: they could then read your files.
    """
    settings = search_settings(
        selector=selector or ("pt" if verifier is None else "pt+lv"),
        scored=verifier is not None,
        candidates=candidates,
        turns=turns,
        sampling=Sampling(temperature, 1.0, max_new_tokens),
        seed=seed,
    )
    check_limits(timeout, None)
    models = named("generator", generator), named("verifier", verifier) if verifier else None
    task = _read(problem, test)
    _log.info("loading %s", " and ".join(model.name for model in models if model))
    found = locate(*models, base)
    with (
        lines_apart_from_bars(),
        open_sandbox(timeout=timeout, allow_weak=allow_weak_isolation) as sandbox,
        open_pair(*found, engine) as pair,
    ):
        solution = search_for(task, Players(*pair, sandbox), settings, trace_turn if trace else tell_turn)
    _log_all(result_lines(solution))
    sys.stdout.write(f"{as_json(solution, trace)}\n" if in_json else f"{(solution.program or '').rstrip()}\n")
    if solution.program is None:
        raise Unsolved(
            "the last reply holds no program, so there is no answer: try more candidates or turns, a higher "
            "--max-new-tokens, or another seed"
        )
    if not solution.passed:
        raise Unsolved("the answer does not pass the public tests: try more candidates or turns, or another seed")


def search_settings(
    *, selector: str, scored: bool, candidates: int, turns: int, sampling: Sampling, seed: int
) -> SearchSettings:
    """One search with one policy.

    Raises:
        MucodeError: names the option that makes no sense.
    """
    if selector not in SELECTORS:
        raise MucodeError(f"--selector {selector} is none of {', '.join(SELECTORS)}")
    if selector in SCORED and not scored:
        raise MucodeError(f"--selector {selector} asks a verifier: give one with --verifier, or choose pt or random")
    counts = {"candidates": candidates, "turns": turns, "max-new-tokens": sampling.max_new_tokens}
    for option, value in counts.items():
        if value < 1:
            raise MucodeError(f"--{option} {value} is too few: give 1 or more")
    if not (math.isfinite(sampling.temperature) and sampling.temperature >= 0):
        raise MucodeError(f"--temperature {sampling.temperature} makes no sense: give 0 or more")
    n = candidates if sampling.temperature else 1  # all would be equal
    return SearchSettings((selector,), (n,), turns, 1, sampling, seed)


def tell_turn(move: Move) -> None:
    """A line on standard error when a turn is over."""
    _log.info("%s", turn_line(move))


def trace_turn(move: Move) -> None:
    """The same, with every program."""
    _log_all((turn_line(move), *trace_lines(move)))


def _read(name: str, tests: Sequence[str]) -> Problem:
    if name == "-" and sys.stdin.isatty():
        _log.info("reading the problem from standard input; end it with Ctrl-D")
    task = read_problem(None if name == "-" else Path(name), sys.stdin, tests)
    if not task.public_tests:
        _log.info("no public tests: the first turn's program is the answer, whether it is right or wrong")
    return task


def _log_all(lines: Iterable[str]) -> None:
    for line in lines:
        _log.info("%s", line)
