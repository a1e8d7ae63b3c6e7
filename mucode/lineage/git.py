"""The few things that are asked of git, by its plumbing: nobody's branch, index or working tree is touched.

GIT_OPTIONAL_LOCKS: else `git status` writes the index anew, and a person's command fails for its lock meanwhile.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mucode.types import MucodeError

_NOBODY = {"NAME": "mucode", "EMAIL": "mucode@localhost"}  # where git knows no identity, as on a service's account
# what stands before a host, also a password that holds "/", if it is not a port and a path
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/]*@|[^\s/:@\[]*:(?!\d{1,5}/)\S*@)")
_ASKS_OTHERS = ("ls-remote", "push")  # commands that another machine may leave without an answer for ever
_FAILURES = ("fatal:", "error:", "! [")  # "! [rejected] run/x -> run/x (non-fast-forward)"


@dataclass(frozen=True, slots=True)
class Git:
    """A repository, what else its commands find in their environment, and the seconds that another machine gets."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    patience: float = 600.0

    def __call__(self, *arguments: str) -> str:
        """What a git command says.

        Raises:
            MucodeError: it failed; what git says of it first, not the advice that follows, says why.
        """
        done = self._run(*arguments)
        if done.returncode != 0:
            said = without_credentials(_reason(done.stderr)) or f"exit code {done.returncode}"
            raise MucodeError(f"git {arguments[0]} in {self.root} failed ({said}): mend that and run again")
        return done.stdout.strip()

    def answer(self, *arguments: str) -> str | None:
        """What a git command says, None if it says no."""
        done = self._run(*arguments)
        return done.stdout.strip() if done.returncode == 0 else None

    def content(self, commit: str, path: str) -> bytes | None:
        """A file of a commit, None if it has none there."""
        done = subprocess.run(
            ["git", "cat-file", "blob", f"{commit}:{path}"], cwd=self.root, capture_output=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    def identified(self) -> Git:
        """The same with somebody to commit as: the user, or where git knows none, nobody in particular."""
        if self.answer("var", "GIT_AUTHOR_IDENT") and self.answer("var", "GIT_COMMITTER_IDENT"):
            return self
        names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _NOBODY.items()}
        return replace(self, settings={**self.settings, **names})

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ours = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        environment = {**os.environ, **ours, **self.settings}
        command, patience = ["git", *arguments], self.patience if arguments[0] in _ASKS_OTHERS else None
        try:
            return subprocess.run(
                command, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=patience
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"fatal: no end after {patience:g} s")


def without_credentials(text: str) -> str:
    """A text for the terminal and the logs: its URLs tell neither user nor password nor token."""
    return _CREDENTIALS.sub("", text)


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(_FAILURES)), lines[-1] if lines else "")


def repository_of(workspace: Path) -> Git | None:
    """The repository whose code a workspace runs, None if that is not under git or has no commit yet.

    Raises:
        MucodeError: git refuses to read it, as for another owner.
    """
    code = workspace / "mucode"
    root = code.resolve().parent if code.exists() else workspace.resolve()
    git = Git(root)
    try:
        top = git.answer("rev-parse", "--show-toplevel")
    except FileNotFoundError:  # no git on this machine
        return None
    if top is None and any((folder / ".git").exists() for folder in (root, *root.parents)):
        git("rev-parse", "--show-toplevel")  # says why
    if top is None or Path(top).resolve() != root or git.answer("rev-parse", "--verify", "--quiet", "HEAD") is None:
        return None
    return git
