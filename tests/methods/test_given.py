"""A stage's object that a script or a session made itself is played as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scbench.errors import BadConfig
from scbench.methods import parse
from scbench.methods.objects import spelled

SCRIPT = """
from dataclasses import dataclass
from scbench.methods import parse
from scbench.methods.contract import Eviction
from scbench.methods.objects import spelled

print("began")

@dataclass(frozen=True, slots=True, kw_only=True)
class Small(Eviction):
    def rank(self, view):
        return -view.k_HSD.float().norm(dim=-1)

text = spelled(Small(budget_tokens=9))
method = parse(text)
print(text, str(method), type(method.compression[0]) is Small, len(method.source_digest))
"""


def said(words: list[str], folder: Path, given: str | None = None) -> list[str]:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_a_script_of_another_folder_is_found_and_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "small.py").write_text(SCRIPT, encoding="utf-8")
    assert said(["mine/small.py"], tmp_path) == [
        "began",
        "mine/small.py:Small[budget_tokens=9] small.py:Small[budget_tokens=9] True 64",
    ]


def test_a_class_typed_into_a_session_is_known_by_its_name(tmp_path: Path) -> None:
    assert said(["-"], tmp_path, SCRIPT) == [
        "began",
        "Small[budget_tokens=9] Small[budget_tokens=9] True 64",
    ]


@pytest.mark.slow
def test_another_body_of_a_typed_class_is_another_method(tmp_path: Path) -> None:
    script = SCRIPT.replace("len(method.source_digest)", "method.source_digest")
    other = script.replace("-view", "view")
    assert script != other
    assert said(["-"], tmp_path, script) == said(["-"], tmp_path, script)
    assert said(["-"], tmp_path, script) != said(["-"], tmp_path, other)


def test_a_typed_class_does_not_take_a_name_of_ours(tmp_path: Path) -> None:
    script = SCRIPT.replace("Small", "Snapkv")
    done = subprocess.run(
        [sys.executable, "-"],
        cwd=tmp_path,
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "scbench has a method of that name" in done.stderr


def test_our_own_objects_are_spelled_as_ever() -> None:
    assert spelled(parse("snapkv[tau=1/4]").compression[0]) == "snapkv[tau=1/4]"
    with pytest.raises(BadConfig, match="methods has a int"):
        spelled(4)
