"""Edited code never meets old answers, wherever it lies; an edited comment costs nobody a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scbench import code
from scbench.code import code_digest, house_code
from scbench.methods import parse
from scbench.methods.origin import Kind, origin_of

C, L = "scbench.methods.compression.", "scbench.methods.loading."
MINE = """
from dataclasses import dataclass
from typing import ClassVar

import torch
from {base_module} import {base}
{imports}

@dataclass(frozen=True, slots=True, kw_only=True)
class Mine({base}):
    name: ClassVar[str] = "mine"

    def rank(self, view):
        return {sign}view.k_HSD.float().norm(dim=-1)
"""


def write(folder: Path, name: str = "mine.py", **words: str) -> str:
    chosen = {
        "base_module": "scbench.methods.contract",
        "base": "Eviction",
        "imports": "",
        "sign": "-",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(MINE.format(**(chosen | words)))
    return f"{folder / name}:Mine"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of our source that can be edited; only digests look at it."""
    copy = tmp_path / "house"
    shutil.copytree(code.ROOT, copy, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    monkeypatch.setattr(code, "ROOT", copy)
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1, f"{path} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1))


def test_a_stage_depends_on_its_helpers_and_not_on_other_stages() -> None:
    assert {f"{C}affine_codes", f"{C}coded_store", f"{C}rtn"} <= house_code([f"{C}rtn"]).keys()
    assert f"{L}retroinfer_clusters" in house_code([f"{L}retroinfer"])
    assert f"{L}retroinfer" not in house_code([f"{L}quest"])


def test_an_edited_helper_changes_the_code_of_its_users_alone(house: Path) -> None:
    users, others = [f"{C}rtn", f"{C}kivi"], [f"{C}turboquant", f"{L}quest"]
    before = {name: house_code([name]) for name in (*users, *others)}
    edit(house / "methods" / "compression" / "affine_codes.py", "return", "return 0 or")
    assert all(house_code([name]) != before[name] for name in users)
    assert all(house_code([name]) == before[name] for name in others)


def test_comments_docstrings_and_layout_are_no_code(house: Path) -> None:
    before = house_code([f"{C}snapkv"])
    path = house / "methods" / "compression" / "snapkv.py"
    path.write_text(
        "# a remark\n" + path.read_text().replace('"""', '"""Now better explained: ', 1)
    )
    assert house_code([f"{C}snapkv"]) == before


def test_a_number_inside_a_docstring_like_place_is_code() -> None:
    assert code_digest(b"def f():\n    return 'x'\n") != code_digest(b"def f():\n    return 'y'\n")
    assert code_digest(b"def f():\n    'x'\n    return 1\n") == code_digest(
        b"def f():\n    'y'\n    return 1\n"
    )


def test_a_copy_of_a_house_method_is_not_the_house_method(tmp_path: Path) -> None:
    text = (code.ROOT / "methods" / "compression" / "knorm.py").read_text()
    (tmp_path / "my_knorm.py").write_text(text)
    copy, ours = parse(f"{tmp_path}/my_knorm.py:Knorm[tau=1/4]"), parse("knorm[tau=1/4]")
    assert str(copy) == "my_knorm.py:Knorm[tau=1/4]"
    assert str(ours) == "knorm[tau=1/4]"
    assert copy.source_digest != ours.source_digest
    assert not copy.is_ours
    assert ours.is_ours


@pytest.mark.parametrize(
    "change", ["module", "helper", "constant", "helper's helper", "lazy import"], ids=str
)
def test_one_change_anywhere_behind_a_strangers_method_is_another_method(
    tmp_path: Path, change: str
) -> None:
    imports = "import helper\nfrom helper import SIGN\ndef later():\n    import lazy\n"
    place = write(tmp_path, imports=imports)
    (tmp_path / "helper.py").write_text("import deeper\nSIGN = 1\ndef f(): return deeper.X\n")
    (tmp_path / "deeper.py").write_text("X = 1\n")
    (tmp_path / "lazy.py").write_text("X = 1\n")
    before = parse(place).source_digest
    (tmp_path / "helper.py").write_text(
        "# said better\nimport deeper\nSIGN = 1\ndef f(): return deeper.X\n"
    )
    assert parse(place).source_digest == before, "a comment is no change"
    edits = {
        "module": ("mine.py", "-view", "view"),
        "helper": ("helper.py", "return deeper.X", "return -deeper.X"),
        "constant": ("helper.py", "SIGN = 1", "SIGN = 2"),
        "helper's helper": ("deeper.py", "X = 1", "X = 2"),
        "lazy import": ("lazy.py", "X = 1", "X = 2"),
    }
    file, old, new = edits[change]
    edit(tmp_path / file, old, new)
    assert parse(place).source_digest != before


def test_an_edited_helper_is_run_and_not_only_noticed(tmp_path: Path) -> None:
    place = write(tmp_path, imports="from helper2 import SIGN\nTAKEN = SIGN\n")
    (tmp_path / "helper2.py").write_text("SIGN = 1\n")
    first = parse(place).eviction
    (tmp_path / "helper2.py").write_text("SIGN = 2\n")
    second = parse(place).eviction
    taken = [
        vars(__import__("sys").modules[type(one).__module__])["TAKEN"] for one in (first, second)
    ]
    assert taken[1] == 2


def package(folder: Path, text: str) -> None:
    """A package of version 1, installed so that its files can be edited in place."""
    folder.mkdir(exist_ok=True)
    (folder / "their_base.py").write_text(text)
    info = folder / "their_base-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-base\nVersion: 1\n")
    (info / "top_level.txt").write_text("their_base\n")


def test_a_base_class_in_an_installed_package_is_part_of_the_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "from scbench.methods.contract import Eviction as E\nclass Base(E):\n    X = %d\n"
    package(tmp_path / "site", base % 1)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    place = write(tmp_path, base_module="their_base", base="Base")
    before = parse(place)
    assert "their_base" in dict(before.origins[-2].sources) or any(
        "their_base" in dict(origin.sources) for origin in before.origins
    )
    (tmp_path / "site" / "their_base.py").write_text(base % 2)
    other = write(tmp_path, name="other.py", base_module="their_base", base="Base")
    origin = origin_of(type(parse(other).eviction))
    assert origin.kind is Kind.FILE
    assert dict(origin.sources)["their_base"] != next(
        dict(one.sources)["their_base"]
        for one in before.origins
        if "their_base" in dict(one.sources)
    )
