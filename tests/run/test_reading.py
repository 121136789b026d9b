"""Every file of JSON from outside: damaged or hostile, it is one sentence and never a traceback."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scbench.engines import custom_code, lab_models, weights
from scbench.errors import BadConfig, BadRecord, BadRow, DataError, ScbenchError
from scbench.grid import suite
from scbench.ledger.store import SessionStore
from scbench.methods.compression import duo_attention_gates
from scbench.methods.generation import minference_patterns
from scbench.reading import MOST_DEPTH, read_json
from scbench.scoring import score_file, written
from scbench.tasks import published
from scbench.tasks import task as task_called
from scbench.tasks.build import digest_of
from scbench.tasks.contract import Words

DEEP = b"[" * 100_000
HOSTILE = {
    "deep": DEEP,
    "deep inside": b'{"a":' * 100_000,
    "not utf-8": b'{"\xff\xfe": 1}',
    "cut": b'{"context": "x", "multi_turns": [',
    "a number": b"7",
    "a list": b"[[[1]]]",
    "null": b"null",
    "empty": b"",
    "zeros": b"\0" * 64,
    "long number": b'{"gates": [[' + b"9" * 5000 + b"]]}",
    "wide": b'{"gates": {"0": ["vertical_and_slash", {}, [], "x"]}, "weight_map": 3, "cells": 3}',
    "pattern": b'[{"0": ["stream_llm", 4, 16, "much"]}]',
    "turns": b'{"context": "x", "multi_turns": 5, "auto_map": {"a": {}}}',
    "items": b'{"context": "x", "multi_turns": [{"input": {}, "answer": [[]], "repo": []}]}',
}


def rows_of(task: str) -> Callable[[Path], object]:
    return lambda path: list(published.read(task, path))


def beside_of(task: str) -> Callable[[Path], object]:
    """The hostile file stands as the side file of sound rows."""

    def read(path: Path) -> object:
        kind = task_called(task)
        session = kind.make(seed="0:0", target=600, turns=2, count=Words())
        data = published.write(kind, [session], path.parent / "data")
        data.with_name(f"{kind.config}.evidence.jsonl").write_bytes(path.read_bytes())
        return list(published.read(task, data))

    return read


def index_of(path: Path) -> object:
    (path.parent / "config.json").write_bytes(b"{}")
    path.rename(path.parent / "model.safetensors.index.json")
    return weights.check_files(path.parent)


def card_of(path: Path) -> object:
    path.rename(path.parent / "card.json")
    return lab_models.trained_window(path.parent)


READERS: dict[str, Callable[[Path], object]] = {
    "rows kv": rows_of("kv"),
    "rows mf": rows_of("mf"),
    "rows repoqa": rows_of("repoqa"),
    "rows vt": rows_of("vt"),
    "side file kv": beside_of("kv"),
    "side file mf": beside_of("mf"),
    "answers": score_file,
    "pattern file": lambda path: minference_patterns.read(str(path)),
    "gates file": lambda path: duo_attention_gates.read(str(path)),
    "index of shards": index_of,
    "card": card_of,
}


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, reader: str, hostile: str) -> None:
    path = tmp_path / "hostile.jsonl"
    path.write_bytes(HOSTILE[hostile])
    said = ""
    try:
        READERS[reader](path)
    except ScbenchError as error:
        said = str(error)
    assert "\n" not in said
    assert not said or str(tmp_path) in said


def test_nesting_is_refused_with_the_file_and_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(DEEP)
    with pytest.raises(BadRow, match=rf"rows\.jsonl line 1 is nested deeper than {MOST_DEPTH}"):
        list(published.read("kv", path))
    with pytest.raises(BadConfig, match=rf"rows\.jsonl' is nested deeper than {MOST_DEPTH}"):
        minference_patterns.read(str(path))
    with pytest.raises(BadConfig, match=rf"rows\.jsonl' is nested deeper than {MOST_DEPTH}"):
        duo_attention_gates.read(str(path))


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 200_000, b'["' * 200_000, b"[" + b'"' * 200_001])
def test_an_unclosed_text_takes_no_time(text: bytes) -> None:
    began_s = time.process_time()
    with pytest.raises(BadRecord):
        read_json(text + b"[" * 100, "it")
    assert time.process_time() - began_s < 60  # the square of the length takes hours


def test_a_damaged_parquet_file_is_named_whatever_its_reader_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polars

    def panic(path: Path) -> object:
        raise polars.exceptions.PanicException("index out of bounds\nat src/x.rs")

    monkeypatch.setattr(polars, "read_parquet", panic)
    path = tmp_path / "scbench_kv.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(BadRow, match=r"scbench_kv\.parquet cannot be read as parquet after 0 rows"):
        list(published.read("kv", path))


def test_pythons_own_numbers_in_a_configuration_hide_no_code(tmp_path: Path) -> None:
    """Infinity stands in real configurations; a reader that stops there must not see less."""
    text = '{"time_step_limit": [0.0, Infinity], "auto_map": {"AutoModel": "mine.Model"}}'
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert custom_code.named_code(tmp_path, "config.json") == "AutoModel mine.Model"


def test_a_lone_surrogate_in_one_answer_costs_no_line(tmp_path: Path) -> None:
    line = {"task": "kv", "mode": "multi-turn", "gold": "a"}
    texts = [json.dumps({**line, "prediction": text}) for text in ("a", "a \ud800", "你好")]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    back = [json.loads(written(scored)) for scored in score_file(path)]
    assert [one["prediction"] for one in back] == ["a", "a \ud800", "你好"]


def test_a_session_that_was_edited_is_refused_though_its_file_is_whole(tmp_path: Path) -> None:
    session = task_called("kv").make(seed="0:0", target=600, turns=2, count=Words())
    store = SessionStore(tmp_path)
    path = store.put(session)
    whole = gzip.decompress(path.read_bytes())
    gold = session.turns[0].gold.encode()
    path.write_bytes(gzip.compress(whole.replace(gold, gold[::-1])))
    with pytest.raises(BadRecord, match="not what its digest says"):
        store.get(session.digest)
    store.put(session)
    assert store.get(session.digest).context == session.context


def test_a_small_file_with_an_endless_session_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scbench.ledger.store.MOST_BYTES", 1 << 20)
    monkeypatch.setattr("scbench.reading.MOST_BYTES", 1 << 20)
    store = SessionStore(tmp_path)
    path = store.path("0" * 64)
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b" " * (8 << 20)))
    with pytest.raises(BadRecord):
        store.get("0" * 64)


def test_a_session_whose_digest_is_not_its_own_is_not_stored(tmp_path: Path) -> None:
    session = task_called("kv").make(seed="0:0", target=600, turns=2, count=Words())
    with pytest.raises(BadConfig, match="its digest is not that of its content"):
        SessionStore(tmp_path).put(replace(session, digest="0" * 64))


def test_a_card_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(b"[" * 5000)
    with pytest.raises(DataError, match=r"card\.json"):
        lab_models.trained_window(tmp_path)
    assert lab_models.solves(str(tmp_path), "kv", 256, "multi-turn") is None


def test_a_published_session_cut_to_fewer_turns_is_another_session(tmp_path: Path) -> None:
    kind = task_called("kv")
    whole = kind.make(seed="0:0", target=600, turns=3, count=Words())
    shorter = suite._first_turns(whole, 2)
    assert len(shorter.turns) == 2
    assert shorter.digest == digest_of(shorter) != whole.digest
    assert suite._first_turns(whole, 3) is whole
