"""Oracle: what the gold answers rest on stays, and nobody else is told."""

from __future__ import annotations

import pytest

import scbench
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.stats.choice import Bounds, choose
from scbench.types import USES_GOLD, Mode

CONTEXT = tuple(range(30, 94))


def kept(spelling: str, evidence: tuple[int, ...] | None) -> list[list[int]]:
    """The positions of every layer and head of a context of 64 tokens."""
    engine, method = tiny("gqa"), parse(spelling)
    snapshot = engine.read(CONTEXT, needs=method.needs)
    snapshot.evidence = evidence
    stream = fork(snapshot, method)
    heads = range(engine.facts.shape.kv_heads)
    return [stream.positions(layer, head).tolist() for layer in stream.layers for head in heads]


def test_evidence_the_first_and_the_newest_stay_within_the_budget() -> None:
    found = kept("oracle[tau=1/4]", (20, 21, 40))
    assert all(positions == [0, 1, 2, 3, 20, 21, 40, *range(55, 64)] for positions in found)


def test_more_evidence_than_the_budget_holds_is_refused_with_one_that_does() -> None:
    with pytest.raises(Mismatch, match=r"protects 24 of 64 slots.*use tau="):
        kept("oracle[tau=1/4]", tuple(range(20, 40)))


@pytest.mark.parametrize(
    ("evidence", "why"), [((), "a turn of this session names none"), (None, "none is known")]
)
def test_without_evidence_there_is_no_ceiling(evidence: tuple[int, ...] | None, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        kept("oracle[tau=1/4]", evidence)


def test_no_other_method_is_shown_the_evidence() -> None:
    engine = tiny("gqa")
    snapshot = engine.read(CONTEXT)
    snapshot.evidence = (20, 21)
    assert snapshot.view(0).evidence is None
    assert snapshot.view(0, with_gold=True).evidence == (20, 21)
    for spelling in ("snapkv[tau=1/4]", "kvzip[tau=1/4]", "streaming-llm[tau=1/4]"):
        with_it, without = kept(spelling, (20, 21)), kept(spelling, None)
        assert with_it == without
        method = parse(spelling)
        assert method.eviction is not None
        assert not method.eviction.traits.uses_gold


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> scbench.api.Result:
    return scbench.run(
        model="toy",
        tasks="kv",
        methods="dense,oracle[tau=1/4],streaming-llm[tau=1/4],closed-book,oracle[tau=1/4]+kivi",
        length="512",
        sessions=1,
        turns=3,
        cost_sessions=0,
        quiet=True,
        out=tmp_path_factory.mktemp("oracle"),
    )


@pytest.mark.slow
def test_it_answers_every_turn_of_both_modes_from_a_quarter(run: scbench.api.Result) -> None:
    scores = {
        (record.method, record.mode): record.strict.value
        for record in run.records()
        if record.turn == 2
    }
    for mode in (Mode.MULTI_TURN, Mode.MULTI_REQUEST):
        assert scores["oracle[tau=1/4]", mode] == 1.0
    assert all(
        record.evidence_kept == 1.0 and USES_GOLD in record.notes
        for record in run.records()
        if record.method.startswith("oracle")
    )
    assert "a ceiling" in (run.folder / "report.md").read_text()


def test_ceilings_and_floors_are_never_chosen(run: scbench.api.Result) -> None:
    rows = choose(run.summary(), Bounds(max_loss=0.5))
    assert {row.method for row in rows} == {"streaming-llm[tau=1/4]"}


def test_a_question_of_ones_own_has_no_oracle() -> None:
    doc = scbench.load("toy").read('{"a": "1", "b": "2"}' * 20)
    with pytest.raises(Mismatch, match="keeps the evidence of gold answers"):
        doc.under("oracle[tau=1/2]").ask("a")
