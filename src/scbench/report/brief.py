"""A run in at most 25 lines of 80 columns: a row a method, a sentence, gaps, the page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from rich.console import Group
from rich.text import Text

from scbench.console import counted, plain, visible
from scbench.report.headline import Headline, MethodLine, ModeScore, headline
from scbench.report.marks import LACKS, note_lines
from scbench.report.sentence import sentence
from scbench.report.words import GAP, MINUS, nats, signed
from scbench.stats import KL_MARGIN, SIMULATED, Setting, Standing, Summary

WIDTH = 80
MOST_LINES = 25
MOST_SETTINGS = 3
LEAST_ROWS = 3  # the baseline and two methods
WORDS = {
    Standing.SAME: "same",
    Standing.EQUIVALENT: "equal",
    Standing.WORSE: "worse",
    Standing.BETTER: "better",
    Standing.NO_HEADROOM: "low",
}
TONES = {"worse": "red", "better": "green", "equal": "green", "same": "green"}
HEADS = ("top1%", "KL ", "held%", "load%", "ms")
BESIDE = (5, 6, 5, 5, 5)  # columns of the numbers beside the scores
SIGNS = {Standing.AGREES: "≈", Standing.DEPARTS: "≠", Standing.TOO_FEW: "?"}  # beside KL
WORD = 6
WORST = "KL and top1 are those of the mode that is further from it."
AFTER = "held: after the answers, not after the context (there was no cost pass)."
BELOW = "Scores are corrected for chance: below 0 is worse than guessing."
LEGEND = (
    "equal: surely within {margin}; +9: 9 more sessions would tell; low: no headroom. held,",
    "load: bytes, % of {baseline}'s. KL: to its tokens, ≈ surely < {kl}, ≠ >, ? unsure.",
)


def brief(summary: Summary, *, page: Path | None = None, most_lines: int = MOST_LINES) -> Group:
    """As `brief_lines`, with the verdicts in colour."""
    return Group(*(_coloured(line) for line in brief_lines(summary, page=page, most=most_lines)))


def brief_lines(summary: Summary, *, page: Path | None = None, most: int = MOST_LINES) -> list[str]:
    """Never more than `most` lines of 80 columns: what is left out is in the page, and said so.

    With several settings those in which most is decided come first.
    """
    found = [headline(summary, setting) for setting in summary.settings]
    if not found:
        return ["no records, nothing to report"]
    shown = sorted(found, key=lambda one: -one.decided)[:MOST_SETTINGS]
    foot = [*_legend(summary), *_gaps(summary), *_page(page, hidden=len(found) - len(shown))]
    while True:
        sentences = [_said(summary, one) for one in shown]
        fixed = len(foot) + sum(map(len, sentences)) + 2 * len(shown)
        rows = _rows_each(shown, most - fixed)
        if rows is not None or len(shown) == 1:
            break
        shown = shown[:-1]
        foot = [*_legend(summary), *_gaps(summary), *_page(page, hidden=len(found) - len(shown))]
    lines: list[str] = []
    for one, words, count in zip(shown, sentences, rows or [LEAST_ROWS], strict=True):
        lines += [*_table(one, count), *words]
    return [*lines, *foot][:most]


def _rows_each(shown: Sequence[Headline], room: int) -> list[int] | None:
    """How many rows each table gets; None where one would have fewer than it needs."""
    counts = [0] * len(shown)
    wanted = [len(one.lines) for one in shown]
    for _ in range(max(0, room)):
        short = [place for place, count in enumerate(counts) if count < wanted[place]]
        if not short:
            break
        counts[min(short, key=lambda place: counts[place])] += 1
    enough = all(count >= min(LEAST_ROWS, want) for count, want in zip(counts, wanted, strict=True))
    return counts if enough else None


def _table(one: Headline, count: int) -> list[str]:
    """Title, heads and so many rows; the last row says how many methods are left out."""
    shared = f"; {one.common} implied" if one.common else ""
    title = _cut(f"{one.setting.model}, {_length(one)}{one.what}{_design(one)}{shared}", WIDTH)
    rows = list(one.lines)
    left_out = 0
    if len(rows) > count:
        keep = _most_telling(rows, count - 1)
        left_out = len(rows) - len(keep)
        rows = [line for line in rows if line in keep]
    name_width = WIDTH - _width(len(one.modes))
    names = _names(rows, name_width)
    drawn = [_row(line, name, name_width) for line, name in zip(rows, names, strict=True)]
    lines = [title, _heads(one, name_width), *drawn]
    return lines + ([f"… and {left_out} more in the page"] if left_out else [])


def _most_telling(rows: Sequence[MethodLine], count: int) -> list[MethodLine]:
    """The baseline, then those of which something is decided, best first."""
    order = sorted(rows, key=lambda line: (not line.is_baseline, -line.decided_scores))
    return order[: max(1, count)]


def _length(one: Headline) -> str:
    tokens = one.setting.length_tokens
    return f"{tokens:,} tokens, " if tokens else ""


def _design(one: Headline) -> str:
    """Over how many tasks and sessions the score is."""
    if not one.sessions:
        return ""
    tasks = f" of {one.tasks} tasks" if one.tasks > 1 else ""
    return f"{tasks}, {counted(one.sessions, 'session')}"


def _score_width(modes: int) -> int:
    """Of a mode: score, difference, word. Two modes print scores without a decimal."""
    return (5 if modes == 1 else 3) + 1 + 5 + 1 + WORD


def _width(modes: int) -> int:
    return modes * (1 + _score_width(modes)) + sum(1 + width for width in BESIDE)


def _heads(one: Headline, name_width: int) -> str:
    width = _score_width(len(one.modes))
    heads = [f"{mode}, Δ"[:width].rjust(width) for mode in one.modes]
    heads += [head.rjust(size) for head, size in zip(HEADS, BESIDE, strict=True)]
    return " ".join(["method".ljust(name_width), *heads])


def _names(rows: Sequence[MethodLine], width: int) -> list[str]:
    """As printed, with the marks; those that would look alike when cut show where they differ."""
    marks = [_mark(line) for line in rows]
    whole = [visible(line.name) for line in rows]
    names = [_cut(name, width - len(mark)) for name, mark in zip(whole, marks, strict=True)]
    for alike in {name for name, count in Counter(names).items() if count > 1}:
        places = [place for place, name in enumerate(names) if name == alike]
        same = _common_length([whole[place] for place in places])
        for place in places:
            names[place] = _cut_inside(whole[place], width - len(marks[place]), same)
    return [name + mark for name, mark in zip(names, marks, strict=True)]


def _mark(line: MethodLine) -> str:
    signs = (LACKS if line.has_gaps else "") + line.notes
    return f" {signs}" if signs else ""


def _row(line: MethodLine, name: str, name_width: int) -> str:
    modes = len(line.scores)
    cells = [_score(score, modes) for score in line.scores]
    cells += [text.rjust(size) for text, size in zip(_beside(line), BESIDE, strict=True)]
    return " ".join([name.ljust(name_width), *cells])


def _score(score: ModeScore, modes: int) -> str:
    decimals, size = (1, 5) if modes == 1 else (0, 3)
    value = GAP if score.value is None else f"{100.0 * score.value:.{decimals}f}"
    paired = score.difference
    delta = "" if paired is None or paired.is_gap else _short(signed(paired.value))
    value = value.replace("-", MINUS)
    return f"{value:>{size}} {delta:>5} {word(score):<{WORD}}"


def _short(delta: str) -> str:
    return delta if len(delta) <= 5 else delta.split(".")[0]


def word(score: ModeScore) -> str:
    """The verdict in at most six letters; `+12` where so many sessions are missing."""
    ruling = score.ruling
    if ruling is None:
        return ""
    if ruling.standing is Standing.TOO_FEW:
        more = ruling.more_sessions
        return f"+{more}" if more < 10_000 else "+9999"
    return WORDS[ruling.standing]


def _beside(line: MethodLine) -> tuple[str, ...]:
    top1 = line.agreement.top1.value if line.agreement is not None else None
    share = line.share
    return (
        _percent(top1),
        _kl(line),
        _percent(share.ratio if share else None),
        _percent(share.loaded if share else None),
        _milliseconds(share.tpot_s if share else None),
    )


def _kl(line: MethodLine) -> str:
    """KL to the baseline, with the sign of its verdict; the baseline's own needs none."""
    agreement = line.agreement
    if agreement is None:
        return f"{GAP} "
    ruling = None if line.is_baseline else agreement.kl_judged
    return nats(agreement.kl.value) + (SIGNS[ruling.standing] if ruling is not None else " ")


