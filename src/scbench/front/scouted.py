"""A model by its configuration and its tokenizer: what is known of it before weights are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scbench.engines.contract import ModelFacts
from scbench.engines.devices import device_of, dtype_of
from scbench.engines.facts import facts_from_config
from scbench.engines.places import TOY, is_here
from scbench.engines.tokenizers import load_tokenizer
from scbench.front.doors import LanguageModel, load
from scbench.prompts.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Unread:
    """What stands where an engine would: it renders and counts, and cannot answer."""

    facts: ModelFacts
    tokenizer: Tokenizer


def scouted(name: str, *, device: str = "auto", dtype: str = "auto") -> LanguageModel | None:
    """A model that refuses what the loaded one would refuse; None where its files are not here.

    Raises as `load` does before it reads weights.
    """
    if name == TOY:
        return load(name)
    where = device_of(device)
    kind = dtype_of(dtype, where)
    facts = facts_from_config(name, dtype=kind, device=str(where), count=False)
    if not is_here(name):
        return None
    engine: Any = Unread(facts, load_tokenizer(name))
    return LanguageModel(engine)
