"""Prompt compression in a run: the model sees the shorter text, and the record says what of the
evidence is left.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import scbench
from scbench.api import Result
from scbench.methods import parse
from scbench.play.rewriting import evidence_left, rewritten
from scbench.tasks import task
from scbench.tasks.contract import Words
from scbench.types import Session

SHORT = "selective-context[tau=1/2]"


@pytest.fixture(scope="module")
def session() -> Session:
    return task("qa_eng").make(seed="rewriting:0", target=1500, turns=3, count=Words())


def test_evidence_moves_with_its_words(session: Session) -> None:
    """Every word of a moved span stood in the span before."""
    after = rewritten(session, parse(SHORT).generation)
    assert len(after.context) < 0.6 * len(session.context)
    for old, new in zip(session.turns, after.turns, strict=True):
        for before, span in zip(old.evidence, new.evidence, strict=True):
            whole = session.context[before.start : before.stop].split()
            assert set(after.context[span.start : span.stop].split()) <= set(whole)


def test_the_share_of_evidence_left_is_counted_in_characters(session: Session) -> None:
    shares = [
        evidence_left(session, rewritten(session, parse(SHORT).generation), turn)
        for turn in range(3)
    ]
    assert all(0 <= share < 1 for share in shares)
    assert evidence_left(session, session, 0) == 1.0


def played(folder: Path, **more: object) -> Result:
    given = {
        "model": "toy",
        "tasks": "kv",
        "methods": f"dense,{SHORT},{SHORT}+streaming-llm[tau=1/2]",
        "length": "2k",
        "sessions": 2,
        "turns": 3,
    }
    return scbench.run(**{**given, "cost_sessions": 0, "quiet": True, "out": folder, **more})


def test_the_prompt_is_shorter_and_dense_is_untouched(tmp_path: Path) -> None:
    prompts = {}
    for record in played(tmp_path).records():
        assert record.failure is None
        prompts.setdefault((record.seed, record.mode, record.turn), {})[record.method] = record
    for by_method in prompts.values():
        assert by_method[SHORT].prompt_tokens < 0.8 * by_method["dense"].prompt_tokens
        assert by_method["dense"].strict.value == 1.0
        assert by_method["dense"].evidence_kept == 1.0


def test_the_record_says_what_of_the_evidence_is_left(tmp_path: Path) -> None:
    records = [record for record in played(tmp_path).records() if record.method != "dense"]
    shares = [record.evidence_held for record in records]
    assert all(share is not None for share in shares)
    assert min(share for share in shares if share is not None) < 1
    whole = {(r.seed, r.mode, r.turn): r.evidence_held for r in records if r.method == SHORT}
    for record in records:
        assert record.evidence_held is not None
        assert record.evidence_held <= (whole[record.seed, record.mode, record.turn] or 0.0) + 1e-9


def test_the_cost_pass_reads_the_shorter_text(tmp_path: Path) -> None:
    held = {
        str(row["method"]): row["held_bytes"]
        for row in played(tmp_path, sessions=1, cost_sessions=1).costs()
    }
    assert held[SHORT] < 0.8 * held["dense"]
