"""What is known of a model before its weights are read: its facts, counted from its configuration.

Parameters and recurrent states are those of the same model built without memory (on PyTorch's
`meta` device), so they agree with what a loaded engine counts. A model of our table whose files are
not here is counted from the words that the table has of its configuration.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

from scbench.engines.architecture import (
    cache_shape,
    family,
    refusal,
    refuse_by_config,
    sliding_tokens,
)
from scbench.engines.configs import read_config
from scbench.engines.contract import ModelFacts
from scbench.engines.foreign import loading, warnings_as_notes
from scbench.engines.lab_models import trained_window
from scbench.engines.llm import Llm
from scbench.engines.models import LLMS
from scbench.engines.places import Place, canonical, is_here, locate
from scbench.engines.window import settle_window
from scbench.tensors import torch

FROM_TABLE = "its files are not here: counted from what `scbench list models` knows of it"
UNKNOWN_STATES = "the bytes of its recurrent states are not known before it is loaded"


def facts_from_config(
    name: str,
    *,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    window_tokens: int | None = None,
    trust_remote_code: bool = False,
    count: bool = True,
    refuse: bool = True,
) -> ModelFacts:
    """The facts of a model without its weights: digests are "", all else is what `load` would say.

    Without `count`, parameters and bytes of recurrent states are 0: refusals need neither. Raises
    as `load.load`; without `refuse`, a model that is counted and not run has its facts, too.
    `dtype` None is float32.
    """
    dtype = torch.float32 if dtype is None else dtype
    place, config = config_of(name, trust_remote_code=trust_remote_code)
    if refuse:
        refuse_by_config(config, name)
    known = place.name if place else canonical(name)
    card = trained_window(place.folder) if place else None
    hub = place.hub if place else ""
    window = settle_window(config, known, asked=window_tokens, card=card, hub=hub)
    text = config.get_text_config(decoder=True)
    kind = family(text)
    shape = cache_shape(text, dtype.itemsize)
    notes = () if place else (FROM_TABLE,)
    params, architecture = 0, type(config).__name__
    if count:
        model = without_memory(config, name, trust_remote_code=trust_remote_code)
        params = sum(x.numel() for x in model.parameters())
        architecture = type(model).__name__
        notes = (*notes, *sinks_told(model))
        if kind != "transformer":
            states, lost = state_bytes(model, dtype)
            shape = shape.with_states(states)
            notes = (*notes, *lost)
    return ModelFacts(
        name=known,
        family=kind,
        architecture=architecture,
        shape=shape,
        window_tokens=window.tokens,
        params=params,
        hidden=text.hidden_size,
        dtype=str(dtype).removeprefix("torch."),
        device=device,
        weights_digest="",
        trained_tokens=window.trained_tokens,
        sliding_tokens=sliding_tokens(text),
        embedded_ids=getattr(text, "vocab_size", None),
        choices={"rope": window.rule} if window.rule else {},
        notes=notes,
    )


def refusal_of(name: str, *, trust_remote_code: bool = False) -> str:
    """Why a model would not be run, as its configuration says; "" where it may be. Raises as
    `load.load` for one that is not there."""
    _, config = config_of(name, trust_remote_code=trust_remote_code)
    return refusal(config, name)


def config_of(name: str, *, trust_remote_code: bool = False) -> tuple[Place | None, Any]:
    """Where a model lies and its configuration; no place for one that only our table knows.

    The network is asked for a name that is neither here nor in the table.
    """
    known = canonical(name)
    llm = next((llm for llm in LLMS if known in (llm.name, llm.hub)), None)
    if llm is not None and not is_here(known):
        return None, _from_table(llm)
    place = locate(name, weights=False, tokenizer=False, code=trust_remote_code)
    return place, read_config(place, trust_remote_code=trust_remote_code)


def _from_table(llm: Llm) -> Any:
    import transformers

    return getattr(transformers, llm.architecture)(**llm.config)


def without_memory(config: Any, name: str, *, trust_remote_code: bool = False) -> Any:
    """The model of this configuration, bf16, with tensors that have shapes and no content."""
    from transformers import AutoModelForCausalLM

    plain = copy.deepcopy(config)
    plain._attn_implementation = "eager"
    what = f"the configuration of {name!r}"
    with warnings_as_notes([]), warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        with loading(what, "its numbers must be those of a model that can be built"):
            return AutoModelForCausalLM.from_config(
                plain, dtype=torch.bfloat16, trust_remote_code=trust_remote_code
            ).eval()


def sinks_told(model: Any) -> tuple[str, ...]:
    """What is to be known of a model that has a learned sink in each softmax, by its weights."""
    names = [name for name, _ in model.named_parameters() if "sink" in name.rpartition(".")[2]]
    if not names:
        return ()
    return (
        f"{len(names)} layers add a sink to every softmax ({names[0]}), which the local engine "
        "does not compute: a run refuses it when it is loaded",
    )


def state_bytes(model: Any, dtype: torch.dtype) -> tuple[dict[int, int], tuple[str, ...]]:
    """What the recurrent layers of a model without memory hold, by layer; a note if none can tell.

    States that are of the model's own dtype, here bf16, are counted in `dtype`.
    """
    from scbench.engines.recurrent import States

    states = States.empty(model.config.get_text_config(decoder=True))
    takes = model.forward.__code__.co_varnames
    words = {"cache_params" if "cache_params" in takes else "past_key_values": states.cache}
    ids = torch.ones(1, 2, dtype=torch.long, device="meta")
    try:
        with torch.inference_mode(), warnings_as_notes([]), torch.device("meta"):
            model(input_ids=ids, use_cache=True, logits_to_keep=1, **words)
    except Exception:  # some forwards look at numbers, and here there are none
        return {}, (UNKNOWN_STATES,)
    held = {
        at: sum(
            x.numel() * (dtype.itemsize if x.dtype == torch.bfloat16 else x.element_size())
            for x in tensors
        )
        for at, tensors in states.by_layer().items()
    }
    return held, ()
