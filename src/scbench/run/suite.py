"""The sessions of a run, one at a time: generated under the model's own token counter, or read from the published files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from scbench.engines.contract import Engine
from scbench.errors import BadConfig, ScbenchError
from scbench.play.record import needles_of
from scbench.prompts import Tokenizer
from scbench.run.settings import Settings
from scbench.tasks import task
from scbench.tasks.build import digest_of
from scbench.tasks.contract import Task
from scbench.types import Form, Session


@dataclass(frozen=True, slots=True)
class Item:
    """A session in the suite, or why there is none. `needles` are what official RepoQA compares with."""

    task: Task
    length_tokens: int
    seed: str
    session: Session | None
    needles: dict[str, list[tuple[str, str]]]
    why: ScbenchError | None = None

    @property
    def label(self) -> str:
        return f"{self.task.name} {self.length_tokens:,} tokens, session {self.seed}"


class TokenCount:
    """Tokens of a text under a model's tokenizer, as the generators want to count."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.name = tokenizer, tokenizer.name

    def __call__(self, text: str) -> int:
        return len(self.tokenizer.encode(text).ids)


def suite(settings: Settings, engine: Engine) -> Iterator[Item]:
    """Session 0 of every task and length first, then session 1, ...: an interrupted run has something of everything."""
    form = settings.form_of(engine.tokenizer)
    if settings.is_generated:
        yield from _generated(settings, TokenCount(engine.tokenizer), form)
    else:
        yield from _published(settings)


def _generated(settings: Settings, count: TokenCount, form: Form) -> Iterator[Item]:
    for index in range(settings.sessions):
        for length_tokens in settings.lengths_tokens:
            for name in settings.tasks:
                kind, seed = task(name, form), f"{settings.seed}:{index}"
                try:
                    session = kind.make(
                        seed=seed,
                        target=length_tokens,
                        turns=settings.turns or kind.turns,
                        count=count,
                    )
                    yield Item(kind, length_tokens, seed, session, needles_of([session]))
                except ScbenchError as why:
                    yield Item(kind, length_tokens, seed, None, {}, why)


def _published(settings: Settings) -> Iterator[Item]:
    from scbench.tasks import published

    for name in settings.tasks:
        kind = task(name)
        sessions = list(published.read(kind.name, settings.data, limit=settings.sessions))
        if any(session.recipe.get("form") == Form.TINY for session in sessions):
            raise BadConfig(
                f"{settings.data} holds tiny sessions of {kind.name}, which are no published data; run them with --form tiny"
            )
        needles = needles_of(sessions)
        for index, session in enumerate(sessions):
            yield Item(kind, 0, f"row:{index}", _first_turns(session, settings.turns), needles)


def _first_turns(session: Session, turns: int | None) -> Session:
    """The session with at most so many turns; one that lost some has a digest of its own."""
    if turns is None or turns >= len(session.turns):
        return session
    shorter = replace(session, turns=session.turns[:turns])
    return replace(shorter, digest=digest_of(shorter))
