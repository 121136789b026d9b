"""What a newcomer did: each is one sentence, or works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import scbench
from scbench.cli import app
from scbench.errors import BadConfig
from scbench.methods.compression.knorm import Knorm


def test_an_earlier_run_is_opened_in_a_new_process() -> None:
    code = "import scbench; scbench.api.open_run"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "words",
    [{"sessions": "2"}, {"turns": 1.5}, {"sessions": True}, {"temperature": "hot"}, {"turns": "3"}],
)
def test_a_number_of_another_kind_is_refused_by_name(words: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=f"{next(iter(words))}="):
        scbench.run(model="toy", tasks=["kv"], methods=["dense"], out=tmp_path / "x", **words)


def test_a_share_that_is_text_is_refused() -> None:
    with pytest.raises(BadConfig, match="Fraction"):
        Knorm(tau="1/4")  # type: ignore[arg-type]


def test_asking_no_method_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a text", encoding="utf-8")
    words = ["ask", "--context", str(tmp_path / "text.txt"), "--question", "q", "--methods", ""]
    found = CliRunner().invoke(app, words)
    assert isinstance(found.exception, BadConfig)


def test_samples_come_turn_by_turn(tmp_path: Path) -> None:
    result = scbench.run(
        model="toy",
        tasks=["kv"],
        methods=["dense", "streaming-llm[tau=1/2]", "snapkv[tau=1/2]"],
        length=512,
        sessions=2,
        turns=3,
        quiet=True,
        out=tmp_path / "run",
    )
    places = result.samples().select("seed", "mode", "method", "turn").rows()
    assert [turn for *_, turn in places] == [0, 1, 2] * (len(places) // 3)
    assert len(set(places)) == len(places) == 36
