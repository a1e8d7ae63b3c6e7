"""The section on the label gates: every round beside the one before, and the programs that came out otherwise."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TypeGuard

from mucode.report.blocks import Block, Paragraph, Table
from mucode.report.gates import gates_section
from mucode.report.labels import labels_section
from mucode.report.sources import Folders, Material, read_material
from tests.report.conftest import FEW
from tests.report.study import Study, make_config, write_study


def material_of(study: Study) -> Material:
    arguments = study.arguments()
    config = arguments.pop("config")
    return read_material(Folders(**arguments), config)


def test_each_round_has_a_row_and_the_second_says_how_it_differs_from_the_first(tmp_path: Path) -> None:
    config = make_config(report=FEW, study={"iterations": 2})
    study = write_study(tmp_path, config)
    table = gates_section(material_of(study)).blocks[1]
    assert isinstance(table, Table)
    first, second = (dict(zip(table.head, row, strict=True)) for row in table.rows)
    assert (first["iteration"], first["outcomes moved"], second["iteration"]) == ("1", "", "2")
    gate = json.loads((tmp_path / "gates/mucode-0-2.json").read_text())
    assert second["outcomes moved"] == f"{100 * gate['drift']['statuses']:.1f}\u00a0%"
    assert (second["run again"], second["flaky"]) == ("8", "0")


def test_a_flaky_program_is_listed_with_its_place(study: Study) -> None:
    material = material_of(study)
    [one] = material.rounds
    flaky = {"problem_id": "starter/train-03", "rollout": 2, "turn": 1, "reward": 1.0}
    gate = {**one.gate, "audit": {**one.gate["audit"], "flaky": [flaky]}}
    changed = dataclasses.replace(material, rounds=(dataclasses.replace(one, gate=gate),))
    tables = [block for block in gates_section(changed).blocks if isinstance(block, Table)]
    assert ("D1 (instruct)", "starter/train-03", "2", "1", "1") in tables[1].rows


def test_where_labels_and_programs_are_counted_the_page_says_what_makes_the_difference(study: Study) -> None:
    material = material_of(study)
    gates, labels = gates_section(material).blocks[1], labels_section(material).blocks[1]
    assert isinstance(gates, Table)
    assert isinstance(labels, Table)
    labelled, programs = (
        int(table.rows[0][table.head.index(name)]) for table, name in ((gates, "labels"), (labels, "programs"))
    )
    without = sum(row.program is None for row in material.rounds[0].experiences)
    assert labelled - programs == without > 0
    assert "Labels: one for each reply, also where it holds no program" in gates.caption
    assert "Programs: replies that hold one; a reply without one is labelled, too" in labels.caption


def test_rounds_of_several_seeds_are_told_apart_and_those_of_one_seed_need_no_column(
    study: Study, tmp_path: Path
) -> None:
    several = write_study(tmp_path, make_config(report=FEW, study={"seeds": [0, 1]}))
    for section in (gates_section, labels_section):
        (table,) = (block for block in section(material_of(several)).blocks if is_of_rounds(block))
        found = [dict(zip(table.head, row, strict=True)) for row in table.rows]
        assert [(row["rollouts of"], row["seed"], row["iteration"]) for row in found] == [
            ("before (instruct)", "0", "1"),
            ("before (instruct)", "1", "1"),
        ]
        (table,) = (block for block in section(material_of(study)).blocks if is_of_rounds(block))
        assert table.head[:2] == ("rollouts of", "iteration")
        assert table.rows[0][:2] == ("before (instruct)", "1")


def is_of_rounds(block: Block) -> TypeGuard[Table]:
    return isinstance(block, Table) and block.head[0] == "rollouts of"


def test_a_study_without_gates_says_so(study: Study) -> None:
    section = gates_section(dataclasses.replace(material_of(study), rounds=()))
    assert section.blocks == (Paragraph("No gate has been passed."),)
