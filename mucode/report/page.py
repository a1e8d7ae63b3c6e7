"""The page: sections put together, drawn by a template that escapes everything but our own plots."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from mucode.report.blocks import Section, Table
from mucode.report.budget import budget_section
from mucode.report.comparisons import comparisons_section
from mucode.report.cost import cost_section, losses_section
from mucode.report.curves import curves_section
from mucode.report.episodes import episodes_section
from mucode.report.gates import gates_section
from mucode.report.headline import CLAIMS_NOTHING, claims_nothing, results_section
from mucode.report.labels import labels_section
from mucode.report.sources import Material
from mucode.report.verifiers import verifier_section


def page(material: Material) -> str:
    """The whole report as one HTML document that fetches nothing."""
    warning = CLAIMS_NOTHING if claims_nothing(material) else ""
    return rendered("µCode report", _sections(material), _facts(material), warning)


def rendered(title: str, sections: Sequence[Section], facts: Sequence[tuple[str, str]], warning: str = "") -> str:
    """Sections below what was run, in a line each, and a warning, if there is one."""
    folder = files("mucode.report")
    environment = Environment(
        loader=DictLoader({"page": (folder / "page.html.j2").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((folder / "page.css").read_text(encoding="utf-8"))
    return environment.get_template("page").render(
        title=title, style=style, sections=sections, warning=warning, facts=facts, repeated=repeated
    )


def _sections(material: Material) -> list[Section]:
    """Those that compare methods or budgets are there only where the study has several."""
    return [
        results_section(material),
        *comparisons_section(material),
        curves_section(material),
        *budget_section(material),
        verifier_section(material),
        labels_section(material),
        gates_section(material),
        episodes_section(material),
        cost_section(material),
        losses_section(material),
    ]


def repeated(table: Table, row: int, column: int) -> bool:
    """Whether a label cell says the same as the one above it, so that it can be left empty."""
    return column == 0 and table.labels > 1 and row > 0 and table.rows[row][0] == table.rows[row - 1][0]


def _facts(material: Material) -> list[tuple[str, str]]:
    """What was run, in a line each."""
    config = material.config
    study, rollout, search = config.study, config.rollout, config.search
    seeds = ", ".join(str(seed) for seed in study.seeds)
    ns = [search.candidates, *search.other_candidates]
    return [
        ("base model", config.model.setting),
        ("methods", ", ".join(study.methods)),
        ("iterations M", str(study.iterations)),
        ("seeds", seeds),
        ("rollouts", f"{rollout.rollouts} a problem, T = {rollout.turns}, temperature {rollout.temperature:g}"),
        ("search", f"N = {', '.join(map(str, ns))}, T = {search.turns}, temperature {search.temperature:g}"),
        ("test problems", ", ".join(material.benchmarks)),
    ]
