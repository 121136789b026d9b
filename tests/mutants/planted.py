"""All planted faults: the 39 of a review by hand, and more, two at least for every method of ours.

They were written down before the laws that find them. `scripts/mutants` plays them; its table is
`docs/results/mutants.md`.
"""

from __future__ import annotations

from mutants import codecs, evictions, generation, loading, reading
from mutants.mutant import Mutant

HARMLESS = Mutant(
    "a comment",
    "methods/compression/window_voting.py",
    "def head_votes(",
    "# nothing is changed\ndef head_votes(",
    "snapkv[tau=1/4]",
    ("methods/test_evictions.py",),
)
PLANTED: tuple[Mutant, ...] = (
    *evictions.PLANTED,
    *codecs.PLANTED,
    *generation.PLANTED,
    *loading.PLANTED,
    *reading.PLANTED,
)
