"""params.yaml's sections -> the settings of who does a stage's work, for one instance of the stage.

Imports stand inside, as in `stages`: a stage depends on what its own settings are made of, not on all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mucode.config import Config, RolloutSection, Training, VerifierSection
from mucode.types import MucodeError, Problem

if TYPE_CHECKING:
    from mucode.evaluation import TestSet
    from mucode.rollout import RolloutSettings
    from mucode.training.settings import TrainingSettings
    from mucode.verifier.train import VerifierSettings


def rollout_settings(section: RolloutSection, seed: int, iteration: int, turns: int) -> RolloutSettings:
    """How the training problems are rolled out; `turns` is the method's own T, 0 if it has none."""
    from mucode.rollout import RolloutSettings

    return RolloutSettings(
        turns=_at_most(turns, section.turns),
        rollouts=section.rollouts,
        sampling=section.sampling,
        seed=seed,
        iteration=iteration,
        schedule=section.schedule,
    )


def verifier_settings(section: VerifierSection, show_public_tests: bool) -> VerifierSettings:
    """How the verifier is trained, and how it scores."""
    from mucode.verifier.train import VerifierSettings

    return VerifierSettings(
        training=training_settings(section),
        loss=section.loss,
        head_learning_rate=section.head_learning_rate,
        score_penalty=section.score_penalty,
        pairs_per_problem=section.pairs_per_problem,
        score_batch_size=section.score_batch_size,
        score_dtype=section.score_dtype,
        show_public_tests=show_public_tests,
    )


def training_settings(section: Training) -> TrainingSettings:
    """The numbers of a training; the dtype `auto` becomes the one that suits this machine."""
    from mucode.training.settings import TrainingSettings
    from mucode.training.weights import best_dtype

    fields = {name: getattr(section, name) for name in Training.model_fields}
    if fields["dtype"] == "auto":
        fields["dtype"] = best_dtype()
    return TrainingSettings(**fields)


def validation_set(config: Config, problems: Sequence[Problem], seed: int, turns: int) -> TestSet:
    """The validation problems, and how they are searched; `turns` is the method's own T, 0 if it has none."""
    from mucode.evaluation import TestSet
    from mucode.policies import SearchSettings

    source, section = config.problems.source, config.search
    settings = SearchSettings(
        selectors=section.validation_selectors,
        candidates=(section.candidates,),
        turns=_at_most(turns, section.turns),
        searches=section.searches,
        sampling=section.sampling,
        seed=seed,
    )
    return TestSet(f"{source}/validation", _of_split(problems, source, "validation"), settings)


def test_sets(config: Config, problems: Sequence[Problem], seed: int, turns: int) -> list[TestSet]:
    """Each test set with its problems, and how it is searched; `turns` is the method's own T, 0 if it has none."""
    from mucode.evaluation import TestSet
    from mucode.policies import Conditions, SearchSettings

    section = config.search
    settings = SearchSettings(
        selectors=section.selectors,
        candidates=(section.candidates, *section.other_candidates),
        turns=_at_most(turns, section.turns),
        searches=section.searches,
        sampling=section.sampling,
        seed=seed,
        independent=section.independent,
        greedy=section.greedy,
    )
    return [
        TestSet(
            b.name,
            _limited(_of_split(problems, b.source, b.split), b.limit),
            dataclasses.replace(settings, conditions=Conditions(b.public_tests, b.feedback)),
        )
        for b in config.test_sets
    ]


def _at_most(turns: int, limit: int) -> int:
    """A method's own number of turns (0: none of its own), within what the parameters allow."""
    return min(turns, limit) if turns else limit


def _of_split(problems: Sequence[Problem], source: str, split: str) -> list[Problem]:
    chosen = [problem for problem in problems if (problem.source, problem.split) == (source, split)]
    if not chosen:
        raise MucodeError(f"no problem of {source}/{split}: raise its number in params.yaml's problems")
    return chosen


def _limited(problems: Sequence[Problem], limit: int) -> Sequence[Problem]:
    return problems[:limit] if limit else problems
