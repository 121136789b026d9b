"""Tokenizers and templates of every kind in use, made here: small, and with no file of anybody's.

Vocabularies are trained on a few lines; what matters is how a kind cuts, joins and decodes.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from prompts.texts import CORPUS, WORDS
from scbench.prompts import HfTokenizer

SIZE = 700
GGUF_SIZES = {
    "block_count": 1,
    "context_length": 512,
    "embedding_length": 32,
    "feed_forward_length": 32,
    "head_count": 2,
    "head_count_kv": 1,
    "layer_norm_rms_eps": 1e-5,
}
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
MARKS = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
    "[INST]",
    "[/INST]",
]


def _trained(made: Tokenizer, alphabet: list[str]) -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def _with_bytes(made: Tokenizer) -> Tokenizer:
    """Trained, with a token for each byte, which stands for what the vocabulary does not know."""
    held = json.loads(_trained(made, ["▁"]).to_str())
    vocabulary = held["model"]["vocab"]
    for token in BYTES:
        vocabulary.setdefault(token, len(vocabulary))
    return Tokenizer.from_str(json.dumps(held))


def _byte_level(cut: Any, *, ignore_merges: bool = False) -> Tokenizer:
    made = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=cut is None)
    made.pre_tokenizer = level if cut is None else pre_tokenizers.Sequence([*cut, level])
    made.decoder = decoders.ByteLevel()
    return _trained(made, pre_tokenizers.ByteLevel.alphabet())


def _with_breaks() -> Tokenizer:
    """As Qwen's and Llama 3's are: a sign and the line breaks behind it are one token, so that the
    end of a text and the beginning of what follows share one."""
    held = json.loads(_byte_level(_words()).to_str())
    vocabulary, merges = held["model"]["vocab"], held["model"]["merges"]
    breaks = [("Ċ", "Ċ"), *((sign, after) for sign in ")]}.?!:\"'" for after in ("ĊĊ", "Ċ"))]
    for pair in breaks:
        vocabulary.setdefault("".join(pair), len(vocabulary))
        merges.append(list(pair))
    return Tokenizer.from_str(json.dumps(held))


def _words() -> list[Any]:
    return [pre_tokenizers.Split(Regex(WORDS), "isolated")]


def _digits() -> list[Any]:
    return [pre_tokenizers.Digits(individual_digits=True), *_words()]


def _metaspace(scheme: str) -> Tokenizer:
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=True)
    made.decoder = decoders.Sequence(
        [
            decoders.Metaspace(prepend_scheme=scheme, split=True),
            decoders.ByteFallback(),
            decoders.Fuse(),
        ]
    )
    return _with_bytes(made)


def _llama2() -> Tokenizer:
    """As SentencePiece files are converted: a normalizer, no cutting, bytes for what is unknown."""
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return _with_bytes(made)


def _gguf() -> Tokenizer:
    """As a GGUF file is rebuilt: merges in the order of the vocabulary, and no `Prepend`."""
    made = _llama2()
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return made


def _read_from_gguf(made: Tokenizer, model: str) -> Tokenizer:
    """Written to a GGUF file, vocabulary and merges or scores alone, and read by transformers."""
    held = json.loads(made.to_str())["model"]
    words = sorted(held["vocab"], key=held["vocab"].__getitem__)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        writer = gguf.GGUFWriter(str(path), "llama")
        for word, number in GGUF_SIZES.items():
            getattr(writer, f"add_{word}")(number)
        writer.add_tokenizer_model(model)
        control = [gguf.TokenType.CONTROL] * 3
        writer.add_token_list(["<unk>", "<s>", "</s>", *words])
        writer.add_token_types([*control, *([gguf.TokenType.NORMAL] * len(words))])
        if model == "llama":  # as SentencePiece: what was merged first is worth most
            writer.add_token_scores([0.0] * 3 + [-float(at) for at in range(len(words))])
        else:
            writer.add_token_merges([" ".join(pair) for pair in held["merges"]])
        writer.add_unk_token_id(0)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        read: Tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=path.name)
        return read.backend_tokenizer  # type: ignore[attr-defined]


def _wordpiece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=SIZE, special_tokens=["[UNK]"], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    return made


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": lambda: _byte_level(_words()),
    "byte-level, GPT-2's rule": lambda: _byte_level(None),
    "byte-level, merges ignored": lambda: _byte_level(_words(), ignore_merges=True),
    "sign and line breaks in one": _with_breaks,
    "digits one by one": lambda: _byte_level(_digits()),
    "marks that strip blanks": lambda: _byte_level(_words()),
    "metaspace always": lambda: _metaspace("always"),
    "metaspace first": lambda: _metaspace("first"),
    "metaspace never": lambda: _metaspace("never"),
    "llama-2": _llama2,
    "rebuilt from GGUF": _gguf,
    "read from GGUF, byte-level": lambda: _read_from_gguf(_byte_level(None), "gpt2"),
    "read from GGUF, SentencePiece": lambda: _read_from_gguf(_llama2(), "llama"),
    "wordpiece": _wordpiece,
}
LOSES_TEXT = {"wordpiece"}  # blanks and unknown signs: no text comes back

_TURNS = "{% for m in messages %}"
CHATML = (
    _TURNS + "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}" + _TURNS + "<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    _TURNS + "{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}" + _TURNS + "{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}" + _TURNS + "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else "
    "m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
PHI = (
    _TURNS + "<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
ALPACA = (
    _TURNS + "{% if m['role'] == 'user' %}### Instruction:\n{{ m['content'] }}\n\n### Response:\n"
    "{% else %}{{ m['content'] }}\n\n{% endif %}{% endfor %}"
)
VICUNA = (
    _TURNS + "{% if m['role'] == 'user' %}USER: {{ m['content'] }} ASSISTANT:"
    "{% else %} {{ m['content'] }}\n{% endif %}{% endfor %}"
)
TEMPLATES: dict[str, str | None] = {
    "none": None,
    "ChatML": CHATML,
    "Llama 3": LLAMA3,
    "Llama 2": LLAMA2,
    "Mistral": MISTRAL,
    "Gemma": GEMMA,
    "Phi": PHI,
    "Alpaca": ALPACA,
    "Vicuna": VICUNA,
    "dated": "<|im_start|>system\n{{ strftime_now('%Y-%m-%d') }}<|im_end|>\n" + CHATML,
    "tools": "{% if tools is defined and tools %}{{ tools | tojson }}{% endif %}" + CHATML,
    "header left out": CHATML.split("{% if add_generation_prompt %}")[0],
    "opens a thought": CHATML.replace(
        "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}"
    ),
    "empty thought": CHATML.replace(
        "<|im_start|>assistant\n{% endif %}",
        "<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    ),
}


@functools.cache
def tokenizer(kind: str, template: str, *, has_marks: bool = True) -> HfTokenizer:
    """A tokenizer of a kind under a template. Without marks the template's words are plain text."""
    made = Tokenizer.from_str(backend(kind).to_str())
    strips = kind == "marks that strip blanks"
    marks = MARKS if has_marks else ["<s>", "</s>"]
    made.add_special_tokens(
        [
            AddedToken(word, special=True, normalized=False, lstrip=strips, rstrip=strips)
            for word in marks
        ]
    )
    raw = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        chat_template=TEMPLATES[template],
    )
    return HfTokenizer(raw, name=f"{kind}, {template}")


