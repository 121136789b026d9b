"""Keys moved to other positions: kept slots closed up, so that no gap is left where others were
dropped.
"""

from __future__ import annotations

from scbench.errors import Mismatch
from scbench.kv import LayerView
from scbench.kv.snapshot import Rotate
from scbench.tensors import Tensor, torch


def closing_up(positions_HS: Tensor, seen_tokens: int) -> Tensor:
    """How far each slot moves (H, S) for S slots at `positions_HS` (ascending) to stand one after
    the other right before position `seen_tokens`.

    Seen from the newest token that is as if they stood at 0..S-1 and it at S. Never negative, and 0
    for all after the last gap.
    """
    slots = positions_HS.shape[1]
    return seen_tokens - slots + torch.arange(slots, device=positions_HS.device) - positions_HS


def moved(k_HSD: Tensor, shift_HS: Tensor, rotate: Rotate) -> Tensor:
    """R(shift) k in fp32, then in k's dtype; what does not move stays bit for bit. `rotate` turns
    as the model does, with its scaling, which k has.
    """
    heads, slots, dim = k_HSD.shape
    turned = rotate(k_HSD.float().reshape(1, heads * slots, dim), shift_HS.reshape(-1).long())
    scaling = rotate(
        torch.ones(1, 1, dim, device=k_HSD.device),
        torch.zeros(1, dtype=torch.long, device=k_HSD.device),
    )
    return torch.where(
        (shift_HS == 0).unsqueeze(-1),
        k_HSD,
        (turned / scaling).view(heads, slots, dim).to(k_HSD.dtype),
    )


def turner(view: LayerView, wanted_by: object) -> Rotate:
    """The model's rotation. Raises Mismatch if the read did not keep it."""
    if view.rotate is None:
        raise Mismatch(
            f"{wanted_by} moves keys to other positions, and the read did not keep the model's "
            f"rotation; read it with that need"
        )
    return view.rotate
