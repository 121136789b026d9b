"""The walk of docs/add-a-method.md works as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scbench.run.doctor import doctor

DOC = Path(__file__).parents[2] / "docs" / "add-a-method.md"


def test_the_method_of_the_walk_keeps_every_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.search(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    (tmp_path / "small_keys.py").write_text(code[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    method, findings = doctor("small_keys.py:SmallKeys[tau=1/4]")
    assert str(method) == "small_keys.py:SmallKeys[tau=1/4]"
    assert [one for one in findings if one.verdict == "broken"] == []
    assert sum(one.verdict == "holds" for one in findings) >= 3 * 9
