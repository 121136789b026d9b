"""Which methods a model can take at all. A pairing that can never work is named once and left out;
one that fails at some lengths is a gap there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scbench.errors import Mismatch, ScbenchError
from scbench.grid.knobs import widest
from scbench.grid.settings import MOST_TOKENS
from scbench.kv import CacheShape
from scbench.methods.method import Method


def refusal(method: Method, shape: CacheShape, lengths_tokens: Sequence[int]) -> str | None:
    """Why a model of this shape takes the method at no length; None if it takes it at one of these,
    or at the longest there is.
    """
    if shape.has_states and (
        method.retrieval.traits.is_pooled or method.retrieval.traits.is_blended
    ):
        return (
            f"{method} keeps caches in parts, and a recurrent state, which covers all tokens "
            f"before it, has none"
        )
    first = ""
    for tokens in (*lengths_tokens, MOST_TOKENS):
        try:
            method.check(shape=shape, tokens=tokens)
        except ScbenchError as error:
            first = first or str(error)
        else:
            return None
    return first


def check(
    methods: Sequence[Method], shapes: Mapping[str, CacheShape], lengths_tokens: Sequence[int]
) -> None:
    """Raise Mismatch, before anything is computed, for a method that none of the models can take;
    `shapes` is by model name.
    """
    for method in methods:
        reasons = {name: refusal(method, shape, lengths_tokens) for name, shape in shapes.items()}
        if all(reasons.values()):
            why = "; ".join(dict.fromkeys(filter(None, reasons.values())))
            raise Mismatch(f"{method} does not apply to {' or '.join(shapes)}: {why}")


def apart(
    methods: Sequence[Method],
    shape: CacheShape,
    lengths_tokens: Sequence[int],
    *,
    is_fitted: bool = False,
) -> tuple[list[Method], dict[str, list[str]]]:
    """The methods that a model can take, and the others by reason (spelled without the method's
    name, so that equal reasons meet).

    `is_fitted`: their knobs will be turned, so what they were asked for at is not what counts.
    """
    fit, others = list[Method](), dict[str, list[str]]()
    for method in methods:
        why = refusal(widest(method) if is_fitted else method, shape, lengths_tokens)
        if why is None:
            fit.append(method)
        else:
            others.setdefault(why.replace(str(method), "it"), []).append(str(method))
    return fit, others
