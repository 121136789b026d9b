"""Before weights are read: each model scouted by its configuration, then refused or planned."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from scbench.engines.contract import ModelFacts
from scbench.engines.devices import device_of, dtype_of, known_dtype
from scbench.engines.facts import facts_from_config, refusal_of
from scbench.engines.kept import kept_facts, kept_form, kept_refusal
from scbench.engines.places import TOY, is_here
from scbench.engines.tokenizers import load_tokenizer
from scbench.errors import BadConfig, Mismatch, ScbenchError
from scbench.extras import lacking, require_local
from scbench.grid import pairing
from scbench.grid.forecast import Work, with_guessed_params, works_of
from scbench.grid.knobs import widest
from scbench.grid.plan import Plan, PlannedModel, PlanRow, Refusal, row_of
from scbench.grid.rates import CARDS, FIXED_S, Rate, card, measured, seconds
from scbench.grid.refusals import (
    Scout,
    disk_bytes,
    disk_refusals,
    loads_of,
    raise_first,
    refusals_of,
)
from scbench.grid.settings import Settings
from scbench.grid.unit_sizes import as_sized
from scbench.methods import parse, refuse_twins
from scbench.prompts.template_check import thought_tokens
from scbench.types import Form

if TYPE_CHECKING:
    import torch

    from scbench.methods.method import Method

ACTIVATION_TOKENS = 2048 * 12  # hidden vectors of a chunk of a read, at once


class Prepared(NamedTuple):
    """What is known of a run before weights are read: what it will not do, what it will take."""

    refusals: list[Refusal]
    works: list[Work]
    notes: tuple[str, ...] = ()  # what loading the tokenizers says, each after its model


def refuse(settings: Settings, engine: Any = None) -> list[Refusal]:
    """The refusals of `prepare`."""
    return prepare(settings, engine).refusals


def prepare(settings: Settings, engine: Any = None, *, is_named: bool = True) -> Prepared:
    """What the run will not do though it can begin; raises for what it cannot begin with.

    Raises Unknown (a model that is not there), BadConfig (device, dtype, lengths), DataError,
    Mismatch (architecture, window, template, a method that no model takes), TooLong (a model that
    holds no prompt of the run), CannotWrite (no room on the disk). No weights are read.
    """
    methods = [parse(text) for text in settings.methods]
    refuse_twins(methods)
    if settings.equal_share is not None:  # their own settings will not be played
        methods = [widest(method) for method in methods]
    names = settings.models if engine is None else (engine.facts.name,)
    scouts = [scout_of(settings, name, engine) for name in names]
    shapes = {scout.facts.name: scout.facts.shape for scout in scouts}
    if is_named:  # of a default, what no model takes is left out and said to be
        pairing.check(methods, shapes, settings.lengths_tokens)
    found = list[Refusal]()
    works = list[Work]()
    needed = 0
    for scout in scouts:
        loads = loads_of(settings, scout)
        found += refusals_of(settings, methods, scout, loads)
        needed += disk_bytes(settings, len(methods), loads)
        fit, _ = pairing.apart(methods, scout.facts.shape, settings.lengths_tokens)
        facts = with_guessed_params(scout.facts)
        rows = [row_of(settings, fit, facts, load) for load in loads]
        works += works_of(settings, facts, rows, len(fit))
    found += disk_refusals(settings, needed)
    raise_first(found)
    said = [] if engine is not None else [_said(scout) for scout in scouts]
    return Prepared(found, works, tuple(note for notes in said for note in notes))


def scout_of(
    settings: Settings,
    name: str,
    engine: Any = None,
    *,
    device: str = "",
    for_plan: bool = False,
) -> Scout:
    """A model without its weights. Raises as `refuse` does for one model.

    A plan counts parameters, needs no tokenizer, and may be for the `device` of somebody else.
    """
    if engine is None and for_plan and lacking():
        return _kept_scout(settings, name, device)
    if engine is None:
        where, dtype = _place_of(settings, device, for_plan=for_plan)
    if engine is None and name == TOY:
        from scbench.engines.toy import ToyEngine

        engine = ToyEngine(window_tokens=settings.window_tokens or 1 << 20)
    if engine is not None:
        return Scout(engine.facts, engine.tokenizer, settings.form_of(engine.tokenizer))
    trusts = settings.trust_remote_code
    unrun = refusal_of(name, trust_remote_code=trusts) if for_plan else ""
    try:
        facts = facts_from_config(
            name,
            dtype=dtype,
            device=device or str(where),
            window_tokens=settings.window_tokens,
            trust_remote_code=trusts,
            count=for_plan,
            refuse=not for_plan,
        )
    except ScbenchError as error:
        if not unrun:
            raise
        raise Mismatch(unrun) from error
    why = unrun.removeprefix(f"{name} ")  # a refusal says whose it is
    lost = [_stopped("model", facts.name, why)] if why else []
    if not is_here(name):
        return Scout(facts, None, settings.form or Form.FULL, tuple(lost))
    try:
        tokenizer = load_tokenizer(name, trust_remote_code=trusts)
    except ScbenchError as error:
        if not for_plan:
            raise
        lost.append(_stopped("tokenizer", facts.name, str(error)))
        return Scout(facts, None, settings.form or Form.FULL, tuple(lost))
    return Scout(facts, tokenizer, settings.form_of(tokenizer), tuple(lost))


def _kept_scout(settings: Settings, name: str, device: str) -> Scout:
    """A model of ours for a plan where nothing can read its files; `device` is somebody else's."""
    if not device and settings.device not in ("auto", "cpu"):
        require_local(f"--device {settings.device}, unless it is one of {', '.join(CARDS)},")
    dtype = known_dtype(settings.dtype) if settings.dtype != "auto" else ""
    facts = kept_facts(
        name,
        dtype=dtype or ("bfloat16" if device else "float32"),
        device=device or "cpu",
        window_tokens=settings.window_tokens,
    )
    form = settings.form_of(SimpleNamespace(form=kept_form(name)))
    why = kept_refusal(name).removeprefix(f"{name} ")
    return Scout(facts, None, form, (_stopped("model", facts.name, why),) if why else ())


