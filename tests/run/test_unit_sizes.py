"""A run writes down which units its methods had, and holds them where it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scbench
from scbench.api import Result
from scbench.errors import BadConfig
from scbench.grid.settings import read_settings
from scbench.grid.words import typed_words
from scbench.ledger import manifest
from scbench.types import NOT_BINDING, Mode, Record

METHODS = "dense,snapkv[tau=1/4],quest[tau=1/8],a-shape[tau=1/4]"


def played(folder: Path, **more: Any) -> Result:
    words: dict[str, Any] = {"methods": METHODS, "sessions": 1, "turns": 2, "cost_sessions": 0}
    return scbench.run(
        models="toy", tasks="kv", length="512,4096", out=folder / "run", quiet=True, **words | more
    )


def of(records: list[Record], name: str, length: int, mode: Mode) -> Record:
    return next(
        one
        for one in records
        if one.method.startswith(name) and (one.length_tokens, one.mode) == (length, mode)
    )


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return list(played(tmp_path_factory.mktemp("scaled")).records())


@pytest.mark.slow
def test_every_record_says_its_units_and_dense_has_none(scaled: list[Record]) -> None:
    assert {one.method: sorted(one.units) for one in scaled} == {
        "dense": [],
        "snapkv[tau=1/4]": ["snapkv.kernel", "snapkv.window_tokens"],
        "quest[tau=1/8]": ["quest.page_tokens"],
        "a-shape[tau=1/4]": ["a-shape.init_tokens", "a-shape.local_tokens"],
    }


@pytest.mark.slow
def test_a_page_grows_with_the_context(scaled: list[Record]) -> None:
    pages = [
        of(scaled, "quest", length, Mode.MULTI_REQUEST).units["quest.page_tokens"]
        for length in (512, 4096)
    ]
    assert pages == [4, 16]


def test_the_questions_rows_vote_where_the_question_was_read(scaled: list[Record]) -> None:
    """Multi-turn compresses after the first question, multi-request after the bare context."""
    asked, bare = (
        of(scaled, "snapkv", 512, mode).units["snapkv.window_tokens"]
        for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
    )
    request = of(scaled, "dense", 512, Mode.MULTI_REQUEST)  # forks from the bare context
    budget = round((request.cost.hit_tokens or 0) / 4)
    assert bare == budget // 8
    question_tokens = request.prompt_tokens - (request.cost.hit_tokens or 0)
    assert asked == min(32, question_tokens)
    assert asked != bare


def test_fixed_units_are_spelled_out_and_the_same_at_every_length(tmp_path: Path) -> None:
    records = list(
        played(tmp_path, units="fixed", methods="quest[tau=1/8],snapkv[tau=1/4]").records()
    )
    assert {one.method for one in records} == {
        "quest[tau=1/8,page_tokens=4]",
        "snapkv[tau=1/4,window_tokens=16,kernel=7,pooling=max,voters=question]",
    }
    assert {one.units.get("quest.page_tokens", 4) for one in records} == {4}


def test_a_plan_tells_the_units_of_every_length() -> None:
    rows = scbench.api.plan(models="toy", tasks="kv", methods=METHODS, length="512,4096").rows
    assert [row.units["quest[tau=1/8]"] for row in rows] == [
        {"quest.page_tokens": 4},
        {"quest.page_tokens": 16},
    ]


def test_units_are_scaled_or_fixed_and_nothing_else() -> None:
    assert (
        read_settings(typed_words({"models": "toy", "tasks": "kv", "methods": "dense"})).units
        == "scaled"
    )
    with pytest.raises(BadConfig, match="scaled, fixed"):
        typed_words({"units": "literal"})


def test_a_preset_keeps_its_name_in_records_and_its_numbers_in_the_manifest(tmp_path: Path) -> None:
    named = "snapkv[preset=longbench]"
    result = played(tmp_path, methods=f"dense,{named}", turns=1)
    mine = [record for record in result.records() if record.method != "dense"]
    assert {record.method for record in mine} == {named}
    assert mine[0].units["snapkv.capacity_tokens"] == 4096
    short = [record for record in mine if record.length_tokens == 512]
    assert all(NOT_BINDING in record.notes for record in short)
    (model,) = manifest.read(result.folder)["runs"][-1]["models"]
    resolved = "snapkv[window_tokens=32,capacity_tokens=4096,kernel=7,pooling=max]"
    assert model["presets"] == {named: resolved}
    assert result.methods()[named]["resolved"] == resolved
    assert "budget not binding" in (result.folder / "report.md").read_text()
