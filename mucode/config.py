"""params.yaml -> frozen, closed, bounded sections.

No section has defaults: a default would be a second home for a value. A misspelt key stops the run in its first second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from mucode.section import Count, OnceEach, Positive, Section, Share, Weight, first_sentence
from mucode.types import MucodeError, Sampling
from mucode.yaml_files import read_yaml

DType = Literal["float32", "bfloat16"]
Selector = Literal["random", "lv", "pt", "pt+lv", "oracle"]
WITHOUT_TESTS = ("random", "lv", "oracle")  # what `policies.UNTESTED` is, on which not every stage depends
_SHOWN_BY_THE_TEXT = frozenset({"humaneval"})  # sources whose tasks hold tests in their words (docstring examples)


class BenchmarkSet(Section):
    """A test set: the first `limit` problems (0: all) of a source's test split, and under which conditions."""

    source: str
    split: Literal["test"]
    limit: Annotated[int, Field(ge=0)]
    public_tests: bool  # False: neither shown nor run; the program is revised blindly until the last turn
    feedback: Literal["execution", "random"]  # random: a control, what another problem's program was told

    @property
    def name(self) -> str:
        hidden = "" if self.public_tests else "/no-public-tests"
        return f"{self.source}/{self.split}{hidden}{'' if self.feedback == 'execution' else '/random-feedback'}"

    @model_validator(mode="after")
    def _hidden_tests_are_hidden(self) -> BenchmarkSet:
        if not self.public_tests and self.source in _SHOWN_BY_THE_TEXT:
            raise ValueError(
                f"the prompts of {self.source} show tests: set public_tests to true or choose another source"
            )
        return self


class LocalFile(Section):
    """A file of problems in a source's own format, and what it must contain."""

    path: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Problems(Section):
    source: str
    files: dict[str, LocalFile]
    train: Annotated[int, Field(ge=0)]
    validation: Annotated[int, Field(ge=0)]
    benchmarks: tuple[BenchmarkSet, ...] = Field(min_length=1, strict=False)


class Model(Section):
    setting: str


class Execution(Section):
    timeout: Positive


class SamplingSection(Section):
    """How replies are drawn; temperature 0 is greedy."""

    temperature: Weight
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_new_tokens: Count

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.max_new_tokens)


class Generation(Section):
    """Who generates, in rollouts and searches."""

    engine: Literal["transformers", "vllm"]
    log_probabilities: bool


class RolloutSection(SamplingSection):
    turns: Count
    rollouts: Count
    schedule: Literal["fixed", "arrival"]
    show_public_tests: bool


class Gates(Section):
    """Bounds of one round of labels, of its difference from the round before, and of its audit."""

    min_pass_rate: Share
    max_pass_rate: Share
    max_pass_rate_drift: Share
    max_status_drift: Share
    max_length_ratio: Annotated[float, Field(ge=1)]
    max_duplicate_drift: Share
    audit_share: Share
    audit_least: Count
    max_flaky_share: Share

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Gates:
        if self.min_pass_rate >= self.max_pass_rate:
            raise ValueError("min_pass_rate must be below max_pass_rate")
        return self


class Training(Section):
    """What both trainings share, under the names of `training.settings.TrainingSettings`."""

    learning_rate: Positive
    epochs: Count
    batch_size: Count
    accumulation: Count
    max_tokens: Count
    lora_rank: Annotated[int, Field(ge=0)]
    lora_alpha: Count
    lora_dropout: Share
    weight_decay: Weight
    warmup_steps: Annotated[int, Field(ge=0)]
    schedule: Literal["linear", "constant", "constant_with_warmup", "cosine"]
    adam_epsilon: Positive
    max_gradient_norm: Positive
    dtype: Literal["auto", "float32", "bfloat16"]

    @model_validator(mode="after")
    def _steps_come_out_even(self) -> Training:
        if self.batch_size % self.accumulation:
            raise ValueError("accumulation must divide batch_size")
        return self


class VerifierSection(Training):
    loss: Literal["bradley_terry", "bce"]
    pairs_per_problem: Count
    score_penalty: Weight
    head_learning_rate: Positive
    score_batch_size: Count
    score_dtype: DType


class FineTune(Training):
    states_per_problem: Annotated[int, Field(ge=0)]


class Search(SamplingSection):
    candidates: Count
    other_candidates: tuple[Count, ...] = Field(strict=False)
    turns: Count
    searches: Count
    independent: bool
    greedy: bool
    selectors: Annotated[tuple[Selector, ...], OnceEach] = Field(min_length=1, strict=False)
    validation_selectors: Annotated[tuple[Selector, ...], OnceEach] = Field(min_length=1, strict=False)
    benchmarks: Annotated[tuple[str, ...], OnceEach] = Field(strict=False)

    @model_validator(mode="after")
    def _validation_can_choose(self) -> Search:
        if set(self.validation_selectors) <= {"oracle"}:
            raise ValueError("validation_selectors needs a selector besides oracle, to choose the pair by")
        if not set(self.validation_selectors) <= set(self.selectors):
            raise ValueError("validation_selectors must be among selectors")
        return self


