"""What a person may hand to the front door: texts, methods, numbers and models, or why not."""

from __future__ import annotations

from typing import Any

from scbench.errors import BadConfig
from scbench.methods import parse
from scbench.methods.method import Method
from scbench.types import CompressAfter


def checked_text(text: object, *, what: str) -> str:
    """The text, which `what` names: not empty, and of characters only. Raises BadConfig."""
    if not isinstance(text, str):
        raise BadConfig(f"the {what} is {_shown(text)}; it is a str with at least a word")
    if not text.strip():
        raise BadConfig(f"the {what} is empty; give one with at least a word")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        lone = text[error.start]
        raise BadConfig(
            f"the {what} has the lone surrogate U+{ord(lone):04X} at character {error.start:,}, "
            "which is half a character; decode its bytes with errors='replace' instead of "
            "'surrogateescape'"
        ) from error
    return text


def checked_max_tokens(count: object) -> int:
    """The most tokens of an answer, at least one. Raises BadConfig."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise BadConfig(f"max_tokens is {_shown(count)}; it is a whole number, at least 1")
    if count < 1:
        raise BadConfig(f"max_tokens is {count}; an answer has at least one token")
    return count


def checked_after(after: object, *, what: str = "after") -> CompressAfter:
    """When a compression acts; `what` names the word that says it. Raises BadConfig."""
    if not isinstance(after, str) or after not in list(CompressAfter):
        raise BadConfig(f"{what} {after!r} does not exist; it is one of {', '.join(CompressAfter)}")
    return CompressAfter(after)


def checked_method(method: object) -> Method:
    """The method, spelled or made. Raises BadConfig, and what `parse` raises for a spelling."""
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        return parse(method)
    raise BadConfig(
        f"the method is {_shown(method)}; it is a spelling such as 'snapkv[tau=1/4]', or what "
        "scbench.methods.parse makes of one"
    )


def check_model(model: Any, tokenizer: Any) -> None:
    """Raise BadConfig for what is no model of `transformers` with its tokenizer."""
    if not hasattr(getattr(model, "config", None), "get_text_config"):
        raise BadConfig(
            f"the model to wrap is {_shown(model)}; it is a causal LM of transformers, such as "
            "AutoModelForCausalLM.from_pretrained(...) gives (scbench.load takes a name)"
        )
    if not all(callable(getattr(tokenizer, name, None)) for name in ("encode", "decode")):
        raise BadConfig(
            f"the tokenizer to wrap with is {_shown(tokenizer)}; it is the model's own, such as "
            "AutoTokenizer.from_pretrained(...) gives"
        )


def _shown(given: object) -> str:
    """A value with its type, short: `12 (int)`."""
    if given is None:
        return "None"
    text = repr(given)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(given).__name__})"
