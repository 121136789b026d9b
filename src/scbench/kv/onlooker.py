"""Who looks on while a stream reads its cache, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scbench.kv.chosen import ChosenSlots
from scbench.tensors import Tensor

if TYPE_CHECKING:
    from scbench.kv.stream import LayerCache


class Onlooker(Protocol):
    """What is told of every attention of one stream: which slots a selection chose of a store, and
    the queries with the log-sum-exp of all that they read.

    >>> class Counting:
    ...     def __init__(self) -> None:
    ...         self.reads = 0
    ...
    ...     def chose(self, layer, rank, chosen, rows) -> None: ...
    ...
    ...     def attended(self, layer, q_HGTD, cache, lse_HGT, scale) -> None:
    ...         self.reads += 1
    >>> onlooker: Onlooker = Counting()
    """

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        """The `rank`-th store of a layer was read in part: tokens `rows` of `chosen` are this
        stream's. A store that is read whole is not told.
        """
        ...

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        """The newest T tokens have read `cache`, their own keys with it."""
        ...
