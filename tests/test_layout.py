from __future__ import annotations

from pathlib import Path

from mucode.layout import Layout
from mucode.yaml_files import load_yaml

PIPELINE = Path(__file__).parent.parent / "dvc.yaml"


def test_what_is_looked_for_after_the_graph_is_what_its_stages_write() -> None:
    stages = load_yaml(PIPELINE.read_text())["stages"]
    written = {out for stage in stages.values() for out in stage.get("do", stage)["outs"]}
    here = Layout()
    looked_for = {
        here.problems,
        here.answers,
        here.reports,
        here.selected("${key}"),
        here.benchmark("${key}"),
        here.evaluation("GROUP", "ITERATION"),
    }
    assert {path.as_posix().replace("GROUP/ITERATION", "${item.out}") for path in looked_for} <= written
