"""First weights from which models of a million parameters learn to recall within a million tokens; drawn at random they need many times more.

To recall what followed a key, a model must bring the key to the place of its value (tokens nearby) and then find that place (same content). Both are
set up here, after the mimetic initialisation of attention (Trockman and Kolter, arXiv 2305.09828) and of state-space models (Trockman et al.,
arXiv 2410.11135), and trained on like everything else:

- attention, first layer: head h looks h + 1 tokens back (biases of queries and keys that meet at this distance under RoPE), and all heads of a group
  write into the same directions, so a place knows the words before it;
- attention, further layers: queries start equal to keys (like finds like), outputs as transposed values (what is found is copied);
- Mamba-2: C starts equal to B, with the same convolution, and the output as the transposed input, for the same two reasons; its convolution
  sees the tokens nearby already, as attention does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NEARBY_STRENGTH = 5.0  # of the biases: at the right distance a score of about 20 above the rest
LEAST_FREQUENCY = 0.05  # radians a token: slower pairs of RoPE cannot tell neighbours apart


@torch.no_grad()
def recall(model: nn.Module) -> nn.Module:
    """Set the first weights of every attention and Mamba-2 layer of `model` in place; no random number is drawn. Returns the model."""
    for index, layer in enumerate(model.base_model.layers):  # type: ignore[union-attr, arg-type]
        attention = getattr(layer, "self_attn", None)
        if attention is not None and index == 0:
            _look_nearby(attention, model.config)
        elif attention is not None:
            _copy_like(attention)
        for module in layer.modules():
            if isinstance(getattr(module, "A_log", None), nn.Parameter):
                _state_copies(module)
    return model


def _heads(attention: Any) -> tuple[int, int, int]:
    """(width of a head, query heads, query heads for each KV head)."""
    width = int(attention.head_dim)
    heads = attention.q_proj.weight.shape[0] // width
    return width, heads, heads // (attention.k_proj.weight.shape[0] // width)


def _look_nearby(attention: Any, config: Any) -> None:
    width, heads, shared = _heads(attention)
    theta = float(config.rope_parameters["rope_theta"])
    frequency = theta ** (-torch.arange(0, width, 2) / width)
    strength = NEARBY_STRENGTH * (frequency > LEAST_FREQUENCY).float()
    for head in range(heads):
        group = head // shared
        turn = (head + 1) * frequency
        own, keys = slice(head * width, (head + 1) * width), slice(group * width, (group + 1) * width)
        attention.q_proj.bias[own] = torch.cat([strength * torch.cos(turn), -strength * torch.sin(turn)])
        attention.k_proj.bias[keys] = torch.cat([strength, torch.zeros_like(strength)])
        first = group * shared * width
        attention.o_proj.weight[:, own] = attention.o_proj.weight[:, first : first + width].clone()


def _copy_like(attention: Any) -> None:
    width, heads, shared = _heads(attention)
    for head in range(heads):
        own, group = slice(head * width, (head + 1) * width), slice(head // shared * width, (head // shared + 1) * width)
        attention.q_proj.weight[own] = attention.k_proj.weight[group]
        attention.o_proj.weight[:, own] = attention.v_proj.weight[group].T


def _state_copies(mixer: Any) -> None:
    """Rows of in_proj are gate, x, B, C, dt; those of the convolution x, B, C (transformers' Mamba2Mixer and BambaMixer)."""
    inner, state = int(mixer.intermediate_size), int(mixer.n_groups * mixer.ssm_state_size)
    rows: Tensor = mixer.in_proj.weight
    first = inner + inner
    rows[first + state : first + 2 * state] = rows[first : first + state]
    taps = mixer.conv1d
    taps.weight[inner + state : inner + 2 * state] = taps.weight[inner : inner + state]
    taps.bias[inner + state : inner + 2 * state] = taps.bias[inner : inner + state]
    mixer.out_proj.weight.copy_(rows[inner : 2 * inner].T)
