"""What a run keeps of each turn's evidence: whole after a kill, equal on resuming, named when
damaged, and never in the way of a record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick import quick

from scbench.api import open_run
from scbench.errors import BadRecord
from scbench.grid.evidence import EVIDENCE, MOST_BITS, EvidenceBook, read_evidence
from scbench.ledger import lines
from scbench.ledger.journal import current
from scbench.play.evidence import ByHead, EvidenceHeld

WORDS = {
    "model": "toy",
    "tasks": ["kv"],
    "methods": ["dense", "knorm[tau=1/2]", "exact-topk[tau=1/8]"],
    "length": 512,
    "sessions": 2,
    "turns": 2,
    "form": "full",
    "cost_sessions": 0,
}


def shares(result: Any) -> dict[tuple[str, int], tuple[float | None, ...]]:
    return {
        (one.key, one.turn): (one.evidence_kept, one.evidence_held, one.evidence_loaded)
        for one in result.records()
    }


def bits(result: Any) -> dict[tuple[str, int], list[Any]]:
    return {
        place: [None if side is None else side.bits_RE.tolist() for side in (one.held, one.loaded)]
        for place, one in result.evidence().items()
    }


def cut(path: Path, lines: int, torn: int = 0) -> None:
    """Take the last lines off a file, and leave the beginning of the next one."""
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-lines]) + whole[-lines][:torn])


def drawn(rows: int, tokens: int) -> EvidenceHeld:
    draw = np.random.default_rng(4)
    return EvidenceHeld(
        heads=(2,) * (rows // 2),
        tokens=tokens,
        held=ByHead.of(draw.random((rows, tokens)) < 0.5),
        loaded=ByHead.of(draw.random((rows, tokens)) < 0.2),
        mass_RE=draw.random((rows, tokens)).astype(np.float16),
    )


def test_a_killed_run_keeps_the_same_bits_as_one_that_was_not(tmp_path: Path) -> None:
    whole = quick(tmp_path / "whole", **WORDS)
    killed = quick(tmp_path / "killed", **WORDS)
    cut(killed.folder / "records.jsonl", 9, torn=40)
    cut(killed.folder / EVIDENCE, 8, torn=100)  # one turn more than the records know
    again = quick(killed.folder, **WORDS)
    assert again.outcome is not None
    assert any(EVIDENCE in line for line in again.outcome.gaps)
    assert bits(again) == bits(whole)
    assert shares(again) == shares(whole)
    assert len(bits(whole)) == 3 * 2 * 2 * 2
    assert {None} != {loaded and any(map(any, loaded)) for _, loaded in bits(whole).values()}


def test_an_extended_run_counts_by_the_dense_it_has(tmp_path: Path) -> None:
    at_once = quick(tmp_path / "once", **WORDS)
    quick(tmp_path / "more", **{**WORDS, "methods": ["dense"]})
    more = quick(None, extend=tmp_path / "more", methods=WORDS["methods"][1:])
    assert shares(more) == shares(at_once)
    partial = [kept for kept, held, _ in shares(more).values() if held not in (0.0, 1.0)]
    assert len(partial) > 4
    assert None not in partial


def test_a_lost_file_costs_no_record_and_what_counts_is_not_known_from_there(
    tmp_path: Path,
) -> None:
    before = quick(tmp_path / "a", **{**WORDS, "methods": ["dense"]})
    records = before.records()
    (tmp_path / "a" / EVIDENCE).unlink()
    assert open_run(tmp_path / "a").records() == records
    assert open_run(tmp_path / "a").evidence() == {}
    more = quick(None, extend=tmp_path / "a", methods=["knorm[tau=1/2]"])
    assert [one for one in more.records() if one.method == "dense"] == records
    held = [one for one in more.records() if 0 < (one.evidence_held or 0) < 1]
    assert held
    assert {one.evidence_kept for one in held} == {None}
    assert len(more.evidence()) == 8  # of the method that came after


def test_a_damaged_file_is_named_and_costs_no_record(tmp_path: Path) -> None:
    before = quick(tmp_path, **WORDS)
    records = before.records()
    lines = (tmp_path / EVIDENCE).read_bytes().splitlines(keepends=True)
    broken = lines[3].replace(b'"tokens":', b'"tokens":1')
    (tmp_path / EVIDENCE).write_bytes(b"".join([*lines[:3], broken, *lines[4:]]))
    assert open_run(tmp_path).records() == records
    with pytest.raises(BadRecord, match=r"evidence.jsonl' line 4 .*delete that line"):
        open_run(tmp_path).evidence()
    with pytest.raises(BadRecord, match=r"evidence.jsonl' line 4 .*delete that line"):
        quick(tmp_path, **WORDS)
    (tmp_path / EVIDENCE).write_bytes(b"".join([*lines[:3], *lines[4:]]))
    again = quick(tmp_path, **WORDS)
    assert again.records() == records
    assert len(again.evidence()) == len(records) - 1


def test_bits_and_masses_come_back_as_they_were(tmp_path: Path) -> None:
    given = drawn(rows=6, tokens=21)
    with EvidenceBook(tmp_path) as book:
        book.put("cell", 1, given)
        book.put("cell", 1, given)
        assert book.mass("cell", 0) is None
    lines = (tmp_path / EVIDENCE).read_text().splitlines()
    assert len(lines) == 1  # an equal line is not written again
    back = read_evidence(tmp_path)["cell", 1]
    for mine, its in ((back.held, given.held), (back.loaded, given.loaded)):
        assert mine is not None
        assert its is not None
        assert mine.bits_RE is not None
        assert np.array_equal(mine.bits_RE, its.bits_RE)  # type: ignore[arg-type]
        assert mine.counts_R.tolist() == its.counts_R.tolist()
    assert np.array_equal(back.mass_RE, given.mass_RE)  # type: ignore[arg-type]
    with EvidenceBook(tmp_path) as book:
        assert np.array_equal(book.mass("cell", 1), given.mass_RE)  # type: ignore[arg-type]
        book.put("cell", 1, replace(given, loaded=None))
    assert read_evidence(tmp_path)["cell", 1].loaded is None  # the newest counts


def test_only_dense_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others count by what dense paid; what a method held is lost to nobody but itself."""
    given, synced = drawn(rows=4, tokens=9), list[int]()
    with EvidenceBook(tmp_path) as book:
        monkeypatch.setattr(lines.os, "fsync", synced.append)
        book.put("a method", 0, replace(given, mass_RE=None))
        assert synced == []
        book.put("dense", 0, given)
        assert len(synced) == 1
    assert len(read_evidence(tmp_path)) == 2


