"""What the published set holds, config by config, and how a folder of files differs from it.

Counts are those of the files on the hub; where they and the paper's table 2 differ (En.Sum,
En.MultiChoice, Math.Find), the files are right. Rows are the truth of a run whatever is said here:
this table only tells a whole download from a part of one, or from another set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scbench.errors import BadRow, ScbenchError
from scbench.tasks import task
from scbench.tasks.published_files import Row, found_in, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedConfig:
    """`tokens` is the average input of a row by the paper; `fields` and `turn_fields` are those
    that every row has.
    """

    rows: int
    turns: int
    tokens: int
    turn_fields: tuple[str, ...] = ("answer", "input")
    fields: tuple[str, ...] = ("context", "multi_turns")
    characters_a_token: tuple[float, float] = (1.0, 7.0)  # of any tokenizer


_MIXED = ("answer", "input", "task")
PUBLISHED: Mapping[str, PublishedConfig] = {
    "kv": PublishedConfig(rows=100, turns=500, tokens=125_000),
    "prefix_suffix": PublishedConfig(rows=100, turns=500, tokens=112_000),
    "vt": PublishedConfig(rows=90, turns=450, tokens=124_000, fields=("input", "multi_turns")),
    "repoqa": PublishedConfig(
        rows=88,
        turns=440,
        tokens=65_000,
        turn_fields=("answer", "input", "name"),
        fields=("context", "lang", "multi_turns", "repo"),
    ),
    "qa_eng": PublishedConfig(rows=69, turns=351, tokens=198_000),
    "qa_chn": PublishedConfig(rows=35, turns=189, tokens=1_500_000, characters_a_token=(0.5, 3.0)),
    "choice_eng": PublishedConfig(
        rows=58, turns=229, tokens=188_000, turn_fields=("answer", "input", "options")
    ),
    "mf": PublishedConfig(rows=100, turns=600, tokens=120_000),
    "many_shot": PublishedConfig(
        rows=54, turns=270, tokens=22_000, fields=("context", "multi_turns", "task")
    ),
    "summary": PublishedConfig(rows=70, turns=350, tokens=104_000),
    "summary_with_needles": PublishedConfig(rows=70, turns=560, tokens=105_000, turn_fields=_MIXED),
    "repoqa_and_kv": PublishedConfig(
        rows=88,
        turns=704,
        tokens=68_000,
        turn_fields=_MIXED,
        fields=("context", "lang", "multi_turns", "repo"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConfig:
    """What a folder has of one config; `differences` from the published one, in words."""

    name: str
    file: Path
    rows: int
    turns: int
    characters: int  # of a context, on average
    differences: tuple[str, ...]


def check_config(name: str, folder: Path) -> FoundConfig:
    """Raises Unknown where the folder has no file of it, BadRow where the file cannot be read."""
    from scbench.tasks.published import read_rows

    kind, wanted = task(name), PUBLISHED[name]
    file = found_in(kind, folder)
    sessions, odd = list[tuple[int, int]](), list[str]()
    for session in read_rows(kind, file):
        if isinstance(session, BadRow):
            odd.append(str(session))
        else:
            sessions.append((len(session.turns), len(session.context)))
    turns = sum(count for count, _ in sessions)
    characters = round(sum(length for _, length in sessions) / max(1, len(sessions)))
    rows = len(sessions) + len(odd)
    return FoundConfig(
        name=name,
        file=file,
        rows=rows,
        turns=turns,
        characters=characters,
        differences=(
            *_counted("rows", rows, wanted.rows),
            *_counted("turns", turns, wanted.turns),
            *(_lengths(characters, wanted) if sessions else ()),
            *_fields(file, wanted),
            *odd,
        ),
    )


def _counted(what: str, found: int, wanted: int) -> Iterator[str]:
    if found != wanted:
        yield f"{found:,} {what} that can be read, published are {wanted:,}"


def _lengths(characters: int, wanted: PublishedConfig) -> Iterator[str]:
    low, high = (round(share * wanted.tokens) for share in wanted.characters_a_token)
    if not low <= characters <= high:
        yield (
            f"a context has {characters:,} characters on average; the published {wanted.tokens:,} "
            f"tokens are {low:,} to {high:,}"
        )


def _fields(file: Path, wanted: PublishedConfig) -> Iterator[str]:
    """Each field that some row or turn lacks, with how many lack it."""
    rows = [row for row in rows_of(file) if not isinstance(row, BadRow)]
    items = [item for row in rows for item in _items(row)]
    for what, found, names in (("rows", rows, wanted.fields), ("turns", items, wanted.turn_fields)):
        for name in names:
            if lacking := sum(name not in one for one in found):
                yield f"{lacking:,} of {len(found):,} {what} have no {name!r}"


def _items(row: Row) -> list[Row]:
    items = row.get("multi_turns")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def check_folder(folder: Path) -> Iterator[FoundConfig | tuple[str, ScbenchError]]:
    """Each config as it is found, or its name and why it cannot be looked at."""
    for name in PUBLISHED:
        try:
            yield check_config(name, folder)
        except ScbenchError as err:
            yield name, err
