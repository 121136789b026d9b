"""Methods that somebody hands over as objects, written as the command line writes them."""

from __future__ import annotations

from scbench.errors import BadConfig
from scbench.methods.contract import Stage
from scbench.methods.method import Method
from scbench.methods.origin import written_name
from scbench.methods.spelling import spell


def spelled(method: object) -> str:
    """A method, or a stage of one, as text. Raises BadConfig for anything else.

    >>> from scbench.methods import parse
    >>> spelled(parse("kivi[bits=4]+snapkv[tau=1/4]"))
    'snapkv[tau=1/4]+kivi[bits=4]'
    """
    if isinstance(method, str):
        return method
    if isinstance(method, Method):
        return method.spelling
    if isinstance(method, Stage):
        return spell(method, written_name(type(method)))
    raise BadConfig(
        f"methods has a {type(method).__name__}; a method is its spelling, such as "
        "'snapkv[tau=1/4]', or an object that scbench.methods.parse or a stage's class makes"
    )
