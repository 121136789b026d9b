"""The manifest tells how to make the numbers again, and no secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import scbench
from scbench.errors import BadRecord
from scbench.ledger import manifest as room
from scbench.ledger.manifest import (
    NAME,
    add_model,
    begin,
    end,
    hide_secrets,
    host,
    manifest,
    read,
    revision,
    versions,
)
from scbench.types import PAPER_MODES, Form, Mode, Protocol

PROTOCOL = Protocol()


@dataclass(frozen=True)
class Settings:
    tasks: tuple[str, ...] = ("kv",)
    modes: tuple[Mode, ...] = PAPER_MODES
    out: Path = Path("out")
    api_key: str = ""
    base_url: str = ""
    length_tokens: int = 4096
    protocol: Protocol = PROTOCOL


def entry(settings: object = Settings(), **more: Any) -> dict[str, Any]:
    return manifest(settings, argv=["scbench", "run"], **more)


def test_it_tells_what_was_given_from_what_was_default() -> None:
    got = entry(Settings(tasks=("kv", "vt")), given=["tasks", "out"])
    assert got["settings"]["tasks"] == ["kv", "vt"]
    assert got["settings"]["modes"] == ["multi-turn", "multi-request"]
    assert got["defaults"] == ["api_key", "base_url", "length_tokens", "modes", "protocol"]


def test_it_names_versions_and_host() -> None:
    got = entry()
    assert got["versions"].keys() >= {"python", "torch", "transformers", "msgspec"}
    assert (got["code"]["scbench"], got["models"]) == (scbench.__version__, [])
    assert got["host"]["cores"] >= got["host"]["usable_cores"] >= 1
    assert got["host"]["memory_bytes"] > 1 << 28
    assert got["host"]["cpu"]


def test_models_join_their_own_start_as_they_are_loaded(tmp_path: Path) -> None:
    first, second = begin(tmp_path, entry()), begin(tmp_path, entry())
    for name in ("a", "b"):
        add_model(tmp_path, second, {"name": name, "weights_digest": "w"}, form=Form.TINY)
    runs = read(tmp_path)["runs"]
    assert runs[first]["models"] == []
    assert runs[second]["models"] == [
        {"name": name, "weights_digest": "w", "form": "tiny"} for name in ("a", "b")
    ]


def test_each_start_adds_an_entry_and_its_end(tmp_path: Path) -> None:
    first = begin(tmp_path, entry())
    second = begin(tmp_path, entry())
    end(tmp_path, second, "done", turns=40, gaps=1)
    runs = read(tmp_path)["runs"]
    assert (first, second, len(runs)) == (0, 1, 2)
    assert (runs[0]["ended"], runs[0]["outcome"]) == (None, None)  # killed
    assert (runs[1]["outcome"], runs[1]["turns"], runs[1]["gaps"]) == ("done", 40, 1)
    assert runs[1]["ended"] >= runs[1]["started"]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_it_can_be_read_by_eye_and_by_json(tmp_path: Path) -> None:
    begin(tmp_path, entry({"note": "é\n你"}))
    text = (tmp_path / NAME).read_text(encoding="utf-8")
    assert json.loads(text)["runs"][0]["settings"] == {"note": "é\n你"}
    assert "你" in text
    assert len(text.splitlines()) > 20


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format":1}',
        '{"format":1,"runs":[1]}',
        '{"format":2,"runs":[]}',
        "\x00\xff",
    ],
)
def test_a_damaged_manifest_is_named_and_left_alone(tmp_path: Path, bad: str) -> None:
    (tmp_path / NAME).write_text(bad, encoding="latin-1")
    with pytest.raises(BadRecord, match=r"manifest\.json"):
        begin(tmp_path, entry())
    assert (tmp_path / NAME).read_text(encoding="latin-1") == bad


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRecord):
        read(tmp_path)


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--api-key", "sk-1", "--out", "x"], ["--api-key", "(left out)", "--out", "x"]),
        (["--api-key=sk-1"], ["--api-key=(left out)"]),
        (["--hf-token", "t"], ["--hf-token", "(left out)"]),
        (["--length-tokens", "4096"], ["--length-tokens", "4096"]),
        (["--url", "http://me:pw@host:8000/v1"], ["--url", "http://host:8000/v1"]),
        (["run", "key", "--out", "token"], ["run", "key", "--out", "token"]),
    ],
)
def test_secrets_do_not_reach_the_file(argv: list[str], shown: list[str]) -> None:
    assert hide_secrets(argv) == shown


def test_secret_settings_do_not_reach_the_file_either() -> None:
    got = entry(Settings(api_key="sk-1", base_url="https://me:pw@host/v1"))
    assert "sk-1" not in json.dumps(got)
    assert "pw" not in json.dumps(got)
    assert got["settings"]["length_tokens"] == 4096


def test_torch_is_not_imported_for_it() -> None:
    code = (
        "import sys; from scbench.ledger.manifest import manifest; m = manifest({}); "
        "print(m['host']['accelerators'], m['versions']['torch']); sys.exit('torch' in sys.modules)"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.startswith("None 2.")


def test_accelerators_are_asked_of_a_torch_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Card:
        name, total_memory = "NVIDIA Test", 1 << 30

    class Cuda:
        is_available = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        get_device_properties = staticmethod(lambda index: Card)

    class Torch:
        cuda, version = Cuda, type("version", (), {"cuda": "13.0"})
        get_num_threads = staticmethod(lambda: 3)

    monkeypatch.setitem(sys.modules, "torch", Torch)  # type: ignore[arg-type]
    got = host()
    assert got["threads"] == 3
    assert (
        got["accelerators"]
        == [{"name": "NVIDIA Test", "memory_bytes": 1 << 30, "cuda": "13.0"}] * 2
    )


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PACKAGES", ("msgspec", "no-such-package-here"))
    assert versions().keys() == {"python", "msgspec"}


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        check=True,
        capture_output=True,
    )


def test_the_revision_is_that_of_a_checkout_which_knows_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "__init__.py"
    code.write_text("x = 1\n")
    monkeypatch.setattr(scbench, "__file__", str(code))
    assert revision() is None
    git(tmp_path, "init", "-q")
    (tmp_path / "other").touch()
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "-q", "-m", "someone else's project")
    assert revision() is None  # installed inside another checkout
    git(tmp_path, "add", "__init__.py")
    git(tmp_path, "commit", "-q", "-m", "ours")
    got = revision()
    assert got is not None
    assert len(got["commit"]) == 40
    assert got["is_changed"] is False
    code.write_text("x = 2\n")
    assert revision() == got | {"is_changed": True}
