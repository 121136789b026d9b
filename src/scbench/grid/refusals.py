"""What a run would refuse, found before weights are read: one list for `run` and `plan` alike."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scbench.engines.lab_models import beyond
from scbench.engines.vocabulary import first_beyond, unembedded
from scbench.engines.window import SHORT_FACTORS
from scbench.errors import CannotWrite, Mismatch, ScbenchError, TooLong
from scbench.grid.pairing import apart
from scbench.grid.plan import Refusal
from scbench.grid.settings import Settings
from scbench.grid.task_places import task_at
from scbench.grid.workload import Workload, kinds_of, workloads
from scbench.prompts.growing import without_material
from scbench.prompts.template_check import (
    check_template,
    odd_opening,
    thought_tokens,
    tried_ids,
    unheard,
)
from scbench.task_cards import PAPER
from scbench.types import Answering, Form, History, Mode, Truncate

if TYPE_CHECKING:
    from scbench.engines.contract import ModelFacts
    from scbench.methods.method import Method
    from scbench.prompts import Tokenizer

TURN_BYTES = 4_000  # of a record and its rows in the tables, about
REPORT_BYTES = 8 << 20  # pages, charts, manifest
CONTEXT_SHARE = 0.5  # of a context's text, compressed
CHARS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Scout:
    """A model as it is known before its weights: facts, and the tokenizer where it is here."""

    facts: ModelFacts
    tokenizer: Tokenizer | None
    form: Form
    lost: tuple[Refusal, ...] = ()  # what a plan goes on without


def refusals_of(
    settings: Settings, methods: Sequence[Method], scout: Scout, loads: Sequence[Workload]
) -> list[Refusal]:
    """All that this model would not do of a run, what stops the run first."""
    found = [
        *_methods(settings, methods, scout.facts),
        *_templates(settings, scout),
        *_modes(settings, scout),
        *_history(settings, scout),
        *_answers(settings, scout),
        *_lengths(settings, scout.facts, loads),
    ]
    return sorted(found, key=lambda refusal: (not refusal.stops_run, not refusal.is_certain))


def loads_of(settings: Settings, scout: Scout) -> list[Workload]:
    """The workloads of a run on this model. Raises what reading data raises."""
    return workloads(settings, scout.form, scout.tokenizer)


def disk_refusals(settings: Settings, disk_bytes: int) -> list[Refusal]:
    """Whether the disk of the run folder has room for it."""
    what = f"--out {settings.out}"
    folder = settings.out.expanduser().absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return [Refusal(kind="disk", what=what, why=f"{folder} is no folder", stops_run=True)]
    free = shutil.disk_usage(folder).free
    if free >= disk_bytes:
        return []
    why = (
        f"the run needs about {_mib(disk_bytes)} on disk, and {folder} has {_mib(free)} free; give "
        "--out on another disk"
    )
    return [Refusal(kind="disk", what=what, why=why, stops_run=True)]


def disk_bytes(settings: Settings, methods: int, loads: Iterable[Workload]) -> int:
    """About what the folder will hold: a record a turn, and each context once, compressed."""
    total = REPORT_BYTES
    for load in loads:
        turns = load.sessions * load.turns * len(settings.modes) * methods * settings.samples
        total += turns * TURN_BYTES
        total += round(load.sessions * load.length_tokens * CHARS_A_TOKEN * CONTEXT_SHARE)
    return total


def raise_first(found: Sequence[Refusal]) -> None:
    """Raise for the first refusal that stops a run. The error has the refusal's own words."""
    errors = {"disk": CannotWrite, "length": TooLong}
    for refusal in found:
        if refusal.stops_run:
            whose = [refusal.model] if refusal.model and refusal.kind == "length" else []
            words = [refusal.what] if refusal.kind in ("length", "disk") else []
            raise errors.get(refusal.kind, Mismatch)(": ".join((*whose, *words, refusal.why)))


# -- what can be refused ----------------------------------------------------------------------


def _methods(settings: Settings, methods: Sequence[Method], facts: ModelFacts) -> Iterable[Refusal]:
    """Methods that this model takes at no length. Whether none takes them is asked elsewhere."""
    _, others = apart(methods, facts.shape, settings.lengths_tokens)
    for why, names in others.items():
        yield Refusal(kind="method", what=", ".join(names), why=why, model=facts.name)


def _templates(settings: Settings, scout: Scout) -> Iterable[Refusal]:
    if scout.tokenizer is None:
        return
    try:
        check_template(scout.tokenizer, settings.protocol, settings.modes)
        _check_ids(settings, scout.facts, scout.tokenizer)
    except ScbenchError as error:
        yield Refusal(
            kind="template",
            what="chat template",
            why=str(error),
            model=scout.facts.name,
            stops_run=True,
        )
        return
    for name, why in unheard(scout.tokenizer, settings.protocol).items():
        what = f"--template-arg {name}"
        yield Refusal(kind="template", what=what, why=why, model=scout.facts.name)
    if opening := odd_opening(scout.tokenizer, settings.protocol):
        yield Refusal(
            kind="template",
            what=f"{opening!r:.40} before an answer",
            why="it is no mark of a thought that is known, so all that follows is taken for the "
            "answer",
            model=scout.facts.name,
        )


