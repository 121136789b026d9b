"""What a run would read, ask and answer, task by task; nothing is generated.

Generated sessions have the length that was asked for. Published ones have the length of their rows
on disk: these are read, and counted by the model's tokenizer where it is here, else by bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING

from scbench.errors import BadRow, Unknown
from scbench.grid.settings import Settings
from scbench.grid.task_places import task_at
from scbench.prompts.template_check import thought_tokens
from scbench.tasks import NoTinyForm
from scbench.tasks.contract import Task
from scbench.tasks.tiny.form import MOST_ANSWER_TOKENS
from scbench.types import Form, Session

if TYPE_CHECKING:
    from scbench.prompts import Tokenizer

ASK_TOKENS = 60  # of a turn's question and template, about
LEAST_ASK_TOKENS = 8
GOLD_TOKENS = 24  # most of a gold answer that are fed (`run.gold`, which needs torch)
BYTES_A_TOKEN = 4.0  # of text in UTF-8, where no tokenizer is here
SAMPLE_CHARS = 20_000  # of a text, to learn how many characters a token has
OTHER_EXPECTED = (3, 30)  # answer tokens, where no turn says more
TINY_EXPECTED = (2, 20)
LEAST_THOUGHT = 8  # a short thought is this part of its budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One task at one length. Tuples have an entry a turn."""

    task: str
    asked_tokens: int  # 0 for published rows
    length_tokens: int  # of a context, mean
    least_tokens: int  # of the shortest context
    sessions: int
    limits: tuple[int, ...]  # most tokens of an answer, its thought among them
    expected: tuple[tuple[int, int], ...]  # tokens of an answer, low and high

    @property
    def turns(self) -> int:
        return len(self.limits)

    @property
    def least_prompt_tokens(self) -> int:
        """What the smallest prompt needs at least, with the room its answer is given."""
        return self.least_tokens + LEAST_ASK_TOKENS + min(self.limits)

    def expected_prompt_tokens(self, *, carries_on: bool) -> int:
        """What the largest prompt needs, about; in multi-turn mode it `carries_on` all before."""
        before = 0
        if carries_on:
            before = sum(ASK_TOKENS + high for _, high in self.expected[:-1])
        return self.length_tokens + before + ASK_TOKENS + max(self.limits)


def workloads(
    settings: Settings, form: Form = Form.FULL, tokenizer: Tokenizer | None = None
) -> list[Workload]:
    """A workload per task and length, in the order of a run.

    Tasks without this form are left out, and a run says so. Raises what reading data raises:
    Unknown, BadRow, MissingExtra; Unknown too where no task has the form.
    """
    room = thought_tokens(tokenizer, settings.protocol) if tokenizer is not None else 0
    return [_with_thoughts(load, room) for load in _answers(settings, form, tokenizer)]


def _answers(settings: Settings, form: Form, tokenizer: Tokenizer | None) -> list[Workload]:
    """What is read, asked and answered, thoughts aside."""
    if not settings.is_generated:
        return _published(settings, tokenizer)
    kinds = kinds_of(settings, form)
    lengths = settings.lengths_tokens
    generated = [kind for kind in kinds if not kind.given]
    loads = [_generated(settings, kind, form, length) for length in lengths for kind in generated]
    given = [kind for kind in kinds if kind.given]
    return loads + [
        _of_sessions(settings, kind, kind.given[: settings.sessions], tokenizer) for kind in given
    ]


def _with_thoughts(load: Workload, room_tokens: int) -> Workload:
    """With a thought of at most `room_tokens` before every answer."""
    least = room_tokens // LEAST_THOUGHT
    return replace(
        load,
        limits=tuple(limit + room_tokens for limit in load.limits),
        expected=tuple((low + least, high + room_tokens) for low, high in load.expected),
    )


def kinds_of(settings: Settings, form: Form) -> list[Task]:
    """The tasks of a run that have this form. Raises Unknown where none has it."""
    kinds: list[Task] = []
    lacking: list[Unknown] = []
    for written in settings.tasks:
        try:
            kinds.append(task_at(written, form))
        except NoTinyForm as err:
            lacking.append(err)
    if not kinds:
        raise lacking[0]
    return kinds


