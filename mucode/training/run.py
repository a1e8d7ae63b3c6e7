"""The one trainer: transformers' Trainer over a module that returns its own loss."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from tqdm import tqdm
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from mucode.training.settings import TrainingSettings
from mucode.training.sharding import averaged, is_first, own_share, weigh
from mucode.types import MucodeError

Example = dict[str, Any]  # what the Trainer hands from data set to collate


@dataclass(frozen=True, slots=True)
class Rates:
    """Parameters that learn at a rate of their own."""

    parameters: tuple[nn.Parameter, ...]
    learning_rate: float


def run_training(
    module: nn.Module,
    examples: Sequence[Example],
    collate: Callable[[list[Example]], dict[str, Any]],
    rates: Sequence[Rates],
    settings: TrainingSettings,
    seed: int,
    title: str,
    order: Sampler[int],
) -> tuple[float, ...]:
    """Train `module` in place, with all of it but the adapters' dropout in evaluation mode; so it is left.

    Args:
        module: its forward takes what `collate` returns and gives {"loss": scalar}, a mean over the pass's examples,
            multiplied by the keyword argument `share`: 1 where the passes of a step are of one size and one process
            trains; else what makes all examples of the step weigh alike; 0: the examples are none of its own.
        examples: what `collate` takes.
        collate: examples -> keyword arguments of `module`.
        rates: every trainable parameter, with its learning rate.
        seed: of dropout.
        title: of the progress bar.
        order: of the examples.

    Returns:
        The training loss of each epoch: the mean over its optimizer steps, of which a short last one counts as much as
        any.

    Raises:
        MucodeError: the batch size is no multiple of `accumulation`, or the loss is no longer a finite number.
    """
    calm = module.register_forward_pre_hook(_drop_out_in_adapters_only)
    with tempfile.TemporaryDirectory() as scratch:  # the Trainer wants a folder, though it saves nothing
        trainer = _OrderedTrainer(
            order,
            model=module,
            args=_arguments(settings, seed, scratch),
            data_collator=own_share(collate),
            train_dataset=list(examples),
            optimizers=(_optimizer(rates, settings), None),
            callbacks=[Progress(title)] if is_first() else [],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    calm.remove()
    losses = averaged([record["loss"] for record in trainer.state.log_history if "loss" in record])
    if not all(math.isfinite(loss) for loss in losses):
        raise MucodeError(f"{title}: the loss is no longer a number: lower learning_rate ({settings.learning_rate})")
    return losses


def _drop_out_in_adapters_only(module: nn.Module, _given: object) -> None:
    """Some bases have dropouts of their own, which the Trainer's `train()` would switch on; the rate here is LoRA's."""
    for name, part in module.named_modules():
        part.training = "lora_dropout" in name


class _OrderedTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
    """A Trainer that is told the order of its examples, all of which weigh alike in their step."""

    def __init__(self, order: Sampler[int], **options: Any) -> None:
        self._order = order
        super().__init__(**options)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self._order

    def get_batch_samples(self, *given: Any) -> Any:
        passes, items = super().get_batch_samples(*given)
        weigh(passes)
        return passes, items


def _arguments(settings: TrainingSettings, seed: int, scratch: str) -> Any:
    if settings.batch_size % settings.accumulation:
        raise MucodeError(f"accumulation = {settings.accumulation} does not divide batch_size = {settings.batch_size}")
    arguments = TrainingArguments(
        output_dir=scratch,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size // settings.accumulation,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup_steps,
        max_grad_norm=settings.max_gradient_norm,
        seed=seed,
        logging_strategy="epoch",
        logging_nan_inf_filter=False,  # it would hide a loss that is no number
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    # Of several GPUs it would use all, by DataParallel: with so many times the batch, and each token tree cut in parts
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _optimizer(rates: Sequence[Rates], settings: TrainingSettings) -> torch.optim.Optimizer:
    groups = []
    for rate in rates:
        for decay, chosen in ((settings.weight_decay, _matrices), (0.0, _vectors)):
            if parameters := chosen(rate.parameters):
                groups.append({"params": parameters, "lr": rate.learning_rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, eps=settings.adam_epsilon)


def _matrices(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.ndim > 1]


def _vectors(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.ndim <= 1]


def trainable(module: nn.Module) -> tuple[nn.Parameter, ...]:
    return tuple(parameter for parameter in module.parameters() if parameter.requires_grad)


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """A bar with an estimate on standard error, for trainings that take more than two seconds."""

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.bar = tqdm(total=state.max_steps, desc=self.title, unit="step", delay=2, file=sys.stderr)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.bar.close()
