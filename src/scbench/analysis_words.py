"""What `scbench analyze` is told, and its defaults, once for the command line and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from scbench.front import LanguageModel

TASKS, LENGTH, TURNS, SESSIONS = "kv", "1k", 4, 3
METHODS = (
    "dense",
    "exact-topk[tau=1/4]",
    "snapkv[tau=1/4]",
    "h2o[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "kvzip[tau=1/4]",
    "quest[tau=1/4]",
)
SHARES, ANSWER_TOKENS = "1/32,1/8", 64


class AnalysisWords(TypedDict, total=False):
    """What is analysed; what is not said is the run's, or the default."""

    model: str | LanguageModel | None
    tasks: str | Sequence[object] | None
    methods: str | Sequence[object] | None
    length: str | int | None
    turns: int | None
    sessions: int | None
    seed: str | None
    device: str | None
    dtype: str | None
    trust_remote_code: bool | None
