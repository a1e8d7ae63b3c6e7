"""Which commit and which dvc.lock a result comes from, and a branch that keeps the two together."""

from mucode.lineage.branch import RunBranch, branch, commit_run
from mucode.lineage.facts import code_of, lineage, lock_digest, lock_of
from mucode.lineage.git import Git, repository_of

__all__ = ["Git", "RunBranch", "branch", "code_of", "commit_run", "lineage", "lock_digest", "lock_of", "repository_of"]
