"""The report: one self-contained page, the results table, the rows behind them. Equal inputs give equal bytes."""

from mucode.report.write import write_report

__all__ = ["write_report"]
