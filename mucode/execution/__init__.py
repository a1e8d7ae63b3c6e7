"""Execution labels that nobody can forge: a judge that holds the tests, programs behind a wall (see docs/execution.md).

`with open_sandbox() as sandbox: verdicts = sandbox.judge(jobs, "public")`
"""

from __future__ import annotations

from mucode.execution.sandbox import SandboxInfo, open_judges, open_sandbox

__all__ = ["SandboxInfo", "open_judges", "open_sandbox"]
