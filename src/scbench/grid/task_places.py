"""Tasks by any way of writing one: a name, `path/to/file.py:TASK`, `data.jsonl`, a package's.

What is not the paper's carries its origin: the place it was written as, and a digest of the source
that its sessions and scores rest on. A file is read again when it has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from scbench import task_cards
from scbench.code import digest_of, house_code
from scbench.errors import BadConfig, Unknown
from scbench.methods.loader import class_from
from scbench.methods.origin import mark_of
from scbench.methods.quotes import QUOTE, in_quotes, unquoted
from scbench.methods.sources import sources_of_function, stranger_code
from scbench.task_cards import PAPER
from scbench.tasks import MORE, NoTinyForm, data_file, names, task
from scbench.tasks.contract import Task, TaskOrigin
from scbench.types import Form

GROUP = "scbench.tasks"  # of entry points: name = "package.module:TASK"
CODE, DATA = ".py:", ".jsonl"
_HANDED: dict[str, Task] = {}  # objects of this process, by the name that settings write


def task_at(written: str, form: Form | str = Form.FULL) -> Task:
    """The task that a setting names, in its full or its tiny form.

    Raises Unknown for what is not there, NoTinyForm, BadConfig for code that fails or is no task,
    BadRow for a file of data of another shape.
    """
    found = _full(written)
    if Form(form) is Form.FULL:
        return found
    if found.origin is None or written in MORE:
        return task(found.name, form)
    if found.tiny is None:
        raise NoTinyForm(found.name)
    return replace(found.tiny, origin=found.origin)


def written_tasks(asked: Iterable[object]) -> tuple[str, ...]:
    """Tasks as settings write them, each once. Raises BadConfig for two of one name."""
    places: dict[str, str] = {}
    for text in asked:
        found = task_at(str(text))
        other = places.setdefault(found.name, found.written)
        if other != found.written:
            raise BadConfig(
                f"{other} and {found.written} are two tasks, and both are called {found.name!r}; "
                "tables and records know a task by its name, so give one of them another"
            )
    return tuple(places.values())


def handed(given: object) -> str:
    """How settings write a task that somebody hands over: as it is written, or an object.

    An object is known by its name while this process lasts; the source of what makes its sessions
    is its digest, as for a file. Raises BadConfig for what is no task, or has the name of ours.
    """
    if isinstance(given, str):
        return given
    found = _checked(given, f"tasks={given!r:.60}")
    if found.origin is not None:
        return found.written
    if found.name in names():
        if task(found.name) != found:
            raise BadConfig(
                f"a task handed over as an object is called {found.name!r}, and so is one of "
                "scbench; give yours another name"
            )
        return found.name
    origin = TaskOrigin(place=found.name, digest=digest_of(sources_of_function(found.make)))
    _HANDED[found.name] = _brought(replace(found, origin=origin))
    return found.name


def package_names() -> tuple[str, ...]:
    """Tasks that installed packages registered; a name of ours always means ours."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)} - {*names()}))


def is_task(written: str) -> bool:
    """Whether a text that may name a method or a task names a task. A file of code is run."""
    place = _unquoted(written.strip())
    if place.endswith(DATA) or place in names():
        return True
    if CODE in place and Path(place.rpartition(":")[0]).expanduser().is_file():
        path_text, _, name = place.rpartition(":")
        try:
            return isinstance(class_from(f"{in_quotes(path_text)}:{name}"), Task)
        except Unknown:
            return False
    return any(point.name == place for point in entry_points(group=GROUP))


def _full(written: str) -> Task:
    place = _unquoted(written.strip())
    if place in _HANDED:
        return _HANDED[place]
    if place.endswith(DATA):
        return _brought(data_file.read_task(place))
    if CODE in place:
        return _of_code(place)
    try:
        found = task(place)
    except Unknown:
        points = [point for point in entry_points(group=GROUP) if point.name == place]
        if not points:
            raise
        return _of_package(place, points)
    return found if found.name in PAPER else _of_house(found)


def _of_code(place: str) -> Task:
    """`path:NAME`; the file, and what it imports from its folder, count by their source."""
    path_text, _, name = place.rpartition(":")
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise Unknown(
            f"there is no file {str(path)!r} (from the task {place!r}); a task of your own is "
            "path/to/file.py:NAME, where NAME is a Task in it"
        )
    try:
        found = class_from(f"{in_quotes(str(path))}:{name}")
    except Unknown as err:
        module = sys.modules[mark_of(path.resolve())]
        tasks = [name for name, value in vars(module).items() if isinstance(value, Task)]
        raise Unknown(
            f"{path} has no {name!r}; its tasks are {', '.join(tasks) or 'none'}"
        ) from err
    digest = digest_of(stranger_code(path.resolve()))
    return _brought(replace(_checked(found, place), origin=TaskOrigin(place=place, digest=digest)))


def _of_package(name: str, points: list[EntryPoint]) -> Task:
    if len({point.value for point in points}) > 1:
        raise BadConfig(
            f"the task {name!r} is registered {len(points)} times: "
            f"{', '.join(f'{point.value} of {_owner(point)}' for point in points)}; uninstall all "
            "but one, or name the file: path/to/file.py:TASK"
        )
    point = points[0]
    found = _checked(point.load(), name)
    if found.name != name:
        raise BadConfig(
            f"the entry point {name!r} is {point.value}, which calls itself {found.name!r}; give "
            "both one name"
        )
    file = getattr(sys.modules[point.module], "__file__", None)
    code = stranger_code(Path(file), point.module) if file else {point.value: _owner(point)}
    return _brought(replace(found, origin=TaskOrigin(place=name, digest=digest_of(code))))


@cache
def _of_house(found: Task) -> Task:
    """A task of ours whose card stands in its own file: that file is in no other digest."""
    module = MORE[found.name].partition(":")[0]
    return replace(
        found, origin=TaskOrigin(place=found.name, digest=digest_of(house_code([module])))
    )


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _checked(found: object, place: str) -> Task:
    if not isinstance(found, Task):
        raise BadConfig(
            f"{place!r} is {type(found).__name__} and no task; make it "
            "`Task(card=TaskCard(...), make=...)` of scbench.tasks.contract"
        )
    return found


def _brought(found: Task) -> Task:
    task_cards.bring(found.card)
    return found


def _unquoted(place: str) -> str:
    """A path in quotes, since it holds a comma, without them; the name behind it stays."""
    path, colon, name = place.rpartition(":")
    return f"{unquoted(path)}{colon}{name}" if path.endswith(QUOTE) else unquoted(place)
