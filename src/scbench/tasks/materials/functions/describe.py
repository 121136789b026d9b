"""A function told in other words than its docstring's, by rule and without a model.

Own names and anything that looks like code are masked, the opening verb and the content words are
swapped, and facts about the function's shape are added, so that it is found by meaning and form
rather than by a copied phrase.
"""

from __future__ import annotations

import re

from scbench.tasks.materials.functions.source import Function
from scbench.tasks.materials.functions.synonyms import CONTENT, SINGULAR_OF_VERB, VERBS

HINTS = ("none", "structure", "lexical")
MOST_SENTENCES = 3
FIRST_SENTENCE_WORDS = range(5, 41)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_NO_PROSE = re.compile(r">>>|::|:param|:return|@\w|->|=|<|>|\||\\|^\s*[-*]", re.MULTILINE)
_CALL = re.compile(r"[\w.]+\([^()]*\)")
_ASIDE = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\})")
_QUOTED = re.compile(r"``?[^`]+``?|(?<!\w)'[^']*'(?!\w)|(?<!\w)\"[^\"]*\"(?!\w)")
_CODE = re.compile(
    r"(?<!\S)[-+*/%]?(?=\S*(?:_|[a-z0-9][A-Z]|\w\.\w|[`\"()\[\]{}#$&~^/*]))\S*?(?=[,.;:!?]*(?:\s|$))"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_MASK = "the value"
_DOUBLED = re.compile(
    r"\b(?:the|an?|this|its|any|each|every)\s+(the (?:value|function|argument))\b", re.IGNORECASE
)
_REPEATED = re.compile(r"\b(the value)(?:(?:,|\s+and|\s+or)?\s+the value)+\b")
_IS_MASK = re.compile(r"(\bthe (?:value|function|argument)\b)")
_ARTICLE = re.compile(r"\b([Aa]n?)(\s+)([A-Za-z]+)")
_MOST_MASKED_RATIO = 0.25


def first_paragraph(doc: str) -> str:
    """At most three sentences of the docstring's first paragraph, on one line; "" if it is no prose
    or not ASCII.
    """
    paragraph = re.split(r"\n\s*\n", doc.strip(), maxsplit=1)[0]
    if not paragraph or not paragraph.isascii() or _NO_PROSE.search(paragraph):
        return ""
    sentences = _SENTENCE_END.split(" ".join(paragraph.split()))[:MOST_SENTENCES]
    if len(sentences[0].split()) not in FIRST_SENTENCE_WORDS:
        return ""
    return " ".join(sentences)


def retold(function: Function) -> str:
    """The docstring's beginning in other words; "" if there is none that can be used, or too much
    of it is code.
    """
    prose = first_paragraph(function.doc)
    if not prose:
        return ""
    masked = _masked(prose, function.name)
    masks = len(re.findall(rf"\b{_MASK}\b|\bthe function\b", masked))
    if masks > _MOST_MASKED_RATIO * len(masked.split()):
        return ""
    told = " ".join(_sentence(sentence) for sentence in _SENTENCE_END.split(masked))
    return told if told.endswith((".", "!", "?")) else told.rstrip(" ,;:") + "."


def _masked(prose: str, name: str) -> str:
    """Without the function's own name and without code. A name that is a plain word stays here;
    such a function is no needle.
    """
    text = _CALL.sub(
        lambda found: "the function" if found[0].split("(")[0] == name else _MASK, prose
    )
    text = _ASIDE.sub("", text)
    text = _QUOTED.sub(_MASK, text)
    if "_" in name or not name.islower():
        text = re.sub(rf"\b{re.escape(name)}\b", "the function", text)
    text = _CODE.sub(_MASK, text)
    text = _DOUBLED.sub(r"\1", text)
    return re.sub(r"\s+([,.;:!?])", r"\1", _REPEATED.sub(r"\1", text))


def _sentence(sentence: str) -> str:
    first, _, rest = sentence.partition(" ")
    verb = first.lower()
    verb = SINGULAR_OF_VERB.get(verb, verb)
    if verb in VERBS and rest:
        return f"It {VERBS[verb]} {_swapped(rest)}"
    told = _swapped(sentence)
    return told[:1].upper() + told[1:]


def _swapped(text: str) -> str:
    """With other content words; masks stay, and so do words in capitals, which are names of
    arguments or formats.
    """
    pieces = _IS_MASK.split(text)
    return _ARTICLE.sub(
        _article,
        "".join(piece if i % 2 else _WORD.sub(_other, piece) for i, piece in enumerate(pieces)),
    )


def _other(found: re.Match[str]) -> str:
    word = found[0]
    other = CONTENT.get(word.lower())
    if other is None or (word.isupper() and len(word) > 1):
        return word
    return other[:1].upper() + other[1:] if word[0].isupper() else other


def _article(found: re.Match[str]) -> str:
    """`a` or `an`, as the letter after it asks; words like "hour" and "unit" keep what they had."""
    article, gap, word = found.groups()
    if word.lower().startswith(("hour", "hono", "uni", "use", "eu", "one", "ut")) or word.isupper():
        return found[0]
    right = "an" if word[0].lower() in "aeiou" else "a"
    return (right.capitalize() if article[0].isupper() else right) + gap + word


def shape(function: Function) -> str:
    """What can be seen of a function without reading its words."""
    takes = "takes no argument"
    if function.parameters:
        takes = f"takes {function.parameters} argument" + "s" * (function.parameters > 1)
        takes += f", {function.optional} of them optional" if function.optional else ""
    traits = [
        "has a loop" if function.has_loop else "has no loop",
        *(["yields"] if function.has_yield else []),
        *(["may raise"] if function.has_raise else []),
    ]
    nearest = max(5, 5 * round(function.lines / 5))
    return f"It {takes}, {', '.join(traits)}, and is about {nearest} lines long."


def described(function: Function, hints: str, rare: tuple[str, ...] = ()) -> str:
    """The description under `hints`: none, structure (adds the shape), lexical (adds the shape and
    two rare words of the body).
    """
    parts = [retold(function)]
    if hints != "none":
        parts.append(shape(function))
    if hints == "lexical" and rare:
        parts.append(f"Its body mentions {' and '.join(rare)}.")
    return " ".join(parts)
