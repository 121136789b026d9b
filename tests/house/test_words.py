"""What the repository must not contain, and what it must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MACHINE_PATH = re.compile(
    "|".join(f"/{word}/" for word in ("wo" + "rk", "ro" + "ot", "ho" + "me/[a-z]"))
)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / line for line in listed.splitlines()]


def test_no_tracked_file_holds_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}"
            for n, line in enumerate(text.splitlines(), 1)
            if MACHINE_PATH.search(line)
        ]
    assert found == []


def test_the_readme_names_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "scripts/demo" in readme
    assert "scripts/test" in readme


def test_public_names_of_the_package_are_what_the_readme_uses() -> None:
    import scbench

    assert callable(scbench.run)
    assert callable(scbench.plan)
    assert isinstance(scbench.__version__, str)


def test_the_table_of_methods_is_what_the_code_says() -> None:
    from scbench.methods.listing import markdown

    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8").endswith(markdown())


def test_the_table_of_models_is_what_the_code_says() -> None:
    from scbench.engines.models import markdown

    assert (ROOT / "docs" / "models.md").read_text(encoding="utf-8").endswith(markdown())
