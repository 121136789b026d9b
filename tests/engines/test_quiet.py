"""Loading says nothing on the terminal that is not ours; what a library warned of is kept."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow  # each in a process of its own
@pytest.mark.parametrize("name", ["lab-mamba2", "lab-hybrid"])
def test_a_model_is_loaded_without_a_word_and_its_slower_paths_are_noted(name: str) -> None:
    code = f"""
from scbench.engines.load import load
notes = load({name!r}).facts.notes
assert any("falling back" in note for note in notes), notes
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
