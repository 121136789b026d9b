"""Whether a run's methods resize their units with the context, or hold those of its shortest."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.grid.settings import Settings
from scbench.kv import CacheShape
from scbench.methods.method import Method
from scbench.types import UnitSizes


def as_sized(methods: Sequence[Method], settings: Settings, shape: CacheShape) -> list[Method]:
    """The methods as a run plays them: under `--units fixed` the units that the rule gives at the
    shortest length are spelled out, and so are the same at every length."""
    if settings.units is UnitSizes.SCALED:
        return list(methods)
    shortest = min(settings.lengths_tokens)
    sized = [method.with_fixed_units(shape=shape, tokens=shortest) for method in methods]
    return list(dict.fromkeys(sized))
