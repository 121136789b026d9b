"""What a run is told, with every default in one place; the command line, Python and the manifest
share these fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from scbench.errors import BadConfig
from scbench.types import (
    Accounting,
    Answering,
    CompressAfter,
    Equal,
    Form,
    History,
    Mode,
    PromptSet,
    Protocol,
    Think,
    Truncate,
    UnitSizes,
)

GENERATED = "generated"
NO_PUBLISHED_TINY = (
    "form tiny exists for generated sessions only, and --data names published ones; leave --data "
    "out, or give --form full"
)
MOST_TEMPERATURE = 100.0
LEAST_TOKENS, LEAST_TINY_TOKENS, MOST_TOKENS = 256, 64, 1 << 20  # of a generated context


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_length(length_tokens: int, form: Form = Form.FULL) -> None:
    """Raise BadConfig for a length that sessions of this form are not generated at."""
    least = LEAST_TINY_TOKENS if form is Form.TINY else LEAST_TOKENS
    if not least <= length_tokens <= MOST_TOKENS:
        raise BadConfig(
            f"length {length_tokens:,}: {form} sessions are generated from {least} to "
            f"{MOST_TOKENS:,} tokens (1m)"
            + (f"; tiny ones from {LEAST_TINY_TOKENS} (--form tiny)" if form is Form.FULL else "")
        )


def check_share(text: str) -> None:
    """Raise BadConfig for a share of the dense cache's bytes that means nothing."""
    try:
        fits = 0 < Fraction(text) < 1
    except (ValueError, ZeroDivisionError):
        fits = False
    if not fits:
        raise BadConfig(
            f"equal_bytes={text}: it is a share of the dense cache's bytes between 0 and 1, such "
            f"as 1/8 or 0.25"
        )


