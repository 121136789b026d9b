"""Old rows against new ones: which numbers of which methods moved.

Exact, but for three rules. After a near tie (`tie`, a step of the answer) nothing that hangs on the
answer is compared. Slots whose votes nearly tie (`near`) may be kept or not. What a millionth of
noise in the weights moves (`loose`, found when the run was recorded) is left out; logits that it
moves may differ by four times as much (`within`). Shares of attention (`WEIGHED`) are of numbers
in half precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golden.held import unspelled
from golden.play import Row

MOST_LINES = 40
LOGITS = 5e-4
SHARE = 2e-3
WEIGHED = ("evidence_kept", "evidence_loaded")
NAMES = ("part", "method", "at", "tie", "near", "loose", "within")  # of a row, and no numbers
AFTER_ANSWER = ("strict", "official", "held_bytes", "loaded_bytes", "moved_bytes", "logical_tokens")
AFTER_ANSWER += ("stored_tokens",)


@dataclass(frozen=True, slots=True)
class Move:
    """One number that is not what it was."""

    part: str
    method: str
    at: str
    field: str
    old: Any
    new: Any


def key(row: Row) -> tuple[str, str, str]:
    return row["part"], row["method"], row["at"]


def compare(old: Sequence[Row], new: Sequence[Row], *, narrowed: bool = False) -> list[Move]:
    """All that moved. `narrowed`: `new` may lack rows of `old`."""
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    moves = [Move(*at, "row", "none", "there") for at in after.keys() - before.keys()]
    if not narrowed:
        moves += [Move(*at, "row", "there", "none") for at in before.keys() - after.keys()]
    for at in before.keys() & after.keys():
        moves += moved(before[at], after[at], narrowed)
    return sorted(moves, key=lambda move: (move.part, move.field, move.method, move.at))


def moved(old: Row, new: Row, narrowed: bool = False) -> Iterator[Move]:
    """The fields of one row that differ."""
    loose, tie = set(old.get("loose", ())), old.get("tie")
    if tie is not None:
        loose |= {name for name in AFTER_ANSWER if old.get("tokens") != new.get("tokens")}
        loose |= {"strict", "official"}
    for field in sorted((old.keys() | new.keys()) - set(NAMES) - loose):
        was, now = old.get(field), new.get(field)
        if not same(field, was, now, old, narrowed):
            yield Move(*key(old), field, was, now)


def same(field: str, was: Any, now: Any, old: Row, narrowed: bool) -> bool:
    """Whether a number is what it was, by the rule for its kind."""
    if was is None or now is None:  # what dense pays is not known where it is left out
        return was is now or (narrowed and now is None and field in WEIGHED)
    if field == "tokens":
        tie = old.get("tie")
        return bool(was == now if tie is None else was[:tie] == now[:tie])
    if field == "shown":
        return bool(now) and (set(now) <= set(was) if narrowed else now == was)
    if field in ("kept", "kept_later"):
        near = old.get("near", {})
        return not apart(was, now) or all(
            slots <= unspelled(near.get(head, "")) for head, slots in apart(was, now).items()
        )
    if field in WEIGHED:
        return bool(abs(was - now) < SHARE)
    if field == "logits":
        most = max(LOGITS, old.get("within", 0.0))
        return all(abs(a - b) < most for a, b in zip(was, now, strict=True))
    return close(was, now)


def close(was: Any, now: Any) -> bool:
    """Equal; floats to their last digits."""
    if isinstance(was, float) and isinstance(now, float):
        return abs(was - now) < 1e-9 * max(1.0, abs(was))
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return all(close(a, b) for a, b in zip(was, now, strict=True))
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        return all(close(was[name], now[name]) for name in was)
    return bool(was == now)


def apart(was: Mapping[str, str], now: Mapping[str, str]) -> dict[str, set[int]]:
    """'layer.head' -> positions held once and not now, or the other way."""
    heads = was.keys() | now.keys()
    found = {head: unspelled(was.get(head, "")) ^ unspelled(now.get(head, "")) for head in heads}
    return {head: slots for head, slots in found.items() if slots}


def told(moves: Sequence[Move]) -> str:
    """Which numbers of which methods moved: a line for each kind of number in each part."""
    groups: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        groups.setdefault((move.part, move.field), []).append(move)
    lines = [f"{len(moves)} numbers of the golden run moved:"]
    for (part, field), group in groups.items():
        methods = list(dict.fromkeys(move.method for move in group))
        some = "; ".join(methods[:4]) + (
            f" and {len(methods) - 4} more" if len(methods) > 4 else ""
        )
        lines.append(f"{part}: {field}, {len(group)} of {len(methods)} methods: {some}")
        lines.append(f"    {shown(group[0])}")
    if len(lines) > MOST_LINES:
        left = (len(lines) - MOST_LINES) // 2 + 1
        lines = [*lines[: MOST_LINES - 1], f"... and {left} more kinds of numbers"]
    return "\n".join(lines)


def shown(move: Move) -> str:
    old, new = move.old, move.new
    if move.field in ("kept", "kept_later") and old and new:
        head, slots = next(iter(sorted(apart(old, new).items())))
        lost = sorted(slots & unspelled(old.get(head, "")))[:8]
        won = sorted(slots & unspelled(new.get(head, "")))[:8]
        return f"{move.method}, {move.at}, layer.head {head}: no longer {lost}, now {won}"
    return f"{move.method}, {move.at}: {short(old)} -> {short(new)}"


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
