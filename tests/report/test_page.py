"""The page: self-contained, harmless whatever the programs hold, and the same bytes every time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mucode.records import Experience, SearchChoice, SearchSample, Step, write_rows
from mucode.report import write_report
from mucode.types import MucodeError
from tests.report.conftest import FEW
from tests.report.study import HOSTILE, Study, World, make_config, write_study

VOID = {"meta", "link", "img", "br", "hr", "input"}


@dataclass
class Reading(HTMLParser):
    """What a browser would make of a page."""

    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "action", "data"}]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Reading:
    reading = Reading()
    reading.feed(page)
    reading.close()
    assert reading.open == []
    return reading


def html_of(root: Path, study: Study) -> str:
    write_report(out=root / "report", **study.arguments())
    return (root / "report/report.html").read_text(encoding="utf-8")


def test_the_page_fetches_nothing_and_runs_nothing(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    reading = read(page)
    assert reading.links
    assert all(link.startswith("#") for link in reading.links)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(reading.tags)
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_every_link_within_the_page_has_its_target(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'href="#([^"]+)"', page)) == set(re.findall(r'<section id="([^"]+)"', page))


def test_programs_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    world = World(hostile=True, hopeless=True)
    study = write_study(tmp_path, make_config(report=FEW), problems=6, worlds={"base": world, "mucode": world})
    reading = read(html_of(tmp_path, study))
    words = "".join(reading.words)
    assert not {"script", "img"} & set(reading.tags)
    assert '</pre><script>alert("x")</script>' in words  # shown, as text
    assert "\u202e" in HOSTILE
    assert "\u202e" not in words
    assert "\x1b" not in words
    assert "\\u{202e}\\u{1b}" in words


def test_equal_inputs_give_equal_bytes_wherever_they_lie(study: Study, out: Path, tmp_path: Path) -> None:
    again = write_study(tmp_path, make_config(report=FEW))
    write_report(out=tmp_path / "out", **again.arguments())
    names = {path.name for path in out.iterdir()}
    assert names == {"report.html", "table.md", "study.md", "results.json", "differences.json", "verifiers.json"}
    assert all((out / name).read_bytes() == (tmp_path / "out" / name).read_bytes() for name in names)
    assert str(study.root) not in (out / "report.html").read_text(encoding="utf-8")


def test_no_coordinate_is_anything_but_a_number(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    values = re.findall(r' (?:x|y|x1|y1|x2|y2|cx|cy|r|width|height)="([^"]*)"', page)
    values += [part for points in re.findall(r' points="([^"]*)"', page) for part in re.split("[ ,]", points)]
    assert len(values) > 1000
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values)


def test_a_scripted_model_claims_nothing_in_so_many_words(study: Study, out: Path, tmp_path: Path) -> None:
    tiny = Study(study.root, make_config(report=FEW, model={"setting": "random:tiny"}))
    assert "claim nothing" in html_of(tmp_path, tiny)
    assert "claim nothing" in (tmp_path / "report/table.md").read_text().splitlines()[0]
    assert "claim nothing" not in (out / "report.html").read_text(encoding="utf-8")
    assert "claim nothing" not in (out / "table.md").read_text()


def test_a_study_in_which_nothing_is_ever_right_says_so(tmp_path: Path) -> None:
    worlds = {"base": World(hopeless=True), "mucode": World(hopeless=True, fluent=False)}
    study = write_study(tmp_path, make_config(report=FEW), problems=3, worlds=worlds)
    page = html_of(tmp_path, study)
    assert "No problem of starter/test has both a correct and a wrong program" in page
    assert "the interval holds zero, so this may be chance" in page
    assert "Repaired" not in page


def test_empty_files_give_a_page_of_sentences(tmp_path: Path) -> None:
    study = write_study(tmp_path, make_config(report=FEW), problems=2)
    for path in tmp_path.glob("*/**/samples.parquet"):
        write_rows(path, [], SearchSample)
    for path in (tmp_path / "benchmarks").glob("*/choices.parquet"):
        write_rows(path, [], SearchChoice)
    for path in (tmp_path / "rollouts").iterdir():
        write_rows(path, [], Step)
    for path in (tmp_path / "datasets").iterdir():
        write_rows(path, [], Experience)
    for path in tmp_path.rglob("training.json"):
        path.unlink()
    page = html_of(tmp_path, study)
    for sentence in (
        "starter/test holds no problem.",
        "no reply held a program",
        "No rollout has been labelled.",
        "There is no rollout to show.",
        "No training left an account",
    ):
        assert sentence in page


def test_a_missing_file_is_named_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    arguments = study.arguments() | {"gates": tmp_path / "nowhere"}
    with pytest.raises(MucodeError, match=r"nowhere.base-0\.json is missing"):
        write_report(out=tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_generators_training_is_left_out_when_it_is_not_given(study: Study, tmp_path: Path) -> None:
    page = html_of(tmp_path, Study(study.root, study.config))
    assert "Generator loss" in page
    write_report(out=tmp_path / "without", **study.arguments() | {"generators": None})
    without = (tmp_path / "without/report.html").read_text(encoding="utf-8")
    assert "Generator loss" not in without
    assert "Verifier loss" in without
