"""`scbench.run` without its report, whose charts take longer than all that these tests play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scbench.api import Result, settle
from scbench.engines.toy import ToyEngine
from scbench.grid import folder as folders
from scbench.grid.runner import run


def quick(folder: Path | None, engine: Any = None, **words: Any) -> Result:
    """Play into `folder` (or extend that of `extend`), and hand back what can be read from it."""
    words.pop("quiet", None)
    settings = settle(words if folder is None else {**words, "out": folder})
    if "extend" not in words:
        settings = folders.admitted(settings)
    outcome = run(settings, [engine or ToyEngine()], quiet=True)
    return Result(settings.out, outcome)
