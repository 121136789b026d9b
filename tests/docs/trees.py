"""A copy of the tree, in which a walk of the docs is followed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copied(to: Path) -> Path:
    """The tree as git knows it, or would."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    subprocess.run(["git", "init", "-q"], cwd=to, check=True)  # some tests ask what git knows
    subprocess.run(["git", "add", "-A"], cwd=to, check=True)
    return to


def digests(tree: Path) -> dict[str, str]:
    """Of every file of src, docs and tests."""
    return {
        str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest()
        for room in ("src", "docs", "tests")
        for path in (tree / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def environment(tree: Path, programs: Path | None = None) -> dict[str, str]:
    """A shell in which `scbench` and `python` are those of the tree; they are written into
    `programs`, by default into a folder of the tree.
    """
    programs = programs or tree / ".programs"
    programs.mkdir(exist_ok=True)
    (programs / "scbench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scbench "$@"\n')
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    paths = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**os.environ, **paths}
