"""Python functions of two pinned packages as material for RepoQA: found, described by rule, laid
out at planned depths.
"""

from __future__ import annotations

from scbench.tasks.materials.functions.harvest import library
from scbench.tasks.materials.functions.notes import note
from scbench.tasks.materials.functions.plan import (
    FunctionKnobs,
    FunctionsPlan,
    most_tokens,
    plan_functions,
)
from scbench.tasks.materials.functions.shelf import JOIN, between, rendered, solved

__all__ = [
    "JOIN",
    "FunctionKnobs",
    "FunctionsPlan",
    "between",
    "library",
    "most_tokens",
    "note",
    "plan_functions",
    "rendered",
    "solved",
]
