"""A file of data is a task, or is refused with file, line and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scbench.errors import BadConfig, BadRow
from scbench.scoring import grade
from scbench.tasks import data_file
from scbench.tasks.data_file import read_task
from scbench.types import Role, Score

TURN = {"question": "Who sang?", "answers": ["Ada"]}
SESSION = {"context": "Ada sang. Ben sang not.", "turns": [TURN]}


def write(folder: Path, *rows: object, name: str = "my-data.jsonl") -> str:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def graded(folder: Path, about: dict[str, Any], turn: dict[str, Any], answer: str) -> Score:
    from scbench import task_cards

    place = write(folder, {"task": about}, {**SESSION, "turns": [turn]})
    found = read_task(place)
    task_cards.bring(found.card)
    asked = found.given[0].turns[0]
    return grade(asked.task, answer, asked.wanted, rule="strict", within=found.name)


def test_sessions_alone_are_a_task_named_as_the_file(tmp_path: Path) -> None:
    found = read_task(write(tmp_path, SESSION, SESSION))
    assert (found.name, found.title, found.ability) == ("my_data", "my_data", "Other")
    assert len(found.given) == 2
    assert found.given[0].turns[0].max_new_tokens == 40
    assert found.given[0].digest != found.given[1].digest  # equal lines are two sessions
    assert found.card.subtasks[0].strict == "contains"
    with pytest.raises(BadConfig, match="those of the file"):
        found.make(seed="0", target=100, turns=1, count=len)


def test_the_first_line_says_the_rest(tmp_path: Path) -> None:
    about = {
        "name": "songs",
        "title": "Songs",
        "ability": "Global",
        "scorer": "exact",
        "head": "Read this.",
        "ask": "Q: {ask}",
        "hint": "Be brief.",
        "limit_tokens": 7,
        "chance": 0.5,
        "is_short": False,
    }
    card = read_task(write(tmp_path, {"task": about}, SESSION)).card
    part = card.subtasks[0]
    assert (card.name, card.title, card.ability, card.head) == (
        "songs",
        "Songs",
        "Global",
        "Read this.",
    )
    assert (part.strict, part.ask, part.hint) == ("exact", "Q: {ask}", "Be brief.")
    assert (part.limit_tokens, part.chance, part.is_short) == (7, 0.5, False)


def test_quoted_evidence_and_characters_say_the_same(tmp_path: Path) -> None:
    quoted = {**TURN, "evidence": ["Ada sang."]}
    counted = {**TURN, "evidence": [[0, 9]]}
    found = read_task(write(tmp_path, {**SESSION, "turns": [quoted, counted]}))
    session = found.given[0]
    first, second = session.turns
    assert first.evidence == second.evidence
    texts = {span.role: session.context[span.start : span.stop] for span in first.evidence}
    assert texts == {Role.SUPPORT: "Ada sang.", Role.ANSWER: "Ada"}
    assert first.depth == pytest.approx(1.5 / len(session.context))


def test_a_choice_is_asked_with_its_options_and_answered_by_letter_or_text(tmp_path: Path) -> None:
    turn = {**TURN, "options": ["Ben", "Ada"]}
    place = write(tmp_path, {"task": {"scorer": "choice"}}, {**SESSION, "turns": [turn]})
    asked = read_task(place).given[0].turns[0]
    assert asked.ask == "Who sang?\n(A) Ben\n(B) Ada"
    assert asked.gold == "B"
    about = {"scorer": "choice"}
    assert graded(tmp_path, about, turn, "B").value == 1.0
    assert graded(tmp_path, about, turn, "Ada").value == 1.0
    assert graded(tmp_path, about, turn, "A").value == 0.0


@pytest.mark.parametrize(
    ("scorer", "right", "wrong"),
    [
        ("contains", "It was Ada, I think.", "It was Adam."),
        ("exact", "ada.", "It was Ada."),
        ("f1", "the Ada", "Ben"),
    ],
)
def test_scorers_of_the_library_read_answers(
    scorer: str, right: str, wrong: str, tmp_path: Path
) -> None:
    assert graded(tmp_path, {"scorer": scorer}, TURN, right).value == 1.0
    assert graded(tmp_path, {"scorer": scorer}, TURN, wrong).value == 0.0


def test_numbers_are_answers(tmp_path: Path) -> None:
    turn = {"question": "How many?", "answers": [57]}
    assert graded(tmp_path, {"scorer": "number"}, turn, "There are 57.").value == 1.0
    assert graded(tmp_path, {"scorer": "number"}, turn, "57 or 58").value == 0.0


def test_a_file_as_other_systems_write_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(SESSION).encode() + b"\r\n\r\n")
    assert len(read_task(str(file)).given) == 1


def test_a_changed_file_is_read_again_and_an_equal_one_is_not(tmp_path: Path) -> None:
    place = write(tmp_path, SESSION)
    first = read_task(place)
    assert read_task(place) is first
    second = read_task(write(tmp_path, {**SESSION, "context": "Ada sang again."}))
    assert second.given[0].digest != first.given[0].digest
    assert second.origin != first.origin


WRONG: list[tuple[str, list[object], str]] = [
    ("nothing", [], "holds no session"),
    ("only the task", [{"task": {"title": "T"}}], "holds no session"),
    ("a list", [[1]], r"line 1 is \[1\]; a line is"),
    ("no context", [{"turns": [TURN]}], "line 1: 'context' is missing"),
    ("an empty context", [{**SESSION, "context": " "}], "line 1: 'context' is ' '"),
    ("no turns", [SESSION, {"context": "c"}], "line 2: 'turns' is missing"),
    ("turns of text", [{**SESSION, "turns": ["Who?"]}], "line 1, turn 1 is 'Who\\?'"),
    ("a stray field", [{**SESSION, "id": 3}], "line 1 has 'id'; a session has context, turns"),
    (
        "a stray field of a turn",
        [{**SESSION, "turns": [{**TURN, "answer": "x"}]}],
        "line 1, turn 1 has 'answer'; a turn has question, answers, options",
    ),
    (
        "no question",
        [{**SESSION, "turns": [TURN, {"answers": ["x"]}]}],
        "line 1, turn 2: 'question' is missing",
    ),
    (
        "answers as text",
        [{**SESSION, "turns": [{**TURN, "answers": "Ada"}]}],
        "'answers' is 'Ada'; it is a list of texts or numbers",
    ),
    (
        "an empty answer",
        [{**SESSION, "turns": [{**TURN, "answers": [" "]}]}],
        "'answers' is .* none empty",
    ),
    (
        "evidence that stands there twice",
        [{**SESSION, "turns": [{**TURN, "evidence": ["sang"]}]}],
        "the evidence 'sang' stands in the context 2 times",
    ),
    (
        "evidence that does not",
        [{**SESSION, "turns": [{**TURN, "evidence": ["Cleo"]}]}],
        "the evidence 'Cleo' stands in the context 0 times",
    ),
    (
        "evidence beyond the end",
        [{**SESSION, "turns": [{**TURN, "evidence": [[3, 99]]}]}],
        r"the evidence \[3, 99\] is no place in a context of 23 characters",
    ),
    (
        "a limit of nothing",
        [{**SESSION, "turns": [{**TURN, "limit_tokens": 0}]}],
        "'limit_tokens' is 0; it is a whole number from 1",
    ),
    (
        "an answer that is no option",
        [{**SESSION, "turns": [{**TURN, "options": ["Ben", "Cleo"]}]}],
        "the text or the letter of one of the options",
    ),
    ("a scorer of nobody", [{"task": {"scorer": "rouge"}}, SESSION], "there is no scorer 'rouge'"),
    ("a word about nothing", [{"task": {"scorers": "f1"}}, SESSION], "line 1 has 'scorers'"),
    (
        "a chance as text",
        [{"task": {"chance": "half"}}, SESSION],
        "'chance' is 'half'; it is a number",
    ),
    ("a limit as text", [{"task": {"limit_tokens": True}}, SESSION], "it is a whole number"),
    ("a chance beyond 1", [{"task": {"chance": 1.5}}, SESSION], "chance is 1.5"),
    ("a name with blanks", [{"task": {"name": "my task"}}, SESSION], "a small letter, then"),
    ("the task and a session in one line", [{"task": {}, **SESSION}], "and nothing else"),
    ("the head of another column", [{"task": {"ability": "Overall"}}, SESSION], "another group"),
]


@pytest.mark.parametrize(("rows", "said"), [(rows, said) for _, rows, said in WRONG],
                         ids=[what for what, _, _ in WRONG])  # fmt: skip
def test_data_of_another_shape_is_refused(rows: list[object], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadRow, match=said) as caught:
        read_task(write(tmp_path, *rows))
    assert "my-data.jsonl" in str(caught.value)


def test_what_is_no_json_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps(SESSION) + "\n\n{no}\n")
    with pytest.raises(BadRow, match="line 3 is not JSON"):
        read_task(str(file))
    assert str(file) not in data_file._READ
