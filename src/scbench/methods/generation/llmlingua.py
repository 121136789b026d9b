"""LLMLingua-2: a trained classifier drops the words of a text that say least."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.errors import Mismatch
from scbench.methods.generation import llmlingua_package, word_classifiers
from scbench.methods.generation.word_classifiers import TRAINED, UNIGRAM, WordClassifier
from scbench.methods.generation.word_dropping import WordDropping


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMLingua2(WordDropping):
    """A classifier that has learned which words stay decides; the rest is `WordDropping`.

    Source: LLMLingua-2 (arXiv 2403.12968). Chunks have at most 510 pieces. Ours counts pieces with
    the classifier's own tokenizer (published: a fixed BPE) and keeps words exactly as they stand
    with the space before them. `classifier`: `trained`, a small network of our own, which has
    learned from other sessions of the generated chains, stories and reports (the default); a folder
    or hub name, whose weights `transformers` reads; `llmlingua` or `llmlingua:MODEL`, the published
    package, which cuts by itself. The presets name the published weights. A statistic of the text
    that no one has trained is another method: `selective-context`.
    """

    classifier: str = TRAINED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier == UNIGRAM:
            share = "" if self.tau is None else f"[tau={self.tau}]"
            raise Mismatch(
                f"llmlingua-2[classifier={UNIGRAM}]: a statistic of the text is no trained "
                f"classifier, and has a name of its own; use selective-context{share}"
            )

    def judge(self) -> WordClassifier:
        return word_classifiers.classifier(self.classifier)

    def data_digest(self) -> str:
        return word_classifiers.digest(self.classifier)

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        if self.share == 1:
            return [(0, len(context))]
        if not llmlingua_package.is_asked(self.classifier):
            return super().kept_ranges(context)
        kept = llmlingua_package.kept_ranges(
            context,
            classifier=self.classifier,
            rate=float(self.share),
            forced=self._forced_tokens(),
            digits=self.force_digits,
        )
        if "".join(context[start:stop] for start, stop in kept).rstrip() == context.rstrip():
            raise self._dropped_nothing(len(context.split()))
        return kept