@functools.cache
def backend(kind: str) -> Tokenizer:
    return KINDS[kind]()


# -- kinds that cannot serve, each written over the tokenizer of a model's folder ------------------

IN_PYTHON = """
from transformers import PreTrainedTokenizer


class Mine(PreTrainedTokenizer):
    def __init__(self, **words):
        self.signs = {chr(at): at for at in range(32, 127)}
        super().__init__(**words)

    @property
    def vocab_size(self):
        return 127

    def get_vocab(self):
        return dict(self.signs)

    def _tokenize(self, text):
        return list(text)

    def _convert_token_to_id(self, sign):
        return self.signs.get(sign, 32)

    def _convert_id_to_token(self, at):
        return chr(at)
"""


def _code_of_its_own(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenization_mine.py").write_text(IN_PYTHON, encoding="utf-8")
    words = {
        "tokenizer_class": "Mine",
        "auto_map": {"AutoTokenizer": ["tokenization_mine.Mine", None]},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(words), encoding="utf-8")


def _python_only(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("x", encoding="utf-8")
    words = {"tokenizer_class": "ByT5Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words), encoding="utf-8")


def _loses_text(folder: Path) -> None:
    tokenizer("wordpiece", "ChatML").raw.save_pretrained(folder)


CANNOT_SERVE: dict[str, Callable[[Path], None]] = {
    "code of its own": _code_of_its_own,
    "Python alone": _python_only,
    "wordpiece": _loses_text,
}
