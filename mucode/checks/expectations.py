"""Running a suite with Great Expectations: in memory, without telemetry, without files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mucode.checks.columns import KEY, Columns
from mucode.checks.suites import Check, Suite

ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that broke an expectation: its place in the file (from 0) and what stands in the columns concerned."""

    row: int
    values: Mapping[str, str | int | float | bool | None]

    def as_text(self) -> str:
        return " ".join(f"{name}={value!r}" for name, value in self.values.items())


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation's outcome. `rows` are the first failing ones, at most ROWS_SHOWN of `failing`."""

    name: str
    sentence: str  # what is expected, in plain language
    success: bool
    failing: int = 0
    observed: str = ""  # for an expectation about the whole file: what was found instead
    rows: tuple[FailedRow, ...] = ()


def validate(suite: Suite, columns: Columns) -> list[Expectation]:
    """Hold columns against a suite.

    Args:
        suite: its order is the outcomes' order.
        columns: cells as Python objects, so that one of a wrong type stays what it is.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types import base

    config = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(),  # the usual ones make a temporary folder each time
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("labels").add_dataframe_asset("labels")
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})
    expectations = [getattr(gx.expectations, c.builtin)(**c.arguments, meta={"name": c.name}) for c in suite]
    found = batch.validate(gx.ExpectationSuite(name="labels", expectations=expectations), result_format="COMPLETE")
    outcomes = {outcome.expectation_config.meta["name"]: outcome for outcome in found.results}  # in an order of its own
    return [_outcome(check, outcomes[check.name], columns) for check in suite]


def _outcome(check: Check, found: Any, columns: Columns) -> Expectation:
    if found.success:
        return Expectation(check.name, check.sentence, True)
    rows = sorted(found.result.get("unexpected_index_list") or [])
    concerned = [check.arguments[name] for name in ("column", "column_A", "column_B") if name in check.arguments]
    shown = [name for name in dict.fromkeys((*KEY, *concerned, *check.shown)) if name in columns]
    failed = tuple(FailedRow(row, {name: _cell(columns[name][row]) for name in shown}) for row in rows[:ROWS_SHOWN])
    observed = _observed(found.result.get("observed_value"))
    return Expectation(check.name, check.sentence, False, len(rows), observed, failed)


def _observed(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(sorted(map(str, value))) if isinstance(value, list) else f"{value:.6g}"


def _cell(value: Any) -> str | int | float | bool | None:
    """A cell as JSON can hold it: other types, and NaN, as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return value if value is None or isinstance(value, (str, bool, int)) else repr(value)
