"""The systems: ours as the stages call them, and TRL's trainers on the same tokens.

Each starts from the folder of the base model and ends with saved adapters. Of our own systems the tokenizing is part of
the time; TRL's get tokens.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.apart import Apart, answer_questions, answers_alone, peak_gb
from benchmarks.training.data import SEED, Part, candidates, counted, demonstration_tokens, demonstrations, pair_tokens
from mucode.training.settings import TrainingSettings

Task = Literal["sft", "reward"]


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went."""

    tokens: int  # of all epochs, each row's by itself, without padding
    losses: list[float]  # of each epoch


def settings(task: Task) -> TrainingSettings:
    """Those of the quickstart, but for one epoch and the verifier's pairs in a pass."""
    from mucode.training.weights import best_dtype

    return TrainingSettings(
        learning_rate=1e-3 if task == "sft" else 1e-4,
        epochs=1,
        batch_size=8,
        accumulation=2,
        max_tokens=2048,
        lora_rank=16,
        lora_alpha=32,
        lora_dropout=0.0,
        weight_decay=0.0,
        warmup_steps=0,
        schedule="linear",
        adam_epsilon=1e-5,
        max_gradient_norm=1.0,
        dtype=best_dtype(),
    )


def ours_sft(base: Path, part: Part, out: Path) -> Trained:
    """`mucode.generator.fine_tune`."""
    from mucode.generator.fine_tune import fine_tune

    states, problems = demonstrations(part)
    metrics = fine_tune(states, problems, base, settings("sft"), SEED, out / "trained", True)
    return Trained(metrics.tokens, list(metrics.losses))


def ours_reward(base: Path, part: Part, out: Path) -> Trained:
    """`mucode.verifier.train` with the Bradley-Terry loss."""
    from mucode.verifier.train import VerifierSettings, train_verifier

    programs, problems = candidates(part)
    numbers = VerifierSettings(settings("reward"), "bradley_terry", 1e-3, 1e-3, part.wrong, 16, "float32", True)
    metrics = train_verifier(programs, problems, base, numbers, SEED, out / "trained")
    return Trained(metrics.tokens, list(metrics.losses))


def trl_sft(base: Path, part: Part, out: Path) -> Trained:
    """TRL's SFTTrainer, its loss on the answers only."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from mucode.training.weights import load_tokenizer

    numbers, tokenizer = settings("sft"), load_tokenizer(base)
    rows = demonstration_tokens(part, tokenizer, numbers)
    data = Dataset.from_list(
        [
            {"input_ids": row.first + row.second, "completion_mask": [0] * len(row.first) + [1] * len(row.second)}
            for row in rows
        ]
    )
    trainer = SFTTrainer(
        str(base),
        args=SFTConfig(
            completion_only_loss=True, train_sampling_strategy="group_by_length", **_arguments(numbers, out)
        ),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=_adapters(numbers, "CAUSAL_LM"),
    )
    return _run(trainer, counted(rows), out)


def trl_reward(base: Path, part: Part, out: Path) -> Trained:
    """TRL's RewardTrainer."""
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    from mucode.training.weights import load_tokenizer

    numbers, tokenizer = settings("reward"), load_tokenizer(base)
    rows = pair_tokens(part, tokenizer, numbers, part.wrong)
    data = Dataset.from_list([{"chosen_ids": row.first, "rejected_ids": row.second} for row in rows])
    trainer = RewardTrainer(
        str(base),
        args=RewardConfig(center_rewards_coefficient=1e-3, **_arguments(numbers, out)),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=_adapters(numbers, "SEQ_CLS", modules_to_save=["score"]),
    )
    return _run(trainer, counted(rows), out)


def _arguments(numbers: TrainingSettings, out: Path) -> dict[str, Any]:
    """What TRL's two trainers have in common."""
    import torch

    return {
        "output_dir": str(out),
        "num_train_epochs": numbers.epochs,
        "per_device_train_batch_size": numbers.batch_size // numbers.accumulation,
        "gradient_accumulation_steps": numbers.accumulation,
        "learning_rate": numbers.learning_rate,
        "lr_scheduler_type": numbers.schedule,
        "max_grad_norm": numbers.max_gradient_norm,
        "adam_epsilon": numbers.adam_epsilon,
        "max_length": numbers.max_tokens,
        "bf16": numbers.dtype == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,  # it would be on, and cost a fifth of the speed
        "seed": SEED,
        "logging_strategy": "epoch",
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _adapters(numbers: TrainingSettings, task: str, modules_to_save: list[str] | None = None) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=numbers.lora_rank,
        lora_alpha=numbers.lora_alpha,
        lora_dropout=numbers.lora_dropout,
        target_modules="all-linear",
        modules_to_save=modules_to_save,
        task_type=task,
    )


def _run(trainer: Any, tokens: int, out: Path) -> Trained:
    trainer.train()
    trainer.save_model(str(out / "trained"))
    return Trained(tokens, [record["loss"] for record in trainer.state.log_history if "loss" in record])


SYSTEMS: dict[str, Callable[[Path, Part, Path], Trained]] = {
    "ours sft": ours_sft,
    "trl sft": trl_sft,
    "ours reward": ours_reward,
    "trl reward": trl_reward,
}


@dataclass
class Told:
    """How a training went, or the sum over several."""

    tokens: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    peak_gb: float = 0.0
    losses: list[float] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Count another training."""
        self.tokens += other.tokens
        self.seconds += other.seconds
        self.processor += other.processor
        self.peak_gb = max(self.peak_gb, other.peak_gb)
        self.losses = [*self.losses, *other.losses]


class System:
    """A system, and what it has done so far."""

    def __init__(self, name: str, base: Path) -> None:
        self._process = Apart("benchmarks.training", name, base)
        self.name, self.total = name, Told()

    def train(self, part: Part) -> Told:
        """Train on a part, and add it to the total."""
        told = Told(**self._process.ask(**dataclasses.asdict(part)))
        self.total.add(told)
        return told

    def close(self) -> None:
        """End its process."""
        self._process.close()


def serve(name: str, base: Path) -> None:
    """A system's process."""
    answers = answers_alone()
    _measured(name, base, Part(first=0, problems=1, rollouts=1, turns=2, wrong=2))  # what has to be imported is
    answer_questions(answers, lambda question: dataclasses.asdict(_measured(name, base, Part(**question))))


def _measured(name: str, base: Path, part: Part) -> Told:
    started, used = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        trained = SYSTEMS[name](base, part, Path(folder))
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    return Told(trained.tokens, seconds, processor, peak_gb(), trained.losses)
