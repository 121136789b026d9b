"""Cases of which a few are played on every save, and all of them by `-m slow` besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(values: Iterable[Any], *on_every_save: Any) -> list[Any]:
    """All values as cases; those that are not named are slow."""
    return [
        value if value in on_every_save else pytest.param(value, marks=pytest.mark.slow)
        for value in values
    ]
