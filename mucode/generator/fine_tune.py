"""Step 6 of Algorithm 1: fine-tune the generator on D*, from the base weights, by the likelihood of y* given s_t."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mucode.generator.tokens import prompt_tokens
from mucode.prompts import chat, reply_for
from mucode.records import write_json
from mucode.seeds import seed_for
from mucode.training.batch import pad
from mucode.training.run import Example, Rates, run_training, trainable
from mucode.training.settings import TrainingSettings
from mucode.training.weights import (
    CARD,
    base_digest,
    folder_written_whole,
    load_causal_model,
    load_tokenizer,
    prepare,
    save_weights,
)
from mucode.types import Demonstration, MucodeError, Problem, State


@dataclass(frozen=True, slots=True)
class FineTuneMetrics:
    """How a fine-tuning went; all on training data."""

    losses: tuple[float, ...]  # weighted mean over target tokens, of each epoch
    final_loss: float
    demonstrations: int
    shortened: int  # demonstrations whose state was too long and lost its oldest part
    tokens: int  # of one epoch, without padding
    target_tokens: int  # of them, those that the loss looks at


@dataclass(frozen=True, slots=True)
class Encoded:
    """A demonstration as token ids: what inference feeds, and what it should then generate."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]  # the program's reply and the end-of-turn token
    shortened: bool


def encode(
    tokenizer: Any, demonstration: Demonstration, problem: Problem, max_tokens: int, show_public_tests: bool
) -> Encoded:
    """Tokenize (s_t, y*) with the tokenizer's chat template.

    Too long for `max_tokens`: the oldest turns go first, then the prompt's front (a BOS stays); the answer stays whole.

    Raises:
        MucodeError: the answer alone is too long, or the chat template closes an answer with no special token.
    """
    state = State(problem, demonstration.history)
    answer = _answer(tokenizer, state, demonstration.program, show_public_tests)
    room = max_tokens - len(answer)
    if room < 1:
        raise MucodeError(f"{problem.id}: the target program has {len(answer)} tokens: raise max_tokens ({max_tokens})")
    prompt = _prompt(tokenizer, state, show_public_tests)
    shortened = len(prompt) > room
    while len(prompt) > room and state.history:
        state = replace(state, history=state.history[1:])
        prompt = _prompt(tokenizer, state, show_public_tests)
    if len(prompt) > room:
        start = prompt[:1] if prompt[0] == tokenizer.bos_token_id and room > 1 else []
        prompt = start + prompt[len(prompt) - room + len(start) :]
    return Encoded(tuple(prompt), tuple(answer), shortened)


def _prompt(tokenizer: Any, state: State, show_public_tests: bool) -> list[int]:
    return prompt_tokens(tokenizer, chat(state, show_public_tests))


def _answer(tokenizer: Any, state: State, program: str, show_public_tests: bool) -> list[int]:
    """The reply's tokens and the end-of-turn token; not the template text after it, which inference never generates."""
    messages = [{"role": message.role, "content": message.content} for message in chat(state, show_public_tests)]
    reply = reply_for(program)
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": reply}], tokenize=False)
    if not whole.startswith(asked + reply):
        raise MucodeError("the chat template changes an answer or what precedes it: choose another base model")
    ids: list[int] = tokenizer(reply, add_special_tokens=False)["input_ids"]
    after = tokenizer(whole[len(asked) + len(reply) :], add_special_tokens=False)["input_ids"]
    if not after or after[0] not in tokenizer.added_tokens_decoder:
        raise MucodeError("the chat template closes an answer with no special token: choose another base model")
    return [*ids, after[0]]


