"""Somebody's own object as a method: how it is written, known, and kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.doctor import doctor
from scbench.grid.identity import card_of, method_facts
from scbench.methods import parse, refuse_twins
from scbench.methods.fork import fork
from scbench.methods.method import Method

CODE = '''"""A runner of somebody's."""


class Runner:
    """Answers with its own size."""

    about = "Says how large it is."

    def __init__(self, size: int = 3, *, tag: str = "x", exact: bool = False, ratio: float = 0.5):
        self.size = size

    def open(self, prompt):
        return []

    def ask(self, handle, prompt, limit_tokens):
        return str(self.size)

    def close(self, handle):
        handle.clear()


class Needy(Runner):
    def __init__(self, where):
        self.where = where


class Half:
    def open(self, prompt):
        return []
'''


@pytest.fixture
def ext(tmp_path: Path) -> str:
    (tmp_path / "ext.py").write_text(CODE, encoding="utf-8")
    return f"{tmp_path}/ext.py"


def test_a_class_with_open_ask_and_close_is_a_method(ext: str) -> None:
    method = parse(f"{ext}:Runner[size=5]")
    assert method.is_foreign
    assert method.foreign is not None
    first, second = method.foreign.make(), method.foreign.make()
    assert first is not second
    assert first.ask(None, None, 1) == "5"


def test_a_stage_of_ours_is_no_black_box() -> None:
    assert not parse("snapkv").is_foreign


def test_it_is_shown_by_file_and_class_and_written_with_its_path(ext: str) -> None:
    method = parse(f"{ext}:Runner[exact=yes,size=5,ratio=0.5]")
    assert str(method) == "ext.py:Runner[size=5,exact=yes]"
    assert parse(method.spelling) == method
    assert str(parse(f"mine={ext}:Runner")) == "mine"


def test_its_parameters_are_the_keywords_of_its_constructor(ext: str) -> None:
    with pytest.raises(BadConfig, match="takes size, tag, exact, ratio"):
        parse(f"{ext}:Runner[sise=5]")
    with pytest.raises(BadConfig, match="whole number"):
        parse(f"{ext}:Runner[size=big]")
    with pytest.raises(BadConfig, match=r"must be given \[where=...\]"):
        parse(f"{ext}:Needy")
    made = parse(f"{ext}:Needy[where=here]").foreign
    assert made is not None
    assert made.make().where == "here"


def test_it_is_joined_with_nothing(ext: str) -> None:
    with pytest.raises(Mismatch, match="joined with nothing"):
        parse(f"{ext}:Runner+kivi")
    with pytest.raises(Mismatch, match="joined with nothing"):
        Method(foreign=parse(f"{ext}:Runner").foreign, loading=parse("quest").loading)


def test_a_class_that_is_neither_is_told_both_ways(ext: str) -> None:
    with pytest.raises(BadConfig, match="open, ask and close"):
        parse(f"{ext}:Half")


def test_it_is_known_by_its_source_and_its_parameters(ext: str) -> None:
    before, other = parse(f"{ext}:Runner"), parse(f"{ext}:Runner[size=4]")
    assert not before.is_ours
    assert method_facts(before) != method_facts(other)
    Path(ext).write_text(CODE.replace("str(self.size)", "'?'"), encoding="utf-8")
    after = parse(f"{ext}:Runner")
    assert after.source_digest != before.source_digest
    with pytest.raises(BadConfig, match="two methods"):
        refuse_twins([before, after])


def test_its_key_does_not_hold_where_the_file_lies(ext: str, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "ext.py"
    moved.parent.mkdir()
    moved.write_text(CODE, encoding="utf-8")
    assert method_facts(parse(f"{ext}:Runner")) == method_facts(parse(f"{moved}:Runner"))


def test_its_card_stays_with_the_run(ext: str) -> None:
    card = card_of(parse(f"{ext}:Runner[size=5]"))
    assert (card["stage"], card["category"]) == ("none", "black box")
    assert card["stages"][0]["about"] == "Says how large it is."
    assert card["origins"][0]["class"] == "Runner"


def test_no_formula_and_no_law_speaks_of_its_bytes(ext: str) -> None:
    method, shape = parse(f"{ext}:Runner"), tiny("gqa").facts.shape
    method.check(shape=shape, tokens=100)
    assert method.units(shape=shape, tokens=100) == {}
    with pytest.raises(Mismatch, match="declares"):
        method.held_bytes(shape=shape, tokens=100)
    with pytest.raises(Mismatch, match="no cache is forked"):
        fork(tiny("gqa").read(list(range(40, 60))), method)
    with pytest.raises(BadConfig, match="no law can look"):
        doctor(f"{ext}:Runner")
