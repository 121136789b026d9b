from __future__ import annotations

import json
from dataclasses import replace

import pytest

from prompts.texts import pairs_session, session_of, tokenizer
from scbench.errors import Mismatch, TooLong
from scbench.prompts import ByteTokenizer, Conversation
from scbench.prompts.truncate import middle_cut
from scbench.types import PAPER_MODES, History, Mode, Protocol, Role, Session, Span, Truncate

BYTES = ByteTokenizer()


def needed(session: Session, mode: Mode = Mode.MULTI_TURN, history: History = History.GOLD) -> int:
    talk = Conversation(session, BYTES, Protocol(history=history), mode)
    return max(
        len(talk.prompt(at, ["x"] * at).ids) + turn.max_new_tokens
        for at, turn in enumerate(session.turns)
    )


def short(
    policy: Truncate, missing: int, mode: Mode = Mode.MULTI_TURN, session: Session | None = None
) -> Conversation:
    session = session or pairs_session()
    return Conversation(
        session, BYTES, Protocol(truncate=policy), mode, needed(session, mode) - missing
    )


@pytest.mark.parametrize("mode", PAPER_MODES)
def test_a_window_that_just_fits_truncates_nothing_and_one_token_less_is_refused(
    mode: Mode,
) -> None:
    assert short(Truncate.REFUSE, 0, mode).truncated_tokens == 0
    with pytest.raises(TooLong) as error:
        short(Truncate.REFUSE, 1, mode)
    assert error.value.tokens == error.value.window_tokens + 1
    assert "--truncate middle" in str(error.value)


def test_drop_row_leaves_the_session_out() -> None:
    with pytest.raises(TooLong, match="leaves this session out"):
        short(Truncate.DROP_ROW, 1)


