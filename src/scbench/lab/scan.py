"""Mamba-2's state-space scan for training on a CPU: chunked (SSD, arXiv 2405.21060, section 6),
with its own backward pass.

For each head, with a_t = dt_t A: S_t = exp(a_t) S_{t-1} + dt_t x_t B_t^T and y_t = S_t C_t. Over a
chunk this is a small masked attention plus what the state before the chunk contributes, and the
states at chunk borders follow from one another.

Letters of shapes: b sequences, c chunks, l positions in a chunk, h heads, p channels of a head, g
groups, n state. Everything is one matrix product per chunk (all heads of a group together: B and C
are shared) or, for the masked attention, one per chunk and head, head by head, so that the decays
[b, c, l, l] of one head at a time stay in the processor's cache.

The backward pass recomputes the decays. It needs no gradient through them: with cum the running sum
of a in its chunk, dL/dcum_t = <dL/dy_t, y_t> - <dt_t x_t, dL/d(dt_t x_t)>, plus <dL/dS, S> of the
state after the chunk at the chunk's last position, because cum enters every path from s to t only
as exp(cum_t - cum_s).
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.models.bamba.modeling_bamba import BambaMixer
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

from scbench.errors import Mismatch
from scbench.lab.conv import causal_conv


def scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    chunk_tokens: int = 64,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Outputs [b, t, h, p] and the last state [b, h, p, n] of x [b, t, h, p], dt [b, t, h] >= 0, A
    [h] < 0, B and C [b, t, g, n].

    `state` [b, h, p, n] is where the scan starts (zeros without it). Any t; differentiable in every
    argument.
    """
    tokens = x.shape[1]
    chunk = min(chunk_tokens, tokens)
    spare = -tokens % chunk
    if spare:  # a step of zero neither decays the state nor writes to it
        x, B, C = (functional.pad(z, (0, 0, 0, 0, 0, spare)) for z in (x, B, C))
        dt = functional.pad(dt, (0, 0, 0, spare))
    if state is None:
        state = x.new_zeros(x.shape[0], x.shape[2], x.shape[3], B.shape[3])
    with torch.autocast(
        x.device.type, enabled=False
    ):  # the projections gain by bf16; sums over a thousand steps would lose
        y, last = _Scan.apply(  # type: ignore[no-untyped-call]
            x, dt, A, B, C, state, chunk
        )
    return (y[:, :tokens] if spare else y), last


