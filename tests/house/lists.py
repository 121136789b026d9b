"""What the house would rather not have, counted: lines over 100 columns, and class names used
twice.

`python tests/house/lists.py` writes the present counts to `lists.json`; run it when a count has
shrunk.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("lists.json")
UPDATE = "python tests/house/lists.py"
COLUMNS = 100


def ours() -> list[Path]:
    """Every Python file that git knows, or would."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for line in sorted(set(listed.splitlines())) if (path := ROOT / line).is_file()]


def long_lines() -> dict[str, int]:
    """Lines over 100 columns of each file that has any."""
    counts = {
        str(path.relative_to(ROOT)): sum(
            len(line) > COLUMNS for line in path.read_text(encoding="utf-8").splitlines()
        )
        for path in ours()
    }
    return {name: count for name, count in counts.items() if count}


def class_names() -> dict[str, int]:
    """Names of classes that are defined in more than one file of the package, with how many."""
    files: dict[str, set[Path]] = defaultdict(set)
    for path in ours():
        if path.is_relative_to(ROOT / "src"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    files[node.name].add(path)
    return {name: len(found) for name, found in sorted(files.items()) if len(found) > 1}


@cache
def present() -> dict[str, dict[str, int]]:
    return {"long_lines": long_lines(), "class_names": class_names()}


def kept() -> dict[str, dict[str, int]]:
    """The counts that may only shrink."""
    found: dict[str, dict[str, int]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    KEPT.write_text(json.dumps(present(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
