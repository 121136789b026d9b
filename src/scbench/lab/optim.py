"""Two optimisers for one model: Muon turns the matrices inside blocks, AdamW moves the rest.

Muon (Jordan 2024; `torch.optim.Muon`) orthogonalises each matrix's momentum, so its rate means the
same for every shape (`adjust_lr_fn="original"`: times sqrt(max(1, rows / columns))). Embeddings,
convolutions, norms and the recurrent scalars (A_log, D, dt_bias) are no rotations of a residual
stream and go to AdamW; of those only the embeddings decay.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon

ADAM_BETAS = (0.9, 0.95)
OUTSIDE_BLOCKS = ("embed", "lm_head")


def split(
    model: nn.Module,
) -> tuple[dict[str, nn.Parameter], dict[str, nn.Parameter], dict[str, nn.Parameter]]:
    """(matrices of blocks, embeddings, everything else) by name; tied weights appear once."""
    matrices: dict[str, nn.Parameter] = {}
    embeddings: dict[str, nn.Parameter] = {}
    others: dict[str, nn.Parameter] = {}
    for name, weight in model.named_parameters():
        outside = any(word in name for word in OUTSIDE_BLOCKS)
        is_matrix = weight.ndim == 2 and name.endswith(".weight")
        (embeddings if outside and is_matrix else matrices if is_matrix else others)[name] = weight
    return matrices, embeddings, others


class Optimisers:
    """Muon and AdamW under one learning-rate factor."""

    def __init__(
        self, model: nn.Module, *, lr: float, adam_lr: float, momentum: float, weight_decay: float
    ) -> None:
        matrices, embeddings, others = split(model)
        self._base = (lr, adam_lr)
        fused = all(weight.device.type in ("cpu", "cuda") for weight in model.parameters())
        self.muon = Muon(
            list(matrices.values()),
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            adjust_lr_fn="original",
        )
        self.adamw = AdamW(
            [
                {"params": list(embeddings.values()), "weight_decay": weight_decay},
                {"params": list(others.values()), "weight_decay": 0.0},
            ],
            lr=adam_lr,
            betas=ADAM_BETAS,
            fused=fused,
        )

    def step(self, factor: float) -> None:
        """Apply the gradients at `factor` times the base rates, and clear them."""
        for optimiser, base in zip((self.muon, self.adamw), self._base, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = base * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])


def clip(model: nn.Module, most: float) -> float:
    """Scale the gradients so that their joint norm is at most `most`; returns the norm before."""
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), most))
