"""The tiny forms: the same sessions for ever, at their length, solvable by reading the context
alone, in words of the closed vocabulary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest

from scbench.errors import BadConfig, TooSmall
from scbench.lab.tokens import Count, tokenizer
from scbench.scoring import grade
from scbench.tasks import names, published, task
from scbench.tasks.build import digest_of, tolerance
from scbench.tasks.tiny.lexicon import GROUPS
from scbench.types import Form, Role, Session, Turn

ALL = pytest.mark.parametrize("name", names(Form.TINY))


def make(name: str, seed: str = "1000000", target: int = 512, turns: int = 0) -> Session:
    kind = task(name, Form.TINY)
    return kind.make(seed=seed, target=target, turns=turns or kind.turns, count=Count())


# --- readers of the context: what a person with the page in hand would answer ---------------------


def read_kv(context: str, ask: str) -> str:
    (found,) = re.findall(rf"(?<![a-z]){ask} (\d+)", context)
    return str(found)


def read_string(context: str, ask: str) -> str:
    first, last = ask.split("*")
    (found,) = {
        word
        for word in context.split()
        if word.startswith(first) and word.endswith(last) and len(word) == 8
    }
    return found


def read_chain(context: str, ask: str) -> str:
    (first,) = re.findall(rf"\b{ask} ([A-Z])", context)
    (second,) = re.findall(rf"\b{first} to ([A-Z])", context)
    return f"{first} to {second}"


def read_function(context: str, ask: str) -> str:
    (found,) = re.findall(rf"\b{ask} (def .*?; return \w+\(\))", context)
    return str(found)


def read_story(context: str, ask: str) -> str:
    return re.findall(rf"\b{ask} (\w+)", context)[-1]  # type: ignore[no-any-return]


def read_chinese(context: str, ask: str) -> str:
    return re.findall(rf"{ask} (..)", context)[-1]  # type: ignore[no-any-return]


def read_choice(context: str, ask: str) -> str:
    *options, question = re.findall(r"\w+ [A-D](?= )|(?<=D ).*", ask)
    answer = read_story(context, question)
    return next(option for option in options if option.split()[0] == answer)


def read_numbers(context: str, ask: str) -> str:
    numbers = [int(word) for word in context.split() if word != "~"]
    chosen = (
        [n for n in numbers if "odd" not in ask or n % 2]
        if "even" not in ask
        else [n for n in numbers if n % 2 == 0]
    )
    return str(max(chosen) if ask.startswith("largest") else min(chosen))


def read_shots(context: str, ask: str) -> str:
    kind = next(kind for kind, things in GROUPS.items() if ask in things)
    (label,) = {
        label for thing, label in re.findall(r"(\w+) (\w+)\.", context) if thing in GROUPS[kind]
    }
    assert not re.search(rf"\b{ask}\b", context), "the asked thing was shown"
    return label


def read_report(context: str, ask: str) -> str:
    if ask.startswith("key"):
        (found,) = re.findall(rf"\b{ask} (\d+)\.", context)
        return str(found)
    (line,) = re.findall(rf"\b{ask} [^.]*\.", context)
    return " ".join(re.findall(r"\w+=\d+", line))


def read_code_or_pair(context: str, ask: str) -> str:
    return read_function(context, ask) if " " in ask else read_kv(context, ask)


READERS: dict[str, Callable[[str, str], str]] = {
    "kv": read_kv,
    "prefix_suffix": read_string,
    "vt": read_chain,
    "repoqa": read_function,
    "qa_eng": read_story,
    "qa_chn": read_chinese,
    "choice_eng": read_choice,
    "mf": read_numbers,
    "many_shot": read_shots,
    "summary": read_report,
    "summary_with_needles": read_report,
    "repoqa_and_kv": read_code_or_pair,
}


@ALL
def test_the_context_alone_answers_every_turn(name: str) -> None:
    for seed in range(6):
        session = make(name, str(1_000_000 + seed), target=(128, 300, 1024)[seed % 3])
        for turn in session.turns:
            assert READERS[name](session.context, turn.ask) == turn.gold, (
                session.context,
                turn.ask,
            )


@ALL
def test_the_gold_scores_one_and_another_answer_less(name: str) -> None:
    session = make(name)
    for turn in session.turns:
        assert strict(name, turn, turn.gold) == 1.0
        assert strict(name, turn, f" {turn.gold}") == 1.0
        others = {
            other.gold
            for other in session.turns
            if other.gold != turn.gold and other.task == turn.task
        }
        assert all(strict(name, turn, other) < 1.0 for other in others), turn.ask
        assert strict(name, turn, "") == 0.0


def strict(name: str, turn: Turn, answer: str) -> float:
    found = grade(turn.task, answer, turn.wanted, rule="strict", within=name).value
    assert found is not None
    return found


@ALL
def test_a_session_has_its_length_and_its_seal(name: str) -> None:
    for target in (128, 257, 1000, 2048):
        session = make(name, target=target)
        assert abs(session.counted - target) <= tolerance(target)
        assert Count()(session.context) == session.counted
        assert digest_of(session) == session.digest
        assert session.recipe["form"] == "tiny"


@ALL
def test_evidence_marks_the_answer_or_everything(name: str) -> None:
    for seed in range(4):
        session = make(name, str(seed))
        for turn in session.turns:
            marked = [
                session.context[span.start : span.stop]
                for span in turn.evidence
                if span.role is Role.ANSWER
            ]
            if marked and name != "choice_eng":
                assert all(part in turn.gold or turn.gold in part for part in marked), (
                    marked,
                    turn.gold,
                )
            assert turn.evidence, turn.ask


@ALL
def test_every_token_is_of_the_closed_vocabulary(name: str) -> None:
    tokens = tokenizer()
    session = make(name)
    for text in (
        session.context,
        *(turn.ask for turn in session.turns),
        *(turn.gold for turn in session.turns),
    ):
        found = tokens.encode(text)
        assert tokens.decode(found.ids) == text
        assert not any(
            "<0x" in token for token in tokens.raw.convert_ids_to_tokens(list(found.ids))
        )


def test_sessions_of_this_version_do_not_change() -> None:
    """A change here means other sessions under the same name, and lab models trained on something
    else: raise the version, train again.
    """
    hashed = hashlib.sha256()
    for name in names(Form.TINY):
        kind = task(name, Form.TINY)
        for target in (130, 700):
            hashed.update(
                kind.make(seed="11:3", target=target, turns=4, count=Count()).digest.encode()
            )
    assert hashed.hexdigest()[:16] == "653b1be29598d986"


class Blind:
    name = "blind"

    def __call__(self, text: str) -> int:
        return 7


def test_a_counter_that_cannot_see_the_filler_is_refused() -> None:
    with pytest.raises(BadConfig, match="blind counts no tokens in 64 units of filler"):
        task("qa_chn", Form.TINY).make(seed="1", target=256, turns=2, count=Blind())


def test_another_seed_is_another_session() -> None:
    assert all(make(name, "1").context != make(name, "2").context for name in names(Form.TINY))


@ALL
def test_a_length_too_short_says_how_long_it_must_be(name: str) -> None:
    with pytest.raises(TooSmall, match=r"Ask for at least|or for fewer turns"):
        make(name, target=4)


def test_more_turns_than_the_vocabulary_holds_are_refused() -> None:
    with pytest.raises(BadConfig, match="at most 6 different turns, 7"):
        make("mf", turns=7)
    with pytest.raises(BadConfig, match="takes"):
        task("kv", Form.TINY).make(seed="1", target=256, turns=2, count=Count(), digits=3)


def test_the_full_and_the_tiny_form_of_a_task_share_name_title_and_ability() -> None:
    for name in names(Form.TINY):
        tiny, full = task(name, Form.TINY), task(name)
        assert (tiny.name, tiny.title, tiny.ability, set(tiny.subtasks)) == (
            full.name,
            full.title,
            full.ability,
            set(full.subtasks),
        )


def test_published_rows_are_not_read_as_tiny() -> None:
    with pytest.raises(BadConfig, match="no published rows"):
        published.read(task("kv", Form.TINY), "anywhere")
