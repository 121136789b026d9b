"""How many tokens a model holds: as its configuration says, or stretched as its authors say."""

from __future__ import annotations

from typing import Any

from scbench.engines.llm import Llm


def trained_tokens(config: Any) -> int | None:
    """The window of a configuration. With YaRN, `max_position_embeddings` may still be the window before it was stretched."""
    trained: int | None = getattr(config, "max_position_embeddings", None)
    rope = getattr(config, "rope_parameters", None)
    if trained is None or not isinstance(rope, dict) or rope.get("rope_type") != "yarn":
        return trained
    return max(
        trained,
        int(rope.get("factor", 1.0) * rope.get("original_max_position_embeddings", trained)),
    )


def stretch(config: Any, llm: Llm | None, window_tokens: int | None) -> str:
    """Set the RoPE scaling the authors of a model with a short name give for windows beyond its own, if one was asked for. Says what and why.

    A configuration that already scales is left alone.
    """
    if (
        llm is None
        or not llm.longer
        or not window_tokens
        or window_tokens <= (trained_tokens(config) or window_tokens)
    ):
        return ""
    config.rope_parameters = {**(config.rope_parameters or {}), **llm.longer}
    return f"{llm.longer['rope_type']} x{llm.longer['factor']:g}: {window_tokens:,} tokens were asked of a window of {llm.window_tokens:,}"
