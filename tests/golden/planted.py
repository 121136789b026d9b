"""One-line changes that the golden run must see, each with the part of it that turns red.

A change is text: `old` stands once in the file and becomes `new`, in a copy of the package.
`sees` is the kind of number that must be named in the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A change, and where it is looked for: a part, and some of its methods and tasks."""

    name: str
    file: str
    old: str
    new: str
    part: str
    sees: str
    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()

    def words(self) -> list[str]:
        """Arguments of `python -m golden`."""
        said = ["--only", self.part]
        said += ["--methods", ",".join(self.methods)] if self.methods else []
        return said + (["--tasks", ",".join(self.tasks)] if self.tasks else [])


PLANTED = (
    Planted(
        name="a kernel's scale",
        file="kernels/attention.py",
        old="attn_mask=bias,\n        scale=scale,\n",
        new="attn_mask=bias,\n        scale=scale * 1.01,\n",
        part="held:lab-transformer",
        methods=["a-shape[tau=1/4]"],
        sees="logits",
    ),
    Planted(
        name="a mask off by one",
        file="kernels/column_sums.py",
        old="weights.masked_fill_(at > seen_until, 0.0)",
        new="weights.masked_fill_(at >= seen_until, 0.0)",
        part="held:lab-transformer",
        methods=["h2o[tau=1/4]"],
        sees="kept",
    ),
    Planted(
        name="a position off by one",
        file="engines/local.py",
        old="positions.extend(range(seen, seen + len(feed.ids)))",
        new="positions.extend(range(seen + 1, seen + len(feed.ids) + 1))",
        part="tiny-qwen2",
        sees="error, 1 of 1 methods: all",  # the check of a model that is loaded sees it first
    ),
    Planted(
        name="keys that close up by one slot too few",
        file="methods/compression/rolling_positions.py",
        old="return seen_tokens - slots + torch.arange(slots,",
        new="return seen_tokens - 1 - slots + torch.arange(slots,",
        part="held:lab-transformer",
        methods=["streaming-llm[tau=1/4,position_mode=cache]"],
        sees="logits",
    ),
    Planted(
        name="a prompt's words",
        file="task_cards/kv.py",
        old='hint="Answer with the value only."',
        new='hint="Answer with the value alone"',  # as long as before
        part="tiny-llama",
        methods=["dense"],
        sees="shown",
    ),
    Planted(
        name="a published prompt mended",
        file="task_cards/choice_eng.py",
        old="{block}The the correct answer is",
        new="{block}The correct answer is",
        part="toy-published-prompts",
        tasks=["choice_eng"],
        sees="prompt_tokens",
    ),
    Planted(
        name="a chat template without its generation prompt",
        file="prompts/tokenizer.py",
        old="add_generation_prompt=add_generation_prompt,\n",
        new="add_generation_prompt=False,\n",
        part="tiny-qwen3",
        methods=["dense"],
        sees="",
    ),
    Planted(
        name="an answer longer by one token",
        file="play/decode.py",
        old="said.answer_tokens >= limit_tokens:",
        new="said.answer_tokens > limit_tokens:",
        part="tiny-llama",
        methods=["dense"],
        sees="tokens",
    ),
    Planted(
        name="end tokens that do not end",
        file="play/decode.py",
        old="if token in tokenizer.end_ids:",
        new="if token in tokenizer.end_ids and len(ids) > 8:",
        part="lab-transformer",
        methods=["dense"],
        tasks=["kv"],
        sees="tokens",
    ),
    Planted(
        name="what is paid in the layers, in another order",
        file="play/onlookers.py",
        old="for at in sorted(masses)]",
        new="for at in sorted(masses)[::-1]]",
        part="tiny-llama",
        methods=["expected-attention[tau=1/4]", "dense"],
        sees="evidence_kept",
    ),
    Planted(
        name="a codec that rounds down",
        file="methods/compression/affine_codes.py",
        old=".round_().clamp_(0, 2**bits - 1)",
        new=".floor_().clamp_(0, 2**bits - 1)",
        part="held:lab-transformer",
        methods=["kivi[bits=2]", "rtn[bits=4]"],
        sees="logits",
    ),
    Planted(
        name="a strict scorer that takes one number among several",
        file="scoring/number.py",
        old="value=float(found in golds),",
        new="value=float(any(gold <= found for gold in golds)),",
        part="scores",
        sees="strict",
    ),
    Planted(
        name="a published scorer's rounding",
        file="scoring/published.py",
        old="return round(hits / len(label), 2)",
        new="return round(hits / len(label), 1)",
        part="scores",
        sees="official",
    ),
    Planted(
        name="the seed of all tasks",
        file="tasks/draw.py",
        old='_DOMAIN = "scbench-gen/1/"',
        new='_DOMAIN = "scbench-gen/2/"',
        part="sessions",
        sees="text",
    ),
    Planted(
        name="the order of equal votes",
        file="methods/budget.py",
        old="order = torch.sort(scores_HS, dim=-1, descending=True",
        new="order = scores_HS.shape[-1] - 1 - torch.sort(scores_HS.flip(-1), dim=-1, "
        "descending=True",
        part="toy",
        methods=["knorm[tau=1/4]", "keydiff[tau=1/4]"],
        sees="evidence_held",
    ),
    Planted(
        name="an eviction's window",
        file="methods/units.py",
        old="return max(1, min(most, budget // BUDGET_SHARE_OF_ROWS))",
        new="return max(1, min(most, budget // 4))",
        part="held:lab-transformer",
        methods=["snapkv[tau=1/4]"],
        sees="kept",
    ),
    Planted(
        name="a loading budget",
        file="methods/loading/quest.py",
        old="self.pages = min(pages, self.low_HPD.shape[1])",
        new="self.pages = min(pages + 1, self.low_HPD.shape[1])",
        part="held:lab-transformer",
        methods=["quest[tau=1/4]"],
        sees="loaded_bytes",
    ),
    Planted(
        name="a generation pattern wider by one key",
        file="methods/generation/a_shape.py",
        old="(rows - keys < local))",
        new="(rows - keys <= local))",
        part="held:lab-transformer",
        methods=["a-shape[tau=1/4]"],
        sees="logits",
    ),
    Planted(
        name="gold in the place of the model's own history",
        file="prompts/conversation.py",
        old="self.protocol.history is History.GOLD or turn == 0:",
        new="self.protocol.history is History.GOLD or turn <= 1:",
        part="lab-transformer-history",
        methods=["snapkv[tau=1/4]", "kivi[bits=2]"],
        sees="prompt_tokens",
    ),
    Planted(
        name="evidence without its statement",
        file="prompts/tokens.py",
        old="if span[2] in RESTS_ON]",
        new="if span[2] is RESTS_ON[1]]",
        part="lab-transformer",
        methods=["snapkv[tau=1/4]"],
        tasks=["kv", "vt"],
        sees="evidence_held",
    ),
    Planted(
        name="bytes without the recurrent state",
        file="kv/stream.py",
        old="return tails + (0 if self.recurrent is None else nbytes(",
        new="return tails + (0 if self.recurrent is not None else nbytes(",
        part="held:lab-hybrid",
        methods=["dense"],
        sees="held_bytes",
    ),
    Planted(
        name="a pool that forgets its last block",
        file="kv/pool/prefix.py",
        old="whole = len(found) * self.block_tokens\n        ending = None if carrying is None",
        new="found = found[:-1]; whole = len(found) * self.block_tokens\n"
        "        ending = None if carrying is None",
        part="lab-transformer",
        methods=["prefix"],
        tasks=["kv"],
        sees="hit_tokens",
    ),
)
HARMLESS = Planted(
    name="a comment",
    file="kernels/attention.py",
    old='"""Every query sees every key. S must be at least 1."""',
    new='"""Every query sees all keys."""  # and nothing else is changed',
    part="held:lab-transformer",
    methods=["dense", "snapkv[tau=1/4]", "kivi[bits=2]"],
    sees="",
)