def _said(scout: Scout) -> tuple[str, ...]:
    """What loading the tokenizer says, with the model's name."""
    return tuple(f"{scout.facts.name}: {note}" for note in getattr(scout.tokenizer, "notes", ()))


def _stopped(kind: str, model: str, why: str) -> Refusal:
    """What a plan goes on without and a run would not begin with."""
    what = model if kind == "model" else kind
    return Refusal(kind=kind, what=what, why=why, model=model, stops_run=True)


def _place_of(
    settings: Settings, device: str, *, for_plan: bool
) -> tuple[torch.device, torch.dtype]:
    """Where a model would run and in which numbers. Raises BadConfig, of a model without weights
    too. `device` is a card of somebody else's."""
    try:
        where = device_of("cpu" if device else settings.device)
    except BadConfig as error:
        if not for_plan:
            raise
        cards = ", ".join(CARDS)
        raise BadConfig(f"{error}; a plan also takes a card that is not here: {cards}") from error
    dtype = "bfloat16" if device and settings.dtype == "auto" else settings.dtype
    return where, dtype_of(dtype, where)


# -- plans -----------------------------------------------------------------------------------------


def make_plan(settings: Settings, *, price_per_hour: float | None = None) -> Plan:
    """The whole of a run before it runs. What would be refused is listed, and the rest counted.

    `settings.device` may name a card that is not here (`run.rates.CARDS`).
    """
    methods = list({str(one): one for one in map(parse, settings.methods)}.values())
    rate = card(settings.device)
    rows, models, refusals = list[PlanRow](), list[PlannedModel](), list[Refusal]()
    low = high = 0.0
    peak = disk = 0
    for name in settings.models:
        try:
            part = _part(settings, name, methods, rate)
        except ScbenchError as error:
            refusals.append(
                Refusal(kind="model", what=name, why=str(error), model=name, stops_run=True)
            )
            continue
        rows += part.rows
        models += part.models
        refusals += part.refusals
        low, high = low + part.seconds_low, high + part.seconds_high
        peak = max(peak, part.peak_bytes)
        disk += part.disk_bytes
    refusals += disk_refusals(settings, disk)
    fixed_s = FIXED_S if rows else (0.0, 0.0)
    low, high = low + fixed_s[0], high + fixed_s[1]
    price = None
    if price_per_hour is not None:
        price = (low / 3600 * price_per_hour, high / 3600 * price_per_hour)
    return Plan(
        rows=tuple(rows),
        refusals=tuple(refusals),
        seconds_low=low,
        seconds_high=high,
        peak_bytes=peak,
        disk_bytes=disk,
        price=price,
        models=tuple(models),
        fixed_s=fixed_s,
    )


