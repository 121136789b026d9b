"""Calls into other people's loaders: what they raise is one sentence, what they warn of a note."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from scbench.errors import DataError, MissingExtra, OutOfDevice, ScbenchError

MOST_CHARACTERS = 300


@contextmanager
def loading(what: str, cure: str) -> Iterator[None]:
    """Raise one ScbenchError for anything that a loader of `what` raises; Ctrl-C passes.

    MissingExtra for a package that is not installed, OutOfDevice for memory, else DataError.
    """
    try:
        yield
    except (ScbenchError, KeyboardInterrupt, GeneratorExit):
        raise
    except ImportError as err:
        raise MissingExtra(f"{what} needs a package that is not here: {reason(err)}") from err
    except BaseException as err:  # panics of compiled packages are no Exception
        if is_out_of_memory(err):
            raise OutOfDevice(f"{what}: no memory left to load it ({reason(err)})") from err
        raise DataError(f"{what} could not be loaded: {reason(err)}; {cure}") from err


def reason(err: BaseException) -> str:
    """The first line that says something, with the error's kind where the text alone would not."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    if not lines:
        return type(err).__name__
    text = lines[0] if len(lines[0]) > 40 else " ".join(lines[:2])
    text = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."
    return (
        text
        if isinstance(err, OSError | ValueError | ImportError)
        else f"{type(err).__name__}: {text}"
    )


def is_out_of_memory(err: BaseException) -> bool:
    """Whether memory did not suffice, whatever the class of the error."""
    named = type(err).__name__ == "OutOfMemoryError" or isinstance(err, MemoryError)
    return named or "allocate memory" in str(err)


class _Collector(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if text not in self.notes:
            self.notes.append(text)


@contextmanager
def warnings_as_notes(notes: list[str]) -> Iterator[None]:
    """Collect what transformers warns of meanwhile, and keep it from the terminal."""
    from transformers.utils import logging as theirs

    # `warning_once` remembers what it said; a second model would be loaded without its warning
    getattr(getattr(theirs, "warning_once", None), "cache_clear", lambda: None)()
    logger = logging.getLogger("transformers")
    before = logger.level, logger.handlers
    logger.setLevel(logging.WARNING)
    logger.handlers = [_Collector(notes)]
    try:
        yield
    finally:
        logger.handlers = before[1]
        logger.setLevel(before[0])


@contextmanager
def without_bars() -> Iterator[None]:
    """Without the progress bars of transformers, which would break ours."""
    from transformers.utils import logging as theirs

    were_shown = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if were_shown:
            theirs.enable_progress_bar()
