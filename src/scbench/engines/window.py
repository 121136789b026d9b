"""How many tokens a model holds: as its configuration says, or stretched by a rule that has a name.

A window beyond the longest texts a model learned from is never given in silence. Where its authors
publish a rule (Qwen2.5: YaRN x4), it is set and named; where the checkpoint scales already, the
window may go on, and records are marked; anything else is refused. LongRoPE has two sets of
factors, and transformers picks one for every forward; here the window picks one for the whole run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scbench.engines.architecture import family, rope, rope_type
from scbench.engines.llm import Llm
from scbench.engines.models import LLMS
from scbench.errors import Mismatch

UNLIMITED = 1 << 20  # of a model that has no positions and no card
ALWAYS_LONG = 1  # LongRoPE's switch: from the second position on
SHORT_FACTORS = "longrope, short factors"  # how its rule begins
SCALES = ("linear", "yarn", "llama3", "longrope", "proportional")


@dataclass(frozen=True, slots=True)
class Window:
    """`trained_tokens`: the longest texts the weights are made for, None where nothing says so."""

    tokens: int
    trained_tokens: int | None
    rule: str = ""  # how RoPE was changed for it, and why


def trained_tokens(config: Any) -> int | None:
    """The window of a configuration.

    With YaRN, `max_position_embeddings` may still be the window before it was stretched.
    """
    trained: int | None = getattr(config, "max_position_embeddings", None)
    words = getattr(config, "rope_parameters", None)
    if trained is None or not isinstance(words, dict) or words.get("rope_type") != "yarn":
        return trained
    before = words.get("original_max_position_embeddings") or trained
    return max(trained, int((words.get("factor") or 1.0) * before))


def settle_window(
    config: Any, name: str, *, asked: int | None = None, card: int | None = None, hub: str = ""
) -> Window:
    """The window of a run on this model; changes the RoPE words of `config` where a rule says so.

    `asked` is the user's, `card` the one that the model's own card gives. Raises Mismatch for a
    window that the positions of the model do not reach.
    """
    text = config.get_text_config(decoder=True)
    llm = known_model(text, name, hub)
    if rope_type(text) == "longrope":
        return _longrope(text, name, asked, card)
    own = trained_tokens(text)
    has_no_positions = family(text) != "transformer" and not rope(text)
    if own is None or has_no_positions:
        trained = card or (llm.window_tokens if llm else own)
        return Window(asked or trained or UNLIMITED, trained)
    tokens = asked or card or own
    if tokens <= own:
        return Window(tokens, card or own)
    if rule := stretch(text, llm, tokens):
        _refuse_beyond(
            name, tokens, trained_tokens(text) or own, f"its authors' {rule.split(':')[0]}"
        )
        return Window(tokens, card or own, rule)
    if rope_type(text) in SCALES:
        return Window(
            tokens, card or own, f"{rope_type(text)}, as the checkpoint has it, beyond its reach"
        )
    _refuse_beyond(name, tokens, own, "its position embeddings")
    raise AssertionError("tokens are more than its own")


def known_model(config: Any, name: str, hub: str = "") -> Llm | None:
    """The entry of the table that this is: by short name, by hub name, or by its configuration."""
    for llm in LLMS:
        if name in (llm.name, llm.hub) or hub == llm.hub:
            return llm
    return next((llm for llm in LLMS if _is_like(config, llm)), None)


def _is_like(config: Any, llm: Llm) -> bool:
    if type(config).__name__ != llm.architecture:
        return False
    words = {word: value for word, value in llm.config.items() if word != "rope_scaling"}
    told = rope(config)  # transformers moves some words there
    return all(getattr(config, word, told.get(word)) == value for word, value in words.items())


def stretch(config: Any, llm: Llm | None, window_tokens: int | None) -> str:
    """Set the RoPE scaling that a model's authors give for windows beyond its own, if asked for.

    Says what and why; "" where nothing was changed. A configuration that scales is left alone.
    """
    own = trained_tokens(config)
    if (
        llm is None
        or not llm.longer
        or not window_tokens
        or window_tokens <= (own or window_tokens)
    ):
        return ""
    if rope_type(config) in SCALES:
        return ""
    config.rope_parameters = {**(config.rope_parameters or {}), **llm.longer}
    return (
        f"{llm.longer['rope_type']} x{llm.longer['factor']:g}: {window_tokens:,} tokens were asked "
        f"of a window of {llm.window_tokens:,}"
    )


def _refuse_beyond(name: str, tokens: int, reach: int, whose: str) -> None:
    if tokens <= reach:
        return
    raise Mismatch(
        f"{name} cannot hold --window {tokens:,}: {whose} reach {reach:,} tokens, and what lies "
        f"beyond would be read at positions it never saw; take {reach:,} or less, or give a folder "
        "whose config.json names a rope_scaling for it"
    )


def _longrope(config: Any, name: str, asked: int | None, card: int | None) -> Window:
    """LongRoPE within its switch is short, beyond it long, for all texts of the run alike."""
    words = rope(config)
    longest = config.max_position_embeddings
    switch = (
        getattr(config, "original_max_position_embeddings", None)
        or words.get("original_max_position_embeddings")
        or longest
    )
    trained = card or longest
    tokens = asked or card or min(switch, longest)
    if tokens <= switch:
        return Window(tokens, trained, f"{SHORT_FACTORS} (up to {switch:,} tokens)")
    _refuse_beyond(name, tokens, longest, "its long factors")
    factor = words.get("factor") or longest / switch
    scale = words.get("attention_factor")
    if scale is None:
        scale = 1.0 if factor <= 1.0 else math.sqrt(1 + math.log(factor) / math.log(switch))
    # The switch is moved below every text. What is derived from it is written down as it was.
    changed = {"factor": factor, "attention_factor": scale}
    changed["original_max_position_embeddings"] = ALWAYS_LONG
    config.rope_parameters = {**words, **changed}
    if hasattr(config, "original_max_position_embeddings"):
        config.original_max_position_embeddings = ALWAYS_LONG
    return Window(
        tokens,
        trained,
        f"longrope, long factors at every length: {tokens:,} tokens were asked, its short ones "
        f"end at {switch:,}",
    )
