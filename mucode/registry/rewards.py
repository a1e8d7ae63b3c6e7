"""What a pair's searches were worth, and all that this depends on beside the pair."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mucode.config import Config, SamplingSection
from mucode.layout import Layout
from mucode.metrics import search_rewards
from mucode.records import SearchChoice, read_rows, row_to_json
from mucode.registry.promotion import VALIDATION, Measured
from mucode.registry.recorded import Recorded
from mucode.selection import JUDGED_BY
from mucode.types import Answer, Problem


def measured(
    workspace: Path, group: str, iteration: str, config: Config, gates: Mapping[str, bool], problems: Mapping[str, str]
) -> Measured:
    """The rewards of the pair's searches on validation and on the test sets, under the selector that selects; a test set
    that was not searched by it, as one without public tests, is judged by the next best."""
    selector = next(name for name in JUDGED_BY if name in config.search.validation_selectors)
    validation = read_rows(Layout(workspace).evaluation(group, iteration) / "choices.parquet", SearchChoice)
    test = read_rows(Layout(workspace).benchmark(group) / "choices.parquet", SearchChoice)
    tests = {name: [row for row in test if row.benchmark == name] for name in sorted({row.benchmark for row in test})}
    sets, on = {}, {}
    for name, rows in {VALIDATION: validation, **tests}.items():
        judge = _judge(rows, selector)
        sets[name] = search_rewards(rows, judge, config.search.candidates)
        asked = [problems[problem_id] for problem_id in sorted(sets[name])]
        on[name] = _digest(asked if judge == selector else [judge, *asked])
    return Measured(selector, _settings(config, config.plan["benchmarks"][group]["turns"]), sets, gates, on)


def problem_digests(recorded: Recorded) -> dict[str, str]:
    """Problem id -> digest of all that rewards on it depend on: what it says, and its private tests."""
    for path in (Layout().problems, Layout().answers):
        recorded.require(path.as_posix())
    here = Layout(recorded.workspace)
    answers = {answer.problem_id: answer for answer in read_rows(here.answers, Answer)}
    return {
        problem.id: _digest([row_to_json(problem), row_to_json(answers[problem.id])["private_tests"]])
        for problem in read_rows(here.problems, Problem)
    }


def _judge(rows: Sequence[SearchChoice], selector: str) -> str:
    """The selector that selects, or the best of those that these searches went by."""
    searched = {row.selector for row in rows}
    return next((name for name in (selector, *JUDGED_BY) if name in searched), selector)


def _settings(config: Config, own_turns: int) -> str:
    """What the rewards of a selector's searches depend on beside the pair and the problems, and nothing else.

    Args:
        config: the parameters.
        own_turns: the method's own T, 0 if it has none.
    """
    of_searches = {"candidates", "searches", *SamplingSection.model_fields}
    limit = config.search.turns
    settings = {
        "search": {**config.search.model_dump(include=of_searches), "turns": min(own_turns or limit, limit)},
        "execution": config.execution.model_dump(),
        "engine": config.generation.engine,
        "show_public_tests": config.rollout.show_public_tests,
    }
    return json.dumps(settings, sort_keys=True)


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
