"""A package of someone else's joins by the entry point group `scbench.methods`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scbench.errors import BadConfig
from scbench.methods import names, parse
from scbench.methods.catalog import entry
from scbench.run.doctor import doctor

WALK = Path(__file__).parents[2] / "docs" / "add-a-method.md"


def install(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the method of the walk, as pip would leave it behind."""
    code = re.search(r"```python\n(.*?)```", WALK.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    (folder / "their_keys.py").write_text(code[1], encoding="utf-8")
    info = folder / "their_keys-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-keys\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[scbench.methods]\n{name} = their_keys:SmallKeys\n")
    monkeypatch.syspath_prepend(str(folder))


def test_it_is_listed_parsed_and_examined_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "small-keys", monkeypatch)
    assert "small-keys" in names()
    assert entry("small-keys").category == "KV dropping"
    assert str(parse("small-keys[tau=1/4]")) == "small-keys[tau=1/4]"
    _, findings = doctor("small-keys[tau=1/4]", kinds=("gqa",))
    assert {one.verdict for one in findings} == {"holds"}


def test_a_name_that_differs_from_the_methods_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "tiny-keys", monkeypatch)
    with pytest.raises(BadConfig, match="small-keys"):
        parse("tiny-keys")
