"""What of this process a stranger's method could leave changed for everybody after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_state_kept() -> Iterator[list[str]]:
    """Put torch's own settings back as they were; the list names those that had been changed.

    Random numbers are put back without a word: drawing some is no fault, and the next method's
    must not depend on how many.
    """
    changed: list[str] = []
    dtype = torch.get_default_dtype()
    threads = torch.get_num_threads()
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        try:
            yield changed
        finally:
            if torch.get_default_dtype() != dtype:
                torch.set_default_dtype(dtype)
                changed.append("its default dtype")
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
                changed.append("its number of threads")
            if torch.are_deterministic_algorithms_enabled() != is_deterministic:
                torch.use_deterministic_algorithms(is_deterministic)
                changed.append("its deterministic mode")