def test_beyond_a_kibibyte_of_bits_their_counts_by_head_stay(tmp_path: Path) -> None:
    given = drawn(rows=48, tokens=200)
    with EvidenceBook(tmp_path) as book:
        book.put("cell", 0, given)
    line = json.loads((tmp_path / EVIDENCE).read_text())
    assert line["is_counted"]
    assert len(line["held"]) + len(line["loaded"]) < MOST_BITS
    back = read_evidence(tmp_path)["cell", 0]
    assert back.held.bits_RE is None
    assert back.held.counts_R.tolist() == given.held.counts_R.tolist()
    assert back.loaded is not None
    assert given.loaded is not None
    assert back.loaded.counts_R.tolist() == given.loaded.counts_R.tolist()
    assert np.array_equal(back.mass_RE, given.mass_RE)  # type: ignore[arg-type]


def test_a_record_from_before_has_the_plain_share_under_its_new_name(tmp_path: Path) -> None:
    """All means the same in both."""
    some = quick(tmp_path, **{**WORDS, "sessions": 1}).records()[0]
    old = [
        replace(some, turn=turn, turns=3, evidence_kept=share, evidence_held=None)
        for turn, share in enumerate((0.25, 1.0, 0.0))
    ]
    found = [(one.evidence_kept, one.evidence_held) for one in current(old)]
    assert found == [(None, 0.25), (1.0, 1.0), (None, 0.0)]
    assert current([some]) == [some]
