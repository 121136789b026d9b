"""The models of the golden run: the toy, the lab models, and tiny random ones with a chat template.

A tiny model is made here, number by number, so that neither a helper of the package nor the way
`transformers` draws weights can move it; it is then saved and loaded as any user's folder is.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from scbench.engines.load import load
from scbench.engines.toy import ToyEngine

HEADER = (
    "{{ bos_token }}{% for m in messages %}<|head|>{{ m['role'] }}<|text|>\n\n"
    "{{ m['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|text|>\n\n{% endif %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|head|>system\nBe brief.<|end|>\n{% endif %}"
    "{% for m in messages %}<|head|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }}"
    "[/INST]{% else %} {{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
BARE = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKS = ("<s>", "<|end|>", "<|head|>", "<|text|>", "[INST]", "[/INST]", "[gMASK]", "<sop>")
MARKS += ("<|user|>", "<|assistant|>", "<|system|>")
VOCABULARY = 272
SIZES: Mapping[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 1 << 14,
    "tie_word_embeddings": False,
    "pad_token_id": None,
    "bos_token_id": 256,
    "eos_token_id": 257,
}
HEADS = ("num_attention_heads", "num_key_value_heads", "intermediate_size")
MAMBA2 = {"head_dim": 16, "num_heads": 16, "state_size": 16, "expand": 2, "n_groups": 1}
JAMBA = {"attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2, "mamba_d_state": 8}
BAMBA = {"attn_layer_indices": [1], "mamba_n_heads": 16, "mamba_d_head": 16, "mamba_d_state": 16}
TINY: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {  # class of the config, template, words
    "llama": ("LlamaConfig", HEADER, {}),
    "qwen2": ("Qwen2Config", CHATML, {}),
    "qwen3": ("Qwen3Config", CHATML, {"head_dim": 32}),
    "mistral": ("MistralConfig", INST, {"sliding_window": None}),
    "phi3": ("Phi3Config", CHATML, {}),
    "glm": ("GlmConfig", BARE, {"head_dim": 32}),
    "glm4": ("Glm4Config", BARE, {"head_dim": 32}),
    "olmo2": ("Olmo2Config", CHATML, {}),
    "mamba2": ("Mamba2Config", INST, {**MAMBA2, "chunk_size": 32}),
    "jamba": ("JambaConfig", HEADER, {**JAMBA, "use_mamba_kernels": False}),
    "bamba": ("BambaConfig", HEADER, {**BAMBA, "mamba_chunk_size": 32}),
}
NOISE = 1e-6  # relative, of every weight: more than what threads and processors differ by


@cache
def engine(name: str, noise: int = 0) -> Any:
    """A loaded engine. With `noise`, a seed, every weight is off by about a millionth."""
    if name == "toy":
        return ToyEngine()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if name.startswith("lab-"):
        made = load(name)
    else:
        with tempfile.TemporaryDirectory() as folder:
            save(name.removeprefix("tiny-"), Path(folder))
            made = load(folder)
    if noise:
        draw = torch.Generator().manual_seed(noise)
        for x in made.model.parameters():
            x.data.mul_(1 + NOISE * torch.randn(x.shape, generator=draw))
    return made


def save(kind: str, folder: Path) -> None:
    """A checkpoint of that architecture with weights and a tokenizer of our own."""
    class_name, template, words = TINY[kind]
    sizes = {k: v for k, v in SIZES.items() if kind != "mamba2" or k not in HEADS}
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        config = getattr(transformers, class_name)(**sizes, **words)
        model = transformers.AutoModelForCausalLM.from_config(config)
        for name, x in model.named_parameters():
            fill(name, x.data)
        model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)


def fill(name: str, x: torch.Tensor) -> None:
    """Numbers that depend on the parameter's name alone. Attention is peaked, logits lie apart."""
    draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    last = name.rpartition(".")[2]
    if last == "A_log":
        states = torch.arange(1, x.shape[-1] + 1, dtype=torch.float32)
        x.copy_(states.log().expand(x.shape))
    elif "dt_bias" in name or name.endswith("dt_proj.bias"):
        x.copy_(torch.linspace(-4, -1, x.numel()))
    elif x.dim() > 1:
        spread = 2.0 if any(word in name for word in ("q_proj", "k_proj", "qkv_proj")) else 1.0
        x.copy_(torch.randn(x.shape, generator=draw) * spread * x.shape[-1] ** -0.5)
    elif last == "bias":
        x.copy_(torch.randn(x.shape, generator=draw) * 0.1)
    else:
        x.fill_(1.0)


def tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Bytes, and the marks of all templates."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(models.BPE(vocab={sign: at for at, sign in enumerate(alphabet)}, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    words.decoder = decoders.ByteLevel()
    # As wide as the head: an id without a token would be a failure, and random models say any.
    fill_up = [f"<|fill-{at}|>" for at in range(VOCABULARY - len(alphabet) - len(MARKS))]
    marks = [AddedToken(mark, special=True, normalized=False) for mark in (*MARKS, *fill_up)]
    words.add_special_tokens(marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="<|end|>", chat_template=template
    )
