"""What the contract promises to whoever writes a stage holds: inf stays, super() works, the line is
named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.doctor import doctor
from scbench.exam.laws import context, read
from scbench.kv import LayerView
from scbench.methods import parse
from scbench.methods.compression.adakv import AdaKV
from scbench.methods.contract import (
    Codec,
    Eviction,
    Generation,
    Placing,
    Retrieval,
    Selection,
    Stage,
    Traits,
)
from scbench.methods.fork import fork
from scbench.methods.method import Method

LAW = "what is protected stays, whatever the budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest(Eviction):
    """Protects the newest slots; the others are all alike."""

    name: ClassVar[str] = "newest"
    protected_tokens: int = 50

    def rank(self, view: LayerView) -> Tensor:
        ranks_HS = torch.zeros(view.k_HSD.shape[:2])
        ranks_HS[:, -self.protected_tokens :] = float("inf")
        return ranks_HS


@dataclass(frozen=True, slots=True, kw_only=True)
class Careful(Newest):
    """Uses zero-argument super() wherever a class can."""

    def __post_init__(self) -> None:
        super().__post_init__()

    @property
    def reading(self) -> Generation | None:
        return super().reading

    @classmethod
    def twice(cls) -> str:
        return super().__name__ * 2

    def rank(self, view: LayerView) -> Tensor:
        return super().rank(view)


def kept_by(eviction: Eviction) -> list[list[int]]:
    engine, method = tiny("gqa"), Method(compression=(eviction,))
    stream = fork(read(engine, method, context()), method)
    return [stream.positions(layer, 0).tolist() for layer in stream.layers]


def test_protected_slots_stay_and_the_newest_token_with_them() -> None:
    for positions in kept_by(Newest(budget_tokens=60)):
        assert set(range(180, 230)) <= set(positions)
        assert len(positions) == 60


def test_more_protected_slots_than_the_budget_has_are_refused_with_what_would_do() -> None:
    with pytest.raises(Mismatch, match=r"protects 50 of 230 slots .* budget there is 13.*tau="):
        kept_by(Newest(budget_tokens=13))


@pytest.mark.parametrize("division", ["authors", "kvpress"])
def test_adakv_refuses_a_scorer_that_protects_more_than_the_budget(
    division: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eviction = AdaKV(division=division, budget_tokens=13)  # type: ignore[arg-type]
    monkeypatch.setattr(AdaKV, "inner", Newest(budget_tokens=13))
    with pytest.raises(Mismatch, match="protects 50 of 230"):
        kept_by(eviction)


def test_zero_argument_super_works_in_a_dataclass_with_slots() -> None:
    eviction = Careful(budget_tokens=60)
    assert eviction.reading is None
    assert kept_by(eviction) == kept_by(Newest(budget_tokens=60))


THEIRS = '''"""Somebody's eviction."""

from dataclasses import dataclass

from scbench.methods.contract import Eviction


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs(Eviction):
    pace: int = 3

    def __post_init__(self):
        super().__post_init__()
        POST

    def rank(self, view):
        RANK
'''


def theirs(folder: Path, *, rank: str = "return -view.k_HSD.norm(dim=-1)", post: str = "") -> str:
    text = THEIRS.replace("RANK", rank).replace("POST", post or "pass")
    (folder / "theirs.py").write_text(text, encoding="utf-8")
    return f"{folder}/theirs.py:Theirs[tau=1/4]"


def test_a_strangers_file_may_use_super_as_python_teaches(tmp_path: Path) -> None:
    assert str(parse(theirs(tmp_path))) == "theirs.py:Theirs[tau=1/4]"
    _, findings = doctor(theirs(tmp_path), kinds=("gqa",))
    assert [one for one in findings if one.verdict == "broken"] == []
    assert [one.verdict for one in findings if one.law == LAW] == ["holds"]


def test_the_doctor_shows_the_line_of_a_strangers_file(tmp_path: Path) -> None:
    _, findings = doctor(theirs(tmp_path, rank="return view.k_HSD.nrom(dim=-1)"), kinds=("gqa",))
    (why,) = [one.why for one in findings if one.law == "chunks equal one piece"] or [""]
    broken = [one.why for one in findings if one.verdict == "broken"]
    assert broken
    assert all("AttributeError" in why for why in broken)
    assert all("theirs.py:17: `return view.k_HSD.nrom(dim=-1)`" in why for why in broken)
    assert "theirs.py" not in why  # this law needs no fork


def test_a_stage_that_cannot_be_made_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"ZeroDivisionError: .* at theirs.py:14: `1 / 0`"):
        parse(theirs(tmp_path, post="1 / 0"))


def test_a_file_that_cannot_be_imported_names_the_line(tmp_path: Path) -> None:
    spelling = theirs(tmp_path)
    with (tmp_path / "theirs.py").open("a", encoding="utf-8") as file:
        file.write("\nTABLE = {}\nTABLE['first']\n")
    with pytest.raises(BadConfig, match=r"KeyError: 'first' at theirs.py:20: `TABLE\['first'\]`"):
        parse(spelling)


# What is public of a stage is what the runner asks of it, or what a class of its kind may say.
OF_ANY = {
    "name",
    "stage",
    "role",
    "needs",
    "traits",
    "knob",
    "parts",
    "data_digest",
    "check",
    "notes",
}
OF_ANY |= {"lossless", "units", "fixed", "coarse", "preset", "invariants"}
OF_A_BUDGET = {"tau", "budget_tokens", "minimum_tokens", "own_tokens", "budget"}
OF_A_KIND: dict[type[Stage], set[str]] = {
    Generation: {"attend", "is_one_shot", "cache", "more_bytes", "kept_ranges", "computed_share"},
    Eviction: {
        *OF_A_BUDGET,
        *(
            "rank",
            "keep",
            "keep_all",
            "picked",
            "again",
            "cache",
            "reading",
            "kept_slots",
            "held_bytes",
        ),
    },
    Codec: {"encode", "coded_bytes", "uneven_bytes", "at"},
    Retrieval: {"prefix_pool"},
    Selection: {"digest", "digest_all", "index_bytes", "detached_bytes"},
    Placing: {"place_all"},
}


@pytest.mark.parametrize("kind", OF_A_KIND, ids=lambda kind: kind.__name__)
def test_a_kind_of_stage_has_these_public_names_and_no_more(kind: type[Stage]) -> None:
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public == OF_ANY | OF_A_KIND[kind]


def test_what_rolls_has_a_cache_of_its_own_and_what_is_uneven_has_not() -> None:
    assert Traits(is_rolling=True).has_own_cache
    assert not Traits(has_uneven_heads=True).has_own_cache
    assert not Traits().has_own_cache
