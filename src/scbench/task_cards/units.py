"""Where units of a context end that may leave it when it is too long.

The first unit and what follows the last end always stay: an object's brackets, a heading.
"""

from __future__ import annotations

LINE = r"\n+"
SENTENCE = r"(?<=[.!?。！？])\s*|\n+"
BLANK_LINE = r"\n{2,}"
FUNCTION = r"\n{3,}"  # functions are parted by two blank lines
REPORT = r"(?m)(?=^Report \d+: )"