class _Scan(torch.autograd.Function):
    """The scan over whole chunks."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, state: Tensor, chunk: int
    ) -> tuple[Tensor, Tensor]:
        b, t, h, p = x.shape
        c, g, n = t // chunk, B.shape[2], B.shape[3]
        per = h // g
        dt_clh = dt.reshape(b * c, chunk, h)
        cum = (dt_clh * A).cumsum(1)
        xd = x.reshape(b * c, chunk, h, p) * dt_clh[..., None]
        Bs, Cs = B.reshape(b * c, chunk, g, n), C.reshape(b * c, chunk, g, n)
        # what each chunk adds to the state, then the state before each chunk
        to_end = (cum[:, -1:] - cum).exp()
        written = _by_group(xd * to_end[..., None], Bs, g, "write")
        states, last = _carry(
            written.view(b, c, h, p * n), cum[:, -1].exp().view(b, c, h), state.reshape(b, h, p * n)
        )
        y = _by_group(states.view(b * c, h * p, n), Cs, g, "read").view(b * c, chunk, h, p)
        y *= cum.exp()[..., None]
        for group in range(g):
            scores = (Cs[:, :, group] @ Bs[:, :, group].transpose(1, 2)).tril_()
            for head in range(group * per, (group + 1) * per):
                weights = _decays(cum, head).mul_(scores)
                y[:, :, head] += weights @ xd[:, :, head]
        ctx.save_for_backward(x, dt, A, B, C, cum, xd, states, last, y)
        ctx.chunk = chunk
        return y.view(b, t, h, p), last.view(b, h, p, n)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gy: Tensor, glast: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, dt, A, B, C, cum, xd, states, last, y = ctx.saved_tensors
        b, t, h, p = x.shape
        chunk = ctx.chunk
        c, g, n = t // chunk, B.shape[2], B.shape[3]
        per = h // g
        dt_clh = dt.reshape(b * c, chunk, h)
        Bs, Cs = B.reshape(b * c, chunk, g, n), C.reshape(b * c, chunk, g, n)
        gy = gy.reshape(b * c, chunk, h, p)
        # through the states
        to_end = (cum[:, -1:] - cum).exp()
        gread = gy * cum.exp()[..., None]
        gC = _by_group_rows(gread, states.view(b * c, h * p, n), g)
        gstates = _by_group(gread, Cs, g, "write").view(b, c, h, p * n)
        gwritten, gstate, gborder = _carry_back(
            gstates, glast.reshape(b, h, p * n), cum[:, -1].exp().view(b, c, h), states, last
        )
        gxd = _by_group(gwritten.view(b * c, h * p, n), Bs, g, "read").view(b * c, chunk, h, p)
        gB = _by_group_rows(xd * to_end[..., None], gwritten.view(b * c, h * p, n), g)
        gxd *= to_end[..., None]
        # through the masked attention of each chunk
        for group in range(g):
            scores = (Cs[:, :, group] @ Bs[:, :, group].transpose(1, 2)).tril_()
            gscores = torch.zeros_like(scores)
            for head in range(group * per, (group + 1) * per):
                decays = _decays(cum, head)
                gweights = gy[:, :, head] @ xd[:, :, head].transpose(1, 2)
                gscores.addcmul_(gweights, decays)
                gxd[:, :, head] += decays.mul_(scores).transpose(1, 2) @ gy[:, :, head]
            gscores.tril_()
            gC[:, :, group] += gscores @ Bs[:, :, group]
            gB[:, :, group] += gscores.transpose(1, 2) @ Cs[:, :, group]
        gcum = (gy * y).sum(-1) - (xd * gxd).sum(-1)
        gcum[:, -1] += gborder.view(b * c, h)
        ga = gcum.flip(1).cumsum(1).flip(1)
        gdt = ga * A + (gxd * x.reshape(b * c, chunk, h, p)).sum(-1)
        gA = (ga * dt_clh).sum((0, 1))
        gx = gxd.mul_(dt_clh[..., None])
        return (
            gx.view_as(x),
            gdt.view_as(dt),
            gA,
            gB.view_as(B),
            gC.view_as(C),
            gstate.view(b, h, p, n),
            None,
        )


def _decays(cum: Tensor, head: int) -> Tensor:
    """exp(cum_l - cum_s) [bc, l, s] of one head where s <= l, and 1 above the diagonal, where a
    score of zero meets it.
    """
    own = cum[:, :, head]
    return (own[:, :, None] - own[:, None, :]).clamp_(max=0).exp_()


def _by_group(left: Tensor, right: Tensor, groups: int, way: str) -> Tensor:
    """`write`: values [bc, l, h, p] times keys [bc, l, g, n] to states [bc, hp, n]. `read`: states
    and queries to values [bc, l, hp].
    """
    if way == "write":
        values = left.flatten(2).chunk(groups, dim=2)
        pieces = [values[at].transpose(1, 2) @ right[:, :, at] for at in range(groups)]
        return pieces[0] if groups == 1 else torch.cat(pieces, 1)
    states = left.chunk(groups, dim=1)
    pieces = [right[:, :, at] @ states[at].transpose(1, 2) for at in range(groups)]
    return pieces[0] if groups == 1 else torch.cat(pieces, 2)


def _by_group_rows(values: Tensor, states: Tensor, groups: int) -> Tensor:
    """Values [bc, l, h, p] times states [bc, hp, n], summed over the heads of each group: [bc, l,
    g, n].
    """
    rows, held = values.flatten(2).chunk(groups, dim=2), states.chunk(groups, dim=1)
    return torch.stack([rows[at] @ held[at] for at in range(groups)], dim=2)


def _carry(written: Tensor, kept: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """The state before each chunk [b, c, h, pn] and the one after the last [b, h, pn]; `kept` [b,
    c, h] is what a chunk leaves of the state.
    """
    states = torch.empty_like(written)
    states[:, 0] = first
    for at in range(1, written.shape[1]):
        torch.addcmul(
            written[:, at - 1], states[:, at - 1], kept[:, at - 1, :, None], out=states[:, at]
        )
    return states, torch.addcmul(written[:, -1], states[:, -1], kept[:, -1, :, None])


def _carry_back(
    gstates: Tensor, glast: Tensor, kept: Tensor, states: Tensor, last: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of what each chunk wrote, of the first state, and <dL/dS, S> [b, c, h] of the state
    after each chunk.
    """
    gwritten = torch.empty_like(gstates)
    gborder = torch.empty_like(kept)
    flowing, after = glast, last
    for at in range(gstates.shape[1] - 1, -1, -1):
        gwritten[:, at] = flowing
        gborder[:, at] = (flowing * after).sum(-1)
        flowing, after = torch.addcmul(gstates[:, at], flowing, kept[:, at, :, None]), states[:, at]
    return gwritten, flowing, gborder


