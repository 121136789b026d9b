"""A package of someone else's joins by the entry point group `scbench.methods`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from scbench.errors import BadConfig
from scbench.exam.doctor import doctor
from scbench.methods import names, parse
from scbench.methods.listing import cards

WALK = Path(__file__).parents[2] / "docs" / "add-a-method.md"


def install(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the method of the walk, as pip would leave it behind."""
    code = re.search(r"```python\n(.*?)```", WALK.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    named = code[1].replace("    recent_tokens", "    paper = 'after Knorm'\n    recent_tokens")
    (folder / "their_keys.py").write_text(named, encoding="utf-8")
    info = folder / "their_keys-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-keys\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[scbench.methods]\n{name} = their_keys:SmallKeys\n")
    monkeypatch.syspath_prepend(str(folder))
    for module in ("their_keys", "their_own_base"):  # of another test
        monkeypatch.delitem(sys.modules, module, raising=False)


def test_it_is_listed_parsed_and_examined_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "small-keys", monkeypatch)
    assert "small-keys" in names()
    (card,) = [card for card in cards() if card.name == "small-keys"]
    assert card.category == "KV dropping"
    assert card.parameters["recent_tokens"] == "8"
    assert str(parse("small-keys[tau=1/4]")) == "small-keys[tau=1/4]"
    _, findings = doctor("small-keys[tau=1/4]", kinds=("gqa",))
    assert {one.verdict for one in findings if one.verdict != "idle"} == {"holds"}
    assert sum(one.verdict == "holds" for one in findings) > 12


def test_a_name_that_differs_from_the_methods_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "tiny-keys", monkeypatch)
    code = (tmp_path / "their_keys.py").read_text(encoding="utf-8")
    named = code.replace("    recent_tokens", "    name = 'small-keys'\n    recent_tokens")
    (tmp_path / "their_keys.py").write_text(named, encoding="utf-8")
    with pytest.raises(BadConfig, match="small-keys"):
        parse("tiny-keys")


def test_a_base_class_of_a_package_of_its_own_is_no_special_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "small-keys", monkeypatch)
    code = (tmp_path / "their_keys.py").read_text(encoding="utf-8")
    (tmp_path / "their_own_base.py").write_text(code.replace("SmallKeys", "Base"), encoding="utf-8")
    (tmp_path / "their_keys.py").write_text(
        "from their_own_base import Base\n\n\nclass SmallKeys(Base):\n    about = 'As its base.'\n",
        encoding="utf-8",
    )
    (card,) = [card for card in cards() if card.name == "small-keys"]
    assert (card.stage, card.category) == ("compression", "KV dropping")
    assert card.about == "As its base."
    assert card.paper == "after Knorm"
    assert card.parameters["recent_tokens"] == "8"


def test_a_package_that_cannot_be_imported_is_told_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "small-keys", monkeypatch)
    (tmp_path / "their_keys.py").write_text("import no_such_module\n", encoding="utf-8")
    listed = {card.name for card in cards()}
    assert "snapkv" in listed
    assert "small-keys" not in listed
    assert "no_such_module" in capsys.readouterr().err
