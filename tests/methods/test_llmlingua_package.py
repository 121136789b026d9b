"""The package llmlingua behind LLMLingua-2: tested through a stand-in with its interface, and
through itself where it is installed.
"""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch, MissingExtra
from scbench.methods import parse
from scbench.methods.generation import llmlingua_package
from scbench.methods.generation.llmlingua import LLMLingua2
from scbench.methods.generation.llmlingua_package import located

TEXT = (
    "The heron stood near the mill.\nIs it 42? The cart of the miller, x² and all,\n磨坊 ☃ came "
    "late.\n" * 6
)
LETTERS = re.compile(r"\n|\w+|[^\w\s]")


class PromptCompressor:
    """As the package's: normalises, loses signs it does not know, keeps what is forced and every
    third word of the rest, seeds everything.
    """

    made: list[dict[str, Any]] = []

    def __init__(
        self,
        model_name: str,
        device_map: str = "cuda",
        model_config: dict[str, Any] | None = None,
        open_api_config: dict[str, Any] | None = None,
        use_llmlingua2: bool = False,
        llmlingua2_config: dict[str, Any] | None = None,
    ) -> None:
        if model_name.startswith("absent/"):
            raise OSError(f"{model_name} is not a local folder\nand more lines")
        random.seed(42)
        torch.manual_seed(42)
        self.made.append(
            {
                "model": model_name,
                "device": device_map,
                "config": model_config,
                "use": use_llmlingua2,
            }
        )

    def compress_prompt(
        self,
        context: list[str],
        *,
        rate: float,
        force_tokens: list[str],
        force_reserve_digit: bool,
        return_word_label: bool,
        word_sep: str,
        label_sep: str,
    ) -> dict[str, Any]:
        assert return_word_label
        found = LETTERS.findall(unicodedata.normalize("NFKC", context[0]).replace("☃", ""))
        words = [word for word in found if word != "\n" or "\n" in force_tokens]
        stays = [
            word in force_tokens
            or (force_reserve_digit and any(map(str.isdigit, word)))
            or at % round(1 / rate) == 0
            for at, word in enumerate(words)
        ]
        said = [f"{word}{label_sep}{int(stay)}" for word, stay in zip(words, stays, strict=True)]
        return {"compressed_prompt": "", "fn_labeled_original_prompt": word_sep.join(said)}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    llmlingua_package.compressor.cache_clear()
    yield
    llmlingua_package.compressor.cache_clear()


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> type[PromptCompressor]:
    module = ModuleType("llmlingua")
    monkeypatch.setattr(module, "PromptCompressor", PromptCompressor, raising=False)
    monkeypatch.setitem(sys.modules, "llmlingua", module)
    PromptCompressor.made.clear()
    return PromptCompressor


def kept(spelled: str, text: str = TEXT) -> str:
    generation = parse(spelled).generation
    assert isinstance(generation, LLMLingua2)
    return "".join(text[start:stop] for start, stop in generation.kept_ranges(text))


def test_without_the_package_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llmlingua", None)
    with pytest.raises(MissingExtra, match=r"pip install 'scbench\[llmlingua\]'"):
        kept("llmlingua-2[classifier=llmlingua]")


@pytest.mark.usefixtures("package")
def test_weights_that_cannot_be_loaded_are_named_with_the_line_that_fetches_them() -> None:
    with pytest.raises(MissingExtra, match="hf download absent/some-xlm-roberta-large"):
        kept("llmlingua-2[classifier=llmlingua:absent/some-xlm-roberta-large]")


@pytest.mark.usefixtures("package")
def test_a_model_that_the_package_would_not_know_is_refused() -> None:
    with pytest.raises(Mismatch, match="neither"):
        kept("llmlingua-2[classifier=llmlingua:bert-tiny]")


def test_the_published_weights_are_asked_for_on_a_cpu_without_code_from_the_hub(
    package: type[PromptCompressor],
) -> None:
    kept("llmlingua-2[classifier=llmlingua]")
    kept("llmlingua-2[classifier=llmlingua,tau=1/2]")
    published = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank"
    assert package.made == [
        {"model": published, "device": "cpu", "config": {"trust_remote_code": False}, "use": True}
    ]


@pytest.mark.usefixtures("package")
def test_random_states_are_as_before_the_package_was_loaded() -> None:
    random.seed(7)
    torch.manual_seed(7)
    wanted = random.random(), float(torch.rand(()))
    random.seed(7)
    torch.manual_seed(7)
    kept("llmlingua-2[classifier=llmlingua]")
    assert (random.random(), float(torch.rand(()))) == wanted


