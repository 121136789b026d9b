"""A function described as a programmer would: what it is for, in the words of its docstring's
beginning without markup, and what its code looks like.

The docstring itself has left the context. The function's name is not told, nor most of the words it
is made of, so that the description leads to what the code does and not to what it is called.
"""

from __future__ import annotations

import re

from scbench.tasks.materials.functions.source import Function

HINTS = ("none", "structure", "lexical")
MOST_SENTENCES = 2
FIRST_SENTENCE_WORDS = range(5, 41)
STEM_LETTERS = 5
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ROLE = re.compile(r":\w+:(?=`)|(?<=`):\w+:")
_MARKUP = re.compile(r"``?([^`]+)``?|(?<!\w)\*{1,2}([\w ]+)\*{1,2}(?!\w)")
_ASIDE = re.compile(r"\s*\([^()]*\)")
# Formulas, calls, paths and the like; what is left of a sentence without them would be no prose.
_CODE = re.compile(r"^:|>>>|::|[$\\=<>|{}\[\]()@#^~*/+_\"]|\w\.\w|[a-z][A-Z]|--")
_NO_DESCRIPTION = re.compile(
    r"\b(deprecated|see|docstring|helper|internal|alias)\b",
    re.IGNORECASE,
)
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_S_VERBS = frozenset(
    """
    add append apply assert attempt build calculate change check choose clear close collect
    combine compare compose compute construct contract convert copy count create decide decode
    decompose decrypt define delete describe determine display divide draw encode encrypt ensure
    enumerate estimate evaluate execute expand express extract factor fill find flatten format
    generate get give handle implement infer initialize insert instantiate interchange invert
    iterate join keep list load look make manipulate map merge modify move multiply normalize
    obtain order parse perform permute pick plot print produce prove provide put raise read
    rearrange recognize reduce refine relabel remove rename reorder replace represent resolve
    restructure return reverse rewrite rotate round run sample save scale select send separate set
    shift show shuffle simplify solve sort split start store substitute subtract sum swap take
    test transform translate traverse try turn update use validate verify visit walk write yield
    """.split()  # noqa: SIM905
)


def prose(function: Function) -> str:
    """The first sentences of the docstring that say what the function is for; "" if they are no
    plain English prose.
    """
    paragraph = re.split(r"\n\s*\n", function.doc.strip(), maxsplit=1)[0]
    if not paragraph or not paragraph.isascii():
        return ""
    text = _ASIDE.sub("", _MARKUP.sub(_bare, _ROLE.sub("", " ".join(paragraph.split()))))
    kept = list[str]()
    for sentence in _SENTENCE_END.split(text)[:MOST_SENTENCES]:
        if _CODE.search(sentence) or _NO_DESCRIPTION.search(sentence):
            break
        kept.append(sentence if sentence.endswith((".", "!", "?")) else f"{sentence.rstrip(' :')}.")
    if not kept or len(kept[0].split()) not in FIRST_SENTENCE_WORDS:
        return ""
    return _third_person(" ".join(kept))


def _bare(found: re.Match[str]) -> str:
    """Without its marks: an argument is called as the code calls it, "~a.Graph" is a Graph."""
    said = (found[1] or found[2]).strip()
    return said.rpartition(".")[2] if said.startswith("~") else said


def _third_person(text: str) -> str:
    """ "Return the core." -> "Returns the core.": what it does, not an order."""
    first, _, rest = text.partition(" ")
    verb = first.lower()
    if verb in _S_VERBS:
        ending = "es" if verb.endswith(("ch", "sh", "s", "x")) else "s"
        if verb.endswith("y") and verb[-2] not in "aeiou":
            verb, ending = verb[:-1], "ies"
        first = f"{verb}{ending}".capitalize()
    return f"{first[:1].upper()}{first[1:]} {rest}"


def tells_name(function: Function, text: str) -> bool:
    """Whether the text has the name, or more than half of the words the name is made of."""
    name = function.name.strip("_")
    words = [word.lower() for word in _NAME_WORD.findall(name) if len(word) > 2]
    if not words or name.lower() in text.lower():
        return True
    stems = {word[:STEM_LETTERS] for word in re.findall(r"[a-z]+", text.lower())}
    return 2 * sum(word[:STEM_LETTERS] in stems for word in words) > len(words)


def shape(function: Function) -> str:
    """What can be seen of a function without reading its words. No other function of a context has
    an asked one's.
    """
    takes = "takes no argument"
    if function.parameters:
        takes = f"takes {function.parameters} argument" + "s" * (function.parameters > 1)
        takes += f", {function.optional} of them optional" if function.optional else ""
    returns = f"has {function.returns} return statement" + "s" * (function.returns != 1)
    traits = [
        "has a loop" if function.has_loop else "has no loop",
        *(["yields"] if function.has_yield else []),
        returns if function.returns else "returns nothing",
        *([f"raises {function.raises}"] if function.raises else []),
    ]
    nearest = max(5, 5 * round(function.lines / 5))
    return f"It {takes}, {', '.join(traits)}, and is about {nearest} lines long."


def described(function: Function, hints: str, rare: tuple[str, ...] = ()) -> str:
    """The description under `hints`: none, structure (adds the shape), lexical (adds the shape and
    two rare words of the body).
    """
    parts = [prose(function)]
    if hints != "none":
        parts.append(shape(function))
    if hints == "lexical" and rare:
        parts.append(f"Its body mentions {' and '.join(rare)}.")
    return " ".join(parts)