COUNTS = ("sessions", "samples")
GROWING = ("models", "tasks", "methods", "lengths_tokens", *COUNTS)  # what --extend may add to
OF_A_COMMAND = (
    "retry_failed",
    "keep_old",
    "debug",
    "strict_data",
)  # said anew each time; no run remembers them
ASIDE = ("out", "cost_sessions", "cost_repeats", "lanes", *OF_A_COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run: the grid tasks x lengths x sessions x modes x methods x samples, on each model.
    Tuples keep the order the user gave.

    >>> settings = Settings(models=("toy",), tasks=("kv",), methods=("dense", "snapkv[tau=1/4]"))
    >>> settings.sessions, [str(mode) for mode in settings.modes]
    (8, ['multi-turn', 'multi-request'])
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    modes: tuple[Mode, ...] = (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
    lengths_tokens: tuple[int, ...] = (4096,)
    sessions: int = 8
    seed: str = "0"
    turns: int | None = None  # None: each task's own number
    out: Path = Path("runs/last")
    data: str = GENERATED  # or "official", or a folder of published files
    form: Form | None = (
        None  # None: what the tokenizer is made for, full for all but the lab models'
    )
    prompts: PromptSet = PromptSet.STRICT
    history: History = History.GOLD
    compress_after: CompressAfter | None = None
    truncate: Truncate = Truncate.REFUSE
    chat_template: bool | None = None
    max_new_tokens: int | None = None  # caps the tasks' own limits
    least_tokens: int = 0  # raises the tasks' own limits
    think: Think = Think.AUTO
    think_tokens: int = 1024
    template_args: tuple[tuple[str, str], ...] = ()  # name and value, the value as JSON
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1  # answers drawn to each turn
    dtype: str = "auto"
    device: str = "auto"
    window_tokens: int | None = None
    trust_remote_code: bool = False
    cost_sessions: int = 1  # sessions per length in the cost pass; 0 leaves it out
    cost_repeats: int = 3
    retry_failed: bool = False
    lanes: int = 48
    keep_old: bool = False  # records that older code made stay, marked
    strict_data: bool = False  # the first odd row of published data ends the run
    debug: bool = False  # a method's first exception ends the run, as it is
    accounting: Accounting = Accounting.BFLOAT16  # what a floating number counts, however stored
    agreement: bool = True  # feed each gold answer through every stream, beside the scores
    units: UnitSizes = UnitSizes.SCALED
    equal_bytes: str | None = (
        None  # share of dense's bytes all methods are fitted to (grid/equal.py)
    )
    equal_at: Equal = Equal.CONTEXT  # what that share is of: the context's bytes, the session's end
    equal_loaded: str | None = None  # the same for the bytes that a decode step loads

    def __post_init__(self) -> None:
        for name in ("models", "tasks", "methods", "modes", "lengths_tokens"):
            if not getattr(self, name):
                raise BadConfig(
                    f"{name} is empty; a run needs at least one (see `scbench run --help`)"
                )
        for name, least in (
            ("sessions", 1),
            ("samples", 1),
            ("cost_sessions", 0),
            ("cost_repeats", 1),
            ("lanes", 1),
            ("least_tokens", 0),
            ("think_tokens", 1),
        ):
            if not _is_whole(getattr(self, name)) or getattr(self, name) < least:
                raise BadConfig(
                    f"{name}={getattr(self, name)!r}: it is a whole number from {least}"
                )
        for name in ("turns", "max_new_tokens", "window_tokens"):
            value = getattr(self, name)
            if value is not None and (not _is_whole(value) or value < 1):
                raise BadConfig(f"{name}={value!r}: it is a whole number from 1")
        for name in ("temperature", "top_p"):
            if not isinstance(getattr(self, name), int | float):
                raise BadConfig(f"{name}={getattr(self, name)!r}: it is a number")
        if not 0.0 <= self.temperature <= MOST_TEMPERATURE:
            raise BadConfig(f"temperature={self.temperature}: it is a number from 0 to 100")
        if not 0.0 < self.top_p <= 1.0:
            raise BadConfig(f"top_p={self.top_p}: it is a share above 0, at most 1")
        if self.samples > 1 and self.temperature == 0.0:
            raise BadConfig(
                f"samples={self.samples}: at temperature 0 all samples of a turn are the same "
                "answer; give a temperature as well (such as 0.7), or leave samples out"
            )
        if self.equal_bytes is not None and self.equal_loaded is not None:
            raise BadConfig("equal_bytes and equal_loaded were both given; methods fit one of them")
        if self.equal_at is Equal.LOADED:
            raise BadConfig("equal_at=loaded: give equal_loaded with a share instead")
        if self.equal_share is not None:
            check_share(self.equal_share)
        if self.data == GENERATED:
            for length_tokens in self.lengths_tokens:
                check_length(
                    length_tokens, self.form or Form.TINY
                )  # `form_of` knows more, once the tokenizer is there
        elif self.form is Form.TINY:
            raise BadConfig(NO_PUBLISHED_TINY)

    @property
    def equal_share(self) -> str | None:
        """The share that methods are fitted to; None: they are played as they were asked for."""
        return self.equal_bytes or self.equal_loaded

    @property
    def equal_what(self) -> Equal:
        """What that share is a share of."""
        return Equal.LOADED if self.equal_loaded is not None else self.equal_at

    @property
    def protocol(self) -> Protocol:
        return Protocol(
            prompts=self.prompts,
            history=self.history,
            compress_after=self.compress_after,
            truncate=self.truncate,
            chat_template=self.chat_template,
            max_new_tokens=self.max_new_tokens,
            answering=Answering(
                think=self.think,
                think_tokens=self.think_tokens,
                least_tokens=self.least_tokens,
                template_args=self.template_args,
                temperature=self.temperature,
                top_p=self.top_p,
            ),
        )

    @property
    def is_generated(self) -> bool:
        return self.data == GENERATED

    def form_of(self, tokenizer: object) -> Form:
        """The form of this run's tasks: as asked, else the tokenizer's own. Raises BadConfig where
        lengths or data do not go with it.
        """
        form = self.form if self.form is not None else Form(getattr(tokenizer, "form", Form.FULL))
        if not self.is_generated and form is Form.TINY:
            raise BadConfig(NO_PUBLISHED_TINY)
        for length_tokens in self.lengths_tokens if self.is_generated else ():
            check_length(length_tokens, form)
        return form


SHORT_NAMES = ("model", "length")  # as people say `models` and `lengths_tokens`


def read_settings(raw: Mapping[str, Any]) -> Settings:
    """Settings from plain words; a stray key is an error that names its neighbours."""
    known = {field.name for field in fields(Settings)}
    for stray in sorted(raw.keys() - known):
        near = get_close_matches(stray, [*sorted(known), *SHORT_NAMES], cutoff=0.4)
        guess = f"{stray}: did you mean {' or '.join(near)}?" if near else f"{stray};"
        raise BadConfig(
            f"a run has no setting {guess} scbench.options.RunWords has them all, as has `scbench "
            "run --help`"
        )
    return Settings(**raw)


def fixed_names() -> tuple[str, ...]:
    """The settings that make a run what it is: with another value of one it is another run."""
    aside = (*GROWING, *ASIDE)
    return tuple(field.name for field in fields(Settings) if field.name not in aside)