def _percent(value: float | None) -> str:
    return GAP if value is None else f"{100.0 * value:.1f}"


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return GAP
    milliseconds = 1e3 * seconds
    return f"{milliseconds:.1f}" if milliseconds < 1000 else f"{milliseconds:.0f}"


def _legend(summary: Summary) -> list[str]:
    """What the words mean; a line more where a row has a mark."""
    margin = f"{100.0 * summary.margin:g}"
    words = {"baseline": summary.baseline, "margin": margin, "kl": f"{KL_MARGIN:g}"}
    lines = [line.format(**words) for line in LEGEND]
    used = "".join(line.notes for setting in summary.settings for line in _lines(summary, setting))
    lines += note_lines(used, {}, 0)
    lines += [BELOW] * _is_below_chance(summary)
    lines += [WORST] * any(len(summary.modes_in(one)) > 1 for one in summary.settings)
    lines += [AFTER] * any(share.is_after_answers for share in summary.shares)
    simulated = any(method.is_simulated for method in summary.methods)
    return [_cut(line, WIDTH) for line in lines] + (
        [f"{SIMULATED} simulated: entries are masked, not freed."] if simulated else []
    )


def _is_below_chance(summary: Summary) -> bool:
    """Whether any score that is printed is below what guessing would score."""
    scores = [
        one
        for setting in summary.settings
        for line in _lines(summary, setting)
        for one in line.scores
    ]
    return any(one.value is not None and one.value < 0.0 for one in scores)


