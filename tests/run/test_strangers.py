"""A stranger's method is never taken for ours, and its faults stay its own."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from page_parts import unpacked
from quick import quick
from strangers import write

from scbench.api import Result, open_run, settle
from scbench.engines.contract import Feed, stacked
from scbench.engines.tiny import tiny
from scbench.engines.toy import ToyEngine
from scbench.errors import BadConfig, OutOfDevice
from scbench.grid.runner import run
from scbench.kv.fingerprint import fingerprint
from scbench.methods.compression import knorm
from scbench.play.decode import drive
from scbench.play.faults import FOLDER

GRID: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "length": "512",
    "sessions": 1,
    "turns": 2,
    "cost_sessions": 0,
    "quiet": True,
}


def play(folder: Path, methods: str, **more: Any) -> Result:
    return quick(folder, **{**GRID, "methods": methods, **more})


def by_method(result: Result) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in result.records():
        found.setdefault(record.method, []).append(record)
    return found


@pytest.mark.slow
def test_a_copy_of_a_house_method_with_one_sign_flipped_is_another_row_with_other_numbers(
    tmp_path: Path,
) -> None:
    source = Path(knorm.__file__ or "").read_text(encoding="utf-8")
    assert source.count("return -norms_HS") == 1
    (tmp_path / "my_knorm.py").write_text(source.replace("return -norms_HS", "return norms_HS"))
    mine = f"{tmp_path}/my_knorm.py:Knorm[tau=1/4]"
    engine = tiny("gqa")
    rows = by_method(play(tmp_path / "run", f"dense,knorm[tau=1/4],{mine}", engine=engine))
    assert rows.keys() == {"dense", "knorm[tau=1/4]", "my_knorm.py:Knorm[tau=1/4]"}
    kept = {name: [record.evidence_kept for record in records] for name, records in rows.items()}
    assert kept["knorm[tau=1/4]"] != kept["my_knorm.py:Knorm[tau=1/4]"]
    card = open_run(tmp_path / "run").methods()["my_knorm.py:Knorm[tau=1/4]"]
    assert (card["stage"], card["category"]) == ("compression", "KV dropping")
    assert card["spelling"] == mine


def test_two_files_that_would_be_one_row_are_refused_before_anything_runs(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a", "honest"), write(tmp_path / "b", "flipped")
    with pytest.raises(BadConfig, match="shown as"):
        play(tmp_path / "run", f"{one},{two}")
    assert not (tmp_path / "run").exists()
    rows = by_method(play(tmp_path / "run", f"{one},mine={two}"))
    assert rows.keys() == {"mine.py:Mine[tau=1/4]", "mine[tau=1/4]"}


@pytest.mark.parametrize("kind", ["poison", "one-bit", "dtype"])
def test_a_method_that_writes_into_the_shared_cache_stops_alone(tmp_path: Path, kind: str) -> None:
    bad = write(tmp_path, kind)
    good = write(tmp_path, "honest", name="good.py")
    clean = by_method(play(tmp_path / "clean", f"dense,knorm[tau=1/4],{good}"))
    rows = by_method(play(tmp_path / "run", f"{bad},dense,knorm[tau=1/4],{good}"))
    stopped = rows.pop("mine.py:Mine[tau=1/4]")
    assert {record.failure.kind for record in stopped} == {"changed-shared-cache"}
    assert {name: [r.answer for r in records] for name, records in rows.items()} == {
        name: [r.answer for r in records] for name, records in clean.items()
    }


KINDS = {
    "raises": "crashed",
    "exits": "crashed",
    "warns": "crashed",
    "closes": "crashed",
    "stops": "crashed",
    "no-memory": "out-of-memory",
    "not-a-number": "not-finite",
}


ON_EVERY_SAVE = ("raises", "exits", "no-memory")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in ON_EVERY_SAVE else pytest.mark.slow) for kind in KINDS],
)
def test_what_a_method_raises_is_its_own_gap_in_scores_and_costs(tmp_path: Path, kind: str) -> None:
    result = play(tmp_path / "run", f"dense,{write(tmp_path, kind)}", cost_sessions=1)
    rows = by_method(result)
    failures = {record.failure for record in rows["mine.py:Mine[tau=1/4]"]}
    kinds = {failure.kind for failure in failures}
    assert kinds == {KINDS[kind]}
    traces = {failure.trace for failure in failures}
    told = [(tmp_path / "run" / trace).read_text() for trace in traces]
    assert all("Traceback" in text for text in told)
    if kind != "not-a-number":  # what is handed back is found out after the method has returned
        assert all("mine.py" in text for text in told)
    assert all(trace.startswith(f"{FOLDER}/") for trace in traces)
    assert {record.strict.value for record in rows["dense"]} == {1.0}
    assert [row["method"] for row in result.costs()] == ["dense"]
    assert [row["method"] for row in result.cost_gaps()] == ["mine.py:Mine[tau=1/4]"]
    page = result.report()["index.html"].read_text()
    (lost,) = (row for row in unpacked(page)["costs"] if row["failure"])
    assert lost["method"] == "mine.py:Mine[tau=1/4]"
    assert result.outcome is not None
    assert any("cost pass" in gap and "mine.py" in gap for gap in result.outcome.gaps)


def test_torch_is_put_back_after_the_cost_pass_too(tmp_path: Path) -> None:
    """What a method sets there would else be in force for the next session's answers."""
    bad = write(tmp_path, "dtype")
    result = play(tmp_path / "run", f"{bad},dense,knorm[tau=1/4]", cost_sessions=1, sessions=2)
    rows = by_method(result)
    stopped = rows.pop("mine.py:Mine[tau=1/4]")
    assert {record.failure.kind for record in stopped} == {"changed-shared-cache"}
    assert {record.failure for records in rows.values() for record in records} == {None}
    (gap,) = result.cost_gaps()
    assert "changed its default dtype of torch" in gap["failure"]


