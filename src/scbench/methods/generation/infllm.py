"""InfLLM: rows see a window, the first tokens and the best blocks of the rest, while the context is
read and after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, DenseStore, LayerCache, LayerView
from scbench.kv.tail import newest
from scbench.methods.contract import DEFAULT_SHARE, Budgeted, Generation, smallest_share
from scbench.methods.generation.infllm_cache import MemoryStore, MemoryTail
from scbench.methods.generation.infllm_memory import Held, Memory, Plan, Turning
from scbench.methods.generation.plain_infllm import reads_as_defined
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Traits
from scbench.methods.units import BLOCK, REPRESENTATIVES, infllm_ends, representatives, unit
from scbench.tensors import Tensor

RECEIVED_BYTES = 4  # of the attention one token received


@dataclass(frozen=True, slots=True, kw_only=True)
class InfLLM(Budgeted, Generation):
    """A row reads its last `local_tokens` at their true distance and, all at distance
    `local_tokens`: the first tokens, the best blocks, loose tokens.

    Source: InfLLM (arXiv 2402.04617) and its released code. A block is `block_tokens` tokens that
    have left the window; its representative is, per KV head, the mean of the keys (before RoPE) of
    the `repr_tokens` that received most attention inside the window (mean over the group). Blocks
    are ranked by the mean over all heads of q.representative with q turned to `local_tokens`: one
    choice for all heads of the layer. While the context is read, `exec_tokens` rows choose together
    by their mean query, so a choice may have seen up to exec_tokens - 1 later rows, never their
    keys or values (exec_tokens=1: every row by itself); afterwards every token chooses for itself.
    What is appended becomes blocks in its turn. `dense_decoding`: the context is read so, and all
    that follows is dense. Loose tokens (out of the window, in no whole block) are read beside the
    blocks; under a budget of K tokens (default: 1/32 of the tokens) the blocks make room for them,
    so that no row reads more than K keys: init = max(4, K/48), local = 0.65 K, exec = local/2 up to
    512, and blocks by the rule of units, near min(T / 128, K / 16) up to 128.
    """

    init_tokens: int | None = None
    local_tokens: int | None = None
    block_tokens: int | None = None
    top_blocks: int | None = None
    exec_tokens: int | None = None
    repr_tokens: int | None = None
    dense_decoding: bool = False

    minimum_tokens: ClassVar[int] = 64
    _unit_fields: ClassVar[tuple[str, ...]] = ("block_tokens", "repr_tokens")

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = (self.init_tokens, self.local_tokens, self.block_tokens, self.top_blocks)
        given = sizes if not self._has_budget else (*sizes[:2], sizes[3])
        if any(size is None for size in given) != all(size is None for size in given):
            raise Mismatch(
                f"{self}: give init_tokens, local_tokens, block_tokens and top_blocks together, or "
                f"a budget (tau, budget_tokens)"
            )
        if (self.init_tokens or 0) < 0 or any(
            size is not None and size < 1 for size in (*sizes[1:], self.exec_tokens)
        ):
            raise Mismatch(
                f"{self}: init_tokens is at least 0, local_tokens, block_tokens, top_blocks and "
                f"exec_tokens are at least 1"
            )
        chosen = REPRESENTATIVES if self.repr_tokens is None else self.repr_tokens
        if self.repr_tokens is None and self.block_tokens is not None:
            chosen = min(chosen, self.block_tokens)
        if not 1 <= chosen <= (self.block_tokens or chosen):
            raise Mismatch(
                f"{self}: repr_tokens of a block are at least 1 and at most block_tokens"
            )

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return Traits(is_prefix_stable=False, governs_decoding=not self.dense_decoding)

    @property
    def is_own(self) -> bool:
        """Whether its own sizes, and no budget, are in force."""
        return self.local_tokens is not None and self.tau is None and self.budget_tokens is None

    def own_tokens(self) -> int | None:
        sizes = (self.init_tokens, self.local_tokens, self.block_tokens, self.top_blocks)
        if not self.is_own or None in sizes:
            return None
        init, local, block, top = (size or 0 for size in sizes)
        return init + local + top * block + block - 1

    def plan(self, tokens: int) -> Plan | None:
        """For a context of `tokens` tokens; None where the budget covers it and everything is
        dense.
        """
        if self.is_own:
            init, local, block, top = (
                self.init_tokens or 0,
                self.local_tokens or 0,
                self.block_tokens or 0,
                self.top_blocks or 0,
            )
            return Plan(
                init,
                local,
                block,
                top * block + block - 1,
                self.exec_tokens or 512,
                min(block, self.repr_tokens or REPRESENTATIVES),
            )
        budget = self.budget(tokens)
        if budget >= tokens:
            return None
        init, local = infllm_ends(budget)
        room = budget - init - local
        block = self.block_tokens or unit(tokens=tokens, budget=budget, most=BLOCK)
        return Plan(
            init,
            local,
            block,
            room,
            self.exec_tokens or min(512, local // 2),
            self.repr_tokens or representatives(block),
        )

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        plan = self.plan(tokens)
        if plan is None:
            return {}
        return {
            "init_tokens": plan.init,
            "local_tokens": plan.local,
            "block_tokens": plan.block,
            "repr_tokens": plan.repr,
        }

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        # A block without a budget would have to come with all other sizes.
        is_bare = not self._has_budget and not self.is_own
        with_budget = replace(self, tau=DEFAULT_SHARE) if is_bare else self
        return super(InfLLM, with_budget).fixed(shape=shape, tokens=tokens)

    def _under_rule(self, tokens: int) -> Self:
        """Sizes of its own count as the budget."""
        own = self.own_tokens()
        names = ("init_tokens", "local_tokens", "block_tokens", "top_blocks", "repr_tokens")
        bare = replace(self, **dict.fromkeys(names))  # type: ignore[arg-type]
        return bare if own is None else replace(bare, budget_tokens=max(own, self.minimum_tokens))

    def lossless(self, tokens: int) -> Self:
        none = dict.fromkeys(("init_tokens", "local_tokens", "block_tokens", "top_blocks", "tau"))
        return replace(self, **none, budget_tokens=max(tokens, self.minimum_tokens))  # type: ignore[arg-type]

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if not self.is_own and self.budget(tokens) < min(self.minimum_tokens, tokens):
            least = smallest_share(min(self.minimum_tokens, tokens), tokens)
            raise Mismatch(
                f"{self} reads {self.budget(tokens)} keys a row of {tokens:,} tokens; at least "
                f"{self.minimum_tokens} are needed (two blocks), that is tau={least} (about "
                f"{float(least):.4f})"
            )

        plan = None if self.is_own else self.plan(tokens)
        if plan is not None and self.block_tokens is not None:  # and loose tokens beside a block
            self._check_unit(
                "block_tokens", plan.block, units=2, tokens=tokens, budget=plan.room + 1
            )

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        return ("budget_not_binding",) if self.plan(tokens) is None else ()

    def begin(self, turn: Turning, total_tokens: int) -> Reader:
        """What reads one prefix of `total_tokens`: rows depend on what earlier rows attended to."""
        if not turn.steady:
            raise Mismatch(
                f"{self} moves keys to other distances, and this model's RoPE frequencies depend "
                f"on the length of the text (dynamic, longrope)"
            )
        return Reader(self.plan(total_tokens), turn)

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        raise Mismatch(
            f"{self} remembers what earlier rows attended to, and this engine did not begin a "
            f"reader for it"
        )

    def cache(self, view: LayerView, cache: LayerCache) -> LayerCache:
        plan = self.plan(view.tokens)
        if plan is None or self.dense_decoding:
            return cache
        if not isinstance(view.remembered, Memory) or view.remembered.plan != plan:
            raise Mismatch(
                f"{self} goes on from what its own read of the context remembers, and this context "
                f"was read in another way"
            )
        store = MemoryStore(DenseStore(view.k_HSD, view.v_HSD), view.remembered)
        return LayerCache((store,), MemoryTail(store))

    def more_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        plan = self.plan(tokens)
        if plan is None or self.dense_decoding:
            return 0
        seen = tokens + appended
        pending = plan.pending(tokens) + (plan.pending(seen) if appended else 0)
        blocks = plan.parts(seen)[1]
        return sum(
            layer.kv_heads * (blocks * layer.key_dim * layer.dtype_bytes + RECEIVED_BYTES * pending)
            for layer in shape.attending
        )

    def invariants(self) -> Invariants:
        return {
            "rows attend to their window, the first tokens and the best blocks": (
                reads_as_defined(self.plan)
            )
        }

    def computed_share(self, tokens: int) -> float:
        plan = self.plan(tokens)
        if plan is None:
            return 1.0
        return sum(plan.keys(row) for row in range(tokens)) / (tokens * (tokens + 1) / 2)


class Reader:
    """One read of one prefix, layer by layer and chunk by chunk."""

    name = InfLLM.name
    is_one_shot = False

    def __init__(self, plan: Plan | None, turn: Turning) -> None:
        self.plan, self.turn = plan, turn
        self.memories: dict[int, Memory] = {}

    @property
    def piece_tokens(self) -> int:
        """Rows that choose together come together."""
        return 1 if self.plan is None else self.plan.exec

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        if self.plan is None:
            return newest(q_HGTD, k_HSD, v_HSD, scale=scale).partial
        if layer not in self.memories:
            self.memories[layer] = Memory(self.plan, self.turn, like_HSD=k_HSD)
        held, first = Held(((k_HSD, v_HSD),)), k_HSD.shape[1] - q_HGTD.shape[2]
        together = self.plan.exec > 1
        return self.memories[layer].attend(q_HGTD, held, first, scale=scale, together=together)

    def remembered(self, layer: int) -> Memory | None:
        """What a stream over this prefix goes on from."""
        return self.memories.get(layer)
