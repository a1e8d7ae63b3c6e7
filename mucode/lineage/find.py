"""From the name of a run to the commit that holds its code and its dvc.lock."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from mucode.lineage.compare import stages_of
from mucode.lineage.facts import lock_digest
from mucode.lineage.git import Git
from mucode.types import MucodeError


@dataclass(frozen=True, slots=True)
class Recorded:
    """A commit, and where in it the workspace of the run lies: ".", or "runs/NAME"."""

    commit: str
    place: str

    def stages(self, git: Git) -> dict[str, Any]:
        """The stages of its dvc.lock."""
        return stages_of(git.content(self.commit, _lock(self.place)) or b"", f"{self.commit[:12]}:{_lock(self.place)}")


def recorded_at(git: Git, revision: str) -> Recorded | None:
    """The run that a branch, a tag or a commit holds; a branch that only a remote has is found as well.

    Raises:
        MucodeError: the commit has no dvc.lock, or its message does not say clearly where that is.
    """
    for name in (revision, *(f"{remote}/{revision}" for remote in git("remote").splitlines())):
        if commit := git.answer("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            break
    else:
        return None
    place = _place(git, commit)
    if place is None:
        raise MucodeError(
            f'{revision}: the line "Workspace:" of its message names neither . nor runs/NAME, so where its dvc.lock lies '
            "is not clear: put the same files into a commit whose message has no such line, or a right one, and name that"
        )
    if git.content(commit, _lock(place)) is None:
        raise MucodeError(f"{revision} holds no {_lock(place)}: name a run branch, or a commit whose graph has run")
    return Recorded(commit, place)


def recorded_with(git: Git, commit: str | None, digest: str) -> Recorded | None:
    """The commit whose dvc.lock has that digest: `commit`, at which the run's code was checked out, else a run branch, of
    those that were made on `commit` if there are any, else any tip here or on a remote, else one of their past."""
    itself = [commit] if commit and git.answer("cat-file", "-e", commit) is not None else []
    for candidate in itertools.chain(itself, _tips(git, commit), _past(git)):
        place = _place(git, candidate)
        content = git.content(candidate, _lock(place)) if place else None
        if place and content is not None and lock_digest(content) == digest:
            return Recorded(candidate, place)
    return None


def _tips(git: Git, base: str | None) -> list[str]:
    """A branch that took a run over has its dvc.lock as well, but maybe other code by now: run branches come first."""
    form = "--format=%(refname):%(objectname) %(*objectname):%(parent)"
    tips = []
    for line in git("for-each-ref", form, "refs/heads", "refs/remotes", "refs/tags").splitlines():
        name, objects, parent = line.split(":")  # which no name of git's holds
        rank = int(parent != base) if "/run/" in name else 2
        tips.append((rank, objects.split()[-1]))  # of an annotated tag, what it points at
    return [commit for _, commit in sorted(tips, key=itemgetter(0))]


def _past(git: Git) -> Iterator[str]:
    """Every commit that brought a dvc.lock, the newest first; asked for only where no tip holds the one that is sought."""
    yield from git("rev-list", "--all", "--full-history", "--", "dvc.lock", ":(glob)runs/*/dvc.lock").splitlines()


def _place(git: Git, commit: str) -> str | None:
    """Where `mucode branch` says it put the workspace; in a commit of a person's, the repository itself.

    None: it is said in words that are no such place. The repository's own dvc.lock would be another run's.
    """
    said = re.search(r"^Workspace:(.*)$", git("show", "--no-patch", "--format=%B", commit), re.MULTILINE)
    if said is None:
        return "."
    place = re.fullmatch(r" (\.|runs/[^/]+)", said[1])
    return place[1] if place else None


def _lock(place: str) -> str:
    return "dvc.lock" if place == "." else f"{place}/dvc.lock"
