"""Small real tokenizers with chat templates in the styles that models use, and sessions of our own
text.
"""

from __future__ import annotations

import functools
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from scbench.prompts import HfTokenizer
from scbench.types import Role, Session, Span, Turn, Wanted

LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start|>{{ m['role'] }}<|stop|>\n\n{{ m['content'] | "
    "trim }}<|eot|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% "
    "endif %}"
)
CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nYou "
    "are kind.<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% "
    "endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) "
    "%}{{ raise_exception('roles') }}{% endif %}{% if m['role'] == 'user' %}[INST] {{ m['content'] "
    "}} [/INST]{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
GLM = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
THINKS = CHATML.replace(
    "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}"
)
TEMPLATES = {"llama": LLAMA, "chatml": CHATML, "mistral": MISTRAL, "glm": GLM}
SPECIALS = [
    "<s>",
    "</s>",
    "<|start|>",
    "<|stop|>",
    "<|eot|>",
    "<|im_start|>",
    "<|im_end|>",
    "[INST]",
    "[/INST]",
    "[gMASK]",
    "<sop>",
]
SPECIALS += ["<|user|>", "<|assistant|>", "<|system|>"]
EOS = {"llama": "</s>", "chatml": "<|im_end|>", "mistral": "</s>", "glm": "</s>"}
CORPUS = [
    "The value of the key is told in the book. Question: where was Mara? Answer: the old mill.\n\n"
] * 4
CORPUS += [
    '{"otter-maple": "4821",\n "lamp-river": "9033"}',
    "[412, 87, 903, 512]",
    "def clip(x):\n    return x\n\n\n",
    "阅读以下书籍然后回答问题。",
]


# as Llama-3 and Qwen cut words; GPT-2's rule gives a blank line other tokens at the end of a text
# than before a word
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| "
    r"?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@functools.cache
def backend(is_gpt2: bool = False) -> Tokenizer:
    made = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=is_gpt2)
    words = pre_tokenizers.Split(Regex(WORDS), "isolated")
    made.pre_tokenizer = level if is_gpt2 else pre_tokenizers.Sequence([words, level])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIALS])
    return made


@functools.cache
def tokenizer(
    style: str | None, template: str | None = None, *, is_gpt2: bool = False
) -> HfTokenizer:
    raw = PreTrainedTokenizerFast(
        tokenizer_object=backend(is_gpt2),
        bos_token="<s>",
        eos_token=EOS.get(style or "", "</s>"),
        chat_template=template or TEMPLATES.get(style or ""),
    )
    return HfTokenizer(raw, name=f"test-{style}")


def pairs_session(pairs: int = 40, turns: int = 3) -> Session:
    """Pairs of key and value, one a line; the asked ones are spread over the object."""
    lines = [f'"key-{at}": "{7919 * (at + 1) % 90001 + 10000}"' for at in range(pairs)]
    context = "{" + ",\n ".join(lines) + "}"
    asked = [(at * pairs) // turns + 1 for at in range(turns)]
    made = []
    for at in asked:
        start, value = context.index(lines[at]), lines[at].split('"')[3]
        inside = context.index(value, start)
        spans = (
            Span(start, start + len(lines[at]), Role.SUPPORT),
            Span(inside, inside + len(value), Role.ANSWER),
        )
        ask = f'Key: "key-{at}"\nThe value associated with this key is:'
        made.append(
            Turn(
                task="kv",
                ask=ask,
                gold=value,
                wanted=Wanted(golds=(value,)),
                max_new_tokens=20,
                evidence=spans,
            )
        )
    return Session(
        task="kv",
        context=context,
        turns=tuple(made),
        counted=0,
        counter="none",
        recipe={},
        digest="0" * 64,
    )


def session_of(
    task: str,
    context: str,
    asks: list[tuple[str, str]],
    *,
    subtasks: list[str] | None = None,
    **wanted: Any,
) -> Session:
    turns = [
        Turn(
            task=(subtasks or [task] * len(asks))[at],
            ask=ask,
            gold=gold,
            wanted=Wanted(golds=(gold,), **wanted),
            max_new_tokens=16,
        )
        for at, (ask, gold) in enumerate(asks)
    ]
    return Session(
        task=task,
        context=context,
        turns=tuple(turns),
        counted=0,
        counter="none",
        recipe={},
        digest="1" * 64,
    )
