"""The walk of docs/add-a-method.md works as written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from docs.trees import copied, digests, environment
from scbench.exam.doctor import doctor

ROOT = Path(__file__).parents[2]
DOC = ROOT / "docs" / "add-a-method.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ENTRY = "# an entry of CARDS in "
NEW = "src/scbench/methods/compression/small_keys.py"
CARDS = "src/scbench/methods/cards/eviction.py"


def blocks() -> list[tuple[str, str]]:
    """Language and text of the page's blocks, in order."""
    return FENCE.findall(DOC.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_method_of_the_walk_keeps_every_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, code = blocks()[0]
    assert language == "python"
    (tmp_path / "small_keys.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    method, findings = doctor("small_keys.py:SmallKeys[tau=1/4]")
    assert str(method) == "small_keys.py:SmallKeys[tau=1/4]"
    assert [one for one in findings if one.verdict == "broken"] == []
    assert sum(one.verdict == "holds" for one in findings) >= 3 * 10
    promised = [one for one in findings if one.law.endswith("promises: the newest slots stay")]
    assert [one.verdict for one in promised] == ["holds"] * 3


def test_the_promise_of_the_walk_sees_a_class_that_breaks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = blocks()[0]
    wrong = code.replace("view.tokens - self.recent_tokens :]", "view.tokens - 1 :]")
    assert wrong != code
    (tmp_path / "wrong_keys.py").write_text(wrong, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    _, findings = doctor("wrong_keys.py:SmallKeys[tau=1/4]", kinds=("gqa",))
    broken = [one for one in findings if one.verdict == "broken"]
    assert [one.law for one in broken] == ["SmallKeys promises: the newest slots stay"]
    assert "are gone" in broken[0].why


def follow(language: str, text: str, tree: Path, environ: dict[str, str]) -> str:
    """Do what a block says: run it, write the file it names, or enter the card it shows."""
    if language == "bash":
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout
    first, _, rest = text.partition("\n")
    if first.startswith(ENTRY):
        file = tree / first.removeprefix(ENTRY)
        cards = file.read_text(encoding="utf-8")
        assert cards.endswith("),\n)\n")
        file.write_text(cards.removesuffix(")\n") + rest + ")\n", encoding="utf-8")
    else:
        (tree / first.removeprefix("# ")).write_text(text, encoding="utf-8")
    return ""


@pytest.mark.slow
def test_a_new_eviction_is_one_file_and_one_entry_by_the_blocks_as_they_stand(
    tmp_path: Path,
) -> None:
    tree = copied(tmp_path)
    before, environ = digests(tree), environment(tree)
    told = [follow(language, text, tree, environ) for language, text in blocks()]
    after = digests(tree)
    assert after.keys() - before.keys() == {NEW}
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {CARDS, "docs/methods.md"}
    assert "small-keys" in (tree / "docs" / "methods.md").read_text(encoding="utf-8")
    tests = re.search(r"(\d+) passed", told[-1])
    assert tests is not None
    assert int(tests[1]) > 15
    assert "failed" not in told[-1]
    report = (tree / "runs" / "mine" / "report.md").read_text(encoding="utf-8")
    assert "small_keys.py:SmallKeys[tau=1/4]" in report
