"""The scripted double of a language model: replies drawn from a script, for the smallest size and for tests.

It knows the reference programs, so its results say nothing about the method; it exists to walk the whole path in
seconds, with every kind of reply that a real model gives.
"""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mucode.programs import program_in
from mucode.prompts import chat, reply_for
from mucode.seeds import seed_for
from mucode.types import Answer, Completion, MucodeError, Sampling, State

SCRIPT = "script.json"
_MUTANTS = 4  # at most, for each problem


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each kind of reply is given: weights, not necessarily a distribution."""

    reference: float
    mutant: float
    wrong: float
    codeless: float


FIRST_TURN = Mix(reference=0.35, mutant=0.35, wrong=0.2, codeless=0.1)
LATER_TURNS = Mix(reference=0.55, mutant=0.25, wrong=0.15, codeless=0.05)  # feedback must have something to show


@dataclass(frozen=True, slots=True)
class Role:
    """What the script knows about one problem."""

    reference: str
    mutants: tuple[str, ...]


class ScriptedGenerator:
    """A `Generator` that draws replies from a script; a reply follows from its state and seed alone."""

    def __init__(self, roles: Mapping[str, Role], first: Mix = FIRST_TURN, later: Mix = LATER_TURNS) -> None:
        self._roles, self._first, self._later = roles, first, later

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order; temperature 0 ignores the seed. Tokens are counted as words.

        Raises:
            MucodeError: a problem is not in the script.
        """
        greedy = sampling.temperature == 0.0
        return [self._completion(s, 0 if greedy else seed) for s, seed in zip(states, seeds, strict=True)]

    def _completion(self, state: State, seed: int) -> Completion:
        role = self._roles.get(state.problem.id)
        if role is None:
            raise MucodeError(f"the script has no reply for {state.problem.id}: write it anew from all answers")
        draw = random.Random(seed_for(seed, "scripted", state.problem.id, state.turn))
        mix = asdict(self._first if state.turn == 1 else self._later)
        kind = draw.choices(list(mix), list(mix.values()))[0]
        reply = _REPLIES[kind](role, draw)
        words = sum(len(message.content.split()) for message in chat(state))
        return Completion(reply, program_in(reply, state.problem.stub), words, len(reply.split()))


def write_script(answers: Sequence[Answer], out: Path) -> None:
    """Write the script of these problems into a model folder, which `load_generator` then takes for scripted."""
    roles = {answer.problem_id: Role(answer.reference, mutants(answer.reference)) for answer in answers}
    script = {"first": asdict(FIRST_TURN), "later": asdict(LATER_TURNS)} | {
        "roles": {name: asdict(role) for name, role in sorted(roles.items())}
    }
    (out / SCRIPT).write_text(json.dumps(script, indent=1) + "\n")


def load_script(folder: Path) -> ScriptedGenerator:
    """The generator whose script a folder holds."""
    script = json.loads((folder / SCRIPT).read_text())
    roles = {name: Role(role["reference"], tuple(role["mutants"])) for name, role in script["roles"].items()}
    return ScriptedGenerator(roles, Mix(**script["first"]), Mix(**script["later"]))


def mutants(program: str) -> tuple[str, ...]:
    """Programs that differ from this one in a single operator or constant, spread over it; most of them are wrong."""
    sites = sum(len(_changes(node)) for node in ast.walk(ast.parse(program)))
    step = max(1, sites // _MUTANTS)
    found = [_mutated(program, site) for site in range(0, sites, step)][:_MUTANTS]
    return tuple(dict.fromkeys(text for text in found if text != ast.unparse(ast.parse(program))))


def _mutated(program: str, site: int) -> str:
    """The program with its `site`-th possible change made."""
    tree = ast.parse(program)
    changes = [change for node in ast.walk(tree) for change in _changes(node)]
    changes[site]()
    return ast.unparse(tree)


def _changes(node: ast.AST) -> list[Callable[[], None]]:
    """The changes one node offers, each made in place when called."""
    match node:
        case ast.BinOp(op=op) if type(op) in _OTHER:
            return [lambda: setattr(node, "op", _OTHER[type(op)]())]
        case ast.Compare(ops=[op, *rest]) if type(op) in _OTHER:
            return [lambda: setattr(node, "ops", [_OTHER[type(op)](), *rest])]
        case ast.Constant(value=bool() as value):
            return [lambda: setattr(node, "value", not value)]
        case ast.Constant(value=int() as value):
            return [lambda: setattr(node, "value", value + 1)]
        case ast.Return(value=ast.expr() as value):
            return [lambda: setattr(node, "value", ast.List([value], ast.Load()))]
    return []


_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Div,
    ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def _reference(role: Role, draw: random.Random) -> str:
    shapes = (reply_for(role.reference), f"Here is the function:\n\n{reply_for(role.reference)}", role.reference)
    return draw.choice(shapes)


def _mutant(role: Role, draw: random.Random) -> str:
    return reply_for(draw.choice(role.mutants)) if role.mutants else _wrong(role, draw)


def _wrong(role: Role, draw: random.Random) -> str:
    """A program that never answers right: returns nothing, raises, or does not compile."""
    head = next((line for line in role.reference.splitlines() if line.startswith("def ")), "def f():")
    bodies = ("    return None", "    raise NotImplementedError", "    return (")
    return reply_for(f"{head.partition(':')[0]}:\n{draw.choice(bodies)}")


def _codeless(_role: Role, draw: random.Random) -> str:
    return draw.choice(("I am not sure how to do this.", "Let me think about the task first.", ""))


_REPLIES: dict[str, Callable[[Role, random.Random], str]] = {
    "reference": _reference,
    "mutant": _mutant,
    "wrong": _wrong,
    "codeless": _codeless,
}
