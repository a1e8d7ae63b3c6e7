"""R_phi as a language model with a scalar head, and how it is saved, loaded and asked."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from mucode.records import write_json
from mucode.training.batch import pad
from mucode.training.weights import (
    CARD,
    check_base,
    hold_frozen_in_bfloat16,
    intact,
    load_causal_model,
    load_tokenizer,
    read_card,
    save_weights,
    with_trained,
)
from mucode.types import MucodeError, Problem
from mucode.verifier.text import Reader

HEAD = "head.safetensors"


class RewardModel(nn.Module):
    """A transformer and a linear head on the last token's hidden state; no dropout."""

    def __init__(self, transformer: Any, head: nn.Linear) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head

    def forward(
        self,
        input_ids: Tensor,
        places: Tensor,
        past: Any = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Scores [n] (float32).

        Args:
            input_ids: [rows, longest], padded on the right, or what follows `past` in each.
            places: [n] indices into the flattened rows, of the last token of each sequence.
            past: key-value cache of the tokens that all rows begin with.
            attention_mask: [rows, 1, longest, longest], bool; None: causal. Padding needs none, as no last token sees it.
            position_ids: [rows, longest]; None: 0, 1, ...
        """
        hidden = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past,
            use_cache=past is not None,
        ).last_hidden_state
        last = hidden.flatten(0, 1)[places]
        with torch.autocast(last.device.type, enabled=False):
            return self.head(last.float()).squeeze(-1)  # type: ignore[no-any-return]

    def read(self, prefix: Tensor, rows: int) -> Any:
        """The cache of a prefix [1, length], repeated for `rows` rows."""
        cache = self.transformer(input_ids=prefix, use_cache=True).past_key_values
        cache.batch_repeat_interleave(rows)
        return cache


def new_head(hidden: int, seed: int) -> nn.Linear:
    """A head with weights of standard deviation 1 / sqrt(hidden + 1) and no bias at first."""
    head = nn.Linear(hidden, 1)
    nn.init.normal_(head.weight, std=1 / math.sqrt(hidden + 1), generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(head.bias)
    return head


@dataclass(frozen=True, slots=True)
class TransformerVerifier:
    """A trained R_phi, ready to score."""

    model: RewardModel
    reader: Reader
    batch_size: int  # rows per forward pass
    loss: str  # the key of LOSSES it was trained with
    low_precision: bool = False  # linear layers multiply in bfloat16; what they are added up to stays float32

    def score(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[float]:
        """R_phi(x, y) of each pair, in order; a pair that occurs twice is computed once.

        The programs of one problem begin with the same tokens (the problem), which are read once for up to `batch_size`
        of them. Batches follow from the set of pairs alone, so that equal calls give equal bits.
        """
        keys = list(zip(problems, programs, strict=True))
        rows = {(problem.id, program): self.reader.tokens(problem, program) for problem, program in dict.fromkeys(keys)}
        scores: dict[tuple[str, str], float] = {}
        with tqdm(total=len(rows), desc="score programs", unit="program", delay=2, file=sys.stderr) as bar:
            for _, group in itertools.groupby(sorted(rows), key=lambda key: key[0]):
                ordered = sorted(group, key=lambda key: (-len(rows[key]), key))
                for start in range(0, len(ordered), self.batch_size):
                    batch = ordered[start : start + self.batch_size]
                    scores.update(zip(batch, self._scores([rows[key] for key in batch]), strict=True))
                    bar.update(len(batch))
        return [scores[problem.id, program] for problem, program in keys]

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Sequence[int]]) -> list[float]:
        device = self.model.head.weight.device
        shared = _shared(rows) if len(rows) > 1 else 0
        ids, lengths = pad([row[shared:] for row in rows], padding=0)
        places = torch.arange(len(rows)) * ids.shape[1] + lengths - 1
        with torch.autocast(device.type, torch.bfloat16, enabled=self.low_precision):
            past = self.model.read(torch.tensor([rows[0][:shared]], device=device), len(rows)) if shared else None
            values: list[float] = self.model(ids.to(device), places.to(device), past).tolist()
        return values


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with; each keeps one of its own, whose hidden state the head reads."""
    most = min(map(len, rows)) - 1
    return next((at for at in range(most) if len({row[at] for row in rows}) > 1), most)


def save_verifier(model: RewardModel, folder: Path, card: dict[str, Any]) -> None:
    """Write adapter or whole transformer, head and card into an existing folder."""
    save_weights(model.transformer, folder)
    head = {name: weight.detach().contiguous() for name, weight in model.head.state_dict().items()}
    save_file(head, folder / HEAD)
    write_json(folder / CARD, card)


def load_verifier(base: Path, trained: Path) -> TransformerVerifier:
    """Load what `train_verifier` saved, adapters merged.

    Raises:
        MucodeError: `trained` is no verifier, is damaged, or was trained on another base than `base`.
    """
    card = read_card(trained)
    if not (trained / HEAD).exists():
        raise MucodeError(f"{trained} is no verifier (it has no {HEAD}): name a verifier's folder")
    check_base(base, card, trained)
    transformer = with_trained(load_causal_model(base, "float32").get_decoder(), trained).requires_grad_(False)
    head = new_head(transformer.config.hidden_size, seed=0)
    with intact(trained):
        head.load_state_dict(load_file(trained / HEAD))
        reader = Reader(load_tokenizer(base), card["max_tokens"], card["show_public_tests"])
        batch_size, loss, low_precision = card["score_batch_size"], card["loss"], card["dtype"] == "bfloat16"
    if low_precision:
        hold_frozen_in_bfloat16(transformer)
    model = RewardModel(transformer, head).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return TransformerVerifier(model, reader, batch_size, loss, low_precision)
