"""The model's own rotary embedding as a function of positions, and its inverse: how queries before
RoPE are recovered from those after it.

Partial, interleaved and scaled embeddings are all what the model's own code makes of them. That the
inverse is right for every layer is not assumed but tried: the same tokens at other positions must
give the same queries.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scbench.errors import Mismatch


class Rotation:
    """`forward` turns x (..., T, D) as the model turns a query at positions (T,); `backward` undoes
    it. Identity for models without RoPE.
    """

    def __init__(self, model: Any) -> None:
        self.name = type(model).__name__
        self._embed: Any = getattr(model.base_model, "rotary_emb", None)
        self._apply: Callable[..., Any] | None = getattr(
            sys.modules[type(model).__module__], "apply_rotary_pos_emb", None
        )
        if self._embed is not None and self._apply is None:
            raise Mismatch(
                f"{self.name} turns its queries by a function of its own, which cannot be undone; "
                f"its queries before RoPE are not known"
            )
        self.scaling = float(getattr(self._embed, "attention_scaling", 1.0))
        # False: the angles of a position depend on how long the text is
        self.steady = getattr(self._embed, "rope_type", "default") not in ("dynamic", "longrope")

    def stuck(self) -> str:
        """Why keys cannot be moved to other positions; "" if they can."""
        if self._embed is None:
            return (
                f"{self.name} has no rotary embedding, and keys without one cannot be moved to "
                f"other positions"
            )
        if not self.steady:
            return (
                f"{self.name} has RoPE frequencies that depend on the length of the text (dynamic, "
                f"longrope), so its keys cannot be moved"
            )
        return ""

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self._turn(x, positions, 1.0)

    def backward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self._turn(x, positions, -1.0) / self.scaling**2

    def _turn(self, x: Tensor, positions: Tensor, sign: float) -> Tensor:
        if self._embed is None or self._apply is None:
            return x
        flat = x.reshape(1, -1, *x.shape[-2:]).float()
        try:
            cos, sin = self._embed(flat, positions.to(x.device).unsqueeze(0))
            turned: Tensor = self._apply(flat, flat, cos, sign * sin)[0]
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as err:
            raise Mismatch(
                f"{self.name} does not apply its rotary embedding as most models do ({err}); its "
                f"queries before RoPE are not known"
            ) from err
        return turned.view(x.shape)


class QueryProbe:
    """Stands in for a pass and records the queries and keys of every layer; attention is over the
    tokens of this forward alone.
    """

    def __init__(self) -> None:
        self.queries: dict[int, Tensor] = {}
        self.keys: dict[int, Tensor] = {}
        self.scales: dict[int, float] = {}

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        from scbench.kernels import causal

        self.queries[layer], self.keys[layer], self.scales[layer] = (
            q_HGND.float(),
            k_HND.float(),
            scale,
        )
        return causal(q_HGND, k_HND, v_HND, scale=scale).out


def check_inverse(
    rotation: Rotation,
    near: dict[int, Tensor],
    far: dict[int, Tensor],
    first: int,
    what: str = "queries",
) -> None:
    """Raise Mismatch unless the queries (or keys) `far`, of the tokens of `near` read `first`
    positions later, are the same before RoPE.
    """
    for layer, q in near.items():
        at = torch.arange(q.shape[-2], device=q.device)
        one, two = rotation.backward(q, at), rotation.backward(far[layer], at + first)
        scale = max(float(one.abs().max()), 1e-6)
        worst = float((one - two).abs().max()) / scale
        if not worst < 0.05:
            raise Mismatch(
                f"{rotation.name}, layer {layer}: the {what} before RoPE could not be recovered "
                f"(they differ by {worst:.2g} of their size when "
                "the same tokens stand elsewhere); methods that need them cannot run on this model"
            )
