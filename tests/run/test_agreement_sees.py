"""Agreement sees what must be seen: two-bit noise and random eviction, on every task, with eight
sessions; and says nothing where nothing was lost."""

from __future__ import annotations

import textwrap

import pytest

from scbench.api import Result, load, settle
from scbench.grid.runner import run
from scbench.stats import Standing, Summary
from scbench.tasks import names
from scbench.types import Form

RANDOM = '''
"""An eviction that keeps slots by lot."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from scbench.methods.contract import Eviction


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot(Eviction):
    name: ClassVar[str] = "lot"
    category: ClassVar[str] = "KV dropping"

    def rank(self, view):
        drawn = torch.Generator().manual_seed(view.index)
        return torch.rand(view.k_HSD.shape[:2], generator=drawn)
'''


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = tmp_path_factory.mktemp("sees")
    (folder / "lot.py").write_text(textwrap.dedent(RANDOM))
    settings = settle(
        {
            "model": "lab-transformer",
            "tasks": "all",
            "length": "256",
            "sessions": 8,
            "turns": 2,
            "modes": "multi-request",
            "methods": f"dense,rtn[bits=2],lot={folder}/lot.py:Lot[tau=1/4],snapkv[tau=1]",
            "max_new_tokens": 1,
            "cost_sessions": 0,
            "out": folder / "run",
        }
    )
    outcome = run(settings, [load(settings, "lab-transformer")], quiet=True)
    return Result(settings.out, outcome).summary()


@pytest.mark.slow
@pytest.mark.parametrize("task", names(Form.TINY))
@pytest.mark.parametrize("method", ["rtn[bits=2]", "lot"])
def test_what_must_be_seen_is_seen_on_every_task(summary: Summary, method: str, task: str) -> None:
    """Above nothing, surely, for each task by itself."""
    (setting,) = summary.settings
    shown = next(info.name for info in summary.methods if info.name.startswith(method))
    found = summary.agreement(setting, "multi-request", shown, task)
    assert found is not None
    assert found.kl.low is not None
    # ManyShot rests on its question more than on its context: there it is little, and still seen.
    assert found.kl.low > 1e-5


@pytest.mark.slow
def test_a_full_budget_agrees_on_every_task(summary: Summary) -> None:
    (setting,) = summary.settings
    for task in names(Form.TINY):
        found = summary.agreement(setting, "multi-request", "snapkv[tau=1]", task)
        assert found is not None
        assert found.kl.value == pytest.approx(0.0, abs=1e-4)
        assert found.top1.value == 1.0
    whole = summary.agreement(setting, "multi-request", "snapkv[tau=1]")
    assert whole is not None
    assert whole.kl_judged is not None
    assert whole.kl_judged.standing is Standing.AGREES
