"""Every worked example in a docstring runs as it stands, and every central noun has one."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def module_of(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(
    module_of(path) for path in SRC.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert found.attempted
    assert not found.failed


# The nouns that one meets everywhere (docs/map.md). `prompts` has two more, `Prompt` and `Tokens`.
CENTRAL = {
    "scbench.types": (
        *("Span", "Wanted", "Turn", "Session", "Protocol", "Cell", "Cost", "Answer", "Failure"),
        *("Score", "GoldScore", "Record"),
    ),
    "scbench.modes": ("Mode",),
    "scbench.task_cards.card": ("Subtask", "TaskCard"),
    "scbench.tasks.contract": ("Task",),
    "scbench.kv.shape": ("LayerShape", "CacheShape"),
    "scbench.kv.slots": ("Slots",),
    "scbench.kv.snapshot": ("Snapshot",),
    "scbench.kv.store": ("Store",),
    "scbench.kv.tail": ("Tail",),
    "scbench.kv.stream": ("Stream",),
    "scbench.kv.selected": ("Digest",),
    "scbench.methods.card": ("Card",),
    "scbench.methods.method": ("Method",),
    "scbench.methods.stage": ("Stage",),
    "scbench.engines.contract": ("Engine",),
    "scbench.play.contract": ("Step", "Reply", "Pattern"),
    "scbench.play.foreign": ("ForeignPlayer",),
    "scbench.grid.settings": ("Settings",),
    "scbench.stats.intervals": ("Estimate",),
    "scbench.result": ("Result",),
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in CENTRAL.items() for name in names]
)
def test_every_central_noun_has_a_worked_example(module: str, name: str) -> None:
    noun = getattr(importlib.import_module(module), name)
    examples = doctest.DocTestParser().get_examples(noun.__doc__ or "")
    assert any(example.want for example in examples)


MAP = SRC.parent / "docs" / "map.md"


def test_the_question_that_the_map_follows_has_the_values_it_says() -> None:
    found = doctest.testfile(str(MAP), module_relative=False, encoding="utf-8")
    assert found.attempted > 20
    assert not found.failed


def test_the_map_counts_the_files_and_lines_that_it_names() -> None:
    told = MAP.read_text(encoding="utf-8").split("## One question, with its values")[1]
    told = told.split("```python")[0]
    names = re.findall(r"`([a-z_/]+\.py)`", told)
    lines = sum(
        len((SRC / "scbench" / name).read_text(encoding="utf-8").splitlines()) for name in names
    )
    found = re.search(r"(\w+) files from .* answer, ([\d,]+) lines", told)
    assert found is not None
    count, said = found.groups()
    assert (count, len(names)) == ("Eleven", 11)
    assert abs(lines - int(said.replace(",", ""))) <= 60
    assert lines <= 1800
