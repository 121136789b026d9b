"""The models with short names made small: their own architecture and positions, random weights, a
chat template of their kind.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from prompts.texts import backend
from scbench.engines.llm import Llm
from scbench.engines.load import from_model
from scbench.engines.local import LocalEngine
from scbench.engines.models import find
from scbench.engines.window import stretch
from scbench.prompts import HfTokenizer

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] "
    "}}<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}{% if "
    "add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
DATED = "<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date_string }}\n\n<|eot_id|>"
JAMBA = (
    "{{ bos_token }}{% if messages[0]['role'] != 'system' %}<|bom|><|system|> <|eom|>{% endif %}"
    "{% for m in messages %}<|bom|><|{{ m['role'] }}|> {{ m['content'] }}<|eom|>{% endfor %}"
    "{% if add_generation_prompt %}<|bom|><|assistant|>{% endif %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GLM = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) "
    "%}{{ raise_exception('roles') }}{% endif %}{% if m['role'] == 'user' %}[INST] {{ m['content'] "
    "}}[/INST]{% else %} {{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
CHATS: dict[str, tuple[str, str, str]] = {  # short name: template, BOS, EOS
    "smollm2-135m": (CHATML, "<|im_start|>", "<|im_end|>"),
    "llama-3.1-8b": (
        LLAMA3.replace("{{ bos_token }}", "{{ bos_token }}" + DATED),
        "<|begin_of_text|>",
        "<|eot_id|>",
    ),
    "llama-3.1-70b": (
        LLAMA3.replace("{{ bos_token }}", "{{ bos_token }}" + DATED),
        "<|begin_of_text|>",
        "<|eot_id|>",
    ),
    "qwen2.5-coder-0.5b": (CHATML, "<|endoftext|>", "<|im_end|>"),
    "qwen2.5-72b": (CHATML, "<|endoftext|>", "<|im_end|>"),
    "qwen2.5-32b": (CHATML, "<|endoftext|>", "<|im_end|>"),
    "llama-3-8b-262k": (LLAMA3, "<|begin_of_text|>", "<|end_of_text|>"),
    "glm-4-9b-1m": (GLM, "<sop>", "<|endoftext|>"),
    "codestral-mamba-7b": (MISTRAL, "<s>", "</s>"),
    "jamba-1.5-mini": (JAMBA, "<|startoftext|>", "<|endoftext|>"),
}
VOCABULARY = 768
MARKS = (
    *(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    *("<|endoftext|>", "<|startoftext|>", "<|bom|>", "<|eom|>"),
)


@cache
def chat(name: str) -> HfTokenizer:
    """A small byte-pair tokenizer with the chat template of that model's kind."""
    words = Tokenizer.from_str(backend().to_str())
    words.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in MARKS])
    # As many tokens as the models below have rows in their heads: random ones say any of them.
    fill = [f"<|fill-{at}|>" for at in range(VOCABULARY - words.get_vocab_size())]
    words.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in fill])
    template, bos, eos = CHATS[name]
    raw = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=bos, eos_token=eos, chat_template=template
    )
    return HfTokenizer(raw, name=f"small-{name}")


def shrunk(name: str) -> Llm:
    """The model's words with small sizes; kept are positions, biases, the queries per KV head, and
    what sets its layers apart.
    """
    llm = find(name)
    assert llm is not None
    words: dict[str, Any] = {**llm.config, "vocab_size": VOCABULARY, "num_hidden_layers": 3}
    if "num_heads" in words:
        words |= {
            "hidden_size": 64,
            "num_heads": 8,
            "head_dim": 16,
            "state_size": 16,
            "n_groups": 2,
            "chunk_size": 32,
        }
    else:
        group = words["num_attention_heads"] // words["num_key_value_heads"]
        words |= {
            "num_key_value_heads": 2,
            "num_attention_heads": 2 * group,
            "hidden_size": 32 * group,
            "intermediate_size": 96,
        }
        words |= {"head_dim": 16} if "head_dim" in words else {}
    if "attn_layer_period" in words:
        words |= {
            "num_hidden_layers": 4,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 4,
        }
        words |= {"mamba_d_state": 8, "mamba_dt_rank": 8, "use_mamba_kernels": False}
    return replace(llm, config=words)


@cache
def model(
    name: str, *, dtype: torch.dtype = torch.float32, window_tokens: int | None = None
) -> Any:
    """Random weights; attention is not flat, and biases, where there are some, are not zero."""
    llm = shrunk(name)
    transformers.logging.set_verbosity_error()
    ids = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        config = getattr(transformers, llm.architecture)(**llm.config, **ids)
        stretch(config, llm, window_tokens)
        made = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
        for word, x in made.named_parameters():
            if "q_proj" in word or "k_proj" in word:
                x.data.normal_(0, 0.5) if x.dim() == 1 else x.data.mul_(8.0)
    return made


@cache
def engine(
    name: str, *, dtype: torch.dtype = torch.float32, window_tokens: int | None = None
) -> LocalEngine:
    return from_model(
        model(name, dtype=dtype, window_tokens=window_tokens),
        chat(name),
        name=f"small-{name}",
        window_tokens=window_tokens,
    )
