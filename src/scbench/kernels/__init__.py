"""Attention arithmetic as pure functions on tensors; no caches, no models, no policy.

Axes: H KV heads, G query heads per KV head, T tokens of this forward, S stored slots, D head dim. A
`Partial` is attention over a part of the keys with the log-sum-exp that lets parts be merged
exactly. `reference` is the specification; `attention` is the fast form.
"""

from scbench.kernels.attention import Partial, causal, each, full, masked, merge, rows_joined
from scbench.kernels.gathered import gathered, largest

__all__ = [
    "Partial",
    "causal",
    "each",
    "full",
    "gathered",
    "largest",
    "masked",
    "merge",
    "rows_joined",
]
