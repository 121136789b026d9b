"""What states an answer: "the answer is", the question's own words, a conclusion, the last line."""

from __future__ import annotations

import re
from itertools import pairwise

from scbench.scoring.english import in_digits
from scbench.scoring.extract.kinds import says
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.text import ends_sentence, norm

ANSWER_IS = re.compile(
    r"(?:\b(?:final|correct|right|best|short|my)\s+)*\banswer\b"
    r"(?:\s+to\s+(?:the|this|your)\s+question)?\s*"
    r"(?:(?:is|was|would be|should be|must be)\b|[=:：])\s*[:：]?"
    r"|\bfinal\s*[:：]|^[ \t]*(?:output|result)\s*[:：]"
    r"|\bthe (?:correct|right) (?:one|value|string|number|place|key|name)s?\s*"
    r"(?:(?:is|are)\b|[:：])\s*[:：]?"
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
CONCLUDES = re.compile(
    r"(?:^|(?<=[\s.,;:]))(?:so|therefore|thus|hence|consequently|in conclusion|in the end|finally"
    r"|ultimately)\b[,:]?\s"
    r"|(?:因此|所以|综上|綜上|总之|總之|故)[，,：:]?",
    re.IGNORECASE | re.MULTILINE,
)
# What a question asks for: "The third largest number in the list above is", "What is the key?".
_ASKED = re.compile(
    r"\bthe\s+([^.?!\n]{3,80}?)(?:\s+(?:in|of|from)\s+the\s+(?:list|text|numbers)\b|\s+is\b|\?|$)",
    re.IGNORECASE,
)
_NOUN = re.compile(r"\s+(?:number|value|integer|element)s?\Z", re.IGNORECASE)
_LONE = re.compile(r"[\s(\[*\"'`]*[A-Za-z][\s)\]*\"'`.:,]*")
# "grey falcon's pass key: 60520; green falcon's: 71834"
_LABEL = re.compile(
    r"(?:^|(?<=[;；]))[ \t]*([^\n:：;；]{1,80})[:：][ \t]*(\S[^\n;；]*)", re.MULTILINE
)
_POSSESSIVE = re.compile(r"['’]s\b")
_NUMBER = r"[+-]?\d[\d,]*(?:\.\d+)?"
# "the value you asked for is": the question says "the value", and it is this one's.
_VALUE_IS = re.compile(
    r"\bthe (?:value|string)(?: you(?:['’]re| are)? (?:asked|looking|searching)(?: for)?"
    r"| (?:associated with|for|of) (?:this|that|the given|the requested|the asked) key| requested)"
    r"\s+is\b\s*[:：]?\s*",
    re.IGNORECASE,
)
_EQUATION = re.compile(r"[(\d][\d\s().,+*/×÷−-]{1,80}=\s*(?=[-+−]?\d)")
_OPERATOR = re.compile(r"[+*/×÷−-]")
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


def echoed(text: str, sought: Sought) -> str:
    """What an answer gives in the question's own words: "The third largest is 772"."""
    if sought.kind is AnswerKind.STRING:
        values = list(sought.marks(_VALUE_IS, text))
        rest = text[values[-1].end() :] if values else ""
        return _sentence(rest.split("\n", 1)[0]) if says(rest, sought) else text
    if sought.kind is not AnswerKind.NUMBER:
        return text
    asked = _ASKED.search(in_digits(sought.wanted.question).split(". ")[-1])
    if asked is None or len(asked[1].split()) < 2:
        return text
    words = r"\s+".join(map(re.escape, asked[1].split()))
    short = _NOUN.sub("", asked[1])  # "the smallest is" of "the smallest number"
    shorter = r"\s+".join(map(re.escape, short.split()))
    for echo in (
        rf"\bthe\s+{shorter}\s+(?:is|was)\s*[:=]?\s*({_NUMBER})(?!\w)",
        rf"{words}[^.!?\n\d]{{0,80}}?(?:\bis\b|\bwas\b|[:=])\s*({_NUMBER})(?!\w)",
        rf"(?<![\w.,])({_NUMBER})\s+(?:is|was)\s+the\s+{words}\b",
    ):
        said: set[str] = {number.rstrip(",") for number in re.findall(echo, text, re.IGNORECASE)}
        if len(said) == 1:
            return said.pop()
    return text


def solved(text: str, sought: Sought) -> str:
    """The results of sums without the sums: of "(482 + 483) / 2 = 482.5" the last number."""
    if sought.kind is not AnswerKind.NUMBER:
        return text
    return _EQUATION.sub(lambda sum_: " " if _OPERATOR.search(sum_[0]) else sum_[0], text)


def concluded(text: str, sought: Sought) -> str:
    """What stands behind the last "so" that says something of the kind that is looked for."""
    for word in list(sought.marks(CONCLUDES, text))[:-9:-1]:
        rest = text[word.end() :]
        is_letter = sought.kind is AnswerKind.LETTER
        if _LONE.fullmatch(rest) if is_letter else _concludes(rest, sought):
            return rest
    return text


def _concludes(rest: str, sought: Sought) -> bool:
    return sought.kind in (AnswerKind.NUMBER, AnswerKind.PHRASE) and says(rest, sought)


def last_line(text: str, sought: Sought) -> str:
    """The line that stands for the answer below its working: a letter alone, a labelled number."""
    if sought.kind is AnswerKind.LETTER:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and _LONE.fullmatch(lines[-1]):
            is_only = not any(_LONE.fullmatch(line) for line in lines[:-1])
            return lines[-1] if is_only else text
    if sought.kind is AnswerKind.NUMBER:
        return labelled(text, sought)
    return text


def labelled(text: str, sought: Sought) -> str:
    """The number under the label that says most words of the question, and no others."""
    asked = set(norm(sought.wanted.question).split())
    labels = [
        (len(words), label[2])
        for label in list(_LABEL.finditer(text))[:64]
        if (words := set(norm(_POSSESSIVE.sub("", label[1])).split())) and words <= asked
    ]
    most = max((count for count, _ in labels), default=0)
    best = list({value for count, value in labels if count == most})
    is_one_of_several = any(sign in text.strip() for sign in "\n;；")
    return best[0] if len(best) == 1 and is_one_of_several else text
