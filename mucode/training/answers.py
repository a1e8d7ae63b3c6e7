"""Learning to answer: the likelihood of each sequence's last tokens, whatever precedes them computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mucode.training.run import Example
from mucode.training.tree import grow, lay_out, pack
from mucode.training.weights import attention_kinds
from mucode.types import MucodeError

_PROBES = ((0, 1, 2, 3), (0, 1, 3, 2, 1))


def answer_example(prompt: Sequence[int], answer: Sequence[int], weight: float) -> Example:
    return {"input_ids": [*prompt, *answer], "answer": len(answer), "weight": weight}


@dataclass(frozen=True, slots=True)
class Collate:
    """Examples -> what `AnswerLoss` takes. Its loss is their mean, each one's loss being its tokens' weighted sum."""

    shared: bool  # sequences that begin alike lie in one row; else each has a row of its own

    def __call__(self, examples: list[Example]) -> dict[str, Tensor]:
        taken, paths = lay_out([example["input_ids"] for example in examples], self.shared)
        answers = list(zip(paths, examples, strict=True))
        lengths = torch.tensor([example["answer"] for example in examples])
        weights = torch.tensor([example["weight"] for example in examples]) / len(examples)
        return taken | {
            "places": torch.cat([path[-example["answer"] - 1 : -1] for path, example in answers]),
            "targets": torch.tensor([token for each in examples for token in each["input_ids"][-each["answer"] :]]),
            "weights": weights.repeat_interleave(lengths),
        }


class AnswerLoss(nn.Module):
    """Token rows -> negative log-likelihood of the answers; logits are computed where there is a target only."""

    def __init__(self, causal: Any, low_precision: bool) -> None:
        super().__init__()
        self.decoder = causal.get_decoder()
        self.output = causal.get_output_embeddings()
        self.low_precision = low_precision
        _check_output(causal)

    def forward(
        self,
        input_ids: Tensor,
        places: Tensor,
        targets: Tensor,
        weights: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """Loss = share * sum of weights * -log p(target).

        Args:
            input_ids: [rows, longest], padded on the right.
            places: [m] indices into the flattened rows, of the tokens before each target.
            targets: [m] token ids.
            weights: [m].
            attention_mask: [rows, 1, longest, longest], bool; None: causal.
            position_ids: [rows, longest]; None: 0, 1, ...
            share: see `run_training`.
        """
        with torch.autocast(input_ids.device.type, torch.bfloat16, enabled=self.low_precision):
            states = self.decoder(
                input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False
            ).last_hidden_state
            logits = self.output(states.flatten(0, 1)[places])
        return {"loss": (cross_entropy(logits.float(), targets, reduction="none") * weights).sum() * share}


@torch.inference_mode()
def can_share(causal: Any) -> bool:
    """Whether the model heeds a tree's mask and positions (not with a window, a state, or some kinds of attention)."""
    if attention_kinds(causal.config) != {"full_attention"}:
        return False
    decoder, packed = causal.get_decoder(), pack([grow(_PROBES, range(len(_PROBES)))])
    together = decoder(
        input_ids=packed.input_ids,
        attention_mask=packed.visible,
        position_ids=packed.positions,
        use_cache=False,
    ).last_hidden_state[0]
    alone = [decoder(input_ids=torch.tensor([probe]), use_cache=False).last_hidden_state[0] for probe in _PROBES]
    pairs = zip(packed.paths, alone, strict=True)
    return all(torch.allclose(together[path], states, rtol=1e-3, atol=1e-4) for path, states in pairs)


@torch.inference_mode()
def _check_output(causal: Any) -> None:
    """Some architectures scale or cap their logits after the output layer, which `AnswerLoss` would leave out."""
    probe = torch.zeros(1, 2, dtype=torch.long)
    ours = causal.get_output_embeddings()(causal.get_decoder()(input_ids=probe, use_cache=False).last_hidden_state)
    if not torch.allclose(ours, causal(input_ids=probe).logits, rtol=1e-3, atol=1e-3):
        name = type(causal).__name__
        raise MucodeError(f"{name} changes its logits after the output layer: choose another base model")