def _part(settings: Settings, name: str, methods: Sequence[Method], rate: Rate | None) -> Plan:
    """The plan of one model."""
    scout = scout_of(settings, name, device=settings.device if rate else "", for_plan=True)
    facts = scout.facts
    try:
        loads = loads_of(settings, scout)
    except ScbenchError as error:
        what = f"--data {settings.data}"
        return _nothing(Refusal(kind="data", what=what, why=str(error), stops_run=True))
    refusals = [*scout.lost, *refusals_of(settings, methods, scout, loads)]
    is_fitted = settings.equal_share is not None
    fit, _ = pairing.apart(methods, facts.shape, settings.lengths_tokens, is_fitted=is_fitted)
    fit = as_sized(fit, settings, facts.shape)
    rows = [row_of(settings, fit, facts, load) for load in loads]
    rate = rate or measured(facts.device)
    low, high = seconds(rows, facts, settings, rate)
    peak = _peak_bytes(facts, rows)
    if rate.memory_bytes is not None and peak > rate.memory_bytes:
        refusals.append(_no_room(facts, peak, rate))
    return Plan(
        rows=tuple(rows),
        refusals=tuple(refusals),
        seconds_low=low,
        seconds_high=high,
        peak_bytes=peak,
        disk_bytes=disk_bytes(settings, len(fit), loads),
        price=None,
        models=(_planned(scout, rate, _thoughts(settings, scout)),),
    )


def _nothing(refusal: Refusal) -> Plan:
    """The plan of a model of which nothing can be counted."""
    return Plan(
        rows=(),
        refusals=(refusal,),
        seconds_low=0.0,
        seconds_high=0.0,
        peak_bytes=0,
        disk_bytes=0,
        price=None,
    )


def _thoughts(settings: Settings, scout: Scout) -> tuple[str, ...]:
    """What a plan says of thoughts, where there may be any."""
    if scout.tokenizer is None or not (room := thought_tokens(scout.tokenizer, settings.protocol)):
        return ()
    return (
        f"thoughts: up to {room:,} tokens before every answer (--think off, or --think-tokens)",
    )


def _planned(scout: Scout, rate: Rate, thoughts: tuple[str, ...]) -> PlannedModel:
    facts = scout.facts
    return PlannedModel(
        name=facts.name,
        params=facts.params,
        dtype=facts.dtype,
        device=facts.device,
        window_tokens=facts.window_tokens,
        trained_tokens=facts.trained_tokens,
        token_bytes=facts.shape.token_bytes,
        state_bytes=facts.shape.recurrent_bytes,
        flops_per_s=rate.flops_per_s,
        rate=rate.name,
        notes=(
            *(f"{what}: {why}" for what, why in facts.choices.items()),
            *facts.shape.kinds_told(),
            *facts.notes,
            *getattr(scout.tokenizer, "notes", ()),
            *thoughts,
        ),
    )


def _peak_bytes(facts: ModelFacts, rows: Sequence[PlanRow]) -> int:
    width = facts.shape.dtype_bytes
    weights = facts.params * width
    activations = ACTIVATION_TOKENS * facts.hidden * width
    return weights + activations + max((row.held_bytes for row in rows), default=0)


def _no_room(facts: ModelFacts, peak: int, rate: Rate) -> Refusal:
    held = rate.memory_bytes or 0
    return Refusal(
        kind="memory",
        what="memory",
        why=f"weights, KV and activations need about {peak / (1 << 30):,.1f} GiB, the device has "
        f"{held / (1 << 30):,.0f}; fewer methods, shorter contexts, or another card",
        model=facts.name,
        is_certain=False,
    )
