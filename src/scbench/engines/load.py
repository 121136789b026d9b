"""Names to engines: a folder, a hub name, a short name, or a model already in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from scbench.engines import custom_code
from scbench.engines.architecture import cache_shape, family, layer_types, refuse_by_config
from scbench.engines.architecture import sliding_tokens as sliding
from scbench.engines.configs import CURE, read_config
from scbench.engines.contract import ModelFacts
from scbench.engines.devices import device_of, dtype_of
from scbench.engines.facts import config_of
from scbench.engines.foreign import loading, warnings_as_notes, without_bars
from scbench.engines.gates import model_digest
from scbench.engines.lab_models import trained_window
from scbench.engines.local import LocalEngine
from scbench.engines.places import SHORT, Place, locate
from scbench.engines.probe import check_logits, own_logits, restarts, trying, with_recurrent_bytes
from scbench.engines.smollm2 import SMOLLM2
from scbench.engines.tokenizers import load_tokenizer, read_tokenizer, wrap
from scbench.engines.weights import (
    check_files,
    generation_digest,
    refuse_unwhole,
    state_digest,
    weights_digest,
)
from scbench.engines.window import UNLIMITED, settle_window, trained_tokens
from scbench.kv import CacheShape
from scbench.prompts import HfTokenizer


def load(
    name: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    window_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> LocalEngine:
    """A model ready to run.

    `dtype` auto is fp32 on CPU (CPUs without bf16 units are several times slower in bf16) and bf16
    on GPU. Everything that can be refused is refused before weights are read.

    Raises BadConfig (device, dtype), Unknown (no such folder or hub model), MissingExtra (a package
    that is not here), DataError (a folder that is not whole), Mismatch (an attention this engine
    does not compute, a window that the model does not reach), OutOfDevice.
    """
    where = device_of(device)
    kind = dtype_of(dtype, where)
    place = locate(name, code=trust_remote_code)
    check_files(place.folder)
    config = read_config(place, trust_remote_code=trust_remote_code)
    refuse_by_config(config, name)
    tokenizer = read_tokenizer(place, trust_remote_code=trust_remote_code)
    card = trained_window(place.folder)
    window = settle_window(config, place.name, asked=window_tokens, card=card, hub=place.hub)
    model, notes = _read_weights(place, config, kind, where, trust_remote_code=trust_remote_code)
    if not trust_remote_code:
        notes = (*custom_code.left_alone(place.folder), *notes)
    said = list[str]()  # at the first forward, for instance of a slower path that was taken
    with warnings_as_notes(said):
        engine = from_model(
            model,
            wrap(place, tokenizer, _end_ids(model)),
            name=place.name,
            window_tokens=window.tokens,
            digest=weights_digest(place.folder, window.rule, code=trust_remote_code),
        )
    engine.facts = replace(
        engine.facts,
        trained_tokens=window.trained_tokens,
        generation_digest=generation_digest(place.folder),
        notes=(*notes, *engine.facts.notes, *said),
    )
    if window.rule:
        engine.facts.choices["rope"] = window.rule
    return engine


def shape_of_model(name: str, *, trust_remote_code: bool = False) -> CacheShape:
    """The cache of a model, from its configuration alone.

    Bytes of recurrent states are not known without weights. Raises as `load`.
    """
    _, config = config_of(name, trust_remote_code=trust_remote_code)
    return cache_shape(config.get_text_config(decoder=True), dtype_bytes=4)


def _read_weights(
    place: Place, config: Any, kind: torch.dtype, where: torch.device, *, trust_remote_code: bool
) -> tuple[Any, tuple[str, ...]]:
    """The model with all of its weights, and what is to be said of them."""
    from transformers import AutoModelForCausalLM

    # The report that transformers prints of missing tensors is an error here, which names them.
    what = f"the model {str(place.folder)!r}"
    with warnings_as_notes([]), without_bars(), loading(what, CURE):
        model, told = AutoModelForCausalLM.from_pretrained(
            place.folder,
            config=config,
            dtype=kind,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        notes = refuse_unwhole(told, place.folder)
        return model.to(where).eval(), notes


def from_model(
    model: Any,
    tokenizer: Any,
    *,
    name: str,
    window_tokens: int | None = None,
    digest: str = "",
    check: bool = True,
) -> LocalEngine:
    """An engine over a `transformers` model in memory (tests, notebooks).

    `digest` is that of its weights where it is known; else all of their bytes are hashed. With
    `check`, a few tokens are compared with the model's own attention.
    """
    config = model.config.get_text_config(decoder=True)
    refuse_by_config(config, name)
    model.eval()
    if not hasattr(tokenizer, "render_chat"):
        tokenizer = HfTokenizer(tokenizer)
    facts = _facts(model, config, tokenizer, name, window_tokens, digest)
    own = getattr(model.config, "_attn_implementation", "sdpa")
    with trying(name, facts.architecture):
        reference = own_logits(model, own) if check else None
        engine = LocalEngine(model, tokenizer, facts)
        engine.sliding_tokens = facts.sliding_tokens
        if facts.family != "transformer":
            engine.facts = with_recurrent_bytes(engine)
            engine.grows_by_token = restarts(engine)
        if engine.grows_by_token:
            engine.facts.choices["growing"] = (
                "token by token: this model restarts its states at every longer forward"
            )
        if reference is not None:
            check_logits(engine, reference)
    return engine


def _facts(
    model: Any, config: Any, tokenizer: Any, name: str, window_tokens: int | None, digest: str
) -> ModelFacts:
    first = next(model.parameters())
    shape = cache_shape(config, first.element_size())
    trained = trained_tokens(config)
    return ModelFacts(
        name=name,
        family=family(config),
        architecture=type(model).__name__,
        shape=replace(shape, model_digest=model_digest(model)),
        window_tokens=window_tokens or trained or UNLIMITED,
        params=sum(p.numel() for p in model.parameters()),
        hidden=config.hidden_size,
        dtype=str(first.dtype).removeprefix("torch."),
        device=str(first.device),
        weights_digest=digest or state_digest(model),
        tokenizer_digest=getattr(tokenizer, "digest", ""),
        trained_tokens=trained,
        sliding_tokens=sliding(config),
        embedded_ids=getattr(config, "vocab_size", None),
        choices={
            "attention": f"{first.device.type} flash kernels with log-sum-exp",
            "dtype": str(first.dtype),
        },
        notes=tuple(getattr(tokenizer, "notes", ())),
    )


def _end_ids(model: Any) -> frozenset[int]:
    """End tokens of the generation configuration; an int, a list or nothing there."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    return frozenset([ends] if isinstance(ends, int) else ends or [])


__all__ = [
    "SHORT",
    "SMOLLM2",
    "from_model",
    "layer_types",
    "load",
    "load_tokenizer",
    "read_config",
    "refuse_by_config",
    "shape_of_model",
]