@pytest.mark.parametrize("mode", PAPER_MODES)
@pytest.mark.parametrize("missing", [1, 2, 301])
def test_middle_keeps_both_halves_of_the_first_prompt_and_every_turn_fits(
    missing: int, mode: Mode
) -> None:
    session = pairs_session()
    whole, cut = (
        Conversation(session, BYTES, Protocol(), mode),
        short(Truncate.MIDDLE, missing, mode),
    )
    first = whole.context.ids if mode is Mode.MULTI_REQUEST else whole.prompt(0).ids
    kept = cut.context.ids if mode is Mode.MULTI_REQUEST else cut.prompt(0).ids
    budget = len(first) - missing
    assert kept == first[: (budget + 1) // 2] + first[len(first) - budget // 2 :]
    assert cut.truncated_tokens == missing
    for at, turn in enumerate(session.turns):
        assert len(cut.prompt(at).ids) + turn.max_new_tokens <= cut.window_tokens  # type: ignore[operator]
        assert cut.delta(cut.context.ids, cut.prompt(at)) == whole.delta(
            whole.context.ids, whole.prompt(at)
        )


def test_head_keeps_the_start_of_the_context() -> None:
    whole, cut = (
        Conversation(pairs_session(), BYTES, Protocol(), Mode.MULTI_TURN),
        short(Truncate.HEAD, 200),
    )
    assert cut.context.ids == whole.context.ids[:-200]


@pytest.mark.parametrize("policy", [Truncate.MIDDLE, Truncate.HEAD])
def test_evidence_survives_exactly_where_all_of_it_is_still_in_the_text(policy: Truncate) -> None:
    session = pairs_session(turns=8)
    seen = set()
    for missing in range(1, 700, 41):
        cut = short(policy, missing, session=session)
        text = BYTES.decode(cut.context.ids)
        for at, turn in enumerate(session.turns):
            pair = session.context[turn.evidence[0].start : turn.evidence[0].stop]
            assert cut.evidence_survives(at) == (pair in text), (missing, at)
            seen.add(pair in text)
            for start, stop, role in cut.context.evidence(at):
                assert pair not in text or BYTES.decode(cut.context.ids[start:stop]) == (
                    pair if role is Role.SUPPORT else turn.gold
                )
    assert seen == {True, False}


def test_evidence_that_is_not_known_is_not_said_to_survive() -> None:
    unknown = session_of("qa_eng", "a long story about the mill " * 20, [("Where?", "mill")])
    assert short(Truncate.MIDDLE, 50, session=unknown).evidence_survives(0) is None
    assert short(Truncate.REFUSE, 0, session=unknown).evidence_survives(0) is True


def test_a_cut_that_would_reach_the_questions_is_refused() -> None:
    session = pairs_session(pairs=4)
    with pytest.raises(TooLong, match="questions"):
        short(Truncate.HEAD, len(session.context) + 90, session=session)
    for budget in (0, -5):
        assert middle_cut(100, budget).start < 0  # never everything, never nothing: an error


@pytest.mark.parametrize("missing", [1, 100, 600])
def test_task_aware_drops_whole_pairs_and_no_asked_one(missing: int) -> None:
    session = pairs_session(pairs=60)
    cut = short(Truncate.TASK_AWARE, missing, session=session)
    told = BYTES.decode(cut.context.ids)
    pairs = json.loads(told[told.index("{") :])
    assert 3 <= len(pairs) < 60
    assert cut.truncated_tokens >= missing
    for at, turn in enumerate(session.turns):
        assert turn.gold in pairs.values()
        assert cut.evidence_survives(at) is True
        ((a, b, _),) = [span for span in cut.context.evidence(at) if span[2] is Role.ANSWER]
        assert BYTES.decode(cut.context.ids[a:b]) == turn.gold
        assert len(cut.prompt(at).ids) + turn.max_new_tokens <= cut.window_tokens  # type: ignore[operator]


def test_task_aware_drops_the_same_units_every_time() -> None:
    assert short(Truncate.TASK_AWARE, 200).context == short(Truncate.TASK_AWARE, 200).context


def test_task_aware_names_what_it_cannot_do() -> None:
    numbers = session_of("mf", str(list(range(100, 200))), [("The largest number is", "199")])
    with pytest.raises(Mismatch, match="mf"):
        short(Truncate.TASK_AWARE, 10, session=numbers)
    with pytest.raises(Mismatch, match="turn 1"):
        short(
            Truncate.TASK_AWARE,
            10,
            session=session_of("qa_eng", "line\n" * 40, [("Where?", "mill")]),
        )
    with pytest.raises(TooLong, match="not enough"):
        short(Truncate.TASK_AWARE, 300, session=pairs_session(pairs=4))


def test_task_aware_drops_functions_whole() -> None:
    functions = [f"def f{at}(x):\n    y = x + {at}\n\n    return y" for at in range(12)]
    context = "\n\n\n".join(functions) + "\n"
    session = session_of("repoqa", context, [("the fifth", functions[4])])
    start = context.index(functions[4])
    asked = replace(
        session.turns[0], evidence=(Span(start, start + len(functions[4]), Role.SUPPORT),)
    )
    cut = short(Truncate.TASK_AWARE, 120, session=replace(session, turns=(asked,)))
    told = BYTES.decode(cut.context.ids).split(":\n\n", 1)[1]
    assert set(told.strip().split("\n\n\n")) < set(functions)
    assert functions[4] in told


def test_task_aware_does_not_search_a_text_without_units_for_ever() -> None:
    session = session_of("vt", "a " * 200_000, [("ASK", "AB")])
    asked = replace(session.turns[0], evidence=(Span(4, 5, Role.SUPPORT),))
    with pytest.raises(TooLong, match="not enough"):
        short(Truncate.TASK_AWARE, 9, session=replace(session, turns=(asked,)))


def test_own_answers_are_budgeted_at_their_longest_and_refused_beyond() -> None:
    session = pairs_session()
    window = needed(session, history=History.MODEL) + 60
    own = Protocol(history=History.MODEL)
    with pytest.raises(TooLong):
        Conversation(session, BYTES, own, Mode.MULTI_TURN, needed(session))
    talk = Conversation(session, BYTES, own, Mode.MULTI_TURN, window)
    with pytest.raises(TooLong):
        talk.prompt(2, ["y" * 200, "y"])


def test_chat_tags_stay_when_the_middle_goes() -> None:
    tok, session = tokenizer("chatml"), pairs_session(pairs=200)
    whole = Conversation(session, tok, Protocol(), Mode.MULTI_TURN)
    talk = Conversation(
        session,
        tok,
        Protocol(truncate=Truncate.MIDDLE),
        Mode.MULTI_TURN,
        len(whole.prompt(2).ids) - 500,
    )
    text = tok.raw.decode(talk.prompt(2).ids)
    assert text.startswith("<|im_start|>system")
    assert text.count("<|im_start|>user") == 3
