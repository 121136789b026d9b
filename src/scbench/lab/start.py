"""First weights from which models of a million parameters learn to recall within a million tokens;
drawn at random they need many times more.

To recall what followed a key, a model must bring the key to the place of its value (tokens nearby)
and then find that place (same content). Both are set up here, after the mimetic initialisation of
attention (Trockman and Kolter, arXiv 2305.09828) and of state-space models (Trockman et al., arXiv
2410.11135) and the circuit that trained transformers are found to use (induction heads, Olsson et
al., arXiv 2209.11895), and trained on like everything else. At the start nothing is recalled; what
is set is only what the gradient needs to see first.

- attention, first layer: head h looks h + 1 tokens back (biases of queries and keys that meet at
  this distance under RoPE); four heads write one code of the token they see into directions of
  their own, so a place knows which word stood how far before it;
- where the first layer is Mamba-2, its convolution does the same for three words, in two heads for
  each (one for the code, one for its negative);
- attention, next two layers: a KV head's keys read the code of the word i back, one query head that
  of the word i back, one that of i - 1 back, so a place finds what followed the same words; values
  and outputs are each other's transposes (what is found is copied);
- Mamba-2, next layers: B and C read codes in the same way, the output is the transposed input;
- one query head of each KV head, and layers after these, stay as they were drawn but for the
  copying: what tasks need beyond recall is learned there. (Heads that start alike would stay alike:
  nothing tells their gradients apart.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

NEARBY_STRENGTH = 7.0  # of the biases: at the right distance a score of about 5 above the next
LEAST_FREQUENCY = 0.05  # radians a token: slower pairs of RoPE cannot tell neighbours apart
CODED = 4  # heads of the first layer whose words are told apart
QUIET = 0.25  # of the other outputs of the first layers, and of the MLPs
MATCH_SCORE = 8.0  # logits of attention between a place and one behind the same word
COPY_STRENGTH = 0.15  # of what a matching layer writes, in units of a normalised input
MATCHES = (
    (1, 2),
    (3, 4),
)  # of attention layers in turn: how far back the keys of each KV head read
STATE_MATCHES = (
    ((0, 1), (2, 2)),
    ((1, 2), (3, 3)),
)  # of Mamba-2 layers in turn: for each part of the state, how far back C and B read
OPEN_GATE = 1.5  # silu(1.5) is about 1.2
SHORT_STEP = -7.0  # softplus(-7) is about 0.001: such a head only convolves
STATE_GAIN = 1.5


@torch.no_grad()
def recall(model: nn.Module) -> nn.Module:
    """Set the first weights of every attention and Mamba-2 layer of `model` in place, drawing from
    torch's generator. Returns the model.
    """
    layers: list[Any] = list(model.base_model.layers)  # type: ignore[union-attr, arg-type]
    config: Any = model.config
    width = int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    is_attention = [getattr(layer, "self_attn", None) is not None for layer in layers]
    coded = CODED if is_attention[0] else int(_mixer(layers[0]).conv1d.weight.shape[-1]) - 1
    stream = _Stream.draw(config.hidden_size, width, coded, float(config.initializer_range))
    for index, layer in enumerate(layers):
        before = sum(
            kind is is_attention[index] for kind in is_attention[1:index]
        )  # layers like this one since the first
        if is_attention[index]:
            if index == 0:
                _look_nearby(layer.self_attn, config, stream)
            else:
                _match(layer.self_attn, stream, MATCHES[before] if before < len(MATCHES) else ())
        elif index == 0:
            _convolve_nearby(_mixer(layer), stream)
        else:
            _match_state(
                _mixer(layer), stream, STATE_MATCHES[before] if before < len(STATE_MATCHES) else ()
            )
    for name, module in model.named_modules():
        if name.endswith("down_proj"):
            module.weight.mul_(QUIET)  # type: ignore[union-attr, operator]
    return model


@dataclass(frozen=True)
class _Stream:
    """What the first layer writes: `code` [width, hidden] of a word, and `written[i]` [hidden,
    width], where the code of the word i + 1 back stands.
    """

    code: Tensor
    written: tuple[Tensor, ...]
    std: float  # of an embedding's numbers, and of what each of `written` adds

    @staticmethod
    def draw(hidden: int, width: int, coded: int, std: float) -> _Stream:
        code = torch.randn(width, hidden) / math.sqrt(hidden)
        directions, _ = torch.linalg.qr(torch.randn(hidden, hidden))
        count = min(coded, hidden // width)
        blocks = [
            directions[:, i * width : (i + 1) * width] * (std * math.sqrt(hidden / width))
            for i in range(count)
        ]
        return _Stream(code, tuple(blocks), std)

    def read(self, back: int) -> Tensor:
        """[width, hidden]: from the normalised stream, the code of the word `back` tokens ago,
        numbers of about 1.
        """
        rms = self.std * math.sqrt(1 + len(self.written))
        if back == 0:
            return self.code * (rms / self.std)
        block = self.written[back - 1]
        return block.T * (rms / float(block[:, 0].norm()) ** 2)


class _Heads:
    """The slices of an attention layer's weights."""

    def __init__(self, attention: Any) -> None:
        self.width = int(attention.head_dim)
        self.queries = attention.q_proj.weight.shape[0] // self.width
        self.keys = attention.k_proj.weight.shape[0] // self.width
        self.shared = self.queries // self.keys  # query heads for each KV head

    def own(self, head: int) -> slice:
        return slice(head * self.width, (head + 1) * self.width)

    def of(self, group: int) -> range:
        return range(group * self.shared, (group + 1) * self.shared)


