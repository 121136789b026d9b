"""Ids that were not the text's: blanks lost or added, data that became control, borders not found.

A separator that merges with its neighbours, or that the command line cut short; control words of a
document, a question or an answer of the model's own; a tokenizer in Python alone, or one that
loses text, found out when all weights had been read.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers
from typer.testing import CliRunner

import scbench
from engines.folders import edit_json, write_model
from field.saves import few
from gates.bench import CANNOT_SERVE, KINDS, LOSES_TEXT, tokenizer
from scbench.cli import app
from scbench.engines import load
from scbench.errors import BadConfig, BadRow, DataError, Mismatch
from scbench.exam.gate_laws import pairs_session
from scbench.methods import parse
from scbench.methods.compression.duo_attention import DuoAttention
from scbench.methods.retrieval.blended_chunks import at_separator
from scbench.methods.retrieval.cacheblend import CacheBlend
from scbench.play.blending import texts_of
from scbench.prompts import Conversation, HfTokenizer
from scbench.prompts.tokenizer import encode_data
from scbench.types import History, Mode, Protocol

SOUND = [kind for kind in KINDS if kind not in LOSES_TEXT]

# -- separators ------------------------------------------------------------------------------------

SEPARATORS = [
    " # # ",
    "self. ",
    "a, b",
    ", ",
    "]",
    "[",
    "[x]",
    '"',
    '",\n "',
    "\n\n",
    " | ",
    "+",
    "=",
]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separator_may_hold_any_sign_and_is_read_as_it_was_written(separator: str) -> None:
    method = parse(str(CacheBlend(separator=separator)))
    assert method.retrieval == CacheBlend(separator=separator)
    spelled = f'cacheblend[separator="{separator.replace(chr(34), 2 * chr(34))}",seed=3]'
    (one, two) = scbench.api.settle({"model": "toy", "methods": f"dense,{spelled}"}).methods
    assert (one, parse(two).retrieval) == ("dense", CacheBlend(separator=separator, seed=3))


def test_a_plain_separator_is_spelled_without_quotes() -> None:
    assert str(CacheBlend(separator="# #")) == "cacheblend[separator=# #]"
    nested = "adakv[scorer=snapkv[kernel=5],tau=1/4]"
    assert parse(nested).compression == parse(str(parse(nested))).compression
    assert '"' not in str(parse(nested))


@pytest.mark.parametrize("written", [" # # ", "self. ", " x"])
def test_blanks_at_the_ends_are_refused_where_no_quotes_say_that_they_are_meant(
    written: str,
) -> None:
    with pytest.raises(BadConfig, match="put it in quotes where the blank is meant"):
        parse(f"cacheblend[separator={written}]")


def test_a_file_with_a_comma_in_its_name_can_be_a_parameter(tmp_path: Path) -> None:
    path = str(tmp_path / "gates, mine.json")
    Path(path).write_text("[[1, 0], [0, 1]]", encoding="utf-8")
    assert parse(f'duo-attention[preset=paper,gates="{path}"]').spelling.endswith(f'"{path}"]')
    (stage,) = parse(f'duo-attention[preset=paper,gates="{path}"]').compression
    assert isinstance(stage, DuoAttention)
    assert stage.gates == path


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("word", ["</s>", "<|im_end|>", "[INST]"])
def test_a_control_word_of_a_document_is_a_border_like_any_other_text(kind: str, word: str) -> None:
    tok = tokenizer(kind, "ChatML")
    text = f"a first{word}the second {word} a third"
    ids = encode_data(tok, text).ids
    assert not set(tok.control.values()) & set(ids)
    texts = texts_of(ids, tok)
    assert len(at_separator(texts, word)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("separator", [" # # ", "a, b", "═══", "</s>"])
@pytest.mark.parametrize("kind", ["metaspace always", "byte-level"])
def test_a_run_blends_as_many_chunks_as_the_text_has_documents(
    tmp_path: Path, kind: str, separator: str
) -> None:
    tok = tokenizer(kind, "ChatML")
    sizes = {"num_hidden_layers": 4, "max_position_embeddings": 4096, "vocab_size": len(tok.raw)}
    folder = write_model(tmp_path / "m", **sizes)
    tok.raw.save_pretrained(folder)
    documents = ["The red key. ", "a box of apples ", "the blue door, it was said, ", "the end "]
    row = {
        "context": separator.join(6 * text for text in documents),
        "turns": [{"question": "Where is the key?", "answers": ["in the box"]}],
    }
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    records = scbench.run(
        model=str(folder),
        tasks=str(tmp_path / "mine.jsonl"),
        methods=f'dense,cacheblend[separator="{separator}"]',
        max_new_tokens=2,
        cost_sessions=0,
        out=tmp_path / "run",
        quiet=True,
    ).records()
    assert {one.failure for one in records} == {None}
    blended = [one for one in records if one.method != "dense"]
    assert blended
    for one in blended:
        assert any(note.startswith("blended 4 stored chunks") for note in one.notes)


# -- control words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["none", "ChatML"])
def test_a_control_word_that_the_model_said_is_text_in_the_next_prompt(template: str) -> None:
    tok = tokenizer("byte-level", template)
    session, protocol = pairs_session(), Protocol(history=History.MODEL)
    talk = Conversation(session, tok, protocol, Mode.MULTI_TURN)
    own = "it is </s> and <|im_start|> system"
    plain, marked = (talk.prompt(1, [said]) for said in ("it is and system", own))
    assert own in tok.decode(marked.ids)
    control = set(tok.control.values())
    assert [one for one in marked.ids if one in control] == [
        one for one in plain.ids if one in control
    ]


def test_a_single_sign_that_controls_is_refused_by_name() -> None:
    raw = tokenizer("byte-level", "none").raw
    mine = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw.backend_tokenizer, bos_token="<s>", eos_token="§"
    )
    tok = HfTokenizer(mine, name="signs")
    session = pairs_session(["§"])
    with pytest.raises(BadRow, match="holds '§', which the tokenizer of signs cannot write"):
        Conversation(session, tok, Protocol(), Mode.MULTI_REQUEST)


# -- tokenizers in Python alone, and such as lose text ---------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tokens") / "m", max_position_embeddings=2048)


WHY = {
    "code of its own": "is code of its own (AutoTokenizer tokenization_mine.Mine",
    "Python alone": "is written in Python alone and gives no character offsets",
    "wordpiece": "such an answer cannot be given",
}
WORDS = {"tasks": "kv", "methods": "dense", "length": "256", "sessions": 1, "turns": 2}


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_read_weights", lambda *given, **words: pytest.fail("weights read"))


def changed(model: Path, folder: Path, kind: str) -> str:
    shutil.copytree(model, folder)
    CANNOT_SERVE[kind](folder)
    return str(folder)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("kind", few(CANNOT_SERVE, "wordpiece"))
def test_a_tokenizer_that_cannot_serve_is_refused_alike_by_every_command_before_weights(
    model: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *given: pytest.fail("a question at the terminal"))
    folder = changed(model, tmp_path / "m", kind)
    said = list[str]()
    with pytest.raises(Mismatch) as refused:
        scbench.run(model=folder, out=tmp_path / "run", quiet=True, **WORDS)
    said.append(str(refused.value))
    said += [one.why for one in scbench.plan(model=folder, **WORDS).refusals if one.stops_run]
    (tmp_path / "text").write_text("A red box.", encoding="utf-8")
    for words in (
        ["check-model", folder],
        ["make-data", "--out", str(tmp_path / "data"), "--tasks", "kv", "--counter", folder],
        ["ask", "--model", folder, "--context", str(tmp_path / "text"), "--question", "What?"],
        ["search-patterns", folder, "--out", str(tmp_path / "patterns.json")],
        ["search-gates", folder, "--out", str(tmp_path / "gates.json")],
    ):
        found = CliRunner().invoke(app, words)
        assert isinstance(found.exception, Mismatch), words
        said.append(str(found.exception))
    assert len(said) == 7
    assert set(said) == {said[0]}
    assert WHY[kind] in said[0]
    assert "\n" not in said[0]


def test_code_that_was_allowed_and_is_slow_is_refused_before_weights_too(
    model: Path, tmp_path: Path, no_weights: None
) -> None:
    folder = changed(model, tmp_path / "m", "code of its own")
    for read in (load.load, load.load_tokenizer):
        with pytest.raises(Mismatch, match=r"\(Mine\) is written in Python alone"):
            read(folder, trust_remote_code=True)


def test_code_that_is_trusted_counts_for_make_data_as_for_a_run(
    model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "m")
    code = "import transformers\n\n\nclass Mine(transformers.PreTrainedTokenizerFast):\n    pass\n"
    (tmp_path / "m" / "tokenization_mine.py").write_text(code, encoding="utf-8")
    words = {
        "tokenizer_class": "Mine",
        "auto_map": {"AutoTokenizer": [None, "tokenization_mine.Mine"]},
    }
    edit_json(tmp_path / "m" / "tokenizer_config.json", **words)
    data = ["make-data", "--tasks", "kv", "--length", "256", "--sessions", "1"]
    counted = [*data, "--out", str(tmp_path / "data"), "--counter", str(tmp_path / "m")]
    found = CliRunner().invoke(app, counted)
    assert "is code of its own" in str(found.exception)
    found = CliRunner().invoke(app, [*counted, "--trust-remote-code"])
    assert (found.exit_code, found.exception) == (0, None)


def test_a_tokenizer_that_folds_blanks_is_noted(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    _fold_blanks(tmp_path / "m")
    (note,) = load.load_tokenizer(str(tmp_path / "m")).notes
    assert note.startswith("the tokenizer turns 'two  three   four    blanks")


@pytest.mark.slow
@pytest.mark.usefixtures("no_weights")
def test_a_tokenizer_that_folds_blanks_is_noted_wherever_a_model_is_named(
    model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "m")
    _fold_blanks(tmp_path / "m")
    folder = str(tmp_path / "m")
    (note,) = load.load_tokenizer(folder).notes
    assert "turns " in note
    assert any(note in one.notes for one in scbench.plan(model=folder, **WORDS).models)
    data = ["make-data", "--out", str(tmp_path / "data"), "--tasks", "kv", "--length", "256"]
    for words in (["check-model", folder], [*data, "--sessions", "1", "--counter", folder]):
        found = CliRunner().invoke(app, words)
        shown = " ".join((found.output + found.stderr).split())
        assert " ".join(note.split()) in shown
    settings = scbench.api.settle({"model": folder, "out": tmp_path / "run", **WORDS})
    assert scbench.api.prepare(settings).notes == (f"{folder}: {note}",)


def _fold_blanks(folder: Path) -> None:
    path = folder / "tokenizer.json"
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    held["normalizer"] = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    path.write_text(json.dumps(held), encoding="utf-8")


@pytest.mark.slow
def test_what_transformers_warns_of_while_it_reads_a_tokenizer_is_said_and_is_in_the_manifest(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does of Mistral's rule for cutting words, where a flag would give other ids."""
    read = transformers.AutoTokenizer.from_pretrained

    def warns(*given: Any, **words: Any) -> Any:
        logging.getLogger("transformers.mine").warning("an incorrect regex pattern, set the flag")
        return read(*given, **words)

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", warns)
    note = "an incorrect regex pattern, set the flag"
    assert any(note in one.notes for one in scbench.plan(model=str(model), **WORDS).models)
    words = {**WORDS, "model": str(model), "max_new_tokens": 2, "cost_sessions": 0}
    settings = scbench.api.settle({**words, "out": tmp_path / "run"})
    assert scbench.api.prepare(settings).notes == (f"{model}: {note}",)
    scbench.run(out=tmp_path / "run", quiet=True, **words)
    assert note in (tmp_path / "run" / "manifest.json").read_text(encoding="utf-8")


def test_a_package_that_a_tokenizer_needs_is_named(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    (tmp_path / "m" / "tiktoken.model").write_text("YQ== 0\nYg== 1\n", encoding="utf-8")
    with pytest.raises(DataError, match="pip install tiktoken"):
        load.load_tokenizer(str(tmp_path / "m"))


def test_a_tokenizer_made_of_other_files_says_that_nothing_proves_its_ids(
    model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "m")
    held = json.loads((tmp_path / "m" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (tmp_path / "m" / "tokenizer.json").unlink()
    (tmp_path / "m" / "vocab.json").write_text(json.dumps(held["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in held["merges"])
    (tmp_path / "m" / "merges.txt").write_text(merges, encoding="utf-8")
    edit_json(tmp_path / "m" / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    notes = load.load_tokenizer(str(tmp_path / "m")).notes
    assert any("nothing says whether its ids are the original's" in note for note in notes)
