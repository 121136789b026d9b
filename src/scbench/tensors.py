"""Torch, or in its place a name whose every use says what to install.

Stages and stores both reckon (bytes, budgets, units, refusals) and compute. `scbench plan` asks
for the reckoning alone, where there may be no torch, so their files take `torch` from here.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from scbench.extras import require_local

__all__ = ["Tensor", "functional", "torch"]

if TYPE_CHECKING or find_spec("torch") is not None:
    import torch
    from torch import Tensor
    from torch.nn import functional
else:

    class Tensor:
        """The type of what there is none of without torch."""

    class _Absent:
        """A module that is not installed."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> object:
            if not name.startswith("__"):  # what Python itself looks for is in vain, as anywhere
                require_local(f"{self._name}.{name}")
            raise AttributeError(name)

    torch = _Absent("torch")
    functional = _Absent("torch.nn.functional")
