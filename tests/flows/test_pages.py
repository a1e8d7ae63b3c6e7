"""What a person sees after a run that a worker has done: Prefect's pages, MLflow's registry, the report; no host but this.

`MUCODE_PICTURES=docs` keeps the pictures that docs/operations.md shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mucode.workspace import make_workspace
from tests.flows.browser import Browser, chromium
from tests.flows.conftest import clone_repository
from tests.flows.test_deployments import ask, eventually, runs_in, served, start

pytestmark = pytest.mark.slow
HERE = {"127.0.0.1"}
SECONDS = 1800  # a tiny run takes two minutes alone on two cores


@dataclass(frozen=True, slots=True)
class Served:
    """A workspace with a finished run in it, and where its pages are."""

    workspace: Path
    prefect: str
    mlflow: str
    run: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    clone = clone_repository(tmp_path_factory.mktemp("pages") / "repository")
    workspace = make_workspace("tiny", clone)
    for name in ("flows", "mlflow", "prefect.yaml"):
        (workspace / name).symlink_to(clone / name)
    with served(workspace) as (_, api, mlflow):
        run = start(api, "retrain/weekly")
        (ended,) = eventually(lambda: runs_in(api, "COMPLETED", "FAILED", "CRASHED"), SECONDS)
        assert ended["state"]["type"] == "COMPLETED", ended["state"]["message"]
        yield Served(workspace, api.removesuffix("/api"), mlflow, run)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as window:
        yield window


def photograph(browser: Browser, tmp_path: Path, name: str) -> None:
    file = Path(os.environ.get("MUCODE_PICTURES", tmp_path)) / f"{name}.png"
    browser.photograph(file)
    assert 10_000 < file.stat().st_size < 200_000


def test_the_run_s_page_shows_the_stages_and_what_came_of_them(site: Served, browser: Browser, tmp_path: Path) -> None:
    browser.visit(f"{site.prefect}/runs/flow-run/{site.run}")
    browser.wait_for("Completed", "retrain", "mucode", "Task runs")
    browser.click("Task Runs")
    browser.wait_for("register", "track", "report")
    browser.click("Artifacts")
    browser.wait_for("results", "report", "promotion")
    photograph(browser, tmp_path, "prefect-run")
    assert browser.asked() == HERE


def test_the_form_of_a_run_offers_the_methods(site: Served, browser: Browser, tmp_path: Path) -> None:
    found = ask(f"{site.prefect}/api", "deployments/filter", {"deployments": {"name": {"any_": ["weekly"]}}})
    browser.visit(f"{site.prefect}/deployments/deployment/{found[0]['id']}/run")
    browser.wait_for("variation", "Method", "Iterations", "Seeds", "Submit")
    browser.click("str", which=2)  # a button and the words in it are two elements; the first two are those of `branch`
    browser.choose("mucode_lv")
    browser.scroll_to("variation (Optional)")
    photograph(browser, tmp_path, "prefect-form")
    assert browser.asked() == HERE


def test_the_registry_shows_the_pair_and_its_aliases(site: Served, browser: Browser, tmp_path: Path) -> None:
    browser.visit(f"{site.mlflow}/#/models")
    browser.wait_for("mucode-generator", "mucode-verifier", "champion")
    browser.click("Try it now")  # a notice in front of the list
    for kind in ("verifier", "generator"):
        browser.visit(f"{site.mlflow}/?{kind}#/models/mucode-{kind}/versions/1")  # ?: another page, not a part of it
        browser.wait_for(f"mucode-{kind}", "Version 1", "champion", "challenger")
    photograph(browser, tmp_path, "mlflow-registry")
    assert browser.asked() == HERE


def test_the_report_opens_from_the_run_s_page_and_asks_nobody(site: Served, browser: Browser, tmp_path: Path) -> None:
    artifacts = ask(f"{site.prefect}/api", "artifacts/filter", {"artifacts": {"key": {"any_": ["report"]}}})
    link = re.search(r"\((http://127\.0\.0\.1:\d+/data/reports/report\.html)\)", artifacts[0]["data"])
    assert link is not None
    browser.visit(link[1])
    browser.wait_for("mucode-0")
    photograph(browser, tmp_path, "report")
    assert browser.asked() == HERE
