"""A report of equal bytes says of what, when, and who is not in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from factory import record

import scbench
from scbench.report import markdown, page
from scbench.report.equal import equal_facts
from scbench.stats import summarise

GAP = "equal bytes at {0} tokens: kivi[bits=2] is left out: it holds: 2 bytes over"


def manifest(*gaps: str, **settings: Any) -> dict[str, Any]:
    return {"runs": [{"settings": {}, "gaps": []}, {"settings": settings, "gaps": list(gaps)}]}


def test_the_moment_is_named_wherever_the_share_is() -> None:
    held = manifest(equal_bytes="1/8", equal_at="end")
    summary = summarise([record()])
    for text in (markdown(summary, held), page(summary, held)):
        assert "--equal-bytes 1/8 --equal-at end" in text
    assert "--equal-at context" in equal_facts(manifest(equal_bytes="1/8"))[0][1]
    assert "in a decode step" in equal_facts(manifest(equal_loaded="1/4"))[0][1]


@pytest.mark.parametrize("model", ["", "toy: ", "a: b: "])
def test_what_was_left_out_is_listed_once_with_its_reason(model: str) -> None:
    gaps = [model + GAP.format(length) for length in ("512", "4,096")]
    found = equal_facts(manifest(*gaps, "kv 512 tokens: no session", equal_bytes="1/8"))
    assert found[1:] == [("Left out by --equal-bytes", "kivi[bits=2]: it holds: 2 bytes over")]


def test_a_run_as_it_was_asked_for_says_nothing_of_equal_bytes() -> None:
    assert equal_facts(manifest(GAP.format("512"))) == equal_facts({}) == []


def test_a_report_of_a_run_names_who_equal_bytes_left_out(tmp_path: Path) -> None:
    result = scbench.run(
        model="toy",
        tasks="kv",
        methods="dense,snapkv,fp8",
        length="512",
        sessions=1,
        turns=1,
        modes="multi-request",
        equal_bytes="1/4",
        equal_at="end",
        cost_sessions=0,
        out=tmp_path / "run",
        quiet=True,
    )
    text = (result.folder / "report.md").read_text()
    assert "- Equal bytes: --equal-bytes 1/4 --equal-at end" in text
    assert "- Left out by --equal-bytes: fp8: " in text
