"""How numbers are written: scores as percent, bytes in binary units, seconds as fits them."""

from __future__ import annotations

from scbench.stats import Estimate, Spread

GAP = "–"
MINUS = "−"


def percent(value: float | None) -> str:
    """0.487 as 48.7."""
    return GAP if value is None else f"{100.0 * value:.1f}".replace("-", MINUS)


def signed(value: float | None) -> str:
    """A difference in points, with its sign; zero has none."""
    if value is None:
        return GAP
    text = f"{100.0 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def interval(estimate: Estimate) -> str:
    """[40.1, 57.2]; words where one session cannot tell; empty for a gap."""
    if estimate.is_gap:
        return ""
    if estimate.low is None or estimate.high is None:
        return "n too small" if estimate.sessions < 2 else "no interval"
    return f"[{percent(estimate.low)}, {percent(estimate.high)}]"


def signed_interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return interval(estimate)
    return f"[{signed(estimate.low)}, {signed(estimate.high)}]"


def nats(value: float | None) -> str:
    """A mean of nats a token, with three decimals; ten and more with one."""
    if value is None:
        return GAP
    text = format(value, ".3f" if abs(value) < 10.0 else ".1f")
    return "0.000" if text == "-0.000" else text.replace("-", MINUS)


def nats_interval(estimate: Estimate) -> str:
    """[0.012, 0.031]; a limit that is far off all bounds is written as more than 99."""
    if estimate.low is None or estimate.high is None:
        return interval(estimate)
    ends = ("> 99" if end > 99.0 else nats(end) for end in (estimate.low, estimate.high))
    return f"[{', '.join(ends)}]"


def bytes_text(value: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(value) >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


def seconds_text(value: float) -> str:
    if abs(value) >= 1.0 or value == 0.0:
        return f"{value:.2f} s"
    return f"{1e3 * value:.1f} ms" if abs(value) >= 1e-3 else f"{1e6 * value:.0f} µs"


def count_text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def measure_text(name: str, value: float) -> str:
    """A cost by the unit its name ends in."""
    if name.endswith("_bytes"):
        return bytes_text(value)
    return seconds_text(value) if name.endswith("_s") else count_text(value)


def spread_text(name: str, spread: Spread | None) -> tuple[str, str]:
    """Median, and smallest to largest where repeats differ."""
    if spread is None:
        return GAP, ""
    low, high = measure_text(name, spread.low), measure_text(name, spread.high)
    return measure_text(name, spread.median), f"{low} … {high}" if low != high else ""
