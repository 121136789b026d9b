"""Ids are those of the model's own tokenizer.json, whatever class transformers builds over it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engines.folders import edit_json, write_tokenizer
from prompts.texts import CORPUS
from scbench.engines import tokenizers as checked
from scbench.engines.tokenizers import PROBES, load_tokenizer
from scbench.errors import DataError, Mismatch

KV = '{"otter-maple": "4821",\n "lamp-river": "90331234"}\n\n  don\'t stop  here'
CLASSES = ("GPT2", "Qwen2", "GPTNeoX", "Cohere", "Gemma", "Llama", "PreTrained")


def of_file(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def cuts_as_cl100k(folder: Path, kind: str, model_type: str | None) -> Path:
    """Byte-level with the split rule of Llama-3, under another class's name."""
    write_tokenizer(folder)
    edit_json(folder / "tokenizer_config.json", tokenizer_class=f"{kind}TokenizerFast")
    if model_type is not None:
        (folder / "config.json").write_text(
            json.dumps({"model_type": model_type}), encoding="utf-8"
        )
    return folder


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "mistral", "mamba2", None])
@pytest.mark.parametrize("kind", CLASSES)
def test_ids_are_those_of_the_file_under_any_class(
    tmp_path: Path, kind: str, model_type: str | None
) -> None:
    folder = cuts_as_cl100k(tmp_path / "model", kind, model_type)
    tokenizer = load_tokenizer(str(folder))
    file = of_file(folder)
    for text in (*PROBES, KV, "ab</s>cd <|im_end|>\n x"):
        assert list(tokenizer.encode(text).ids) == file.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(tokenizer.encode(text).ids) == file.decode(file.encode(text).ids)
    assert tokenizer.end_ids >= {file.token_to_id("</s>")}
    assert tokenizer.has_chat_template


def test_a_class_that_cuts_otherwise_is_named_with_the_text(tmp_path: Path) -> None:
    folder = cuts_as_cl100k(tmp_path / "model", "GPT2", "llama")
    class_ids = AutoTokenizer.from_pretrained(folder)(KV)["input_ids"]
    assert class_ids != of_file(folder).encode(KV).ids  # the fault is still there to be met
    (note,) = load_tokenizer(str(folder)).notes
    assert "GPT2Tokenizer gives other ids for" in note
    assert "the file's own tokenizer is used" in note


def test_a_tokenizer_that_follows_its_file_has_no_notes(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    assert load_tokenizer(str(tmp_path)).notes == ()


def test_blanks_beside_an_added_token_stay_those_of_the_file(tmp_path: Path) -> None:
    """A Llama-2 kind of file: a normalizer writes the blanks; a class that does so anew errs."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
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
    marks = ["<unk>", "<s>", "</s>", *(f"<0x{at:02X}>" for at in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=marks, show_progress=False)
    made.train_from_iterator([text.replace(" ", "▁") for text in (*CORPUS, *PROBES)], trainer)
    held = json.loads(made.to_str())
    held["added_tokens"] = [token for token in held["added_tokens"] if token["id"] < 3]
    (tmp_path / "tokenizer.json").write_text(json.dumps(held), encoding="utf-8")
    settings = {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    tokenizer = load_tokenizer(str(tmp_path))
    for text in (*PROBES, "hello </s> world</s>\n x"):
        wanted = of_file(tmp_path).encode(text, add_special_tokens=False).ids
        assert list(tokenizer.encode(text).ids) == wanted, text


def test_a_file_that_nothing_can_stand_for_is_refused_naming_class_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cuts_as_cl100k(tmp_path / "model", "GPT2", "llama")
    monkeypatch.setattr(checked, "difference", lambda raw, own: f"{type(raw).__name__} differs")
    with pytest.raises(Mismatch, match=r"GPT2Tokenizer differs.*could not take its place"):
        load_tokenizer(str(folder))


def test_a_tokenizer_that_loses_blanks_without_a_file_to_say_so_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    raw = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.json")
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *given, **words: raw)
    with pytest.raises(Mismatch, match=r"turns .* into .*no tokenizer\.json"):
        load_tokenizer(str(tmp_path))


def test_a_file_that_truncates_does_not(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    made = of_file(tmp_path)
    made.enable_truncation(8)
    made.save(str(tmp_path / "tokenizer.json"))
    assert len(load_tokenizer(str(tmp_path)).encode(KV * 4).ids) > 8


@pytest.fixture
def mistral(tmp_path: Path) -> Path:
    """What transformers warns of: a Mistral from before version 5, with a large vocabulary."""
    write_tokenizer(tmp_path)
    made = of_file(tmp_path)
    made.add_tokens([AddedToken(f"filler{at}", normalized=False) for at in range(100_001)])
    made.save(str(tmp_path / "tokenizer.json"))
    config = {"model_type": "mistral", "transformers_version": "4.50.0"}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_what_a_tokenizer_warns_of_is_a_note_each_time_and_not_on_the_terminal(
    mistral: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert any("regex" in note for note in load_tokenizer(str(mistral)).notes)
    assert "regex" not in capfd.readouterr().err


@pytest.mark.parametrize("held", ["[]", "{", "[" * 100_000])
def test_settings_that_are_none_are_named(tmp_path: Path, held: str) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(held, encoding="utf-8")
    with pytest.raises(DataError) as told:
        load_tokenizer(str(tmp_path))
    assert str(tmp_path) in str(told.value)
