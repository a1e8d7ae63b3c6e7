"""The numbers of a training; params.yaml holds their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """AdamW with a linear or constant schedule, over low-rank adapters or over all weights."""

    learning_rate: float  # peak; of the language model's weights (adapters or all)
    epochs: int
    batch_size: int  # examples per optimizer step (Bradley-Terry: pairs)
    accumulation: int  # forward passes of one step; divides batch_size
    max_tokens: int  # longest sequence
    lora_rank: int  # 0: full fine-tuning
    lora_alpha: int  # the adapters' product is scaled by alpha / rank
    lora_dropout: float
    weight_decay: float  # of matrices; vectors have none
    warmup_steps: int
    schedule: Literal["linear", "constant", "constant_with_warmup", "cosine"]
    adam_epsilon: float
    max_gradient_norm: float
    dtype: Literal["float32", "bfloat16"]  # of the arithmetic; all weights are held and stored in float32
