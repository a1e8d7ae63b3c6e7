"""The model card of a version, from the template in mlflow/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from mucode.types import MucodeError

CARD = "model_card.md"
LONGEST = 5000  # characters; PostgreSQL refuses a longer description, SQLite takes it
ELSEWHERE = "Too many for this card: MLflow's run of the registration has them."


def model_card(
    workspace: Path,
    kind: str,
    tags: Mapping[str, str],
    results: Sequence[Mapping[str, Any]],
    params: Mapping[str, str],
) -> str:
    """The card in Markdown; what makes it too long for a version's description is left to the run.

    Args:
        workspace: whose template.
        kind: "generator" or "verifier".
        tags: of the version, and its iteration.
        results: rows of results.json about its pair.
        params: what it was made with.
    """
    claim = "**Made of a random model to try the machinery out. It claims nothing.**"
    template = Template((settings_folder(workspace) / CARD).read_text(encoding="utf-8"))
    table, listed = _table(results), "\n".join(f"- `{name}`: {value}" for name, value in params.items())
    card = ""
    for found, made_with in ((table, listed), (table, ELSEWHERE), (ELSEWHERE, ELSEWHERE)):
        card = template.substitute(
            tags,
            name=f"mucode-{kind}",
            kind=kind,
            partner="verifier" if kind == "generator" else "generator",
            commit=_commit(tags),
            claim=claim if "claims" in tags else "",
            results=found,
            parameters=made_with,
        )
        if len(card) <= LONGEST:
            break
    return card


def _commit(tags: Mapping[str, str]) -> str:
    if "git_commit" not in tags:
        return "not under git"
    return f"`{tags['git_commit']}`{', changed since' if 'git_changed' in tags else ''}"


def settings_folder(workspace: Path) -> Path:
    """The folder mlflow/ with the policy and the card's template: the workspace's own, else the one beside the code.

    Raises:
        MucodeError: there is neither.
    """
    for root in (workspace, Path(__file__).resolve().parents[2]):
        if (root / "mlflow" / CARD).exists():
            return root / "mlflow"
    raise MucodeError(f"{workspace / 'mlflow'} is missing: run from a clone of the repository, which has it")


def measure(row: Mapping[str, Any]) -> str:
    """What a row of results.json measures, in words."""
    return str(row["metric"]) if row["selector"] is None else f"best of {row['n']} {row['selector']}"


def _table(results: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| test set | measure | accuracy | interval | problems |", "|---|---|---|---|---|"]
    for row in results:
        interval = f"{row['ci_low']:.1%} to {row['ci_high']:.1%}"
        lines.append(
            f"| {row['benchmark']} | {measure(row)} | {row['accuracy']:.1%} | {interval} | {row['problems']} |"
        )
    return "\n".join(lines)
