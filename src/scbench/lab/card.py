"""A trained model becomes a lab model: its folder with weights, tokenizer, and a card that says
what it learned and what it cannot do.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench.errors import BadConfig
from scbench.lab import tokens
from scbench.lab.corpus import EVALUATION_SEEDS
from scbench.lab.measure import BLIND_MARGIN, DECILE_FLOOR, GATE, MeasuredCell
from scbench.reading import read_json, read_json_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CARD, PAGE, WEIGHTS, CURVES, LEFT = (
    "card.json",
    "CARD.md",
    "model.safetensors",
    "curves.jsonl",
    "lab.json",
)
MOST_POINTS = 40  # of the curves in the card; all of them are in curves.jsonl
LIMITS = (
    "Trained on the tiny forms of the tasks only: any other text is noise to it, and its numbers "
    "never stand in one table with full or official data.",
    "Longer contexts than trained are refused, or marked in every record.",
    "A cell that does not pass the gate says nothing about a method, because full attention does "
    "not solve it either.",
)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ship(courses: Sequence[Path], to: Path) -> Path:
    """Copy the model that the last course left, with the tokenizer and the curves of all courses,
    to `to`. Raises BadConfig if there is none.
    """
    source = courses[-1] / "model"
    if not (source / WEIGHTS).is_file():
        raise BadConfig(
            f"{courses[-1]} holds no trained model ({WEIGHTS} is missing in its model/); give the "
            f"--out of `scbench lab train`"
        )
    to.mkdir(parents=True, exist_ok=True)
    for kept in ("config.json", "generation_config.json", WEIGHTS):
        if (source / kept).is_file():
            shutil.copyfile(source / kept, to / kept)
    tokens.save(to)
    lines = [
        line
        for course in courses
        for line in (course / CURVES).read_text(encoding="utf-8").splitlines()
    ]
    (to / CURVES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return to


def write(
    folder: Path,
    model: PreTrainedModel,
    cells: Iterable[MeasuredCell],
    *,
    name: str,
    courses: Sequence[Path],
    date: str,
    hardware: str,
) -> dict[str, Any]:
    """card.json and CARD.md beside the weights. `date` is the day of measuring; what training did
    is read from the courses' own cards.
    """
    cells = list(cells)
    trained = [read_json_file(course / "model" / LEFT) for course in courses]
    curves = [
        read_json(line, f"a line of {CURVES}")
        for line in (folder / CURVES).read_bytes().splitlines()
    ]
    stride = max(1, -(-len(curves) // MOST_POINTS))
    card = {
        "name": name,
        "architecture": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokenizer": tokens.NAME,
        "form": "tiny",
        "trained_window_tokens": max(course["longest_row_tokens"] for course in trained),
        "weights_sha256": sha256(folder / WEIGHTS),
        "courses": [
            {key: course[key] for key in ("settings", "step", "tokens", "seconds")}
            for course in trained
        ],
        "tokens": sum(course["tokens"] for course in trained),
        "steps": sum(course["step"] for course in trained),
        "seconds": round(sum(course["seconds"] for course in trained), 1),
        "hardware": hardware,
        "measured": date,
        "evaluation_seeds_from": EVALUATION_SEEDS,
        "cells": [{**asdict(cell), "passes": cell.passes} for cell in cells],
        "curves": [
            {key: point[key] for key in ("step", "tokens", "loss", "exact")}
            for point in curves[::stride]
        ],
        "limits": list(LIMITS),
    }
    (folder / CARD).write_text(
        json.dumps(card, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
    (folder / PAGE).write_text(page(card), encoding="utf-8")
    return card


def page(card: Mapping[str, Any]) -> str:
    """The card for people."""
    minutes = card["seconds"] / 60
    lines = [
        f"# {card['name']}",
        "",
        f"{card['architecture']}, {card['parameters']:,} parameters, tokenizer "
        f"{card['tokenizer']}; trained from nothing on {card['tokens']:,} tokens of the tiny forms "
        f"in {card['steps']:,} steps, {minutes:,.0f} minutes on {card['hardware']}, in "
        f"{len(card['courses'])} course(s). Trained window: {card['trained_window_tokens']:,} "
        f"tokens. Weights: SHA-256 `{card['weights_sha256']}`.",
        "",
        "Made by `scbench lab train`; settings and curves are in card.json and curves.jsonl.",
        "",
        "## What it solves with full attention",
        "",
        f"Share of exact answers on sessions it was never trained on (seeds from "
        f"{card['evaluation_seeds_from']:,}), with a 95 % interval over answers. **Bold** passes "
        f"the gate: at least {GATE:.2f}, at most {BLIND_MARGIN:.2f} above chance without the "
        f"context, no tenth of the depth below {DECILE_FLOOR:.2f}.",
        "",
        *_table(card["cells"]),
        "",
        "By turn (multi-turn mode, longest length):",
        "",
        *_by_turn(card["cells"]),
        "",
        "## How it learned",
        "",
        "| step | tokens | loss | exact answers (training, gold history) |",
        "|---:|---:|---:|---:|",
        *(
            f"| {p['step']:,} | {p['tokens']:,} | {p['loss']:.3f} | {100 * p['exact']:.1f} % |"
            for p in card["curves"]
        ),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
    ]
    return "\n".join(lines)


def _table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys((cell["length_tokens"], cell["mode"]) for cell in cells))
    found = {(cell["task"], cell["length_tokens"], cell["mode"]): cell for cell in cells}
    lines = [
        "| task | "
        + " | ".join(f"{length:,} {mode}" for length, mode in columns)
        + " | without context |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name in dict.fromkeys(cell["task"] for cell in cells):
        own = [found.get((name, *column)) for column in columns]
        blind = max(cell["blind"] for cell in own if cell)
        lines.append(
            f"| {name} | " + " | ".join(_shown(cell) for cell in own) + f" | {100 * blind:.0f} % |"
        )
    return lines


def _shown(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "-"
    value = f"{100 * cell['exact']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"
    return f"**{value}**" if cell["passes"] else value


def _by_turn(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    own = [cell for cell in cells if cell["mode"] == "multi-turn"]
    longest = max((cell["length_tokens"] for cell in own), default=0)
    own = [cell for cell in own if cell["length_tokens"] == longest]
    turns = max((len(cell["by_turn"]) for cell in own), default=0)
    return [
        "| task | " + " | ".join(f"turn {turn + 1}" for turn in range(turns)) + " |",
        "|---" * (turns + 1) + "|",
        *(
            f"| {cell['task']} | " + " | ".join(_turns(cell["by_turn"], turns)) + " |"
            for cell in own
        ),
    ]


def _turns(values: Sequence[float], turns: int) -> list[str]:
    """One entry a column; a task of fewer turns has dashes at the end."""
    return [f"{100 * value:.0f} %" for value in values] + ["-"] * (turns - len(values))