def test_a_method_that_keeps_nothing_is_refused_before_native_code_meets_it(tmp_path: Path) -> None:
    rows = by_method(play(tmp_path / "run", f"dense,{write(tmp_path, 'nothing')}"))
    failures = {record.failure for record in rows["mine.py:Mine[tau=1/4]"]}
    assert {failure.kind for failure in failures} == {"refused"}
    assert all("keeps no slot of layer 0" in failure.why for failure in failures)


def test_a_method_that_draws_gives_the_same_answers_twice(tmp_path: Path) -> None:
    lot = write(tmp_path, "lot")
    one, two = (
        [(r.turn, r.mode, r.answer, r.gold) for r in play(tmp_path / at, f"dense,{lot}").records()]
        for at in ("one", "two")
    )
    assert one == two


def test_a_ranking_that_lacks_a_slot_is_refused(tmp_path: Path) -> None:
    rows = by_method(play(tmp_path / "run", f"dense,{write(tmp_path, 'one-short')}"))
    failures = {record.failure for record in rows["mine.py:Mine[tau=1/4]"]}
    assert {failure.kind for failure in failures} == {"refused"}
    assert all("every slot needs one number" in failure.why for failure in failures)


def test_facts_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    play(tmp_path / "run", f"dense,{write(tmp_path, 'honest')}")
    assert open_run(tmp_path / "run").torn() == []
    (tmp_path / "run" / "facts.jsonl").write_bytes(b"")
    (line,) = open_run(tmp_path / "run").torn()
    assert "facts.jsonl lacks" in line


def test_debug_stops_at_the_first_exception_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such rank"):
        play(tmp_path / "run", write(tmp_path, "raises"), debug=True)


class Wide(ToyEngine):
    """Its best token is no token of the tokenizer, or no number."""

    def __init__(self, odd: str) -> None:
        super().__init__()
        self.odd = odd

    def advance(self, feeds: Any) -> Any:
        return stacked(feeds, [self.oddly(logits) for logits in super().advance(feeds)])

    def read(self, *words: Any, **more: Any) -> Any:
        snapshot = super().read(*words, **more)
        snapshot.logits_V = self.oddly(snapshot.logits_V)
        return snapshot

    def oddly(self, logits: torch.Tensor) -> torch.Tensor:
        if self.odd == "padded":
            return torch.nn.functional.pad(logits, (0, 700), value=1e9)
        logits[..., 65] = {"nan": float("nan"), "inf": float("inf")}[self.odd]
        return logits


