"""The nouns of the method, one frozen type each; the docstrings give the paper's letters.

A **reward** is always the oracle's (public and private tests), a **score** always the learned verifier's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

Half = Literal["public", "private"]


class MucodeError(Exception):
    """An error of ours that a person can act on: one sentence that names the culprit and the way out."""


class Unavailable(MucodeError):
    """Another machine does not answer, or not as it should: what it was asked for may be had in a minute."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class TestKind(StrEnum):
    """How a test asks its question."""

    ASSERTS = "asserts"  # Python with `assert` statements that call the program's functions
    STDIO = "stdio"  # standard input to feed, standard output to expect


@dataclass(frozen=True, slots=True)
class Test:
    """One test: a snippet with at least one `assert`, or an input with its expected output."""

    code: str  # ASSERTS: Python source; STDIO: the text fed on standard input
    expected: str = ""  # STDIO only: the expected standard output
    kind: TestKind = TestKind.ASSERTS


@dataclass(frozen=True, slots=True)
class Problem:
    """x: what the generator may know about a problem. Private tests live in `Answer`, a file of its own.

    A text may spell out some of them all the same: HumanEval's docstrings show all examples, of which one is public.
    """

    id: str  # "starter/17", "mbpp/602", "humaneval/0"
    source: str  # a key of problems.SOURCES
    split: str  # "train" | "validation" | "test"
    text: str  # the task as a person reads it
    entry_point: str  # the function the tests call; "" for a program that reads standard input
    public_tests: tuple[Test, ...]  # shown in the prompt, run after every turn; may be empty (counts as passed)
    setup: str = ""  # trusted code run before the tests (MBPP's test_setup_code)
    preamble: str = ""  # trusted imports and helper functions of the prompt (HumanEval)
    stub: str = ""  # the prompt's code that a bare function body continues (HumanEval); "" elsewhere


@dataclass(frozen=True, slots=True)
class Answer:
    """The half of a problem that no prompt may see: private tests and a reference program."""

    problem_id: str
    private_tests: tuple[Test, ...]
    reference: str  # a complete program that passes every test ("" where a source has none)


class Status(StrEnum):
    """How running one program against one half of its tests ended."""

    PASSED = "passed"
    FAILED = "failed"  # an assert was false, or the output differed
    ERROR = "error"  # the program raised, or does not compile
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DENIED = "denied"  # asked the system for something the sandbox refuses
    OPAQUE = "opaque"  # compared an object that is not plain data
    NO_CODE = "no_code"  # the reply holds no program
    INTERNAL = "internal"  # the judge itself failed: never a statement about the program


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says about one program on one half of the tests."""

    status: Status
    tests_passed: int  # asserts that held (STDIO: inputs answered rightly)
    tests_total: int
    feedback: str = ""  # public half only: the text of o_t; always "" for the private half
    seconds: float = 0.0  # wall seconds; never written into a DVC out

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run against one problem. `private_tests` are given only for the private half."""

    problem: Problem
    program: str
    private_tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply of the generator and the program in it (None: no code found).

    What it cost is no part of what was said: equal replies make equal states, in however many tokens they were drawn.
    """

    reply: str
    program: str | None
    prompt_tokens: int = field(default=0, compare=False)
    completion_tokens: int = field(default=0, compare=False)
    log_probability: float | None = field(
        default=None, compare=False
    )  # ln p of its tokens, temperature 1; if asked for


@dataclass(frozen=True, slots=True)
class Turn:
    """(y_t, o_t): a completion and the public verdict whose feedback the next turn reads."""

    completion: Completion
    verdict: Verdict


History = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class State:
    """s_t = (x, y_1, o_1, ..., y_{t-1}, o_{t-1}). Hashable: equal states share their samples."""

    problem: Problem
    history: History = ()

    @property
    def turn(self) -> int:
        """t, counted from 1: the turn that the next completion will be."""
        return len(self.history) + 1


class StopReason(StrEnum):
    PASSED_PUBLIC = "passed_public"
    OUT_OF_TURNS = "out_of_turns"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One episode of the generator on one problem: its turns and why it ended."""

    problem_id: str
    index: int  # which of the problem's rollouts, from 0
    turns: tuple[Turn, ...]
    stop: StopReason


@dataclass(frozen=True, slots=True)
class Candidate:
    """y in D(x), with its oracle reward R(x, y) in {0.0, 1.0}."""

    problem_id: str
    program: str
    reward: float


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """(y+, y-) of the same problem, for Bradley-Terry."""

    problem_id: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Demonstration:
    """(x, s_t, y*): a state relabelled with its problem's best known program."""

    problem_id: str
    history: History
    program: str
    weight: float = 1.0  # how many equal (state, program) pairs of D this one stands for


@dataclass(frozen=True, slots=True)
class Sample:
    """A search candidate at one state: its public verdict and its verifier score."""

    completion: Completion
    verdict: Verdict
    score: float

    @property
    def passes_public(self) -> bool:
        return self.verdict.passed


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn. temperature 0.0 is greedy."""

    temperature: float
    top_p: float
    max_new_tokens: int


class Generator(Protocol):
    """pi: states in, completions out, in order; row i answers states[i], drawn by seeds[i] and nothing else."""

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]: ...


class Verifier(Protocol):
    """R_phi: scores of (problem, program) pairs, in order. Higher is better; any real number."""

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]: ...


class Sandbox(Protocol):
    """The environment: runs programs on one half of their tests, verdicts in input order."""

    def judge(self, jobs: Sequence[Job], half: Half) -> list[Verdict]: ...