def fast(model: PreTrainedModel) -> PreTrainedModel:
    """Give every Mamba-2 layer of this model the scan and convolution of this room, in place;
    weights, outputs and saved files stay the same.

    A model without such layers is returned as it is. Raises Mismatch for layers that this forward
    would compute otherwise than their own.
    """
    mixers = _mixers(model)
    for mixer in mixers:
        if mixer.activation != "silu" or mixer.A_log.dtype not in (torch.float32, torch.float64):
            raise Mismatch(
                f"a Mamba-2 layer with activation {mixer.activation!r} and weights of "
                f"{mixer.A_log.dtype} has no fast forward; it is written for "
                "silu and float32 or float64; use the model as it is, or load it in float32"
            )
    for mixer in mixers:
        mixer.forward = MethodType(_forward, mixer)
    return model


def plain(model: PreTrainedModel) -> PreTrainedModel:
    """Undo `fast`."""
    for mixer in _mixers(model):
        mixer.__dict__.pop("forward", None)
    return model


def _mixers(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, Mamba2Mixer | BambaMixer)]


def _forward(
    self: Any,
    hidden_states: Tensor,
    cache_params: Any = None,
    attention_mask: Tensor | None = None,
    **kwargs: Any,
) -> Tensor:
    """A mixer's forward. One token on top of states, and packed sequences, are left to the model's
    own code.
    """
    tokens = hidden_states.shape[1]
    before = (
        None
        if cache_params is None
        else cache_params.get_recurrent_state(self.layer_idx, state_idx=0)
    )
    packed = kwargs.get("seq_idx") is not None or kwargs.get("cu_seqlens") is not None
    if packed or (tokens == 1 and before is not None):
        out: Tensor = type(self).forward(
            self, hidden_states, cache_params, attention_mask, **kwargs
        )
        return out
    mask = None if attention_mask is None else attention_mask[:, :, None].to(hidden_states.dtype)
    projected = self.in_proj(hidden_states if mask is None else hidden_states * mask).to(
        self.A_log.dtype
    )
    gate, mixed, dt = projected.split(
        [self.intermediate_size, self.conv_dim, self.num_heads], dim=-1
    )
    if (
        cache_params is not None
    ):  # what the convolution saw last comes in front, and is cut off again
        past = cache_params.update_conv_state(
            mixed.transpose(1, 2), self.layer_idx, conv_kernel_size=self.conv_kernel_size
        )
        mixed = past.transpose(1, 2)
    mixed = causal_conv(mixed, self.conv1d.weight[:, 0], self.conv1d.bias)[:, -tokens:]
    if mask is not None:
        mixed = mixed * mask
    shared = self.n_groups * self.ssm_state_size
    x, B, C = torch.split(mixed, [self.intermediate_size, shared, shared], dim=-1)
    rows = x.shape[0]
    x = x.reshape(rows, tokens, self.num_heads, self.head_dim)
    B, C = (z.reshape(rows, tokens, self.n_groups, self.ssm_state_size) for z in (B, C))
    dt = functional.softplus(dt + self.dt_bias).clamp(*self.time_step_limit)
    y, last = scan(x, dt, -self.A_log.exp(), B, C, chunk_tokens=self.chunk_size, state=before)
    if cache_params is not None:
        cache_params.update_recurrent_state(last, layer_idx=self.layer_idx)
    y = torch.addcmul(y, x, self.D[:, None])
    mixed_back: Tensor = self.out_proj(self.norm(y.flatten(2), gate))
    return mixed_back
