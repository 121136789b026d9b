"""The resume key: it changes with everything that can move a number, and with nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scbench.errors import BadConfig, BadRecord
from scbench.run.cells import (
    CODE_VERSIONS,
    PLAN,
    CodeFacts,
    MethodFacts,
    ModelFacts,
    SessionFacts,
    canonical_json,
    cell_key,
    cells,
    digest,
    keep_plan,
    read_plan,
)
from scbench.types import CompressAfter, Form, History, Mode, PromptSet, Protocol, Truncate

MODEL = ModelFacts(
    name="toy",
    weights_digest="w",
    tokenizer_digest="t",
    template_digest="c",
    dtype="float32",
    device="cpu",
    engine="local/1 torch 2.13.0",
    settings={"chunk_tokens": 2048},
)
CODE = CodeFacts(
    task_version=1, rules=("strict/1", "official/1"), scbench="0.1.0", rooms={"kv": 1, "methods": 1}
)
BASE: dict[str, Any] = {
    "session_digest": "d",
    "mode": Mode.MULTI_TURN,
    "method": MethodFacts(spelling="snapkv", parameters={"tau": 0.25, "window_tokens": 32}),
    "model": MODEL,
    "protocol": Protocol(),
    "turns": 5,
    "code": CODE,
    "form": Form.FULL,
}
PINNED = "ff97eee2e54647d52633536f1b17d17b8c8f19fad3656633a9c74a6c28a9d9ed"
CHANGES: dict[str, dict[str, Any]] = {
    "session_digest": {"session_digest": "e"},
    "mode": {"mode": Mode.MULTI_REQUEST},
    "method.spelling": {"method": replace(BASE["method"], spelling="snapkv[tau=1/2]")},
    "method.parameters": {
        "method": replace(BASE["method"], parameters={"tau": 0.25, "window_tokens": 33})
    },
    "turns": {"turns": 4},
    "protocol.prompts": {"protocol": Protocol(prompts=PromptSet.OFFICIAL)},
    "protocol.history": {"protocol": Protocol(history=History.MODEL)},
    "protocol.compress_after": {"protocol": Protocol(compress_after=CompressAfter.CONTEXT)},
    "protocol.truncate": {"protocol": Protocol(truncate=Truncate.MIDDLE)},
    "protocol.chat_template": {"protocol": Protocol(chat_template=False)},
    "protocol.max_new_tokens": {"protocol": Protocol(max_new_tokens=40)},
    **{
        f"model.{f.name}": {"model": replace(MODEL, **{f.name: "other"})}
        for f in fields(ModelFacts)
        if f.name != "settings"
    },
    "model.settings": {"model": replace(MODEL, settings={"chunk_tokens": 4096})},
    "form": {"form": Form.TINY},
    "code.task_version": {"code": replace(CODE, task_version=2)},
    "code.rules": {"code": replace(CODE, rules=("strict/2", "official/1"))},
    "code.scbench": {"code": replace(CODE, scbench="0.1.1")},
    "code.rooms": {"code": replace(CODE, rooms={"kv": 1, "methods": 2})},
}


def test_the_key_of_this_cell_is_the_same_for_ever() -> None:
    assert cell_key(**BASE) == PINNED


@pytest.mark.parametrize("name", CHANGES)
def test_the_key_changes_with(name: str) -> None:
    assert cell_key(**(BASE | CHANGES[name])) != cell_key(**BASE)


def test_all_the_changed_keys_differ_from_each_other() -> None:
    assert len({cell_key(**(BASE | change)) for change in CHANGES.values()}) == len(CHANGES)


def test_no_field_is_left_out_of_the_changes() -> None:
    parts = {"protocol": Protocol, "model": ModelFacts, "code": CodeFacts, "method": MethodFacts}
    wanted = {f"{part}.{f.name}" for part, kind in parts.items() for f in fields(kind)} | (
        BASE.keys() - parts.keys()
    )
    assert wanted == CHANGES.keys()


def test_spelling_out_the_papers_default_changes_nothing() -> None:
    assert cell_key(
        **(BASE | {"protocol": Protocol(compress_after=CompressAfter.FIRST_QUERY)})
    ) == cell_key(**BASE)


def test_the_order_of_parameters_changes_nothing() -> None:
    turned = replace(BASE["method"], parameters={"window_tokens": 32, "tau": 0.25})
    assert cell_key(**(BASE | {"method": turned})) == cell_key(**BASE)


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


def sessions(n: int = 2, turns: int = 5) -> list[SessionFacts]:
    return [
        SessionFacts(
            task="kv", length_tokens=4096, seed=f"a:{i}", turns=turns, digest=f"d{i}", code=CODE
        )
        for i in range(n)
    ]


def grid(**changes: Any) -> list[Any]:
    methods = [BASE["method"], MethodFacts(spelling="dense", parameters={})]
    given_ = {"modes": list(Mode), "methods": methods, "model": MODEL, "protocol": Protocol()}
    return list(cells(sessions(), **(given_ | changes)))


def test_the_grid_is_every_combination_session_by_session() -> None:
    got = [(cell.session_digest, cell.mode, cell.method) for cell in grid()]
    assert got == [
        (d, mode, method) for d in ("d0", "d1") for mode in Mode for method in ("snapkv", "dense")
    ]
    assert len({cell.key for cell in grid()}) == 8


def test_a_method_named_twice_is_planned_once() -> None:
    assert len(grid(methods=[BASE["method"], BASE["method"]])) == 4


def test_a_planned_cell_carries_the_key_of_its_parts() -> None:
    cell = grid()[0]
    assert cell.key == cell_key(**(BASE | {"session_digest": "d0"}))
    assert (cell.task, cell.length_tokens, cell.seed, cell.model, cell.turns) == (
        "kv",
        4096,
        "a:0",
        "toy",
        5,
    )


@pytest.mark.parametrize(("most", "turns"), [(None, 5), (3, 3), (9, 5)])
def test_max_turns_only_cuts(most: int | None, turns: int) -> None:
    assert {cell.turns for cell in grid(max_turns=most)} == {turns}


def test_max_turns_of_zero_is_refused() -> None:
    with pytest.raises(BadConfig):
        grid(max_turns=0)


def test_the_plan_is_read_back(tmp_path: Path) -> None:
    assert read_plan(tmp_path) == frozenset()
    keep_plan(tmp_path, grid())
    assert read_plan(tmp_path) == {cell.key for cell in grid()}


@pytest.mark.parametrize("bad", ["", "[]", '{"keys":[1]}', '{"keys":', "{}", '{"keys":7}'])
def test_a_bad_plan_is_named(tmp_path: Path, bad: str) -> None:
    (tmp_path / PLAN).write_text(bad)
    with pytest.raises(BadRecord, match=r"plan\.json"):
        read_plan(tmp_path)


def test_code_versions_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        CODE_VERSIONS["kv"] = 2  # type: ignore[index]
