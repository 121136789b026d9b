"""Files of answers: our own lines, and the released runner's prediction files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scbench.errors import BadConfig, BadRecord, BadRow
from scbench.reading import read_json
from scbench.scoring.lines import MIXES, AnswerLine, NotUnderstood, scored, understood
from scbench.types import Mode

_RUNNER_NAME = re.compile(r"prediction_(?P<task>\w+?)_(?P<mode>multi_turn|scdq)(?:_lingua)?\.jsonl")
_RUNNER_MODES = {"multi_turn": Mode.MULTI_TURN, "scdq": Mode.MULTI_REQUEST}


def score_file(path: Path) -> list[dict[str, Any]]:
    """Read a file of either form and score every line by both rules (see `lines.score_lines`).

    Lines of the released runner (`ground_truth` instead of `gold`) take task and mode from the
    file's name and come back with `task` = the published config, `subtask`, and `mode` set. A line
    that is not understood is a gap that names file, line and field. Raises BadRow where the file's
    name does not say what such lines need, or no line is understood; BadConfig where the file
    cannot be read.
    """
    rows: list[tuple[dict[str, Any], AnswerLine | NotUnderstood]] = []
    for number, raw in _objects(path):
        if isinstance(raw, NotUnderstood):
            rows.append(({}, raw))
            continue
        try:
            line = _as_ours(raw, path) if _is_runner(raw) else raw
        except BadRow as err:
            raise BadRow(f"{path}:{number}: {err}") from None
        rows.append((line, understood(line, f"{path}:{number}")))
    return scored(rows)


def written(line: dict[str, Any]) -> bytes:
    """A scored line as it goes into a file: UTF-8, with a lone surrogate as the escape it was."""
    text = json.dumps(line, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(line).encode() + b"\n"


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | NotUnderstood]]:
    try:
        file = path.open("rb")
    except OSError as err:
        raise BadConfig(f"cannot read {path}: {err.strerror}") from err
    with file:
        for number, raw in enumerate(file, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not text.strip():
                continue
            try:
                line = read_json(text, "it", lenient=True)
            except BadRecord as err:
                yield (
                    number,
                    NotUnderstood(f"{path}:{number}: not a JSON object in UTF-8: {err}"),
                )
                continue
            if not isinstance(line, dict):
                kind = type(line).__name__
                yield (
                    number,
                    NotUnderstood(f"{path}:{number}: a line holds one JSON object, not {kind}"),
                )
                continue
            yield number, line


def _is_runner(line: dict[str, Any]) -> bool:
    """A runner's line has no gold, and was not yet brought into our form (which has a mode)."""
    return "gold" not in line and "mode" not in line and ("ground_truth" in line or "label" in line)


def _as_ours(line: dict[str, Any], path: Path) -> dict[str, Any]:
    name = _RUNNER_NAME.fullmatch(path.name)
    if not name:
        raise BadRow(
            "the line is in the published runner's form (field 'ground_truth'), whose task and "
            "mode stand in the file's name; "
            f"{path.name!r} is not prediction_<task>_<multi_turn|scdq>[_lingua].jsonl: rename it, "
            f"or add the fields task, subtask and mode"
        )
    task = name["task"]
    is_mix = task.removeprefix("scbench_") in MIXES
    ours = {
        **line,
        "task": task,
        "subtask": line.get("task") if is_mix else None,
        "mode": str(_RUNNER_MODES[name["mode"]]),
    }
    if "prediction" not in ours and "pred" in ours:
        ours["prediction"] = ours["pred"]
    return ours
