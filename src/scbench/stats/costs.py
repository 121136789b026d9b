"""What a method costs at one length, as measured by the cost pass. Each number carries its spread
over repeats; None is 'not measured'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from scbench.errors import BadRecord
from scbench.types import Form


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of the repeats of one measurement."""

    median: float
    low: float
    high: float
    repeats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One method at one length. Seconds are of the method alone and warm; bytes are per session."""

    model: str
    method: str
    length_tokens: int  # of the setting, the key that joins costs to scores
    form: str = "full"  # of the tasks; joins too
    context_tokens: Spread | None = None  # of the contexts really read
    sessions: int | None = None
    prefill_s: Spread | None = None
    compress_s: Spread | None = None
    ttft_cold_s: Spread | None = None
    ttft_warm_s: Spread | None = None
    ttft_disk_s: Spread | None = None  # the stored cache being in files
    tpot_s: Spread | None = None
    held_bytes: Spread | None = None
    held_accounted_bytes: Spread | None = None  # right after the context, in the accounting dtype
    end_accounted_bytes: Spread | None = None  # at the session's end, tails included
    dense_bytes: Spread | None = (
        None  # dense cache of the uncompressed context, accounted: the reference of shares
    )
    formula_bytes: Spread | None = None  # closed form for held_bytes
    peak_bytes: Spread | None = None
    loaded_bytes: Spread | None = None  # KV bytes read per decode step
    loaded_accounted_bytes: Spread | None = None  # the same in the accounting dtype
    moved_bytes: Spread | None = None  # of these, fetched from a slower tier
    extra_passes: Spread | None = None
    accounting: str = ""  # the dtype that floating elements count as; "" in old folders
    estimated: tuple[str, ...] = ()  # names of fields above that are computed, not measured
    simulated: bool = False
    failure: str = ""  # why nothing was measured; then no field above has a value


TEXTS, COUNTS = ("model", "method"), ("length_tokens", "sessions")
OTHERS = (*TEXTS, "form", *COUNTS, "accounting", "estimated", "simulated", "failure")
COST_FIELDS = frozenset(field.name for field in fields(CostRow))
MEASURED = tuple(field.name for field in fields(CostRow) if field.name not in OTHERS)


def cost_row(given: Mapping[str, object] | CostRow) -> CostRow:
    """A row from plain data: each measurement is a number, a list of repeats, a mapping with
    median, min and max, or None.

    Raises BadRecord for a name that is not a field, a missing model, method or length, or a value
    of another form.
    """
    if isinstance(given, CostRow):
        return given
    known = {field.name for field in fields(CostRow)}
    if stray := sorted(set(given) - known):
        raise BadRecord(f"a cost row has {', '.join(stray)}; it takes {', '.join(sorted(known))}")
    if absent := [name for name in (*TEXTS, "length_tokens") if given.get(name) in (None, "")]:
        raise BadRecord(
            f"a cost row lacks {', '.join(absent)}; give model, method and length_tokens so that "
            f"it can be joined to scores"
        )
    sessions, length_tokens = (
        _whole(name, given.get(name)) for name in ("sessions", "length_tokens")
    )
    names = given.get("estimated") or ()
    measured: dict[str, Spread | None] = {name: _spread(name, given.get(name)) for name in MEASURED}
    return CostRow(
        model=str(given["model"]),
        method=str(given["method"]),
        length_tokens=length_tokens or 0,
        form=str(given.get("form", Form.FULL)),
        sessions=sessions,
        accounting=str(given.get("accounting") or ""),
        estimated=tuple(map(str, names)) if isinstance(names, (list, tuple)) else (str(names),),
        simulated=bool(given.get("simulated", False)),
        failure=str(given.get("failure") or ""),
        **measured,
    )


def _whole(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise BadRecord(f"{name} of a cost row is {value!r}; it takes a whole number")


def _spread(name: str, value: object) -> Spread | None:
    try:
        return _spread_of(name, value)
    except (OverflowError, TypeError, ValueError) as err:
        raise BadRecord(f"{name} of a cost row is no measurement: {err}") from err


def _spread_of(name: str, value: object) -> Spread | None:
    match value:
        case None:
            return None
        case Spread():
            return value
        case bool():
            pass
        case int() | float():
            return Spread(float(value), float(value), float(value))
        case Mapping() if "median" in value:
            middle = float(value["median"])
            return Spread(
                middle,
                float(value.get("min", middle)),
                float(value.get("max", middle)),
                int(value.get("repeats", value.get("n", 1))),
            )
        case Sequence() if (
            value
            and not isinstance(value, str)
            and all(isinstance(one, (int, float)) for one in value)
        ):
            numbers = [float(one) for one in value]
            return Spread(median(numbers), min(numbers), max(numbers), len(numbers))
    raise BadRecord(
        f"{name} of a cost row is {value!r:.200}; it takes a number, a list of repeats, or "
        f"{{median, min, max}}"
    )
