"""The resume key: it changes with everything that can move a number, and with nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, BadRecord
from scbench.ledger.cells import (
    PLAN,
    AnsweringModel,
    MadeBy,
    MethodFacts,
    Planned,
    SessionFacts,
    canonical_json,
    cell_key,
    cells,
    digest,
    keep_plan,
    read_plan,
)
from scbench.types import (
    PAPER_MODES,
    Answering,
    CompressAfter,
    Form,
    History,
    Mode,
    PromptSet,
    Protocol,
    Think,
    Truncate,
)

MODEL = AnsweringModel(
    name="toy",
    weights_digest="w",
    tokenizer_digest="t",
    template_digest="c",
    dtype="float32",
    device="cpu",
    engine="local/1 torch 2.13.0",
    settings={"chunk_tokens": 2048},
)
METHOD = MethodFacts(
    shown="snapkv",
    parameters="Method(compression=(SnapKV(tau=1/4),))",
    sources={"SnapKV: scbench.methods.compression.snapkv": "s"},
    data=("gates",),
)
MADE = MadeBy(model=MODEL, method=METHOD, code={"scbench.kv.store": "c"})
BASE: dict[str, Any] = {
    "session_digest": "d",
    "mode": Mode.MULTI_TURN,
    "made": MADE.digest,
    "protocol": Protocol(),
    "turns": 5,
    "form": Form.FULL,
    "sample": 0,
}
CHANGES: dict[str, dict[str, Any]] = {
    "session_digest": {"session_digest": "e"},
    "mode": {"mode": Mode.MULTI_REQUEST},
    "made": {"made": "other"},
    "turns": {"turns": 4},
    "protocol.prompts": {"protocol": Protocol(prompts=PromptSet.OFFICIAL)},
    "protocol.history": {"protocol": Protocol(history=History.MODEL)},
    "protocol.compress_after": {"protocol": Protocol(compress_after=CompressAfter.CONTEXT)},
    "protocol.truncate": {"protocol": Protocol(truncate=Truncate.MIDDLE)},
    "protocol.chat_template": {"protocol": Protocol(chat_template=False)},
    "protocol.max_new_tokens": {"protocol": Protocol(max_new_tokens=40)},
    "protocol.answering": {"protocol": Protocol(answering=Answering(temperature=0.5))},
    "form": {"form": Form.TINY},
    "sample": {"sample": 1},
}
OTHERS: dict[str, Any] = {
    "settings": {"chunk_tokens": 4096},
    "end_ids": (7,),
    "sources": {"SnapKV: scbench.methods.compression.snapkv": "t"},
    "data": (),
}
WAYS = (Think.ON, 5, 7, (("a", "1"),), 0.5, 0.9)  # another value for each field of Answering
MADE_CHANGES = {
    **{
        f"model.{f.name}": replace(
            MADE, model=replace(MODEL, **{f.name: OTHERS.get(f.name, "other")})
        )
        for f in fields(AnsweringModel)
    },
    **{
        f"method.{f.name}": replace(
            MADE, method=replace(METHOD, **{f.name: OTHERS.get(f.name, "other")})
        )
        for f in fields(MethodFacts)
    },
    "code.edited": replace(MADE, code={"scbench.kv.store": "d"}),
    "code.added": replace(MADE, code={"scbench.kv.store": "c", "scbench.kv.tail": "x"}),
}


def test_all_that_makes_an_answer_is_in_its_digest() -> None:
    digests = {name: made.digest for name, made in MADE_CHANGES.items()}
    assert len({MADE.digest, *digests.values()}) == len(digests) + 1


@pytest.mark.parametrize("name", CHANGES)
def test_the_key_changes_with(name: str) -> None:
    assert cell_key(**(BASE | CHANGES[name])) != cell_key(**BASE)


def test_all_the_changed_keys_differ_from_each_other() -> None:
    assert len({cell_key(**(BASE | change)) for change in CHANGES.values()}) == len(CHANGES)


def test_no_field_is_left_out_of_the_changes() -> None:
    wanted = {f"protocol.{f.name}" for f in fields(Protocol)} | (BASE.keys() - {"protocol"})
    assert wanted == CHANGES.keys()


def test_ways_of_answering_that_are_newer_than_a_key_leave_it_as_it_was() -> None:
    assert "answering" not in canonical_json(Protocol())
    told = [Answering(**{f.name: other}) for f, other in zip(fields(Answering), WAYS, strict=True)]
    assert len({cell_key(**BASE | {"protocol": Protocol(answering=one)}) for one in told}) == 6


def test_spelling_out_the_papers_default_changes_nothing() -> None:
    assert cell_key(
        **(BASE | {"protocol": Protocol(compress_after=CompressAfter.FIRST_QUERY)})
    ) == cell_key(**BASE)


def test_the_key_is_the_same_in_a_process_with_another_hash_seed_and_without_torch() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_cells as t; "
        "print(t.cell_key(**t.BASE)); sys.exit('torch' in sys.modules)"
    )
    got = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert got.stdout.strip() == cell_key(**BASE)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Dense:
    width: int = 1


@dataclass(frozen=True)
class AShape:
    width: int = 1


def test_canonical_json_is_pinned() -> None:
    value = {"b": (1, 1.0, True, None), "a": Colour.RED, "é": Dense()}
    assert canonical_json(value) == '{"a":"red","b":[1,1.0,true,null],"é":{"":"Dense","width":1}}'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, None),
        ("1", 1),
        ([], {}),
        (Dense(), AShape()),
        ("a\u0301", "á"),
        ([1], [[1]]),
    ],
    ids=repr,
)
def test_what_may_mean_different_things_gets_different_digests(one: object, other: object) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"), [((1, 2), [1, 2]), (0.0, -0.0), (Colour.RED, "red")], ids=repr
)
def test_what_means_the_same_gets_the_same_digest(one: object, other: object) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    "bad",
    [
        float("nan"),
        float("inf"),
        {1},
        b"x",
        print,
        {1: 2},
        Path("x"),
        Dense,
        "\ud800",
        {"deep": [{"er": float("nan")}]},
    ],
    ids=repr,
)
def test_what_has_no_one_spelling_is_refused(bad: object) -> None:
    with pytest.raises(BadConfig):
        canonical_json(bad)


def test_a_refusal_says_where() -> None:
    with pytest.raises(BadConfig, match=r"value\['deep'\]\[1\]\.width"):
        canonical_json({"deep": [0, Dense(width=float("nan"))]})  # type: ignore[arg-type]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=plain)
def test_canonical_json_is_json_and_says_the_same(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def grid(**changes: Any) -> list[Any]:
    session = SessionFacts(task="kv", length_tokens=4096, seed="a:0", turns=5, digest="d0")
    made_by = {"snapkv": MADE.digest, "dense": "m"}
    chosen = {"modes": PAPER_MODES, "made_by": made_by, "model": "toy", "protocol": Protocol()}
    return list(cells(session, **(chosen | changes)))


def test_the_grid_of_a_session_is_every_combination() -> None:
    got = [(cell.mode, cell.method) for cell in grid()]
    assert got == [(mode, method) for mode in PAPER_MODES for method in ("snapkv", "dense")]
    assert len({cell.key for cell in grid()}) == 4


def test_a_planned_cell_carries_the_key_of_its_parts() -> None:
    cell = grid()[0]
    assert cell.key == cell_key(**(BASE | {"session_digest": "d0"}))
    shown = (cell.task, cell.length_tokens, cell.seed, cell.model, cell.turns)
    assert shown == ("kv", 4096, "a:0", "toy", 5)


def test_the_plan_is_read_back(tmp_path: Path) -> None:
    assert read_plan(tmp_path) == Planned()
    keys = {cell.key for cell in grid()}
    keep_plan(tmp_path, keys, {"old": "our code changed"})
    assert read_plan(tmp_path) == Planned(keys=frozenset(keys), old={"old": "our code changed"})


def test_a_plan_from_before_there_were_checksums_is_read(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"keys": ["a", "b"]}))
    assert read_plan(tmp_path) == Planned(keys=frozenset({"a", "b"}))


@settings(max_examples=80)
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_flipped_bit_of_a_plan_is_taken(at: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keep_plan(folder, {"a" * 64, "b" * 64}, {})
        path = Path(folder) / PLAN
        plan, data = read_plan(folder), bytearray(path.read_bytes())
        data[at % len(data)] ^= 1 << bit
        path.write_bytes(bytes(data))
        try:
            read = read_plan(folder)
        except BadRecord:
            read = plan
        assert read == plan


@pytest.mark.parametrize("bad", ["", "[]", '{"keys":[1]}', '{"keys":', "{}", '{"keys":7}'])
def test_a_bad_plan_is_named(tmp_path: Path, bad: str) -> None:
    (tmp_path / PLAN).write_text(bad)
    with pytest.raises(BadRecord, match=r"plan\.json"):
        read_plan(tmp_path)