class AnswerLoss(nn.Module):
    """Token rows -> negative log-likelihood of the answers; logits are computed where there is a target only."""

    def __init__(self, causal: Any, low_precision: bool) -> None:
        super().__init__()
        self.decoder = causal.get_decoder()
        self.output = causal.get_output_embeddings()
        self.low_precision = low_precision
        _check_output(causal)

    def forward(self, input_ids: Tensor, places: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """Loss = sum of weights * -log p(target), per row.

        Args:
            input_ids: [n, longest], padded on the right; a causal model needs no mask for that.
            places: [m] indices into the flattened rows, of the tokens before each target.
            targets: [m] token ids.
            weights: [m].
        """
        with torch.autocast(input_ids.device.type, torch.bfloat16, enabled=self.low_precision):
            hidden = self.decoder(input_ids=input_ids, use_cache=False).last_hidden_state
            logits = self.output(hidden.flatten(0, 1)[places])
        losses = cross_entropy(logits.float(), targets, reduction="none")
        return {"loss": (losses * weights).sum() / len(input_ids)}


@torch.inference_mode()
def _check_output(causal: Any) -> None:
    """Some architectures scale or cap their logits after the output layer, which `AnswerLoss` would leave out."""
    probe = torch.zeros(1, 2, dtype=torch.long)
    ours = causal.get_output_embeddings()(causal.get_decoder()(input_ids=probe, use_cache=False).last_hidden_state)
    if not torch.allclose(ours, causal(input_ids=probe).logits, rtol=1e-3, atol=1e-3):
        name = type(causal).__name__
        raise MucodeError(f"{name} changes its logits after the output layer: choose another base model")


def fine_tune(
    demonstrations: Sequence[Demonstration],
    problems: Sequence[Problem],
    base: Path,
    settings: TrainingSettings,
    seed: int,
    out: Path,
    show_public_tests: bool,
) -> FineTuneMetrics:
    """Fine-tune pi on D* and save it to the folder `out`, whole or not at all; equal inputs give equal bytes.

    A demonstration of weight w counts as w copies of it would over an epoch: the loss of a batch is the sum of
    weight * -log p over its target tokens, over its size and the mean weighted answer length of all of D*.

    Args:
        demonstrations: D*, (x, s_t, y*) with weights.
        problems: at least those of the demonstrations.
        base: folder of the base model, from whose weights every fine-tuning starts.
        seed: of adapters and order.
        out: what `load_trained_causal` reads (adapter in peft's format, or a whole model folder).
        show_public_tests: whether prompts show them, as in the rollouts.

    Raises:
        MucodeError: no demonstrations, one of an unknown problem or too long, or a diverging loss.
    """
    if not demonstrations:
        raise MucodeError("there is nothing to fine-tune on: take more rollouts or easier problems")
    encoded = _encode_all(demonstrations, problems, load_tokenizer(base), settings.max_tokens, show_public_tests)
    weights = [demonstration.weight for demonstration in demonstrations]
    scale = sum(w * len(e.answer) for w, e in zip(weights, encoded, strict=True)) / len(encoded)
    examples = [_example(e, weight / scale) for e, weight in zip(encoded, weights, strict=True)]
    torch.manual_seed(seed_for(seed, "fine_tune", "adapters"))
    causal = load_causal_model(base, "float32")
    objective = AnswerLoss(causal, settings.dtype == "bfloat16")
    model = prepare(causal, settings)  # adapters go into the layers that the objective holds
    rates = (Rates(trainable(model), settings.learning_rate),)
    losses = run_training(objective, examples, _collate, rates, settings, seed, "fine-tune generator")
    metrics = FineTuneMetrics(
        losses=losses,
        final_loss=losses[-1],
        demonstrations=len(demonstrations),
        shortened=sum(e.shortened for e in encoded),
        tokens=sum(len(e.prompt) + len(e.answer) for e in encoded),
        target_tokens=sum(len(e.answer) for e in encoded),
    )
    with folder_written_whole(out) as folder:
        _save(model, folder, base, settings)
        write_json(folder / "training.json", dataclasses.asdict(metrics))
    return metrics


def _encode_all(
    demonstrations: Sequence[Demonstration],
    problems: Sequence[Problem],
    tokenizer: Any,
    max_tokens: int,
    show_public_tests: bool,
) -> list[Encoded]:
    known = {problem.id: problem for problem in problems}
    missing = [d.problem_id for d in demonstrations if d.problem_id not in known]
    if missing:
        raise MucodeError(f"demonstrations of {missing[0]} have no problem: give the problems they were rolled out on")
    return [encode(tokenizer, d, known[d.problem_id], max_tokens, show_public_tests) for d in demonstrations]


def _example(encoded: Encoded, weight: float) -> Example:
    return {
        "input_ids": [*encoded.prompt, *encoded.answer],
        "answer": len(encoded.answer),
        "weight": weight,
    }


def _collate(examples: list[Example]) -> dict[str, Tensor]:
    ids, lengths = pad([example["input_ids"] for example in examples], padding=0)
    longest = ids.shape[1]
    answers = [
        (row, range(int(end) - example["answer"], int(end)), example["weight"])
        for row, (example, end) in enumerate(zip(examples, lengths, strict=True))
    ]
    flat = torch.tensor([row * longest + place for row, span, _ in answers for place in span])
    weights = torch.tensor([weight for _, span, weight in answers for _ in span])
    return {"input_ids": ids, "places": flat - 1, "targets": ids.flatten()[flat], "weights": weights}


def _save(model: Any, folder: Path, base: Path, settings: TrainingSettings) -> None:
    save_weights(model, folder)
    write_json(
        folder / CARD,
        {"base_sha256": base_digest(base), "lora": settings.lora_rank > 0, "training_dtype": settings.dtype},
    )
    if settings.lora_rank == 0:  # a whole model folder, which any engine loads by itself
        for file in sorted(base.iterdir()):
            if file.suffix in {".json", ".jinja", ".model", ".txt"} and not file.name.endswith(".index.json"):
                shutil.copyfile(file, folder / file.name)
