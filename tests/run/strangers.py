"""Methods as somebody might write them, in files of their own; some do what no method should."""

from __future__ import annotations

from pathlib import Path

HEAD = '''
import sys
import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch

from scbench.methods.compression.knorm import Knorm as House


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine(House):
    """Somebody's knorm."""

    category: ClassVar[str] = "KV dropping"

    def rank(self, view):
'''
RANKS = {
    "honest": "return -view.k_HSD.float().norm(dim=-1)",
    "flipped": "return view.k_HSD.float().norm(dim=-1)",
    "poison": "view.k_HSD.mul_(0.5); view.v_HSD.mul_(-1); return -view.k_HSD.float().norm(dim=-1)",
    "one-bit": (
        "view.v_HSD.view(-1).view(torch.int32)[7] ^= 1; return -view.k_HSD.float().norm(dim=-1)"
    ),
    "dtype": "torch.set_default_dtype(torch.float64); return -view.k_HSD.float().norm(dim=-1)",
    "lot": "return torch.rand(view.k_HSD.shape[:2])",
    "speaks": (
        "print('a word'); sys.stderr.write('an open '); sys.stderr.write('end'); "
        "sys.stdout.buffer.write(b' bytes\\n'); return -view.k_HSD.float().norm(dim=-1)"
    ),
    "raises": "raise ValueError('no such rank')",
    "exits": "sys.exit(3)",
    "warns": "warnings.warn('odd', RuntimeWarning); raise RuntimeWarning('odd')",
    "closes": "raise GeneratorExit",
    "stops": "raise StopIteration",
    "not-a-number": "return view.k_HSD.float().norm(dim=-1) * float('nan')",
    "one-short": "return -view.k_HSD.float().norm(dim=-1)[:, 1:]",
    "no-memory": (
        "raise RuntimeError('[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: "
        "can\\'t allocate memory: you tried to allocate 9 bytes')"
    ),
}


NOTHING = "\n    def keep(self, view):\n        return [torch.arange(0)] * view.k_HSD.shape[0]\n"


def write(folder: Path, kind: str, name: str = "mine.py") -> str:
    """A file with the class `Mine`, and how it is written on the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    rank = RANKS["honest" if kind == "nothing" else kind]
    more = NOTHING if kind == "nothing" else ""
    (folder / name).write_text(f"{HEAD}        {rank}\n{more}")
    return f"{folder / name}:Mine[tau=1/4]"
