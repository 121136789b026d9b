"""The attention function that a model of `transformers` calls in place of its own."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import AttentionInterface

from scbench.errors import Mismatch

OURS = "scbench"


def packed_attention(
    module: Any,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    *,
    scbench_pass: Any = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The attention function registered with `transformers`: q (1, Hq, N, D), k and v (1, Hk, N, D)
    to (1, N, Hq, D).

    Arguments stand in the order of transformers' own functions, because packages that wrap all that
    are registered hand them on by place.
    """
    if dropout:
        raise Mismatch(
            f"{type(module).__name__} asks for attention dropout of {dropout}; the local engine "
            f"evaluates and has none, call eval()"
        )
    if attention_mask is not None:
        raise Mismatch(
            f"{type(module).__name__} hands a mask of its own to its attention, which the local "
            "engine does not apply"
        )
    if scbench_pass is None:
        raise Mismatch(
            "this model did not hand our batch to its attention; it cannot be run by the local "
            "engine"
        )
    for word in ("s_aux", "softcap", "position_bias"):
        if kwargs.get(word) is not None:
            raise Mismatch(
                f"{type(module).__name__} uses {word} in its attention, which the local engine "
                f"does not compute"
            )
    heads, tokens, dim = k.shape[1], q.shape[2], q.shape[3]
    if v.shape[-1] != dim:
        raise Mismatch(
            f"{type(module).__name__} has values of {v.shape[-1]} and keys of {dim} channels "
            f"(MLA?); the local engine needs them equal"
        )
    out = scbench_pass.attend(
        module.layer_idx, q[0].view(heads, -1, tokens, dim), k[0], v[0], scaling
    )
    # Contiguous, as some models look at it through `view`; the others would copy it themselves.
    return out.reshape(-1, tokens, dim).transpose(0, 1).unsqueeze(0).contiguous(), None


AttentionInterface.register(OURS, packed_attention)
