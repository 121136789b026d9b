"""What a folder gives its page beside numbers, and what it leaves out when that is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from page_parts import unpacked

import scbench
from scbench.api import Result, open_run
from scbench.page_source import page_source

WORDS = {"tasks": "kv", "length": 512, "sessions": 1, "turns": 2, "cost_sessions": 0}


@pytest.fixture
def result(tmp_path: Path) -> Result:
    methods = ["dense", "streaming-llm[tau=1/2]"]
    return scbench.run(model="toy", methods=methods, out=tmp_path / "run", quiet=True, **WORDS)


def samples(result: Result) -> Any:
    html = result.report()["index.html"].read_text(encoding="utf-8")
    return unpacked(html, "samples")


def test_the_page_of_a_run_has_its_answers_questions_and_evidence(result: Result) -> None:
    found = samples(result)
    frame = result.samples()
    assert len(found["records"]["turn"]) == frame.height
    asked = {turn["ask"] for one in found["sessions"] for turn in one["turns"]}
    assert asked == set(frame["question"])
    source = page_source(result.folder, result.records())
    evidence = result.evidence()
    assert set(source.evidence) == set(evidence)
    for place, one in source.evidence.items():
        assert list(one.held) == evidence[place].held.counts_R.tolist()
        bits_RE = evidence[place].held.bits_RE
        assert bits_RE is not None
        assert one.tokens_held == pytest.approx(bits_RE.mean(axis=0).tolist())


def test_a_session_that_is_gone_and_damaged_evidence_cost_no_page(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (result.folder / "sessions").iterdir():
        path.unlink()
    lines = (result.folder / "evidence.jsonl").read_text().splitlines(keepends=True)
    (result.folder / "evidence.jsonl").write_text(lines[0][:-20] + "\n" + "".join(lines[1:]))
    found = samples(open_run(result.folder))
    assert all(one["is_gone"] for one in found["sessions"])
    assert "the page shows no evidence by head" in capsys.readouterr().err


def test_only_analyses_of_this_run_are_shown(result: Result) -> None:
    for name, source in (("analyze-run-1", "runs/run"), ("analyze-other-2", "runs/other")):
        folder = result.folder.parent / name
        folder.mkdir()
        facts = {"model": "toy", "source": source, "tasks": ["kv"], "turns": 2}
        (folder / "facts.json").write_text(json.dumps(facts))
        (folder / "means.csv").write_text("what,value\noverlap,0.5\n")
        (folder / "overlap.svg").write_text("<svg/>")
    (result.folder.parent / "analyze-broken-3").mkdir()
    (result.folder.parent / "analyze-broken-3" / "facts.json").write_text("{")
    (found,) = page_source(result.folder, result.records()).analyses
    assert found.folder == "analyze-run-1"
    assert list(found.means) == [{"what": "overlap", "value": "0.5"}]
    assert [title for title, _, _ in found.pictures] == ["Keys in common between turns"]
    html = result.report()["index.html"].read_text(encoding="utf-8")
    assert [one["folder"] for one in unpacked(html)["attention"]] == ["analyze-run-1"]
