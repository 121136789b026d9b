"""Names to stages. Names import nothing; a miss helps. Packages join by the entry point group
`scbench.methods`, files by `path.py:Class`.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench.errors import BadConfig, Mismatch, ScbenchError, Unknown
from scbench.methods import origin, spelling
from scbench.methods.blame import files_of, offending_line
from scbench.methods.cards import CARDS
from scbench.methods.loader import class_from, refuse_shared_names
from scbench.methods.origin import Kind, shown_name
from scbench.methods.spelling import FILE

if TYPE_CHECKING:
    from scbench.methods.contract import Stage
    from scbench.methods.method import Method

GROUP = "scbench.methods"
FIELDS = {  # of a method, by the role of the one stage it has there
    "generation": "generation",
    "retrieval": "retrieval",
    "selection": "loading",
    "tier": "tier",
}


def names() -> list[str]:
    """All registered names, ours first, then those of installed packages."""
    return [
        *CARDS,
        *sorted(point.name for point in entry_points(group=GROUP) if point.name not in CARDS),
    ]


def stage_class(name: str) -> type[Stage]:
    """The class behind a name, or behind `path/to/file.py:ClassName`. Case does not matter."""
    if name in origin.GIVEN or FILE in name:
        return _checked(_in_file(name), name)
    plain = name.lower().replace("_", "-")
    if plain in CARDS:
        found: Any = pkgutil.resolve_name(CARDS[plain].place)
        return found  # type: ignore[no-any-return]
    points = [point for point in entry_points(group=GROUP) if point.name in (name, plain)]
    if len({point.value for point in points}) > 1:
        raise BadConfig(
            f"{name!r} is registered {len(points)} times: {', '.join(map(_registered, points))}; "
            "uninstall all but one, or name the file: path/to/file.py:ClassName"
        )
    for point in points:
        stage = _checked(point.load(), name)
        if point.dist is not None:
            origin.REGISTERED[stage.__module__] = (point.dist.name, point.dist.version)
        stage.name = stage.name or point.name
        if stage.name != point.name:  # a record's name must be found again
            raise BadConfig(
                f"the entry point {name!r} is {point.value}, which calls itself {stage.name!r}; "
                "give both one name"
            )
        return stage
    if "/" in plain or "\\" in plain:
        raise Unknown(
            f"{name!r} is no method; a method in a file is path/to/file.py:ClassName, and a path "
            "with one of + , [ ] = | stands in quotes: '\"dir/a+b.py\":ClassName'"
        )
    near = get_close_matches(re.split(r"[:\[]", plain)[0], names())
    guess = f"did you mean {', '.join(near)}? " if near else ""
    raise Unknown(
        f"no method is called {name!r}; {guess}`scbench list methods` shows them all, and one in "
        "a file is path/to/file.py:ClassName (a path with one of + , [ ] = | in quotes); an object "
        "is handed to scbench.run in each process"
    )


def _in_file(name: str) -> object:
    """What stands behind `path/to/file.py:ClassName`, or behind an object that was handed over."""
    if name in origin.GIVEN:
        return origin.GIVEN[name]
    found = class_from(name)
    if inspect.isclass(found):
        origin.origin_of(found)  # now: its files may be edited before anyone asks
    return found


def _registered(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name if point.dist else 'an unknown package'}"


def parse(text: str) -> Method:
    """'a-shape+snapkv[tau=1/16]+quest' to a Method.

    A part may be called otherwise, `mine=a/knorm.py:Knorm[tau=1/4]`, and is then shown as
    `mine[tau=1/4]`. Raises Unknown, BadConfig, or Mismatch for what makes no sense together.
    """
    from scbench.methods.method import Method

    parts = spelling.split(text)
    for part in parts:
        foreign = _foreign(part)
        if foreign is not None and len(parts) > 1:
            raise Mismatch(
                f"{text!r}: {part} is an object of its own, whose cache nobody else sees; it is "
                "joined with nothing, so give it alone"
            )
        if foreign is not None:
            return foreign
    chosen: list[Stage] = []
    labels: list[tuple[str, str]] = []
    for part in parts:
        label, name, params = spelling.read_labelled(part)
        stage = _built(stage_class(name), params, part)
        chosen.append(stage)
        if label:
            _refuse_label(label, part)
            labels.append((shown_name(type(stage)), label))
    single: dict[str, Stage] = {}
    for role, field in FIELDS.items():
        found = [stage for stage in chosen if stage.role == role]
        if len(found) > 1:
            raise Mismatch(
                f"{text!r} has two {field} stages ({', '.join(map(str, found))}); a method has one "
                f"{role}"
            )
        if found:
            single[field] = found[0]
    compression = tuple(stage for stage in chosen if stage.stage == "compression")
    return Method(compression=compression, labels=tuple(labels), **single)  # type: ignore[arg-type]


def _foreign(part: str) -> Method | None:
    """The method of a class in a file that answers by itself and derives from no stage."""
    from scbench.methods.contract import Stage
    from scbench.methods.foreign import HANDED, ForeignMethod, is_foreign_class
    from scbench.methods.method import Method

    if part in HANDED:
        return Method(foreign=HANDED[part])
    label, name, params = spelling.read_labelled(part)
    if FILE not in name:
        return None

    found = _in_file(name)
    if not (inspect.isclass(found) and is_foreign_class(found)) or issubclass(found, Stage):
        return None
    if label:
        _refuse_label(label, part)
    labels = ((shown_name(found), label),) if label else ()
    return Method(foreign=ForeignMethod.of(found, params, written=part), labels=labels)


def _built(cls: type[Stage], params: dict[str, str], part: str) -> Stage:
    """A stage from its parameters. What a stranger's class raises is told with its line."""
    try:
        stage: Stage = spelling.build(cls, params, written=part)
    except ScbenchError:
        raise
    except Exception as error:
        where = offending_line(error, files_of([cls]))
        said = f"{type(error).__name__}: {error}{where}"
        raise BadConfig(f"{part!r} cannot be made: {said}") from error
    return stage


