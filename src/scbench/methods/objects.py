"""Methods that somebody hands over as objects, written as the command line writes them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace

from scbench.errors import BadConfig
from scbench.methods.contract import Stage
from scbench.methods.foreign import HANDED, ForeignMethod, is_cache_class, is_foreign_class, lacking
from scbench.methods.method import Method
from scbench.methods.origin import Kind, given, origin_of, written_name
from scbench.methods.registry import names
from scbench.methods.spelling import spell


def spelled(method: object) -> str:
    """A method, a stage of one, or somebody's own object or class, as text that `parse` reads in
    this process. Raises BadConfig for anything else.

    >>> from scbench.methods import parse
    >>> spelled(parse("kivi[bits=4]+snapkv[tau=1/4]"))
    'snapkv[tau=1/4]+kivi[bits=4]'
    """
    if isinstance(method, str):
        return method
    if isinstance(method, Method):
        for cls in method.classes:
            _remember(cls)
        return method.spelling
    if isinstance(method, Stage):
        _remember(type(method))
        return spell(method, written_name(type(method)))
    kind = method if inspect.isclass(method) else type(method)
    if is_foreign_class(kind) and not issubclass(kind, Stage):
        return _handed(method, kind)
    if why := lacking(kind):
        raise BadConfig(f"methods has an object that cannot be asked: {why}")
    raise BadConfig(
        f"methods has a {type(method).__name__}; a method is its spelling, such as "
        "'snapkv[tau=1/4]', an object that scbench.methods.parse or a stage's class makes, or one "
        "of your own with open, ask and close"
    )


def all_spelled(methods: Iterable[object]) -> list[str]:
    """Several, as `spelled`. Raises BadConfig for two things of one name."""
    written: dict[str, object] = {}
    for method in methods:
        text = spelled(method)
        kind = HANDED[text].kind if text in HANDED else None
        if written.setdefault(text, kind) != kind:
            raise BadConfig(
                f"methods has two classes that are called {text!r}; tables and records know a "
                "method by its name, so give one of them another"
            )
    return list(written)


def _remember(cls: type) -> None:
    """A stage's class that this process made itself, under a name that is nobody else's."""
    origin = origin_of(cls)
    is_typed = origin.kind is Kind.FILE and not origin.place
    if is_typed and cls.__name__.lower().replace("_", "-") in names():
        raise BadConfig(
            f"methods has an object of a class {cls.__name__}, and scbench has a method of that "
            "name; call the class otherwise"
        )
    given(cls)


def _handed(method: object, kind: type) -> str:
    """The name under which a run finds an object of this process, or its class."""
    if kind.__name__.lower().replace("_", "-") in names():
        raise BadConfig(
            f"methods has a {kind.__name__}, and scbench has a method of that name; call the class "
            "otherwise"
        )
    if inspect.isclass(method):
        made = ForeignMethod.of(kind, {}, written=kind.__name__)
        foreign = replace(made, name=kind.__name__)
    elif is_cache_class(kind):
        raise BadConfig(
            f"methods has a {kind.__name__} in hand, and each context is read into a new one; give "
            f"its class: methods=[{kind.__name__}]"
        )
    else:
        foreign = ForeignMethod.in_hand(method)
    written = Method(foreign=foreign).spelling
    HANDED[written] = foreign
    return written
