"""A planted fault: one change of text that makes a method wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands once in `file` (of the package) and becomes `new`, in a copy.

    `method` is what `scbench doctor` is asked to examine then, in a form in which the fault changes
    what the method does; `tests` are the files (under tests/) that are the method's own.
    """

    name: str
    file: str
    old: str
    new: str
    method: str
    tests: tuple[str, ...]

    @property
    def place(self) -> str:
        """What the method is called without its parameters."""
        return self.method.partition("[")[0]
