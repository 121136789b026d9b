"""The exceptions of scbench, widest first.

    ScbenchError
      UsageError     fixable before anything runs
                     BadConfig, Unknown, Mismatch, TooLong, TooSmall, TooLarge, MissingExtra
      DataError      a file is not what it claims to be: BadRow, BadRecord
      CannotWrite    the disk; ends the run, never a Failure
      RunError       becomes a Failure in the record
                     Busy, Released, OutOfDevice, ReuseBroken, NotFinite

The command line prints the message of a ScbenchError without a traceback. Callers match the type
and read the attributes; nobody parses message text.
"""

from __future__ import annotations


class ScbenchError(Exception):
    """Anything scbench raises on purpose; its text says what, what was given, what is allowed, and
    what to do.
    """


class UsageError(ScbenchError):
    """The person who called can mend it before anything is computed."""


class BadConfig(UsageError):
    """A setting has a value, or a name, that is not allowed."""


class Unknown(UsageError):
    """A name is not registered; the text proposes the nearest ones."""


class Mismatch(UsageError):
    """Two things that are each fine do not go together (a method and a model, two evictions, a
    query-aware stage without a query).
    """


class TooLong(UsageError):
    """A prompt does not fit the model's window."""

    def __init__(self, text: str, *, tokens: int = 0, window_tokens: int = 0) -> None:
        super().__init__(text)
        self.tokens, self.window_tokens = tokens, window_tokens


class TooSmall(UsageError):
    """A length is below what the request needs at least (`minimum` in tokens)."""

    def __init__(self, text: str, *, minimum: int) -> None:
        super().__init__(text)
        self.minimum = minimum


class TooLarge(UsageError):
    """A length is above what the source can fill (`maximum` in tokens)."""

    def __init__(self, text: str, *, maximum: int) -> None:
        super().__init__(text)
        self.maximum = maximum


class MissingExtra(UsageError):
    """An optional package is not installed; the text holds the exact pip line."""


class DataError(ScbenchError):
    """A file is not what it claims to be."""


class BadRow(DataError):
    """A row of a data file cannot be read; the text names file, line and field."""


class BadRecord(DataError):
    """A journal line cannot be read; the text names file and line."""


class CannotWrite(ScbenchError):
    """A file cannot be written (full disk, no permission). What was written before stays; it ends
    the run and never becomes a Failure.
    """


class RunError(ScbenchError):
    """Something failed while running; the runner turns it into a Failure and goes on."""


class Busy(RunError):
    """A resource that serves one at a time is already in use."""


class Released(RunError):
    """A snapshot or stream was used after it had been given back."""


class OutOfDevice(RunError):
    """The device's memory did not suffice."""


class ReuseBroken(RunError):
    """A cache that should have been reused was not, or was changed by its reader."""


class NotFinite(RunError):
    """There is no answer to choose: a logit is NaN or infinite, or the best id is no token."""