def _refuse_label(label: str, part: str) -> None:
    if label in names():
        raise BadConfig(
            f"{part!r} calls a method {label!r}, which is another's name; choose a new one"
        )


def refuse_twins(methods: Sequence[Method]) -> None:
    """Raise BadConfig for two different methods that every table would show alike."""
    shown: dict[str, Method] = {}
    for method in methods:
        other = shown.setdefault(str(method), method)
        if other.source_digest != method.source_digest:
            raise BadConfig(
                f"{other.spelling} and {method.spelling} are two methods, and both would be shown "
                f"as {str(method)!r}; give one of them a name of its own, before its path: "
                f"'another={replace(method, labels=()).spelling}'"
            )
    files = {
        Path(one.path)
        for method in methods
        for one in method.origins
        if one.kind is Kind.FILE and one.path
    }
    refuse_shared_names(sorted(files))


def _checked(found: Any, place: str) -> type[Stage]:
    from scbench.methods.contract import Stage

    if not (inspect.isclass(found) and issubclass(found, Stage) and found.stage):
        from scbench.methods.foreign import lacking

        if inspect.isclass(found) and (why := lacking(found)):
            raise BadConfig(f"{place!r} cannot be asked: {why}")
        raise BadConfig(
            f"{place!r} is not a stage; derive it from Generation, Eviction, Codec, Retrieval, "
            "Selection or Placing of scbench.methods.contract, or give it open, ask and close, or "
            "patch(model), and name it alone"
        )
    if found.stage == "loading" and not found.role:
        raise BadConfig(
            f"{place!r} neither chooses nor places; derive it from Selection, which chooses what a "
            "step reads, or from Placing, which says where keys and values live"
        )
    return found
