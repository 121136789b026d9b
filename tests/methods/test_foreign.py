"""Somebody's own object as a method: how it is written, known, and kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from scbench.api import run
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.doctor import doctor
from scbench.grid.identity import card_of, method_facts
from scbench.methods import parse, refuse_twins
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.methods.objects import all_spelled, spelled
from scbench.options import RunWords

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


def test_a_class_that_lacks_one_verb_is_told_which(tmp_path: Path) -> None:
    (tmp_path / "almost.py").write_text(
        "class Runner:\n"
        "    def open(self, prompt): return []\n"
        "    def ask(self, handle, prompt, limit_tokens): return ''\n",
        encoding="utf-8",
    )
    with pytest.raises(BadConfig, match=r"Runner lacks close: define close\(self, handle\)"):
        parse(f"{tmp_path}/almost.py:Runner")


class Echo:
    """Says its word; counts what it was asked."""

    def __init__(self, word: str = "hm", *, times: int = 1, helper: object = None) -> None:
        self.word = word
        self.times = times
        self.helper = helper
        self.asked = 0

    def open(self, prompt: object) -> list[object]:
        return [prompt]

    def ask(self, handle: list[object], prompt: object, limit_tokens: int) -> str:
        self.asked += 1
        return self.word * self.times

    def close(self, handle: list[object]) -> None:
        handle.clear()


def test_an_object_in_hand_is_a_method_and_answers_itself() -> None:
    echo = Echo("ja", times=2)
    method = parse(spelled(echo))
    assert str(method) == "Echo[word=ja,times=2]"
    assert method.foreign is not None
    assert method.foreign.make() is echo
    assert parse(spelled(Echo("ja", times=2))) == method != parse(spelled(Echo("ja")))


def test_a_class_in_hand_makes_an_object_for_each_cell() -> None:
    method = parse(spelled(Echo))
    assert method.foreign is not None
    assert str(method) == "Echo"
    assert method.foreign.make() is not method.foreign.make()


def test_an_object_whose_parts_cannot_be_told_meets_no_other_objects_answers() -> None:
    one, other = Echo(helper=object()), Echo(helper=object())
    facts = [method_facts(parse(spelled(echo))) for echo in (one, other, one)]
    assert facts[0] == facts[2] != facts[1]
    assert method_facts(parse(spelled(Echo()))) == method_facts(parse(spelled(Echo())))


def test_objects_whose_parts_cannot_be_told_are_shown_apart() -> None:
    one, other = (parse(spelled(Echo(helper=object()))) for _ in range(2))
    assert str(one).startswith("Echo[helper=object~")
    assert str(one) != str(other)
    refuse_twins([one, other])


def test_two_classes_of_one_name_are_refused_and_so_is_a_name_of_ours() -> None:
    other = type("Echo", (Echo,), {"__module__": __name__})
    with pytest.raises(BadConfig, match="two classes that are called 'Echo'"):
        all_spelled([Echo, other])
    assert all_spelled(["dense", Echo(), Echo]) == ["dense", "Echo"]
    with pytest.raises(BadConfig, match="has a method of that name"):
        spelled(type("Quest", (Echo,), {}))


def test_an_object_is_known_by_the_words_it_had_when_it_was_handed_over() -> None:
    echo = Echo("ja")
    first = spelled(echo)
    echo.word = "nein, [danke]"
    assert first.endswith("Echo[word=ja]")
    assert spelled(echo).endswith("Echo[word=str~" + spelled(echo)[-7:])


def test_a_cache_in_hand_is_refused_since_each_context_needs_a_new_one() -> None:
    from transformers import DynamicCache

    with pytest.raises(BadConfig, match="give its class"):
        spelled(DynamicCache())


def test_an_object_that_is_no_method_is_told_what_it_lacks() -> None:
    class Silent:
        def open(self, prompt: object) -> None: ...

    with pytest.raises(BadConfig, match="Silent lacks ask and close"):
        spelled(Silent())
    with pytest.raises(BadConfig, match="methods has a list"):
        spelled([])


def test_a_run_takes_an_object_of_ones_own(tmp_path: Path) -> None:
    echo = Echo("no")
    words: RunWords = {"model": "toy", "tasks": "kv", "length": 512, "sessions": 1, "turns": 2}
    result = run(
        methods=["dense", echo],
        modes="multi-request",
        cost_sessions=0,
        out=tmp_path / "out",
        quiet=True,
        **words,
    )
    answers = {
        record.answer.text
        for record in result.records()
        if record.method == "Echo[word=no]" and record.answer is not None
    }
    assert (answers, echo.asked) == ({"no"}, 2)
    again = run(
        methods=["dense", Echo("no")],
        modes="multi-request",
        cost_sessions=0,
        out=tmp_path / "out",
        quiet=True,
        **words,
    )
    assert again.settings().methods == ("dense", "Echo[word=no]")
    assert len(again.records()) == len(result.records())
    assert echo.asked == 2, "what is known is not asked again"
