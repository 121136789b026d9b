"""What a number counts in reported bytes: the accounting dtype, apart from the dtype of the store.

On a CPU keys and values are kept in fp32, on a card in 16 bits. Shares of bytes must not depend on
that, so a run counts every fp32 element as one of its accounting dtype; codes, 16-bit scales and
whole numbers count what they are. Outside `counted_in` everything counts what is allocated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from scbench.kv.shape import CacheShape
from scbench.tensors import Tensor, torch
from scbench.types import Accounting

FP32_BYTES = 4
WIDTH_BYTES: Mapping[Accounting, int | None] = MappingProxyType(
    {Accounting.BFLOAT16: 2, Accounting.STORE: None}
)
_in_force: ContextVar[Accounting] = ContextVar("accounting", default=Accounting.STORE)


@contextmanager
def counted_in(accounting: Accounting) -> Iterator[None]:
    """Count floating elements as those of another dtype.

    >>> with counted_in(Accounting.BFLOAT16):
    ...     accounted([torch.zeros(3), torch.zeros(3, dtype=torch.uint8)])
    9
    """
    token = _in_force.set(accounting)
    try:
        yield
    finally:
        _in_force.reset(token)


def in_force() -> Accounting:
    """What bytes are counted in now."""
    return _in_force.get()


def width(dtype: torch.dtype) -> int:
    """Bytes that one number of this dtype counts."""
    told = WIDTH_BYTES[_in_force.get()]
    return dtype.itemsize if told is None or dtype != torch.float32 else told


def counted_shape(shape: CacheShape) -> CacheShape:
    """A model's cache as it counts: closed forms over it give accounted bytes."""
    told = WIDTH_BYTES[_in_force.get()]
    return shape if told is None or shape.dtype_bytes != FP32_BYTES else shape.counted(told)


def accounted(tensors: Iterable[Tensor]) -> int:
    """Bytes that the elements of `tensors` count (views count what they show)."""
    return sum(x.numel() * width(x.dtype) for x in tensors)
