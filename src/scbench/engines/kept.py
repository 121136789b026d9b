"""What a plan needs of the models with short names where nothing can read their configurations.

`kept.json` holds, a line a model, the words of a configuration that `architecture` and `window`
ask for, as `transformers` completes them, the count of parameters and what a recurrent state
takes. `python -m kept_configs` (tests/engines) writes it; a test counts every model anew.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scbench.engines.architecture import cache_shape, family, refusal, sliding_tokens
from scbench.engines.contract import ModelFacts
from scbench.engines.devices import DTYPE_BYTES
from scbench.engines.lab_models import LAB_MODELS, lab_folder, trained_window
from scbench.engines.places import canonical
from scbench.engines.window import settle_window
from scbench.errors import MissingExtra
from scbench.extras import INSTALL
from scbench.reading import read_json_file
from scbench.types import Form

FILE = Path(__file__).with_suffix(".json")
NOTE = (
    "transformers is not installed: counted from the numbers that come with scbench; its "
    f"tokenizer and chat template were not looked at ({INSTALL})"
)


class KeptConfig(SimpleNamespace):
    """The words of a configuration, as a configuration of `transformers` has them."""

    def get_text_config(self, *, decoder: bool = True) -> KeptConfig:
        return self


def kept_facts(
    name: str, *, dtype: str = "float32", device: str = "cpu", window_tokens: int | None = None
) -> ModelFacts:
    """What `facts_from_config` says of a model with a short name, without any file but ours.

    Raises MissingExtra for another model, Mismatch for a window that it does not reach.
    """
    kept = _kept(name)
    config = KeptConfig(**kept["config"])
    known = kept["name"]
    card = trained_window(lab_folder(known)) if known in LAB_MODELS else None
    window = settle_window(config, known, asked=window_tokens, card=card)
    shape = cache_shape(config, DTYPE_BYTES[dtype])
    numbers, fixed_bytes = kept["state"]
    states = numbers * DTYPE_BYTES[dtype] + fixed_bytes
    shape = shape.with_states({at: states for at, x in enumerate(shape.layers) if x.keeps_state})
    return ModelFacts(
        name=known,
        family=family(config),
        architecture=kept["architecture"],
        shape=shape,
        window_tokens=window.tokens,
        params=kept["params"],
        hidden=config.hidden_size,
        dtype=dtype,
        device=device,
        weights_digest="",
        trained_tokens=window.trained_tokens,
        sliding_tokens=sliding_tokens(config),
        embedded_ids=config.vocab_size,
        choices={"rope": window.rule} if window.rule else {},
        notes=(NOTE,),
    )


def kept_refusal(name: str) -> str:
    """`facts.refusal_of` of a model with a short name."""
    return refusal(KeptConfig(**_kept(name)["config"]), name)


def kept_form(name: str) -> Form:
    """The form of tasks that the model's tokenizer is made for."""
    return Form.TINY if canonical(name) in LAB_MODELS else Form.FULL


def _kept(name: str) -> dict[str, Any]:
    known = canonical(name)
    for kept in _table():
        if known in (kept["name"], kept["hub"]):
            return kept
    names = ", ".join(kept["name"] for kept in _table())
    raise MissingExtra(
        f"planning for {name!r} takes transformers to read its configuration, which is not "
        f"installed; run: {INSTALL}, or plan for one of {names}"
    )


@lru_cache(maxsize=1)
def _table() -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = read_json_file(FILE)
    return table
