"""Run branches on a git remote that several machines may push to: which names are taken, and what it lacks."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from mucode.lineage.git import Git

_ON_REMOTE = "refs/heads/run/*"


def run_branches(git: Git) -> dict[str, str]:
    """name -> commit, of the run branches here."""
    return _by_name(git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/run"))


def free_name(wanted: str, git: Git, remote: str | None) -> str:
    """`wanted`, with a number if it is taken, here or there. A remote that is not reached knows none."""
    there = git.answer("ls-remote", remote, _ON_REMOTE) if remote else None
    return _numbered(wanted, {*run_branches(git), *_by_name(there or "")})


def push_runs(git: Git, remote: str) -> dict[str, str]:
    """Send a remote every run branch whose commit it lacks: this run's, and those of runs that ended while it was away.

    Returns:
        name here -> name there, of what was sent: a name that has gone to another machine's commit gets a number.

    Raises:
        MucodeError: it is not reached, or refuses; what it took stays there.
    """
    there, here = _by_name(git("ls-remote", remote, _ON_REMOTE)), run_branches(git)
    sent: dict[str, str] = {}
    for name, commit in here.items():
        if commit not in there.values():
            sent[name] = _numbered(name, {*there, *sent.values(), *(here.keys() - {name})})
    if sent:
        git("push", "--quiet", remote, *(f"refs/heads/{name}:refs/heads/{named}" for name, named in sent.items()))
    return sent


def _by_name(listed: str) -> dict[str, str]:
    pairs = (line.split() for line in listed.splitlines())
    return {name.removeprefix("refs/heads/"): commit for commit, name in pairs}


def _numbered(wanted: str, taken: Collection[str]) -> str:
    names = itertools.chain([wanted], (f"{wanted}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)
