"""Numbers and untrusted text as a person reads them."""

from __future__ import annotations

import unicodedata

from mucode.config import BenchmarkSet
from mucode.metrics import Estimate
from mucode.report.sources import BEFORE, Round

MINUS = "\u2212"
_LONGEST = 3000  # characters of a program or an observation that the page shows


def percent(value: float, decimals: int = 1) -> str:
    """0.125 -> "12.5 %", with a space that does not break."""
    return f"{100 * value:.{decimals}f}\u00a0%"


def signed_points(value: float, decimals: int = 1) -> str:
    """0.125 -> "+12.5"; the minus sign is a real one."""
    shown = f"{100 * value:+.{decimals}f}"
    return shown[1:] if float(shown) == 0 else shown.replace("-", MINUS)


def interval(found: Estimate, *, points: bool = False) -> str:
    """ "[3.2, 22.5]", in percent or percentage points."""
    ends = [signed_points(end) if points else f"{100 * end:.1f}" for end in (found.low, found.high)]
    return f"[{ends[0]}, {ends[1]}]"


def probability(p: float, *, relation: bool = False) -> str:
    """ "0.016" or "< 0.001"; with its relation "= 0.016"."""
    if p < 0.001:
        return "<\u00a00.001"
    return f"=\u00a0{p:.3f}" if relation else f"{p:.3f}"


def count(many: int, one: str, several: str = "") -> str:
    """ "1 problem", "12,000 problems"."""
    return f"{many:,} {one if many == 1 else several or one + 's'}"


def method_name(method: str) -> str:
    return f"before ({BEFORE})" if method == BEFORE else method


def round_title(one: Round) -> str:
    """ "D2 (mucode, seed 1)"; seed 0 goes without saying."""
    seed = f", seed {one.origin.seed}" if one.origin.seed else ""
    return f"D{one.iteration} ({one.origin.method}{seed})"


def set_title(conditions: BenchmarkSet) -> str:
    """A test set's name, and what is unusual about it."""
    unusual = [] if conditions.public_tests else ["public tests neither shown nor run"]
    unusual += ["a control: feedback of other problems\u2019 programs"] if conditions.feedback == "random" else []
    return f"{conditions.name}: {'; '.join(unusual)}" if unusual else conditions.name


def visible(text: str) -> str:
    """Untrusted text without characters that hide or turn what follows: they appear as escapes. Long texts are cut."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + f"\n\u2026 ({len(text) - _LONGEST} more characters)"
    return "".join(letter if _shows(letter) else f"\\u{{{ord(letter):x}}}" for letter in cut)


def _shows(letter: str) -> bool:
    return letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
