"""What each of several training processes does: torch's FSDP over the module, and a share of every forward pass.

A process by itself does nothing of it: there is no process group then (`mucode/training/launch.py` makes it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

Batch = dict[str, Any]


def is_alone() -> bool:
    """Whether this process trains by itself."""
    return not dist.is_initialized()


def is_first() -> bool:
    """Whether this process shows the progress and writes the weights."""
    return is_alone() or dist.get_rank() == 0


def shard(module: nn.Module, low_precision: bool) -> None:
    """Split all weights over the processes, in place; those of a layer are whole only while it computes.

    It comes before the optimizer, whose state is then split likewise.

    Args:
        module: its weights are float32.
        low_precision: layers compute in bfloat16, and are sent rounded: autocast would keep a rounded copy of each.
    """
    if is_alone():
        return
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    from transformers.modeling_layers import GradientCheckpointingLayer
    from transformers.utils import logging

    logging.set_verbosity_error()  # each Trainer takes itself to be alone, and warns that there is a process group
    rounded = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    layers = [part for part in module.modules() if isinstance(part, GradientCheckpointingLayer)]
    for layer in layers:
        fully_shard(layer, mp_policy=rounded if low_precision else MixedPrecisionPolicy())
    fully_shard(module)


def gather(module: nn.Module) -> None:
    """Give the first process the whole weights, in main memory, in place of its shards; tied weights stay tied."""
    if is_alone():
        return
    whole: dict[nn.Parameter, nn.Parameter] = {}
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            if weight not in whole:
                full = weight.full_tensor()  # type: ignore[attr-defined]  # a DTensor; all processes take part
                whole[weight] = nn.Parameter(full.cpu()) if is_first() else weight
            setattr(part, name, whole[weight])


@dataclass(frozen=True, slots=True)
class _Share:
    """The examples of a pass that are this process's own.

    Gradients are averaged over the processes, whose shares may be unequal: each one's loss, a mean over its examples, is
    to be multiplied by `share` for their average to be that of the whole pass. `examples` says how many the pass has.
    """

    collate: Callable[[list[Batch]], Batch]
    rank: int
    processes: int

    def __call__(self, examples: list[Batch]) -> Batch:
        start, end = (len(examples) * rank // self.processes for rank in (self.rank, self.rank + 1))
        own = examples[start:end]
        # with none it computes one for nothing, as weights and gradients are exchanged by all
        share = len(own) * self.processes / len(examples)
        return self.collate(own or examples[:1]) | {"share": share, "examples": len(examples)}


def own_share(collate: Callable[[list[Batch]], Batch]) -> Callable[[list[Batch]], Batch]:
    """As `collate`, of this process's own examples, with their `share` of the pass and its number of `examples`."""
    return _Share(collate, 0, 1) if is_alone() else _Share(collate, dist.get_rank(), dist.get_world_size())


def weigh(passes: Sequence[Batch]) -> None:
    """Set the `share` of each pass of a step so that all its examples weigh alike, in place, where the passes' losses are
    averaged: an epoch's last pass may have fewer examples than the others of its step. Takes `examples` out."""
    sizes = [each.pop("examples") for each in passes]
    for each, size in zip(passes, sizes, strict=True):
        each["share"] *= size * len(sizes) / sum(sizes)


def averaged(values: Sequence[float]) -> tuple[float, ...]:
    """The mean of each value over all processes."""
    everyones = _gathered(values)
    return tuple(sum(each) / len(everyones) for each in zip(*everyones, strict=True))


def joined(tensor: Tensor) -> Tensor:
    """All processes' tensors, one after the other."""
    return torch.cat(_gathered(tensor))


def _gathered(value: Any) -> list[Any]:
    if is_alone():
        return [value]
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found