@pytest.mark.parametrize("odd", ["padded", "nan", "inf"])
def test_where_no_token_can_be_chosen_there_is_a_failure_and_no_score(
    tmp_path: Path, odd: str
) -> None:
    result = play(tmp_path, "dense,snapkv[tau=1/4]", engine=Wide(odd), cost_sessions=1)
    for record in result.records():
        assert record.failure is not None
        assert record.failure.kind == "not-finite"
        assert (record.strict.value, record.official.value) == (None, None)
    assert result.costs() == []


class Hungry(ToyEngine):
    """Takes much, then runs out: the array must not outlive the forward that took it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[weakref.ref[Any]] = []
        self.alive_at_call: list[int] = []

    def advance(self, feeds: Any) -> torch.Tensor:
        self.alive_at_call.append(sum(one() is not None for one in self.taken))
        if len(feeds) > 1:
            array = torch.zeros(1000)
            error = OutOfDevice("no memory left")  # a cycle: the frame names what holds the frame
            self.taken += [weakref.ref(array), weakref.ref(error)]
            raise error
        return super().advance(feeds)


def test_what_a_failed_forward_held_is_free_before_it_is_tried_again(tmp_path: Path) -> None:
    gc.disable()
    try:
        engine = Hungry()
        result = play(tmp_path, "dense", engine=engine, turns=4)
    finally:
        gc.enable()
    assert engine.taken
    assert set(engine.alive_at_call) == {0}
    assert {record.failure for record in result.records()} == {None}


def test_a_lost_play_keeps_no_exception_and_nothing_of_its_frames() -> None:
    engine = Hungry()
    stream = engine.read([1, 2, 3]).fork()

    def play_of() -> Any:
        yield Feed(stream.fork(), [1])

    gc.disable()
    try:
        lost = drive(engine, [play_of(), play_of()], lanes=2)
        assert [one.fault.failure.kind for one in lost] == ["out-of-memory"] * 2
        assert [one() for one in engine.taken] == [None, None]
    finally:
        gc.enable()


def test_a_model_that_failed_is_gone_before_the_next_is_made(tmp_path: Path) -> None:
    """Also where its exception stands in a cycle with the frame that raised it."""
    made: list[weakref.ref[ToyEngine]] = []
    alive: list[int] = []

    def engines() -> Iterator[ToyEngine]:
        for _ in range(2):
            alive.append(sum(one() is not None for one in made))
            engine = Hungry()
            made.append(weakref.ref(engine))
            yield engine
            del engine

    settings = settle({**GRID, "methods": "dense", "out": tmp_path, "quiet": None})
    run(settings, engines(), quiet=True)
    assert alive == [0, 0]


def test_a_fingerprint_sees_every_single_word(tmp_path: Path) -> None:
    snapshot = tiny("gqa").read(list(range(1, 40)), needs={"window", "column-sums"})
    whole = fingerprint(snapshot)
    tensors = [store.v_HSD for stores in snapshot.layers.values() for store in stores]
    tensors += [snapshot.logits_V, *(seen.column_sums_HS for seen in snapshot.observed.values())]
    with torch.inference_mode():
        for tensor in tensors:
            words = tensor.view(-1).view(torch.int32)
            for at in (0, len(words) // 2, len(words) - 1):
                words[at] ^= 1
                assert fingerprint(snapshot) != whole
                words[at] ^= 1
    assert fingerprint(snapshot) == whole


def test_a_run_can_be_played_again_from_its_records_without_guessing_a_file(tmp_path: Path) -> None:
    place = write(tmp_path / "somewhere", "honest")
    first = play(tmp_path / "run", f"dense,{place}")
    spellings = [card["spelling"] for card in first.methods().values()]
    again = play(tmp_path / "again", ",".join(spellings))
    answers = [
        {(r.method, r.mode, r.turn): r.answer for r in result.records()}
        for result in (first, again)
    ]
    assert answers[0] == answers[1]
    shutil.rmtree(tmp_path / "somewhere")
    assert open_run(tmp_path / "run").report()  # a report needs no file of a method