def _look_nearby(attention: Any, config: Any, stream: _Stream) -> None:
    """Head h sees the token h + 1 back: biases of queries and keys that meet there under RoPE."""
    heads = _Heads(attention)
    theta = float(config.rope_parameters["rope_theta"])
    frequency = theta ** (-torch.arange(0, heads.width, 2) / heads.width)
    strength = NEARBY_STRENGTH * (frequency > LEAST_FREQUENCY).float()
    attention.v_proj.bias.zero_()
    attention.o_proj.weight.mul_(QUIET)
    for group in range(heads.keys):
        attention.k_proj.bias[heads.own(group)] = torch.cat([strength, torch.zeros_like(strength)])
        attention.v_proj.weight[heads.own(group)] = stream.code
    for head in range(heads.queries):
        turn = (head + 1) * frequency
        attention.q_proj.bias[heads.own(head)] = torch.cat(
            [strength * torch.cos(turn), -strength * torch.sin(turn)]
        )
    for head, block in enumerate(stream.written[: heads.queries]):
        attention.o_proj.weight[:, heads.own(head)] = block


def _match(attention: Any, stream: _Stream, distances: Sequence[int]) -> None:
    """KV head g reads the word `distances[g]` back, its first query heads that and the one after;
    the values are a drawn view, outputs lead back from it.

    KV heads without a distance, or with one that the first layer does not write, and further query
    heads stay as drawn.
    """
    heads = _Heads(attention)
    hidden = attention.v_proj.weight.shape[1]
    gain = math.sqrt(MATCH_SCORE / math.sqrt(heads.width))
    for group in range(heads.keys):
        view = torch.randn(heads.width, hidden) / math.sqrt(hidden)
        attention.v_proj.weight[heads.own(group)] = view
        for head in heads.of(group):
            attention.o_proj.weight[:, heads.own(head)] = view.T * (
                COPY_STRENGTH * hidden / heads.width / heads.shared
            )
        if group < len(distances) and (further := distances[group]) <= len(stream.written):
            attention.k_proj.weight[heads.own(group)] = gain * stream.read(further)
            for head, back in zip(heads.of(group), (further - 1, further), strict=False):
                attention.q_proj.weight[heads.own(head)] = gain * stream.read(back)


class _Rows:
    """Rows of a Mamba-2 mixer's in_proj: gate, x, B, C, dt; channels of its convolution: x, B, C
    (transformers' Mamba2Mixer and BambaMixer).
    """

    def __init__(self, mixer: Any) -> None:
        self.inner, self.state = (
            int(mixer.intermediate_size),
            int(mixer.n_groups * mixer.ssm_state_size),
        )
        self.width = self.inner // int(mixer.num_heads)

    def gate(self, head: int) -> slice:
        return slice(head * self.width, (head + 1) * self.width)

    def x(self, head: int) -> slice:
        return slice(self.inner + head * self.width, self.inner + (head + 1) * self.width)

    @property
    def B(self) -> slice:
        return slice(2 * self.inner, 2 * self.inner + self.state)

    @property
    def C(self) -> slice:
        return slice(2 * self.inner + self.state, 2 * self.inner + 2 * self.state)


def _convolve_nearby(mixer: Any, stream: _Stream) -> None:
    """Two heads a distance: one convolves the code of the word i back, one its negative, for
    silu(c) - silu(-c) = c; their gates are open, their steps short.
    """
    rows, kernel = _Rows(mixer), int(mixer.conv1d.weight.shape[-1])
    for i, block in enumerate(stream.written[: min(kernel - 1, int(mixer.num_heads) // 2)]):
        for head, sign in ((2 * i, 1.0), (2 * i + 1, -1.0)):
            mixer.in_proj.weight[rows.x(head)] = sign * stream.code
            mixer.in_proj.weight[rows.gate(head)] = 0.0
            mixer.in_proj.bias[rows.gate(head)] = OPEN_GATE
            channels = slice(head * rows.width, (head + 1) * rows.width)
            mixer.conv1d.weight[channels] = 0.0
            mixer.conv1d.weight[channels, 0, kernel - 2 - i] = 1.0
            mixer.conv1d.bias[channels] = 0.0
            mixer.dt_bias[head] = SHORT_STEP
            mixer.out_proj.weight[:, channels] = sign * block


def _match_state(mixer: Any, stream: _Stream, pairs: Sequence[tuple[int, int]]) -> None:
    """Part i of the state: C reads the word `back`, B the word `further`, of pair i; outputs lead
    back from x.
    """
    rows, kernel, taps = _Rows(mixer), int(mixer.conv1d.weight.shape[-1]), mixer.conv1d
    width = stream.code.shape[0]
    for part, (back, further) in enumerate(pairs[: rows.state // width]):
        if further > len(stream.written):
            continue
        for which, distance in ((rows.B, further), (rows.C, back)):
            own = slice(which.start + part * width, which.start + (part + 1) * width)
            channels = slice(own.start - rows.inner, own.stop - rows.inner)
            mixer.in_proj.weight[own] = STATE_GAIN * stream.read(distance)
            taps.weight[channels] = 0.0
            taps.weight[channels, 0, kernel - 1] = 1.0
            taps.bias[channels] = 0.0
    mixer.out_proj.weight.copy_(mixer.in_proj.weight[rows.inner : 2 * rows.inner].T)


def _mixer(layer: Any) -> Any:
    return next(
        (
            module
            for module in layer.modules()
            if isinstance(getattr(module, "A_log", None), nn.Parameter)
        ),
        None,
    )
