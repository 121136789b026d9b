"""A session as each way of reading shows it to the model: rendered once, for all methods."""

from __future__ import annotations

from scbench.engines.contract import Engine
from scbench.errors import ScbenchError
from scbench.methods.contract import Generation
from scbench.play.contract import Step
from scbench.play.patterns import pattern_class, pattern_of
from scbench.play.rewriting import rewritten
from scbench.prompts import Rendering
from scbench.types import Mode, Protocol, Session


class Talks:
    """Renderings of one session; a prompt compression has its own, with a shorter context."""

    def __init__(self, engine: Engine, session: Session, protocol: Protocol) -> None:
        self.engine = engine
        self.session = session
        self.protocol = protocol
        self._shown: dict[Generation, Session] = {}
        self._talks: dict[tuple[Mode, Generation | None], Rendering | ScbenchError] = {}
        self._steps: dict[int, list[Step]] = {}

    def shown(self, generation: Generation) -> Session:
        """The session as the model sees it: itself, or with words of its context left out."""
        if not generation.traits.is_rewriting:
            return self.session
        if generation not in self._shown:
            self._shown[generation] = rewritten(self.session, generation)
        return self._shown[generation]

    def talk(self, mode: Mode, generation: Generation) -> Rendering:
        """The rendering under one mode; raises the same error each time if it cannot be made."""
        session = self.shown(generation)
        key = (mode, generation if generation.traits.is_rewriting else None)
        if key not in self._talks:
            tokenizer, window = self.engine.tokenizer, self.engine.facts.window_tokens
            try:
                made: Rendering | ScbenchError = pattern_class(mode).render(
                    session, tokenizer, self.protocol, mode, window
                )
            except ScbenchError as error:
                made = error.with_traceback(None)  # its frames hold what it was raised over
            self._talks[key] = made
        talk = self._talks[key]
        if isinstance(talk, ScbenchError):
            raise talk
        return talk

    def steps(self, talk: Rendering) -> list[Step]:
        """All steps of a pattern that waits for no reply."""
        if id(talk) not in self._steps:
            self._steps[id(talk)] = list(pattern_of(talk.mode, self.protocol).steps(talk))
        return self._steps[id(talk)]
