"""The sessions of a run, one at a time: generated under the model's own token counter, or read from
the published files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scbench.engines.contract import Engine
from scbench.errors import BadConfig, BadRow, ScbenchError
from scbench.grid.settings import Settings
from scbench.grid.task_places import task_at
from scbench.grid.workload import kinds_of, sessions_of
from scbench.play.record import needles_of
from scbench.prompts import Tokenizer
from scbench.prompts.tokenizer import encode_data
from scbench.tasks import NoTinyForm
from scbench.tasks.build import digest_of
from scbench.tasks.contract import Task
from scbench.types import Form, Session


@dataclass(frozen=True, slots=True)
class Item:
    """A session in the suite, or why there is none. `needles` are what official RepoQA compares
    with.
    """

    task: Task
    length_tokens: int
    seed: str
    session: Session | None
    needles: dict[str, list[tuple[str, str]]]
    why: ScbenchError | None = None

    @property
    def label(self) -> str:
        if not self.seed:  # a task that has no session here
            return self.task.name
        return f"{self.task.name} {self.length_tokens:,} tokens, session {self.seed}"


class TokenCount:
    """Tokens of a text under a model's tokenizer, as the generators want to count."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.name = tokenizer, tokenizer.name

    def __call__(self, text: str) -> int:
        return len(encode_data(self.tokenizer, text).ids)


def suite(settings: Settings, engine: Engine) -> Iterator[Item]:
    """Session 0 of every task and length first, then session 1, ...: an interrupted run has
    something of everything.
    """
    form = settings.form_of(engine.tokenizer)
    if settings.is_generated:
        yield from _generated(settings, TokenCount(engine.tokenizer), form)
    else:
        yield from _published(settings)


def _generated(settings: Settings, count: TokenCount, form: Form) -> Iterator[Item]:
    kinds = kinds_of(settings, form)
    yield from _without_form(settings, kinds, form)
    for index in range(settings.sessions):
        for length_tokens in settings.lengths_tokens:
            for kind in kinds:
                if not kind.given:
                    yield _made(settings, kind, length_tokens, index, count)
        for kind in kinds:
            if index < len(kind.given):
                yield _given(settings, kind, index)


def _made(
    settings: Settings, kind: Task, length_tokens: int, index: int, count: TokenCount
) -> Item:
    seed = f"{settings.seed}:{index}"
    turns = settings.turns or kind.turns
    try:
        session = kind.make(seed=seed, target=length_tokens, turns=turns, count=count)
        return Item(kind, length_tokens, seed, session, needles_of([session]))
    except ScbenchError as why:
        return Item(kind, length_tokens, seed, None, {}, why)
    except Exception as error:
        if kind.origin is None or settings.debug:
            raise
        # Somebody's generator: one session is missing, the others of the run are played.
        stopped = BadConfig(f"its make() stops here: {type(error).__name__}: {error}")
        return Item(kind, length_tokens, seed, None, {}, stopped)


def _given(settings: Settings, kind: Task, index: int) -> Item:
    """A session of a file; its length is its own."""
    session = _first_turns(kind.given[index], settings.turns)
    return Item(kind, 0, f"row:{index}", session, needles_of([session]))


def _without_form(settings: Settings, kinds: Sequence[Task], form: Form) -> Iterator[Item]:
    """The tasks that a model of closed vocabularies cannot be asked, each once."""
    played = {kind.written for kind in kinds}
    for written in settings.tasks:
        if written not in played:
            kind = task_at(written)
            yield Item(kind, 0, "", None, {}, NoTinyForm(kind.name))


def _published(settings: Settings) -> Iterator[Item]:
    for written in settings.tasks:
        kind = task_at(written)
        try:
            rows = sessions_of(settings, kind)
        except BadRow as err:
            if settings.strict_data:
                raise
            yield Item(kind, 0, "", None, {}, err)  # the whole file
            continue
        sessions = [row for row in rows if isinstance(row, Session)]
        if any(session.recipe.get("form") == Form.TINY for session in sessions):
            raise BadConfig(
                f"{settings.data} holds tiny sessions of {kind.name}, which are no published data; "
                f"run them with --form tiny"
            )
        needles = needles_of(sessions)
        for index, row in enumerate(rows):
            seed = f"row:{index}"
            if isinstance(row, Session):
                yield Item(kind, 0, seed, _first_turns(row, settings.turns), needles)
            else:  # one odd row is a named gap, and no end of the others
                yield Item(kind, 0, seed, None, {}, row)


def _first_turns(session: Session, turns: int | None) -> Session:
    """The session with at most so many turns; one that lost some has a digest of its own."""
    if turns is None or turns >= len(session.turns):
        return session
    shorter = replace(session, turns=session.turns[:turns])
    return replace(shorter, digest=digest_of(shorter))
