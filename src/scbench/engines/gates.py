"""A guess at which heads look far back, from a model alone: the attention of its mean query over
its mean key at many distances.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from scbench.engines.rotation import QueryProbe, Rotation

SAMPLE_TOKENS = 256  # pseudo-random ids whose queries and keys are averaged
SPAN_TOKENS = 1024  # positions over which the mean query looks back


def sample_ids(vocabulary: int) -> list[int]:
    """The same ids for ever."""
    draw = torch.Generator().manual_seed(0)
    return [int(token) for token in torch.randint(vocabulary, (SAMPLE_TOKENS,), generator=draw)]


def model_digest(model: Any) -> str:
    """SHA-256 over 64 numbers of each weight, as bf16: the same for a checkpoint loaded in fp32 or
    bf16, on any device, with any window.

    Gates belong to weights; a cell's key has a digest of more (configuration, dtype, all of the
    weights' files).
    """
    seal = hashlib.sha256(type(model).__name__.encode())
    for word, x in model.state_dict().items():
        some = (
            x.detach().reshape(-1)[:: max(1, x.numel() // 64)].bfloat16().float().cpu().contiguous()
        )
        seal.update(f"{word}{tuple(x.shape)}".encode() + some.numpy().tobytes())
    return seal.hexdigest()


def proxy_gates(rotation: Rotation, probe: QueryProbe) -> dict[int, Tensor]:
    """Per layer a gate in [0, 1] per KV head, (H,): the area under the attention cumulated from the
    oldest position to the newest.

    0: all on the newest token; 1/2: the same everywhere; 1: all on the oldest. Mean over the group.
    """
    found = {}
    for layer, q_HGTD in probe.queries.items():
        at = torch.arange(q_HGTD.shape[2], device=q_HGTD.device)
        q = rotation.backward(q_HGTD, at).mean(dim=2)
        k = rotation.backward(probe.keys[layer], at).mean(dim=1)
        span = torch.arange(SPAN_TOKENS, device=q.device)
        turned_q = rotation.forward(q.unsqueeze(2), span[-1:])
        turned_k = rotation.forward(k.unsqueeze(1).expand(-1, SPAN_TOKENS, -1), span)
        weights = torch.softmax(
            torch.einsum("hgtd,hsd->hgts", turned_q, turned_k) * probe.scales[layer], dim=-1
        )
        found[layer] = weights.cumsum(dim=-1).mean(dim=(1, 2, 3))
    return found
