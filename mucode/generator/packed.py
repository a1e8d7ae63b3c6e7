"""Weights laid out once the way the processor's bfloat16 products read them.

torch lays a linear layer's weight out anew at every call, which for the few rows of a decoding step takes up to half of
the time. The products are the same to the bit. The layout is oneDNN's, which torch uses where the processor has
bfloat16 products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_ROWS = 64  # the number of rows that the layout is chosen for; it serves all others as well


def pack_linears(model: Any) -> None:
    """Let a model's bfloat16 linear layers on a CPU keep their weights packed, for inference only; others stay."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    for parent in list(model.modules()):
        for name, part in list(parent.named_children()):
            if type(part) is nn.Linear and part.weight.dtype == torch.bfloat16 and part.weight.device.type == "cpu":
                setattr(parent, name, _Packed(part))


class _Packed(nn.Module):
    """A linear layer without its plain weight: [.., in] -> [.., out]."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")  # type: ignore[no-any-return]
