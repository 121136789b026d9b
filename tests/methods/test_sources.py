"""Edited code never meets old answers, wherever in a stage's folder it lies."""

from __future__ import annotations

import inspect

import pytest

from scbench.methods import parse
from scbench.methods.sources import modules_behind

C, L = "scbench.methods.compression.", "scbench.methods.loading."


def test_a_stage_depends_on_its_helpers_and_not_on_other_stages() -> None:
    for spelling in ("rtn", "retroinfer", "quest", "streaming-llm"):
        parse(spelling)  # imports it
    assert modules_behind(f"{C}rtn") == [f"{C}affine", f"{C}codes", f"{C}rtn"]
    assert f"{L}clusters" in modules_behind(f"{L}retroinfer")
    assert f"{L}retroinfer" not in modules_behind(f"{L}quest")
    assert modules_behind(f"{C}streaming_llm")[-1] == f"{C}streaming_llm"


def test_an_edited_helper_changes_the_digest_of_its_users_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users, others = ["rtn", "kivi", "snapkv+rtn"], ["turboquant", "quest", "dense"]
    before = {spelling: parse(spelling).source_digest for spelling in (*users, *others)}
    read = inspect.getsource

    def edited(module: object) -> str:
        return read(module) + (
            "# edited" if getattr(module, "__name__", "") == f"{C}affine" else ""
        )  # type: ignore[arg-type]

    monkeypatch.setattr(inspect, "getsource", edited)
    assert all(parse(spelling).source_digest != before[spelling] for spelling in users)
    assert all(parse(spelling).source_digest == before[spelling] for spelling in others)
