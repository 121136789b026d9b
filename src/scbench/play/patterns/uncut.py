"""The refusal to cut prompts that are put together from several renderings."""

from __future__ import annotations

from scbench.errors import BadConfig
from scbench.types import Mode, Protocol, Truncate


def never_cut(mode: Mode, protocol: Protocol) -> None:
    """Raises BadConfig where prompts of a rendering with several parts were to be cut."""
    if protocol.truncate is not Truncate.REFUSE:
        raise BadConfig(f"{mode} sessions are never cut; leave --truncate away")
