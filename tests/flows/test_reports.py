from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from flows.reports import reports_server
from flows.retrain import commands_after, promotion, report_link
from mucode.parameters import with_plan
from mucode.yaml_files import dump_yaml, read_yaml

REPOSITORY = Path(__file__).parent.parent.parent


def test_reports_are_served_and_nothing_else_of_the_workspace(tmp_path: Path) -> None:
    for folder in (tmp_path / "data/reports", tmp_path / "runs/varied-1/data/reports", tmp_path / "data/answers"):
        folder.mkdir(parents=True)
        (folder / "report.html").write_text(f"page of {folder.name}")
    (tmp_path / "mlflow.db").write_text("secret")
    with reports_server(tmp_path, 0) as url:
        for served in ("data/reports/report.html", "runs/varied-1/data/reports/report.html"):
            with urllib.request.urlopen(f"{url}/{served}", timeout=10) as response:
                assert response.read() == b"page of reports"
        hidden = ("mlflow.db", "data/answers/report.html", "data/reports/", "data/reports/../../mlflow.db", "")
        for path in (*hidden, "data/reports%2f..%2f..%2fmlflow.db", "x/data/reports/report.html"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}/{path}", timeout=10)


def test_the_link_to_a_report_is_one_that_a_browser_opens_from_another_page(tmp_path: Path) -> None:
    folder = tmp_path / "runs/varied-1"
    assert report_link(folder, tmp_path, "http://h:1") == "http://h:1/runs/varied-1/data/reports/report.html"
    assert report_link(folder, tmp_path, None) == (folder / "data/reports/report.html").as_uri()


def test_a_study_without_a_trained_method_is_not_registered(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    for methods, follow in ((["instruct"], ["branch"]), (["instruct", "mucode"], ["branch", "register"])):
        values = read_yaml(REPOSITORY / "params.yaml")
        del values["plan"]
        values["study"]["methods"] = methods
        params.write_text(with_plan(dump_yaml(values), params))
        assert [name for name, _, _ in commands_after(tmp_path, "weekly")] == follow


def test_the_promotion_decision_reads_as_a_sentence_with_its_pairs() -> None:
    pair = {"group": "mucode-0", "generator": 2, "verifier": 1, "new": True}
    report = {
        "pairs": [pair],
        "challenger": "mucode-0",
        "promoted": False,
        "reason": "it loses 0.1",
        "champion": [1, 1],
        "registry": "sqlite:////w/mlflow.db",
    }
    said = promotion(report)
    assert said.startswith("Challenger **mucode-0** is not promoted in `sqlite:////w/mlflow.db`: it loses 0.1\n")
    assert "Champion there: generator 1 with verifier 1" in said
    assert "| mucode-0 | 2 | 1 |" in said
