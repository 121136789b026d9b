"""A run from settings to journal: session by session, resumable at any moment, failures as named
gaps.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from scbench.code import digest_of
from scbench.engines.contract import Engine
from scbench.grid.books import Books, opened, tell_torn
from scbench.grid.folder import refuse_foreign
from scbench.grid.forecast import (
    WEIGHTS,
    Forecast,
    Work,
    planned_answers,
)
from scbench.grid.listener import Listener, OnRecord
from scbench.grid.model_pass import ModelPass
from scbench.grid.outcome import Outcome
from scbench.grid.progress import Progress
from scbench.grid.settings import Settings
from scbench.grid.settings_file import portable, write_settings
from scbench.kv.accounting import counted_in
from scbench.ledger import manifest
from scbench.ledger.cells import digest, keep_plan
from scbench.methods import parse, refuse_twins
from scbench.play.voices import Voices


def run(
    settings: Settings,
    engines: Iterable[Engine],
    *,
    given: Sequence[str] = (),
    quiet: bool = False,
    works: Sequence[Work] = (),
    on_record: OnRecord | None = None,
) -> Outcome:
    """Play what the folder lacks of the grid, model by model; append every turn as it ends.

    `engines` are those of `settings.models`, in any order; each is let go before the next is taken,
    so a generator may load them one by one. Ctrl-C ends cleanly with what is done (`outcome`
    "interrupted"). Raises UsageError for settings that cannot work at all, Busy if another run
    holds the folder, CannotWrite if the disk is full: what was written stays, and the same command
    resumes. `works` are guesses of what each model will take (`preflight.prepare`), for the time
    left. `on_record` is called with every new record once it is kept (`Listener`).
    """
    methods = [parse(text) for text in settings.methods]
    refuse_twins(methods)
    refuse_foreign(settings.out)
    outcome = Outcome(settings=settings, outcome="failed")
    with ExitStack() as files:
        files.enter_context(counted_in(settings.accounting))
        books = opened(settings, files)
        tell_torn(books, outcome)
        words = portable(settings, settings.out)
        index = manifest.begin(settings.out, manifest.manifest(words, given=given))
        write_settings(settings.out, settings)
        progress = files.enter_context(Progress(0, quiet=quiet, forecast=Forecast(works)))
        progress.planned_answers = planned_answers(works)
        voices = Voices(
            settings.out, progress.say, is_on=not settings.debug
        )  # pdb needs a terminal
        listener = Listener(on_record, progress.say)
        files.enter_context(voices)
        try:
            for engine in told(engines, settings, progress):
                state = ModelPass(settings, engine, methods, books, outcome, progress, voices)
                state.heard = listener.hear
                manifest.add_model(
                    settings.out,
                    index,
                    engine.facts,
                    shape=engine.facts.shape.told(),
                    form=state.form,
                    does_not_apply=state.others,
                    presets=state.presets,
                    code_digest=digest_of(dict(state.code)),
                )
                state.everything()
                del state, engine
                gc.collect()  # an exception may have left a cycle that holds the model
            outcome.outcome = "complete"
        except KeyboardInterrupt:
            outcome.outcome = "interrupted"
            progress.is_stopped = True
        finally:
            if listener.failed:
                outcome.gaps.append(
                    f"on_record failed for {listener.failed:,} records; all of them are kept"
                )
            _close(settings, books, outcome, index)
    return outcome


def told(engines: Iterable[Engine], settings: Settings, progress: Progress) -> Iterator[Engine]:
    """The engines as they come; while the next one is made, that is what is being done."""
    source = iter(engines)
    for at in itertools.count():
        name = settings.models[at] if at < len(settings.models) else "the next model"
        progress.begin(name, WEIGHTS)
        engine = next(source, None)
        progress.end(worked=engine is not None)
        if engine is None:
            return
        yield engine
        del engine  # nothing here may hold it while the next is made


def _close(settings: Settings, books: Books, outcome: Outcome, index: int) -> None:
    """Note what the run means and how it ended; on an exception too."""
    keys = {cell.key for cell in books.planned}
    keep_plan(settings.out, keys, books.history.kept)
    outcome.turns_answered, outcome.turns_failed = books.journal.count(keys)
    outcome.rescored_turns = books.history.rescored_turns
    sessions = sorted({cell.session_digest for cell in books.planned})
    manifest.end(
        settings.out,
        index,
        outcome.outcome,
        turns_answered=outcome.turns_answered,
        turns_failed=outcome.turns_failed,
        gaps=outcome.gaps,
        does_not_apply=outcome.does_not_apply,
        superseded=outcome.superseded,
        rescored_turns=outcome.rescored_turns,
        sessions=len(sessions),
        data_digest=digest(sessions),
    )
