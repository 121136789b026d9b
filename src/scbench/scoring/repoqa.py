"""Code.RepoQA: which function of the repository does an answer repeat?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from scbench.scoring import alone, bleu
from scbench.scoring.alone import CannotParse
from scbench.scoring.functions import NoParser, check
from scbench.scoring.rules import OFFICIAL, STRICT
from scbench.types import Score, Wanted

# The atomic group changes no match, only the time spent on answers with thousands of blank lines
# and no second fence.
_PUBLISHED_BLOCK = re.compile(r"^```(?>\w*\s*\n)(.*?)^```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"(`{3,}|~{3,})([^`]*)")


def official(prediction: str, name: str, lang: str, needles: Sequence[tuple[str, str]]) -> Score:
    """1 iff the best of the needles (gold source, name) has the turn's name and at least 0.8 BLEU.

    Needles are those of the turn's repository in file order; of equals the first is the best.
    Without a parser: a gap.
    """
    try:
        check(lang)
    except NoParser as err:
        return Score(value=None, rule=OFFICIAL, why=str(err))
    try:
        read = published_reading(prediction, lang)
    except CannotParse as err:
        return Score(value=None, rule=OFFICIAL, why=str(err))
    index, similarity = bleu.most_similar(read, [source for source, _ in needles])
    best = needles[index][1] if index is not None else None
    value = float(best == name and similarity >= bleu.THRESHOLD)
    return Score(
        value=value,
        rule=OFFICIAL,
        read=read[:200],
        why=f"nearest: {best}",
        side={"similarity": similarity},
    )


def published_reading(prediction: str, lang: str) -> str:
    """The first function of the first fenced block that has one, else the first block, else the
    whole text. Raises CannotParse.
    """
    text = prediction.strip()
    if len(text) > alone.MOST_CHARS:
        raise CannotParse(
            f"the answer has {len(text):,} characters; at most {alone.MOST_CHARS:,} are parsed"
        )
    blocks = _PUBLISHED_BLOCK.findall(text)
    functions = alone.first_published(blocks, lang)
    return next(
        (function for function in functions if function is not None), blocks[0] if blocks else text
    )


def strict(prediction: str, wanted: Wanted) -> Score:
    """1 iff the functions of the answer vote for a function of the turn's golds and no other (each
    for its nearest at 0.8 BLEU or more).

    Candidates are the turn's; its golds are always among them. A candidate written with more than
    its function (a decorator, a template head) is met by the bare function too. Side values:
    `similarity` of the nearest pair; `exact` = some chunk has a gold's very tokens.
    """
    sources = list(
        {
            bleu.tokens(source): source for source in [*wanted.candidates.values(), *wanted.golds]
        }.values()
    )
    try:
        bare = [(_bare(source, wanted.lang), source) for source in sources]
        forms = [(source, source) for source in sources] + [
            (form, source) for form, source in bare if form != source
        ]
        chunks = chunks_of(prediction, wanted.lang)
    except (NoParser, CannotParse) as err:
        return Score(value=None, rule=STRICT, why=str(err))
    right = {bleu.tokens(gold) for gold in wanted.golds}
    best, votes = 0.0, set[tuple[str, ...]]()
    for chunk in chunks:
        index, similarity = bleu.most_similar(chunk, [form for form, _ in forms])
        best = max(best, similarity)
        if index is not None and similarity >= bleu.THRESHOLD:
            votes.add(bleu.tokens(forms[index][1]))
    gold_forms = {bleu.tokens(form) for form, source in forms if bleu.tokens(source) in right}
    exact = float(any(bleu.tokens(chunk) in gold_forms for chunk in chunks))
    value = float(len(votes) == 1 and votes <= right)
    why = (
        ""
        if value
        else "no function is near"
        if not votes
        else "also another function"
        if votes & right
        else "another function"
    )
    return Score(
        value=value,
        rule=STRICT,
        read=(chunks[0] if chunks else "")[:200],
        why=why,
        side={"similarity": best, "exact": exact},
    )


@lru_cache(maxsize=4096)
def _bare(source: str, lang: str | None) -> str:
    """The one function of a source, or the source itself where it has none or several, or is not to
    be parsed.
    """
    try:
        functions = alone.outermost([source], lang)[0] if lang else []
    except CannotParse:
        return source
    return functions[0] if len(functions) == 1 else source


def blocks_of(text: str) -> list[str]:
    """The fenced blocks at any indent; an unclosed one runs to the end; without any fence the whole
    text is one block.
    """
    blocks: list[list[str]] = []
    fence: str | None = None
    for line in text.split("\n"):
        bare = line.strip()
        if fence is None:
            opening = _FENCE.fullmatch(bare)
            if opening:
                fence = opening[1]
                blocks.append([])
        elif len(bare) >= len(fence) and bare == fence[0] * len(bare):
            fence = None
        else:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks] if blocks else [text]


def chunks_of(text: str, lang: str | None) -> list[str]:
    """The outermost functions of each block of a text, or a block itself if it has none (or no
    language is known). Raises NoParser, CannotParse.
    """
    if len(text) > alone.MOST_CHARS:
        raise CannotParse(
            f"the answer has {len(text):,} characters; at most {alone.MOST_CHARS:,} are parsed"
        )
    blocks = blocks_of(text)
    if not lang:
        return blocks
    found = zip(blocks, alone.outermost(blocks, lang), strict=True)
    return [chunk for block, functions in found for chunk in functions or [block]]
