"""One question of one cache: load a model, read a text, put a method on it, ask.

    llm = scbench.load("smollm2-135m")
    doc = llm.read("The code is 4711. " + "Nothing happened. " * 200)
    doc.ask("What is the code?").text
    small = doc.under("snapkv[tau=1/4]")
    small.ask("What is the code?")

The same player answers here as in a run: `ask` gives what a run would record, token for token.
"""

from __future__ import annotations

from scbench.front.doors import Chat, Doc, LanguageModel, View, load, wrap
from scbench.front.scouted import scouted

__all__ = ["Chat", "Doc", "LanguageModel", "View", "load", "scouted", "wrap"]
