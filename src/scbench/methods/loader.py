"""Classes from somebody's Python file: `path/to/file.py:ClassName`.

A file is run once, and again when it, or a module it imports from its folder, has changed: what
was loaded is always what the key says.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from scbench.code import digest_of
from scbench.errors import BadConfig, Unknown
from scbench.methods import origin
from scbench.methods.blame import offending_line
from scbench.methods.quotes import unquoted
from scbench.methods.sources import helpers_of, stranger_code


@dataclass(frozen=True, slots=True)
class _Loaded:
    digest: str
    module: ModuleType
    helpers: dict[str, Path]


_LOADED: dict[Path, _Loaded] = {}


def class_from(place: str) -> object:
    """The class behind `path:ClassName`. Raises Unknown, or BadConfig for a file that fails."""
    path_text, _, class_name = place.rpartition(":")
    path = Path(unquoted(path_text)).expanduser()
    if not path.is_file():
        raise Unknown(
            f"there is no file {str(path)!r} (from the method {place!r}); a path with one of + , [ "
            f"] = | is written in quotes: '\"dir/a+b.py\":ClassName'"
        )
    module = _module(path.resolve())
    origin.PLACES_WRITTEN[module.__name__] = str(path)
    if not hasattr(module, class_name):
        classes = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        raise Unknown(f"{path} has no class {class_name!r}; it has {', '.join(classes) or 'none'}")
    return getattr(module, class_name)


def _module(path: Path) -> ModuleType:
    try:
        digest = digest_of(stranger_code(path))
    except SyntaxError as err:
        where = f"line {err.lineno}: {err.msg}"
        raise BadConfig(f"{path} cannot be imported: SyntaxError: {where}") from err
    known = _LOADED.get(path)
    if known is not None and known.digest == digest:
        return known.module
    helpers = helpers_of(path)
    for name in helpers:  # those of an older edit, or of the user's own session
        sys.modules.pop(name, None)
    name = origin.mark_of(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for what it imports later, inside functions
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as err:
        where = offending_line(err, [path])
        raise BadConfig(f"{path} cannot be imported: {type(err).__name__}: {err}{where}") from err
    finally:
        sys.path.remove(str(path.parent))
    _LOADED[path] = _Loaded(digest, module, helpers)
    return module


def refuse_shared_names(paths: Iterable[Path]) -> None:
    """Raise BadConfig where files of one run import two different modules under one name.

    Python holds one module of a name, so an import inside a function would get the other's.
    """
    users: dict[str, tuple[Path, Path]] = {}
    for path in paths:
        helpers = _LOADED[path].helpers if path in _LOADED else {}
        for name, helper in helpers.items():
            user, known = users.setdefault(name, (path, helper))
            if known != helper:
                raise BadConfig(
                    f"{user} and {path} both import a module {name!r}, and mean two different "
                    "files; Python can hold one module of a name, so rename one of them"
                )