def _history(settings: Settings, scout: Scout) -> Iterable[Refusal]:
    """A wish about earlier answers where no mode shows any."""
    if settings.history is History.GOLD or any(mode.has_history for mode in settings.modes):
        return
    modes = ", ".join(settings.modes)
    yield Refusal(
        kind="mode",
        what=f"--history {settings.history}",
        why=f"no turn of {modes} sees an earlier answer, so it changes nothing; --modes multi-turn "
        "would",
        model=scout.facts.name,
    )


def _check_ids(settings: Settings, facts: ModelFacts, tokenizer: Tokenizer) -> None:
    """Raise Mismatch where a prompt has an id that the model has no embedding for."""
    ids = tried_ids(tokenizer, settings.protocol)
    rows = facts.embedded_ids
    if rows is not None and (found := first_beyond(ids, rows, tokenizer)) is not None:
        raise Mismatch(unembedded(facts.name, found[0], rows, found[1]))


def _answers(settings: Settings, scout: Scout) -> Iterable[Refusal]:
    """Wishes about answers that change nothing."""
    told: dict[str, str] = {}
    if settings.top_p < 1.0 and settings.temperature == 0.0:
        told[f"--top-p {settings.top_p:g}"] = "at temperature 0 the best token is taken, whatever"
    most = settings.max_new_tokens
    if most is not None and settings.least_tokens > most:
        told[f"--least-tokens {settings.least_tokens}"] = f"--max-new-tokens {most} is below it"
    is_said = settings.think_tokens != Answering().think_tokens
    if is_said and scout.tokenizer and not thought_tokens(scout.tokenizer, settings.protocol):
        told[f"--think-tokens {settings.think_tokens}"] = "no answer here begins with a thought"
    for what, why in told.items():
        yield Refusal(kind="answers", what=what, why=why, model=scout.facts.name)


def _modes(settings: Settings, scout: Scout) -> Iterable[Refusal]:
    """Tasks whose contexts cannot grow, as far as is known before their sessions are made."""
    if Mode.GROW not in settings.modes:
        return
    if settings.is_generated:
        kinds = kinds_of(settings, scout.form)
    else:
        kinds = [task_at(name) for name in settings.tasks]
    for kind in kinds:
        turns = [turn for session in kind.given[: settings.sessions] for turn in session.turns]
        is_known = bool(turns) or kind.name in PAPER  # no turn of the paper's tasks brings any
        if is_known and not any(turn.material for turn in turns):
            yield Refusal(
                kind="mode",
                what=f"--modes {Mode.GROW}",
                why=without_material(kind.name),
                model=scout.facts.name,
                stops_run=True,
            )


def _lengths(settings: Settings, facts: ModelFacts, loads: Sequence[Workload]) -> Iterable[Refusal]:
    """Prompts that the window does not hold: certainly, or for some sessions."""
    reach, whose = _reach(facts)
    is_cut = settings.truncate is not Truncate.REFUSE and facts.sliding_tokens != reach
    if is_cut:
        return
    over = [load for load in loads if load.least_prompt_tokens > reach]
    for load in over:
        yield Refusal(
            kind="length",
            what=_where(load),
            why=_too_long(facts, load, reach, whose),
            model=facts.name,
            stops_run=len(over) == len(loads),
        )
    carries_on = any(mode.has_history for mode in settings.modes)
    for load in loads:
        most = load.expected_prompt_tokens(carries_on=carries_on)
        if load not in over and most > reach:
            yield Refusal(
                kind="length",
                what=_where(load),
                why=f"its longest prompts may need {most:,} tokens with turns and answers, and "
                f"{whose} {reach:,}; fewer --turns, or a shorter --length, would fit",
                model=facts.name,
                is_certain=False,
            )


def _reach(facts: ModelFacts) -> tuple[int, str]:
    slides = facts.sliding_tokens
    if slides is not None and slides < facts.window_tokens:
        return slides, f"{facts.name} has sliding-window layers, which here hold"
    return facts.window_tokens, f"{facts.name} holds"


def _where(load: Workload) -> str:
    return f"{load.task} at {load.length_tokens:,} tokens"


def _too_long(facts: ModelFacts, load: Workload, reach: int, whose: str) -> str:
    room = reach - (load.least_prompt_tokens - load.least_tokens)
    fits = f"take --length {room:,} or less".replace(",", "") if room > 0 else "take another model"
    text = (
        f"a prompt needs at least {load.least_prompt_tokens:,} tokens with question and answer, "
        f"and {whose} {reach:,}; {fits}"
    )
    if facts.choices.get("rope", "").startswith(SHORT_FACTORS):
        text += (
            f". --window {facts.trained_tokens} takes its long RoPE factors, for every text alike"
        )
    if facts.sliding_tokens != reach and facts.trained_tokens == reach:
        text += f". {beyond(facts.name, reach)}"
    return text


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"
