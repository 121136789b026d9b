"""How answers are made. A leaf like `types`, which has it too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class History(StrEnum):
    """What stands in the place of earlier answers in multi-turn mode."""

    GOLD = "gold"
    MODEL = "model"
    KEPT = "kept"  # the model's own, whose KV stays as it was generated
    NONE = "none"  # every turn sees only context and question

    @property
    def is_own(self) -> bool:
        """Whether the model's own answers stand there."""
        return self in (History.MODEL, History.KEPT)


class Think(StrEnum):
    """Whether a model writes a thought before its answer."""

    AUTO = "auto"  # as its template does by default
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How answers are made: thoughts before them, their room, how a token is chosen."""

    think: Think = Think.AUTO
    think_tokens: int = 1024  # after which a thought is closed
    least_tokens: int = 0  # tasks' limits below it are raised to it
    template_args: tuple[tuple[str, str], ...] = ()  # name and value, the value as JSON
    temperature: float = 0.0  # 0: the best token
    top_p: float = 1.0
