"""Hours and joules, kept while a piece runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mucode.study.meter import Spent, metered, runs, together


def package(counters: Path, name: str, microjoules: int, kind: str = "package-0") -> None:
    folder = counters / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("10000000\n")


def spent(workspace: Path) -> Spent:
    return together(runs(workspace).values())


def test_the_runs_of_a_workspace_add_up(tmp_path: Path) -> None:
    for _ in range(2):
        with metered(tmp_path, tmp_path / "none"):
            pass
    assert (len(runs(tmp_path)), spent(tmp_path).joules) == (2, None)
    assert spent(tmp_path).seconds > 0


def test_energy_is_what_the_packages_counted_though_one_counter_started_again(tmp_path: Path) -> None:
    counters = tmp_path / "powercap"
    package(counters, "intel-rapl:0", 9_000_000)
    package(counters, "intel-rapl:1", 1_000_000)
    package(counters, "intel-rapl:0:0", 5)  # a part of a package, counted with it
    package(counters, "intel-rapl:2", 0, "psys")  # the whole machine, in which the packages are counted again
    with metered(tmp_path, counters, period=3600):
        package(counters, "intel-rapl:0", 500_000)
        package(counters, "intel-rapl:1", 2_000_000)
        package(counters, "intel-rapl:2", 9_000_000, "psys")
    assert spent(tmp_path).joules == pytest.approx(2.5)


def test_an_interrupted_run_counts_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), metered(tmp_path, tmp_path / "none"):
        raise KeyboardInterrupt
    assert spent(tmp_path).seconds > 0


def test_energy_of_a_sum_is_told_only_if_every_part_tells() -> None:
    assert Spent(1.0, 2.0) + Spent(1.0, 3.0) == Spent(2.0, 5.0)
    assert Spent(1.0, 2.0) + Spent(1.0, None) == Spent(2.0, None)
