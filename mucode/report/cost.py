"""What it cost, in tokens, and how the losses fell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mucode.records import SearchSample
from mucode.report.blocks import Block, Figure, Figures, Paragraph, Section, Table, colour
from mucode.report.charts import Point, Series, losses_chart
from mucode.report.sources import Material, Searches, Training
from mucode.report.words import count


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of one stage instance; None: the stage does not record them."""

    stage: str
    of: str
    replies: int | None
    prompt: int | None
    completion: int | None
    trained: int | None = None  # tokens that a training passed over, all epochs


def costs(material: Material) -> list[Cost]:
    """In the order in which the stages run."""
    return [*_rollouts(material), *_trainings(material), *_searches(material)]


def _rollouts(material: Material) -> Iterator[Cost]:
    for one in material.rounds:
        steps = one.steps
        prompt, completion = sum(row.prompt_tokens for row in steps), sum(row.completion_tokens for row in steps)
        yield Cost(
            "roll_out", f"{one.origin.method} {one.iteration}, seed {one.origin.seed}", len(steps), prompt, completion
        )


def _trainings(material: Material) -> Iterator[Cost]:
    for one in material.trainings:
        stage = "train_verifier" if one.kind == "verifier" else "fine_tune"
        tokens = one.numbers.get("tokens")
        yield Cost(stage, one.key, None, None, None, None if tokens is None else int(tokens) * len(one.losses))


def _searches(material: Material) -> Iterator[Cost]:
    for origin, by_iteration in material.validation.items():
        for iteration, searches in sorted(by_iteration.items()):
            yield _search("evaluate", f"{origin.method} {iteration}, seed {origin.seed}", searches)
    for origin, searches in material.test.items():
        yield _search("benchmark", f"{origin.method}, seed {origin.seed}", searches)


def _search(stage: str, of: str, searches: Searches) -> Cost:
    samples: Sequence[SearchSample] = searches.samples
    return Cost(stage, of, len(samples), None, sum(row.completion_tokens for row in samples))


def cost_section(material: Material) -> Section:
    rows = costs(material)
    head = ("stage", "of", "replies", "prompt tokens", "generated tokens", "a reply", "tokens trained on")
    generated = sum(row.completion or 0 for row in rows)
    caption = (
        f"{count(generated, 'token')} generated in all. Searches do not record the length of their prompts. "
        "Selectors that meet at the same state share its samples, so a search costs less than its selectors one "
        "by one. Tokens trained "
        "on: without padding, times epochs. Seconds are no part of this page: they are with the runs in MLflow "
        "and Prefect."
    )
    return Section("cost", "Cost in tokens", (Table(head, tuple(_row(row) for row in rows), caption, labels=2),))


def _row(row: Cost) -> tuple[str, ...]:
    each = f"{row.completion / row.replies:.0f}" if row.replies and row.completion is not None else ""
    numbers = [f"{n:,}" if n is not None else "" for n in (row.replies, row.prompt, row.completion)]
    return (row.stage, row.of, *numbers, each, f"{row.trained:,}" if row.trained is not None else "")


def losses_section(material: Material) -> Section:
    if not material.trainings:
        return Section("losses", "Training", (Paragraph("No training left an account of its losses here."),))
    blocks: list[Block] = []
    for kind in ("verifier", "generator"):
        of_kind = [one for one in material.trainings if one.kind == kind]
        if of_kind:
            blocks += _kind(kind, of_kind)
    return Section("losses", "Training", tuple(blocks))


def _kind(kind: str, trainings: Sequence[Training]) -> list[Block]:
    blocks: list[Block] = []
    curves = [one for one in trainings if len(one.losses) > 1]
    if curves:
        series = [
            Series(
                one.key, colour(place + 1), tuple(Point(epoch, loss) for epoch, loss in enumerate(one.losses, start=1))
            )
            for place, one in enumerate(curves)
        ]
        caption = (
            f"Training loss: each epoch's mean over its optimizer steps; each {kind} starts from the base weights."
        )
        blocks.append(Figures((Figure(f"{kind.capitalize()} loss", losses_chart(f"{kind} loss", series), caption),)))
    names = sorted({name for one in trainings for name in one.numbers})
    head = (kind, "loss by epoch", *(name.replace("_", " ") for name in names))
    rows = tuple(
        (one.key, " ".join(f"{loss:.3f}" for loss in one.losses), *(_number(one.numbers.get(n)) for n in names))
        for one in trainings
    )
    return [*blocks, Table(head, rows, f"Every {kind} training, on its own training data.")]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
