"""The words around context and query: the published strings with their defects (`official`), and ours (`strict`).

The numbers are those of the list of defects in docs/protocol.md: official keeps 13 (Math.Find's last prefix on every follow-up), 14 (its
multi-request context begins with the first query), 16 ("This paper" put in the assistant's mouth) and 18 (lists as Python literals).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase

from scbench.types import PromptSet, Session, Turn

JOIN = "\n\n"
HEADS = {  # before the context, in both sets
    "kv": "Extract the value corresponding to the specified key in the JSON object below.",
    "choice_eng": "Read the book and answer the question.",
    "qa_eng": "Read the book and answer the question. Be very concise in your answer.",
    "qa_chn": "阅读以下书籍然后回答问题。",
    "repoqa": "Based on the function description and code context, please retrieve and repeat the exact described function from the code context in a "
    "code block wrapped by ```:",
}
NUMBERS_HEAD = "Read the list of numbers and answer the questions about it."
BARE = {  # strict, under a chat template: keeps an assistant from wrapping the answer in a sentence
    "kv": "Answer with the value only.",
    "passkey": "Answer with the number only.",
    "many_shot": "Answer with the letter of the right option only.",
}
SHORT_ANSWERS = frozenset(
    {"kv", "prefix_suffix", "vt", "qa_eng", "qa_chn", "choice_eng", "mf", "many_shot", "passkey"}
)
_ASKED_NUMBER = re.compile(r"The .+ is")


@dataclass(frozen=True, slots=True)
class Plain:
    """How a rendering without chat template joins its parts. `bare` leaves the task's words out (closed vocabularies).

    A tokenizer may bring its own as the attribute `plain`, for instance `Plain(" <ask> ", " <ans> ", " <end>", bare=True)`.
    """

    before_ask: str = JOIN
    before_answer: str = " "
    after_answer: str = ""
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """The strings of one session. `alone`: every turn sees only context and question. `chat`: they go into a chat template."""

    session: Session
    prompts: PromptSet
    chat: bool
    alone: bool
    bare: bool = False

    @property
    def is_official(self) -> bool:
        return self.prompts is PromptSet.OFFICIAL

    def head(self) -> str:
        """What stands before the context, with the blank line that parts them."""
        if self.bare:
            return ""
        head = HEADS.get(self.session.task, "")
        if self.session.task == "mf":
            first = self.session.turns[0].ask
            head = (
                (first if self.is_official else NUMBERS_HEAD)
                if self.alone
                else number_prefix(first) or NUMBERS_HEAD
            )
        return head + JOIN if head else ""

    def ask(self, turn: int) -> str:
        """The query of the first turn, or of any turn that is asked alone."""
        asked = self.session.turns[turn]
        if asked.task == "mf" and not self.alone:
            return asked.ask  # its prefix stands before the context
        return self._query(asked, is_follow_up=False)

    def follow_up(self, turn: int) -> str:
        asked = self.session.turns[turn]
        if asked.task == "mf" and self.is_official and self.chat and not self.bare:
            return _with_prefix(asked.ask, number_prefix(self.session.turns[-1].ask))
        return self._query(asked, is_follow_up=True)

    def gold(self, turn: int) -> str:
        """The reference answer as history shows it."""
        asked = self.session.turns[turn]
        wanted = asked.wanted
        if self.is_official and asked.task == "vt":
            return str(list(wanted.golds))
        if (
            self.is_official
            and asked.task == "choice_eng"
            and asked.gold in ascii_uppercase[: len(wanted.options)]
        ):
            return wanted.options[ascii_uppercase.index(asked.gold)]
        return asked.gold

    def lead(self, turn: int) -> str:
        """What is put in the assistant's mouth: nothing, but for the published En.Sum."""
        is_defect = (
            self.is_official
            and self.chat
            and not self.alone
            and self.session.task == "summary"
            and turn > 0
        )
        return "This paper" if is_defect else ""

    def _query(self, asked: Turn, *, is_follow_up: bool) -> str:
        if self.bare:
            return asked.ask
        if asked.task == "choice_eng":
            return self._choice(asked, is_follow_up=is_follow_up)
        if asked.task == "qa_eng":
            return f"Question: {asked.ask}\nAnswer:"
        if asked.task == "qa_chn":
            return f"问题：{asked.ask}\n答案："
        if asked.task == "mf":
            return _with_prefix(asked.ask, number_prefix(asked.ask))
        bare = BARE.get(asked.task) if self.chat and not self.is_official else None
        return f"{bare}{JOIN}{asked.ask}" if bare else asked.ask

    def _choice(self, asked: Turn, *, is_follow_up: bool) -> str:
        options = "".join(
            f"\n{letter}. {text}"
            for letter, text in zip(ascii_uppercase, asked.wanted.options, strict=False)
        )
        block = f"Question: {asked.ask}{options}{JOIN}"
        if not self.is_official:
            return f"{block}Answer with one letter only. The letter of the correct answer is"
        return block + (
            "The letter of the correct answer is"
            if is_follow_up and not self.chat
            else "The the correct answer is"
        )


def number_prefix(ask: str) -> str:
    """Math.Find's question as a sentence of its own: `The largest number is` gives `What is the largest number?`; empty if it asks otherwise."""
    found = _ASKED_NUMBER.search(ask)
    return f"What is {found[0].lower()[:-3]}?" if found else ""


def _with_prefix(ask: str, prefix: str) -> str:
    return f"{prefix}{JOIN}{ask}" if prefix else ask
