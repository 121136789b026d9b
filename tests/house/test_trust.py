"""docs/trust.md names files and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "trust.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| hostile"))
]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_row_names_a_place_and_a_test() -> None:
    assert len(ROWS) > 10
    assert [row[0] for row in ROWS if not named(row[2]) or not named(row[3])] == []


def test_the_places_exist() -> None:
    source = ROOT / "src" / "scbench"
    lost = [name for row in ROWS for name in named(row[2]) if not any(source.rglob(name))]
    assert lost == []


def test_the_tests_exist() -> None:
    names = {name for row in ROWS for name in named(row[3])}
    paths = {name: ROOT / "tests" / (name if name == "fuzz" else f"{name}.py") for name in names}
    assert [name for name, path in paths.items() if not path.exists()] == []
