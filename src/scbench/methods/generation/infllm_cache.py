"""The cache of a stream under InfLLM: the context and its memory are shared, what is appended is
private and becomes memory in its turn.
"""

from __future__ import annotations

import copy

from scbench.kv import DenseStore, DenseTail, Read
from scbench.kv.accounting import accounted
from scbench.kv.tail import nothing
from scbench.methods.generation.infllm_memory import Held, Memory
from scbench.tensors import Tensor


class MemoryStore:
    """K and V of a context as the model made them, and its memory. Its tails read it, because what
    a query may see depends on where it stands, and a store is not told: a read of it alone sees
    nothing.
    """

    def __init__(self, base: DenseStore, memory: Memory) -> None:
        self.base, self.memory = base, memory

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return Read(nothing(q_HGTD), 0)

    def tensors(self) -> dict[str, Tensor]:
        return {**self.base.tensors(), **self.memory.tensors()}

    def positions(self, head: int) -> Tensor:
        return self.base.positions(head)


class MemoryTail:
    """What was appended, every token of which chooses its own blocks of all that came before,
    appended or not.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store, self._memory = store, store.memory.continued()
        self._tail = DenseTail()

    @property
    def slots(self) -> int:
        return self._tail.slots

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self._tail.append(k_HTD, v_HTD)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        base, tail = self._store.base, self._tail
        tokens = base.k_HSD.shape[1] + tail.slots
        first = tokens - q_HGTD.shape[2]
        held = Held(((base.k_HSD, base.v_HSD), (tail.k_HSD, tail.v_HSD)))
        partial = self._memory.attend(q_HGTD, held, first, scale=scale, together=False)
        return Read(partial, [self._row_bytes(row) for row in range(first, tokens)])

    def _row_bytes(self, row: int) -> int:
        """K and V of the keys a row reads, the representatives where it has to choose, and the
        received attention it adds to.
        """
        k_HSD, plan = self._store.base.k_HSD, self._memory.plan
        blocks, key_bytes = plan.parts(row)[1], accounted([k_HSD[:, :1]])
        chooses = blocks if blocks > plan.chosen(row) else 0
        return (2 * plan.keys(row) + chooses) * key_bytes + 4 * k_HSD.shape[0] * plan.pending(
            row + 1
        )

    def settle(self) -> None:
        """Nothing to do: a block is made before the first row that may choose it."""

    def fork(self) -> MemoryTail:
        child = MemoryTail(self._store)
        child._memory, child._tail = copy.copy(self._memory), self._tail.fork()
        return child

    def tensors(self) -> dict[str, Tensor]:
        """What this stream alone holds: nothing, until something is appended."""
        return {**self._tail.tensors(), **self._memory.tensors()} if self.slots else {}
