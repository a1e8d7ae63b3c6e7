"""The study as two SVG files; equal studies give equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.theory.curves import AUCS, COUNTS, GAINS, Curves
from benchmarks.theory.methods import NAMES
from benchmarks.theory.study import MEASURES, Study, accuracy, mean

_STYLE = {
    "svg.hashsalt": "mucode",  # element names that do not change from run to run
    "svg.fonttype": "none",  # text stays text
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_COLOURS = {"first": "#9aa5b1", "single": "#1f6fb2", "best_first": "#f2b880", "best": "#c8553d"}


def draw(study: Study, folder: Path) -> None:
    """Write theory-methods.svg and theory-verifier.svg."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(_STYLE):
        for name, figure in (("methods", _methods(study, pyplot)), ("verifier", _verifier(study.curves, pyplot))):
            figure.savefig(folder / f"theory-{name}.svg", metadata={"Date": None, "Creator": None})
            pyplot.close(figure)


def _methods(study: Study, pyplot: Any) -> Any:
    """A panel for each kind of world; in it each method's accuracies with their intervals."""
    figure, panels = pyplot.subplots(1, 2, figsize=(8.4, 3.6), sharex=True, sharey=True, layout="constrained")
    for panel, (world, outcome) in zip(panels, study.worlds.items(), strict=True):
        for offset, (measure, words) in enumerate(MEASURES.items()):
            found = [accuracy(getattr(outcome.scores[name], measure)) for name in NAMES]
            whiskers = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
            places = [row + 0.15 * (offset - 1.5) for row in range(len(NAMES))]
            values, colour = [f.value for f in found], _COLOURS[measure]
            panel.errorbar(values, places, xerr=whiskers, fmt="o", ms=4, color=colour, label=words)
        panel.set_title(f"{world} (y* in reach of {outcome.recoverable:.0%} of later states)", fontsize=9)
        panel.set_yticks(range(len(NAMES)), NAMES)
        panel.set_xlabel("held-out problems solved")
        panel.set_xlim(0, 0.95)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _verifier(curves: Curves, pyplot: Any) -> Any:
    """Best-of-N against N by AUC: the first turn beside its closed form, then the whole search."""
    figure, panels = pyplot.subplots(1, 3, figsize=(9.6, 3.3), sharex=True, sharey=True, layout="constrained")
    shades = pyplot.get_cmap("viridis")
    for place, auc in enumerate(AUCS):
        colour = shades(0.85 * (1 - place / (len(AUCS) - 1)))
        panels[0].plot(COUNTS, [mean(curves.predicted[auc, n]) for n in COUNTS], color=colour, lw=1)
        _points(panels[0], [curves.first[auc, n] for n in COUNTS], "o", colour, f"AUC {auc:.1f}")
        for panel, selector in zip(panels[1:], GAINS, strict=True):
            _points(panel, [curves.final[selector, auc, n] for n in COUNTS], "o-", colour, f"AUC {auc:.1f}")
    titles = ("lv, turn 1 (lines: closed form)", *(f"{selector}, turn T" for selector in GAINS))
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, fontsize=9)
        panel.set_xscale("log", base=2)
        panel.set_xticks(COUNTS, [str(n) for n in COUNTS])
        panel.set_xlabel("N")
        panel.set_ylim(0, 1)
    panels[0].set_ylabel("held-out problems solved")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(AUCS), frameon=False)
    return figure


def _points(panel: Any, cells: Any, style: str, colour: Any, label: str) -> None:
    found = [accuracy(cell) for cell in cells]
    whiskers = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
    panel.errorbar(COUNTS, [f.value for f in found], yerr=whiskers, fmt=style, ms=3, lw=1, color=colour, label=label)