def _lines(summary: Summary, setting: Setting) -> Sequence[MethodLine]:
    return headline(summary, setting).lines


def _gaps(summary: Summary) -> list[str]:
    """How many turns have no score, whose, and the most frequent reason."""
    cells = [cell for cell in summary.cells if cell.part == "" and cell.gap_turns]
    if not cells:
        return []
    turns = sum(cell.gap_turns for cell in cells)
    methods = list(dict.fromkeys(cell.method for cell in cells))
    reasons: dict[str, int] = {}
    for cell in cells:
        for reason, count in cell.gaps.items():
            reasons[reason] = reasons.get(reason, 0) + count
    most = max(reasons, key=lambda reason: reasons[reason])
    named = methods[0] if len(methods) == 1 else f"{len(methods)} methods"
    lacking = f"{counted(turns, 'turn')} of {named} {'has' if turns == 1 else 'have'} no score"
    return [_cut(visible(f"{LACKS} {lacking}; most: {most}"), WIDTH)]


def _page(page: Path | None, *, hidden: int) -> list[str]:
    is_one = hidden == 1
    more = f"{counted(hidden, 'more table')} {'is' if is_one else 'are'} in the page."
    lines = [more] if hidden else []
    if page is None:
        return lines
    # A path that is cut cannot be opened, so it may pass the margin.
    return [*lines, f"page: {visible(str(page))}  (open it in a browser)"]


def _said(summary: Summary, one: Headline) -> list[str]:
    """The sentence in at most three lines: with fewer names where it is too long."""
    for most_named in (3, 2, 1):
        lines = textwrap.wrap(
            visible(sentence(summary, one, most_named=most_named)), WIDTH, break_on_hyphens=False
        )
        if len(lines) <= 3:
            break
    return lines if len(lines) <= 3 else [*lines[:2], _cut(f"{lines[2]} …", WIDTH)]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _common_length(names: Sequence[str]) -> int:
    """How many signs all names begin with alike: those of the first and the last in order."""
    pairs = zip(min(names), max(names), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _cut_inside(text: str, width: int, same: int) -> str:
    """Three signs of the head, then what comes after its first `same` signs, or a little before."""
    if len(text) <= width:
        return text
    start = min(same, len(text) - width + 4)
    return _cut(f"{text[:3]}…{text[start:]}", width)


def _coloured(line: str) -> Text:
    text = plain(line)
    for name, style in TONES.items():
        text.highlight_regex(rf"(?<=\d ){name} ", style)
    return text
