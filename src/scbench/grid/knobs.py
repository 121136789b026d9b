"""Which parameter of a method sets what it holds, or what a step loads, and how it is turned."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

from scbench.methods.contract import Stage
from scbench.methods.method import Method


def knob_stage(method: Method) -> Stage | None:
    """The stage whose knob is turned: an eviction before a codec before a prompt compression; None
    if nothing changes what is held."""
    rewriting = (method.generation,) if method.generation.traits.is_rewriting else ()
    return next((stage for stage in (*method.compression, *rewriting) if stage.knob), None)


def knob_name(stage: Stage) -> str:
    """Its parameter. A loading stage's share is no knob of what is held, but of what is read."""
    return "tau" if stage.knob is None else stage.knob.parameter


def knob_steps(stage: Stage) -> tuple[object, ...]:
    """All values of its knob, ascending, where these are few; none where it is a share."""
    return () if stage.knob is None else stage.knob.steps


def turned(method: Method, stage: Stage, value: object) -> Method:
    """`method` with the knob of `stage` at `value`, and no other budget in it."""
    budgets = {f.name: None for f in fields(stage) if f.name in ("tau", "budget_tokens")}
    new: Any = replace(stage, **{**budgets, knob_name(stage): value})  # type: ignore[arg-type]
    return replace(
        method,
        loading=new if method.loading is stage else method.loading,
        generation=new if method.generation is stage else method.generation,
        compression=tuple(new if one is stage else one for one in method.compression),
    )


def loading_knob_stage(method: Method) -> Stage | None:
    """The stage whose knob sets what a step loads: the loading stage where it has a budget, else
    what sets the bytes held."""
    has_budget = any(field.name == "budget_tokens" for field in fields(method.loading))
    return method.loading if has_budget else knob_stage(method)


def widest(method: Method) -> Method:
    """`method` with its knob at the setting that holds most: what a method to be fitted is checked
    with, since its own setting will not be played."""
    stage = knob_stage(method)
    if stage is None:
        return method
    return turned(
        method, stage, stage.knob.steps[-1] if stage.knob and stage.knob.steps else Fraction(1)
    )
