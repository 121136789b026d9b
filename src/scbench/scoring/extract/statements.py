"""What states an answer: "the answer is", a conclusion, a correction, the last line."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from scbench.scoring.chinese import simplified, written_numbers
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.text import ends_sentence, named, norm

ANSWER_IS = re.compile(
    r"(?:\b(?:final|correct|right|best|short|my)\s+)*\banswer\b"
    r"(?:\s+to\s+(?:the|this|your)\s+question)?\s*"
    r"(?:(?:is|was|would be|should be|must be)\b|[=:：])\s*[:：]?"
    r"|\bfinal\s*[:：]"
    r"|(?:答案|答え|정답)\s*(?:就?是|应?为|應?為|は|은|[:：])\s*[:：]?|^[ \t]*答\s*[:：]"
    r"|\bAntwort\s*(?:lautet|ist|[:：])\s*[:：]?|\br[ée]ponse\s*(?:correcte\s*)?(?:est|[:：])\s*[:：]?"
    r"|\b(?:respuesta|risposta|resposta)\s*(?:correct[ao]\s*|corretta\s*)?(?:es|è|é|[:：])\s*[:：]?"
    r"|\bответ\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_SUMMARY_IS = re.compile(
    r"\A\s*(?:the\s+)?(?:final\s+|short\s+)?(?:summary|answer|摘要|概括|总结)\s*(?:[:：]|is\b[:：]?)\s*",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"(?:^|(?<=[\s.,;:]))(?:so|therefore|thus|hence|consequently|in conclusion)\b[,:]?\s"
    r"|(?:因此|所以|综上|綜上|总之|總之|故)[，,：:]?",
    re.IGNORECASE | re.MULTILINE,
)
_CORRECTS = re.compile(
    r"(?:^|(?<=[\s.;,]))(?:wait|no,? wait|scratch that|correction|actually,? no"
    r"|on second thoughts?)\b"
    r"|(?:更正|不对|不對|等等)",
    re.IGNORECASE,
)
_AFTERWORD = re.compile(
    r"^[ \t]*(?:explanation|reasoning|reason|note|justification|rationale|解释|解析|理由|说明|注)\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
# What a question asks for: "The third largest number in the list above is", "What is the key?".
_ASKED = re.compile(
    r"\bthe\s+([^.?!\n]{3,80}?)(?:\s+(?:in|of|from)\s+the\s+(?:list|text|numbers)\b|\s+is\b|\?|$)",
    re.IGNORECASE,
)
_LONE = re.compile(r"[\s(\[*\"'`]*[A-Za-z][\s)\]*\"'`.:,]*")
_LABEL = re.compile(r"^[ \t]*([^\n:：]{1,80})[:：][ \t]*(\S[^\n]*)$", re.MULTILINE)
_CJK_END = re.compile(r"[。！？]")
_SENTENCE_CHARS = 400  # a short answer's sentence is shorter


def stated(text: str, sought: Sought) -> str:
    """What stands behind the last "answer is", up to the end of its sentence."""
    if sought.kind is AnswerKind.PROSE:
        return _SUMMARY_IS.sub("", text, count=1)
    marks = list(sought.marks(ANSWER_IS, text))
    if not marks or sought.kind is AnswerKind.LETTER:
        return text  # of several options the rule itself reads which one is stated
    rest = text[marks[-1].end() :]
    line, _, more = rest.lstrip(" \t").partition("\n")
    if not line.strip():
        return more
    return line if sought.kind is AnswerKind.NAMES else _sentence(line)


def _sentence(line: str) -> str:
    """The first sentence of a line."""
    if cjk := _CJK_END.search(line):
        return line[: cjk.start()]
    words = line[:_SENTENCE_CHARS].split(" ")
    for place, (word, after) in enumerate(pairwise(words)):
        if ends_sentence(word, after):
            return " ".join(words[: place + 1])
    return line


def without_afterword(text: str, sought: Sought) -> str:
    """The text before an explanation of what was answered; one that states the answer stays."""
    for word in sought.marks(_AFTERWORD, text):
        if text[: word.start()].strip() and not ANSWER_IS.search(text, word.end()):
            return text[: word.start()]
    return text


def echoed(text: str, sought: Sought) -> str:
    """The number that an answer gives in the question's own words: "The third largest is 772"."""
    if sought.kind is not AnswerKind.NUMBER:
        return text
    asked = _ASKED.search(sought.wanted.question.split(". ")[-1])
    if asked is None or len(asked[1].split()) < 2:
        return text
    words = r"\s+".join(map(re.escape, asked[1].split()))
    echo = re.compile(
        rf"{words}[^.!?\n\d]{{0,80}}?(?:\bis\b|\bwas\b|[:=])\s*([+-]?\d[\d,]*(?:\.\d+)?)(?!\w)",
        re.IGNORECASE,
    )
    said = {number.rstrip(",") for number in echo.findall(text)}
    return said.pop() if len(said) == 1 else text


def corrected(text: str, sought: Sought) -> str:
    """What stands behind the last word that takes something back, if it states an answer."""
    statements = [mark.start() for mark in sought.marks(ANSWER_IS, text)]
    words = [word.end() for word in sought.marks(_CORRECTS, text)]
    before = [end for end in words if statements and end <= statements[-1]]
    return text[before[-1] :] if before else text


def concluded(text: str, sought: Sought) -> str:
    """What stands behind the last "so" that says something of the kind that is looked for."""
    says = _says(sought)
    if says is None:
        return text
    for word in list(sought.marks(_CONCLUDES, text))[:-9:-1]:
        rest = text[word.end() :]
        if says(rest):
            return rest
    return text


def _says(sought: Sought) -> Callable[[str], bool] | None:
    """Whether a text says something of the kind; None where that cannot be told."""
    if sought.kind is AnswerKind.NUMBER:
        return lambda rest: any(sign.isdigit() for sign in rest) or bool(written_numbers(rest))
    if sought.kind is AnswerKind.LETTER:
        return lambda rest: _LONE.fullmatch(rest) is not None
    if sought.kind is AnswerKind.PHRASE:
        names = (*sought.wanted.vocabulary, *sought.wanted.golds)
        folded = {norm(name) for name in names}
        is_spaced = not sought.wanted.is_chinese
        return lambda rest: bool(
            named(folded, norm(simplified(rest, names)), whole_words=is_spaced)
        )
    return None


def last_line(text: str, sought: Sought) -> str:
    """The line that stands for the answer below its working: a letter alone, a labelled number."""
    if sought.kind is AnswerKind.LETTER:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and _LONE.fullmatch(lines[-1]):
            is_only = not any(_LONE.fullmatch(line) for line in lines[:-1])
            return lines[-1] if is_only else text
    if sought.kind is AnswerKind.NUMBER:
        return _labelled(text, sought)
    return text


def _labelled(text: str, sought: Sought) -> str:
    """The number under the label that says most words of the question, and no others."""
    asked = set(norm(sought.wanted.question).split())
    labels = [
        (len(words), label[2])
        for label in list(_LABEL.finditer(text))[:64]
        if (words := set(norm(label[1]).split())) and words <= asked
    ]
    most = max((count for count, _ in labels), default=0)
    best = [value for count, value in labels if count == most]
    return best[0] if len(best) == 1 and len(labels) + 1 > 1 and "\n" in text.strip() else text
