"""Code.RepoQA: which function of the repository does an answer repeat?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from scbench.scoring import bleu
from scbench.scoring.functions import NoParser, check, first_published, outermost
from scbench.types import Score, Wanted

STRICT, OFFICIAL = "strict/1", "official/1"
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
    read = published_reading(prediction, lang)
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
    whole text.
    """
    text = prediction.strip()
    blocks = _PUBLISHED_BLOCK.findall(text)
    functions = (first_published(block, lang) for block in blocks)
    return next(
        (function for function in functions if function is not None), blocks[0] if blocks else text
    )


def strict(prediction: str, wanted: Wanted) -> Score:
    """1 iff the functions of the answer vote for the turn's function and no other (each for its
    nearest at 0.8 BLEU or more).

    Candidates are the turn's; its gold is always among them. A candidate written with more than its
    function (a decorator, a template head) is met by the bare function too. Side values:
    `similarity` of the nearest pair; `exact` = some chunk has the gold's very tokens.
    """
    gold = wanted.golds[0]
    sources = list(
        {bleu.tokens(source): source for source in [*wanted.candidates.values(), gold]}.values()
    )
    try:
        bare = [(_bare(source, wanted.lang), source) for source in sources]
        forms = [(source, source) for source in sources] + [
            (form, source) for form, source in bare if form != source
        ]
        chunks = [
            chunk for block in blocks_of(prediction) for chunk in chunks_of(block, wanted.lang)
        ]
    except NoParser as err:
        return Score(value=None, rule=STRICT, why=str(err))
    wanted_tokens, best, votes = bleu.tokens(gold), 0.0, set[tuple[str, ...]]()
    for chunk in chunks:
        index, similarity = bleu.most_similar(chunk, [form for form, _ in forms])
        best = max(best, similarity)
        if index is not None and similarity >= bleu.THRESHOLD:
            votes.add(bleu.tokens(forms[index][1]))
    gold_forms = {
        bleu.tokens(form) for form, source in forms if bleu.tokens(source) == wanted_tokens
    }
    exact = float(any(bleu.tokens(chunk) in gold_forms for chunk in chunks))
    value = float(votes == {wanted_tokens})
    why = (
        ""
        if value
        else "no function is near"
        if not votes
        else "also another function"
        if wanted_tokens in votes
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
    """The one function of a source, or the source itself where it has none or several."""
    functions = outermost(source, lang) if lang else []
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


def chunks_of(block: str, lang: str | None) -> list[str]:
    """The outermost functions of a block, or the block itself if it has none (or no language is
    known).
    """
    functions = outermost(block, lang) if lang else []
    return functions or [block]