@pytest.mark.usefixtures("package")
def test_words_stay_as_they_stood_and_unknown_signs_go() -> None:
    left = kept("llmlingua-2[classifier=llmlingua,tau=99/100]")
    assert left == TEXT.replace(" ☃", "")
    assert "x²" in left


@pytest.mark.usefixtures("package")
def test_forced_tokens_and_digits_are_handed_over() -> None:
    left = kept("llmlingua-2[classifier=llmlingua,tau=1/10]")
    assert (left.count("\n"), left.count("?")) == (TEXT.count("\n"), TEXT.count("?"))
    assert (
        left.count("42")
        < 6
        <= kept("llmlingua-2[classifier=llmlingua,tau=1/10,force_digits=yes]").count("42")
    )
    assert (
        kept("llmlingua-2[classifier=llmlingua,tau=1/10,force_words=heron|late]").count("heron")
        == 6
    )


@pytest.mark.usefixtures("package")
def test_a_share_of_one_asks_nobody() -> None:
    assert kept("llmlingua-2[classifier=llmlingua,tau=1]") == TEXT
    assert PromptCompressor.made == []


@pytest.mark.usefixtures("package")
def test_a_text_the_package_keeps_whole_is_refused() -> None:
    with pytest.raises(Mismatch, match="drop nothing"):
        kept("llmlingua-2[classifier=llmlingua]", "?" * 50)


def test_a_word_that_is_not_in_the_text_is_refused() -> None:
    with pytest.raises(Mismatch, match="'crane'"):
        located("the heron stood", [("the", True), ("crane", False)])


def test_blanks_go_with_the_word_behind_them() -> None:
    text = "one  two\n three four"
    assert located(text, [("one", False), ("two", True), ("three", True), ("four", False)]) == [
        (3, 8),
        (8, 15),
    ]
    assert located(
        text, [("one", False), ("two", False), ("\n", True), ("three", False), ("four", True)]
    ) == [(8, 9), (15, 20)]


said = st.lists(
    st.tuples(st.text(st.sampled_from("abÅ²ﬁ磨?"), min_size=1, max_size=4), st.booleans()),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(said=said)
def test_every_kept_word_is_found_once_and_in_order(said: list[tuple[str, bool]]) -> None:
    text = " ".join(word for word, _ in said)
    normal = [(unicodedata.normalize("NFKC", word), stays) for word, stays in said]
    assert [text[start:stop].strip() for start, stop in located(text, normal)] == [
        word for word, stays in said if stays
    ]


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> str:
    """A random XLM-R of one small layer over characters, in a folder whose name the package
    knows.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        XLMRobertaConfig,
        XLMRobertaForTokenClassification,
    )

    folder = tmp_path / "tiny-xlm-roberta-large"
    signs = [chr(code) for code in range(33, 127)]
    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "▁",
        *signs,
        *(f"▁{sign}" for sign in signs),
        "▁the",
        "▁heron",
        "磨",
        "坊",
    ]
    raw = Tokenizer(models.Unigram([(piece, len(piece) - 8.0) for piece in pieces], unk_id=3))
    raw.normalizer = normalizers.NFKC()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    raw.decoder = decoders.Metaspace()
    ends = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", pad_token="<pad>", **ends
    ).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    config = XLMRobertaConfig(vocab_size=len(pieces), max_position_embeddings=600, **shape, **ids)
    XLMRobertaForTokenClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.filterwarnings("ignore")  # the package is not ours
def test_the_package_itself_keeps_a_share_of_the_text(
    tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llmlingua", reason="pip install 'llmlingua>=0.2.2,<0.3'")
    import tiktoken

    bytewise = tiktoken.Encoding(
        "bytes",
        pat_str=r"\S+|\s+",
        mergeable_ranks={bytes([i]): i for i in range(256)},
        special_tokens={},
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda name: bytewise)
    text = TEXT * 10
    method = LLMLingua2(tau=Fraction(1, 3), classifier=f"llmlingua:{tiny_checkpoint}")
    ranges = method.kept_ranges(text)
    left = "".join(text[start:stop] for start, stop in ranges)
    assert all(start < stop for start, stop in ranges)
    assert 0.15 < len(left) / len(text) < 0.45
    assert (left.count("\n"), left.count("?")) == (text.count("\n"), text.count("?"))
    assert method.kept_ranges(text) == ranges
