"""A cache of somebody's, and a model that somebody patched, beside our methods in one grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_session import BOTH, job, session

from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.methods import parse
from scbench.play.session import SessionPlay
from scbench.types import Protocol, Record

CODE = '''"""Somebody's."""

import torch
from transformers import DynamicCache


class Whole(DynamicCache):
    """Keeps everything."""


class Sparse(DynamicCache):
    """Zeroes all values but those of the newest `keep` tokens."""

    def __init__(self, config=None, keep: int = 8):
        super().__init__(config=config)
        self.keep = keep

    def update(self, keys, values, layer, *args, **kwargs):
        keys, values = super().update(keys, values, layer, *args, **kwargs)
        values = values.clone()
        values[:, :, : -self.keep] = 0
        return keys, values


class Same:
    def patch(self, model):
        return model


class Louder:
    def patch(self, model):
        with torch.no_grad():
            model.model.layers[0].self_attn.v_proj.weight.mul_(-3.0)
        return model


class Broken:
    def patch(self, model):
        with torch.no_grad():
            model.model.layers[0].self_attn.v_proj.weight.fill_(float("nan"))
        return model


class Lost:
    def patch(self, model):
        return None
'''


def played(folder: Path, *methods: str, engine: Any = None) -> dict[str, list[Record]]:
    (folder / "ext.py").write_text(CODE, encoding="utf-8")
    of, protocol = session(), Protocol()
    records: list[Record] = []
    run = SessionPlay(engine or tiny("gqa"), of, protocol, emit=records.append, needles={})
    chosen = [parse(name.replace("ext.py", f"{folder}/ext.py")) for name in methods]
    run.play([job(method, mode, protocol, of) for method in chosen for mode in BOTH])
    by_method: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda one: (one.mode, one.turn)):
        by_method.setdefault(record.method, []).append(record)
    return by_method


def ids(records: list[Record]) -> list[tuple[int, ...]]:
    return [record.answer.ids for record in records if record.answer is not None]


def test_a_cache_that_keeps_everything_answers_as_dense_and_one_that_does_not_does_not(
    tmp_path: Path,
) -> None:
    by_method = played(tmp_path, "ext.py:Whole", "ext.py:Sparse[keep=4]", "dense")
    dense, whole = by_method["dense"], by_method["ext.py:Whole"]
    assert len(ids(dense)) == 6
    assert ids(whole) == ids(dense)
    assert ids(by_method["ext.py:Sparse[keep=4]"]) != ids(dense)


def test_the_bytes_of_a_cache_are_those_of_its_tensors(tmp_path: Path) -> None:
    engine = tiny("gqa")
    (whole,) = played(tmp_path, "ext.py:Whole", engine=engine).values()
    per_token = engine.facts.shape.token_bytes
    assert [one.cost.held_bytes for one in whole] == [
        one.prompt_tokens * per_token for one in whole
    ]
    assert all("declared_cost" in one.notes for one in whole)


def test_a_patched_model_answers_beside_the_one_it_was_copied_from(tmp_path: Path) -> None:
    by_method = played(tmp_path, "ext.py:Louder", "ext.py:Same", "dense", "snapkv[tau=1/2]")
    assert ids(by_method["ext.py:Same"]) == ids(by_method["dense"])
    assert ids(by_method["ext.py:Louder"]) != ids(by_method["dense"])
    assert len(ids(by_method["snapkv[tau=1/2]"])) == 6


def test_ours_are_computed_as_before_when_another_attention_has_run(tmp_path: Path) -> None:
    engine = tiny("gqa")
    before = played(tmp_path, "dense", engine=engine)["dense"]
    played(tmp_path, "ext.py:Whole", engine=engine)
    assert engine.model.config._attn_implementation == "scbench"
    assert ids(played(tmp_path, "dense", engine=engine)["dense"]) == ids(before)


@pytest.mark.parametrize(
    ("name", "engine", "why"),
    [
        ("ext.py:Whole", ToyEngine(), "needs a transformer of the transformers package"),
        ("ext.py:Lost", None, "gives back the one to run"),
        ("ext.py:Broken", None, "there is no answer to choose"),
    ],
)
def test_what_cannot_answer_is_a_named_gap(
    tmp_path: Path, name: str, engine: Any, why: str
) -> None:
    (records,) = played(tmp_path, name, engine=engine).values()
    assert len(records) == 6
    assert all(one.failure is not None and why in one.failure.why for one in records)
