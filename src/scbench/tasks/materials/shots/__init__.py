"""The three families of ICL.ManyShot: dates, swaps, translations."""

from __future__ import annotations

from scbench.tasks.materials.shots.dates import STEPS, Dates
from scbench.tasks.materials.shots.shot import Family, Shot, deal, invented
from scbench.tasks.materials.shots.tracking import Tracking, same_things
from scbench.tasks.materials.shots.translation import TYPES, Translation

__all__ = [
    "STEPS",
    "TYPES",
    "Dates",
    "Family",
    "Shot",
    "Tracking",
    "Translation",
    "deal",
    "invented",
    "same_things",
]