def _generated(settings: Settings, kind: Task, form: Form, length: int) -> Workload:
    turns = settings.turns or kind.turns
    if form is Form.TINY:
        limits = [MOST_ANSWER_TOKENS] * turns
        expected = [TINY_EXPECTED] * turns
    else:
        parts = [kind.card.subtasks[turn % len(kind.subtasks)] for turn in range(turns)]
        limits = [part.limit_tokens for part in parts]
        expected = [part.expected_tokens for part in parts]
    return _workload(
        settings,
        task=kind.name,
        asked=length,
        contexts=[length - max(4, math.ceil(0.02 * length)), length],
        length=length,
        sessions=settings.sessions,
        limits=limits,
        expected=expected,
    )


def _published(settings: Settings, tokenizer: Tokenizer | None) -> list[Workload]:
    """Tasks without a sound row are gaps of the run; where none has any, the first is raised."""
    loads: list[Workload] = []
    lost: list[BadRow] = []
    for name in settings.tasks:
        kind = task_at(name)
        try:
            rows = sessions_of(settings, kind)
        except BadRow as err:
            if settings.strict_data:
                raise
            rows = [err]
        sessions = [row for row in rows if isinstance(row, Session)]
        if sessions:
            loads.append(_of_sessions(settings, kind, sessions, tokenizer))
        else:
            lost += [row for row in rows if isinstance(row, BadRow)]
    if not loads:
        raise lost[0]
    return loads


def sessions_of(settings: Settings, kind: Task) -> list[Session | BadRow]:
    """The first rows of a task's data, with what is odd about one in its place. Raises BadRow for
    the first odd one under --strict-data, and for a file without rows.
    """
    from scbench.tasks import published

    if kind.given:
        return list(kind.given[: settings.sessions])
    read = published.read if settings.strict_data else published.read_rows
    return list(read(kind, settings.data, limit=settings.sessions))


def _of_sessions(
    settings: Settings, kind: Task, sessions: Sequence[Session], tokenizer: Tokenizer | None
) -> Workload:
    """The workload of sessions that are there, each of its own length."""
    contexts = [_tokens(session.context, tokenizer) for session in sessions] or [0]
    longest = max(sessions, key=lambda session: len(session.turns), default=None)
    turns = longest.turns[: settings.turns] if longest else ()
    return _workload(
        settings,
        task=kind.name,
        asked=0,
        contexts=contexts,
        length=round(mean(contexts)),
        sessions=len(sessions),
        limits=[turn.max_new_tokens for turn in turns] or [1],
        expected=[(_tokens(turn.gold, tokenizer), turn.max_new_tokens) for turn in turns],
    )


def _workload(
    settings: Settings,
    *,
    task: str,
    asked: int,
    contexts: Sequence[int],
    length: int,
    sessions: int,
    limits: Sequence[int],
    expected: Sequence[tuple[int, int]],
) -> Workload:
    cap = settings.max_new_tokens
    raised = [max(limit, settings.least_tokens) for limit in limits]
    most = [limit if cap is None else min(limit, cap) for limit in raised]
    pairs = [
        (min(low, limit), min(high, limit))
        for (low, high), limit in zip(expected or [OTHER_EXPECTED], most, strict=True)
    ]
    return Workload(
        task=task,
        asked_tokens=asked,
        length_tokens=length,
        least_tokens=min(contexts),
        sessions=sessions,
        limits=tuple(most),
        expected=tuple(pairs),
    )


def _tokens(text: str, tokenizer: Tokenizer | None) -> int:
    """Tokens of a text: a sample of it is counted, the rest has as many for its length."""
    if not text:
        return 0
    if tokenizer is None:
        return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_A_TOKEN)
    sample = text[:SAMPLE_CHARS]
    return math.ceil(len(tokenizer.encode(sample).ids) * len(text) / len(sample))