class ReportSection(Section):
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]


class Method(Section):
    """What a method does with D, under the names of `expert.demonstrations`; section 4 of the paper's baselines."""

    trains: bool
    turns: Annotated[int, Field(ge=0)]
    imitate: Literal["expert", "own"]
    top: Annotated[int, Field(ge=0)]
    beta_oracle: Weight
    beta_learned: Weight
    require_correct: bool
    keep_correct: bool

    @property
    def choice(self) -> dict[str, Any]:
        """The arguments of `expert.demonstrations`."""
        return self.model_dump(exclude={"trains"})

    @property
    def scored(self) -> bool:
        """Whether the verifier has a say in that: it has none without a weight, or where every correct episode is kept."""
        return self.beta_learned > 0 and (self.imitate != "own" or self.top > 0 or not self.require_correct)


class Study(Section):
    methods: Annotated[tuple[str, ...], OnceEach] = Field(min_length=1, strict=False)
    # NumPy takes no larger seeds
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], OnceEach] = Field(min_length=1, strict=False)
    iterations: Count
    verifier: Literal["each", "once"]
    final_verifier: bool

    @model_validator(mode="after")
    def _a_final_verifier_is_one_of_each(self) -> Study:
        if self.final_verifier and self.verifier == "once":
            raise ValueError(
                "final_verifier trains one more verifier: set verifier to each, or final_verifier to false"
            )
        return self


class Config(Section):
    """The whole of params.yaml."""

    problems: Problems
    model: Model
    execution: Execution
    generation: Generation
    rollout: RolloutSection
    gates: Gates
    verifier: VerifierSection
    fine_tune: FineTune
    search: Search
    report: ReportSection
    methods: dict[Annotated[str, Field(pattern=r"^\w+$")], Method]  # file names hold them, with dashes between
    study: Study
    plan: dict[str, dict[str, dict[str, Any]]]  # checked against `plan.expand`, which makes it

    @property
    def test_sets(self) -> tuple[BenchmarkSet, ...]:
        """The test sets to search on: those that `search.benchmarks` names, or all of them."""
        named = self.search.benchmarks
        return tuple(each for each in self.problems.benchmarks if not named or each.name in named)

    @model_validator(mode="after")
    def _the_engine_can_do_the_schedule(self) -> Config:
        if self.generation.engine == "vllm" and self.rollout.schedule == "fixed":
            raise ValueError(
                "rollout.schedule fixed promises the same bytes again, which generation.engine vllm cannot "
                "(a server's batches follow from when requests arrive): set rollout.schedule to arrival"
            )
        return self

    @model_validator(mode="after")
    def _searches_on_sets_that_there_are(self) -> Config:
        known = [each.name for each in self.problems.benchmarks]
        if unknown := sorted(set(self.search.benchmarks) - set(known)):
            raise ValueError(f"search.benchmarks names {unknown[0]!r}; problems.benchmarks has {known}")
        return self

    @model_validator(mode="after")
    def _each_set_has_somebody_to_choose(self) -> Config:
        blind = [each.name for each in self.test_sets if not each.public_tests]
        if blind and not self.search.greedy and not set(self.search.selectors) & set(WITHOUT_TESTS):
            raise ValueError(
                f"no selector of search.selectors can choose on {blind[0]}: add one of {', '.join(WITHOUT_TESTS)}, or name "
                "other sets in search.benchmarks"
            )
        return self


def load_config(path: Path = Path("params.yaml")) -> Config:
    """Read and check params.yaml.

    Raises:
        MucodeError: no such file, not UTF-8, not YAML, or a key that is unknown, missing or out of bounds, by name.
    """
    return parse_config(read_yaml(path), path)


def parse_config(values: dict[str, Any], path: Path) -> Config:
    """The checked form of what a parameter file says."""
    from mucode.plan import expand

    config = parse_sections(values, path)
    if config.plan != expand(config.study, config.methods):
        raise MucodeError(f"{path}: plan does not follow from study: run `mucode plan {path}` to write it anew")
    return config


def parse_sections(values: dict[str, Any], path: Path) -> Config:
    """The same, whatever the plan says.

    Raises:
        MucodeError: a key is unknown, missing or out of bounds, by name.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise MucodeError(f"{path}: {first_sentence(error)}") from error
    unknown = sorted(set(config.study.methods) - set(config.methods))
    if unknown:
        raise MucodeError(f"{path}: study.methods names {unknown[0]!r}; methods defines {sorted(config.methods)}")
    return config
