"""All planted faults: the 39 of a review by hand, and more, two at least for every method of ours.

They were written down before the laws that find them. `scripts/mutants` plays them; its table is
`docs/results/mutants.md`.
"""

from __future__ import annotations

from mutants import codecs, evictions, generation, loading, reading
from mutants.mutant import Mutant

PLANTED: tuple[Mutant, ...] = (
    *evictions.PLANTED,
    *codecs.PLANTED,
    *generation.PLANTED,
    *loading.PLANTED,
    *reading.PLANTED,
)
