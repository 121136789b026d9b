"""InfLLM: every row of the read and of what follows is the slow restatement below, and it costs
what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import pytest
import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.kernels import rows_joined
from scbench.kv import CacheShape, DenseStore, Stream
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.methods.generation.infllm import InfLLM, Reader
from scbench.methods.generation.infllm_cache import MemoryStore, MemoryTail
from scbench.methods.generation.infllm_memory import Memory, Plan
from scbench.methods.method import Method

engine = cache(tiny)
SHAPE = CacheShape.even(
    layers=3, attention_layers=(0, 1, 2), query_heads=4, kv_heads=2, head_dim=32, dtype_bytes=4
)
HEADS = {"mha": (3, 1), "gqa": (2, 2), "mqa": (1, 3)}
SMALL = Plan(init=3, local=10, block=4, room=11, exec=8, repr=2)
DIM = 8


@dataclass
class Turn:
    """A rotary embedding of our own: pairs of neighbouring channels, stretched by `scaling` as YaRN
    does.
    """

    scaling: float = 1.0
    steady: bool = True

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self.scaling * self._by(x, positions)

    def backward(self, x: Tensor, positions: Tensor) -> Tensor:
        return self._by(x, -positions) / self.scaling

    def _by(self, x: Tensor, positions: Tensor) -> Tensor:
        angles = positions.double().unsqueeze(-1) * torch.tensor(
            [1.0, 0.3, 0.09, 0.02], dtype=torch.float64
        )
        one, two, cos, sin = x[..., ::2].double(), x[..., 1::2].double(), angles.cos(), angles.sin()
        return (
            torch.stack([one * cos - two * sin, one * sin + two * cos], dim=-1)
            .flatten(-2)
            .to(x.dtype)
        )


def drawn(heads: str, tokens: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (H, G, T, D), keys and values (H, T, D) before any rotation, in fp64."""
    kv, group = HEADS[heads]
    draw = torch.Generator().manual_seed(seed)
    shapes = ((kv, group, tokens, DIM), (kv, tokens, DIM), (kv, tokens, DIM))
    q, k, v = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes)
    return 2 * q, k, v


def slowly(
    q: Tensor, k: Tensor, v: Tensor, plan: Plan, turn: Turn, *, context: int, scale: float
) -> Tensor:
    """Row by row and head by head, after the paper: rows of the first `context` choose in stretches
    of `plan.exec`, later ones alone.
    """
    heads, group, tokens, _ = q.shape
    out, received, reps = (
        torch.zeros_like(q),
        torch.zeros(heads, tokens, dtype=torch.float64),
        list[Tensor](),
    )
    k_zero = turn.forward(k, torch.zeros(tokens, dtype=torch.int64))
    q_far = turn.forward(q, torch.full((tokens,), plan.local))
    for row in range(tokens):
        gone = max(0, row - plan.local + 1)
        while plan.init + (len(reps) + 1) * plan.block <= gone:
            begin = plan.init + len(reps) * plan.block
            inside = range(begin, begin + plan.block)
            best = [
                sorted(inside, key=lambda j, h=h: (-float(received[h, j]), j))[: plan.repr]
                for h in range(heads)
            ]  # type: ignore[misc]
            reps.append(
                torch.stack([k_zero[h, chosen].mean(dim=0) for h, chosen in enumerate(best)])
            )
        begin = row // plan.exec * plan.exec
        asked = (
            slice(begin, min(begin + plan.exec, context)) if row < context else slice(row, row + 1)
        )
        query = q_far[:, :, asked].mean(dim=(1, 2))
        ranks = sorted(range(len(reps)), key=lambda b: (-float((query * reps[b]).sum()), b))
        loose = list(range(plan.init + len(reps) * plan.block, gone))
        chosen = ranks[: (plan.room - len(loose)) // plan.block]
        far = [*range(min(plan.init, gone)), *loose]
        far += [plan.init + b * plan.block + j for b in chosen for j in range(plan.block)]
        near = list(range(gone, row + 1))
        apart = row - torch.tensor(near)
        for head in range(heads):
            for member in range(group):
                at_true_distance = turn.forward(q[head, member, row].expand(len(near), DIM), apart)
                near_scores = (at_true_distance * k_zero[head, near]).sum(dim=-1)
                shares = torch.softmax(
                    torch.cat([near_scores, k_zero[head, far] @ q_far[head, member, row]]) * scale,
                    dim=0,
                )
                out[head, member, row] = shares @ v[head, near + far]
                received[head, near] += shares[: len(near)] / group
    return out


def read(
    q: Tensor, k: Tensor, v: Tensor, plan: Plan, turn: Turn, pieces: list[int], scale: float
) -> tuple[Tensor, Memory]:
    """By the reader, in pieces that end at the given rows."""
    reader, parts, start = Reader(plan, turn), [], 0
    for stop in pieces:
        parts.append(
            reader.attend(
                q[:, :, start:stop],
                k[:, :stop],
                v[:, :stop],
                layer=0,
                scale=scale,
                total_tokens=pieces[-1],
            )
        )
        start = stop
    memory = reader.remembered(0)
    assert memory is not None
    return rows_joined(parts).out, memory


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize(
    ("plan", "context", "pieces"),
    [
        (SMALL, 61, [61]),
        (SMALL, 61, [8, 40, 61]),
        (SMALL._replace(exec=1), 57, [5, 6, 50, 57]),
        (SMALL._replace(init=0, room=8, repr=4), 45, [16, 45]),
        (SMALL._replace(local=70), 40, [24, 40]),
        (Plan(init=12, local=4, block=5, room=14, exec=16, repr=1), 60, [60]),
    ],
)
def test_every_row_of_read_and_sequel_is_the_slow_restatement(
    heads: str, plan: Plan, context: int, pieces: list[int]
) -> None:
    turn, scale, more = Turn(scaling=1.1), 0.4, 24
    q_pre, k_pre, v = drawn(heads, context + more, seed=context)
    wanted = slowly(q_pre, k_pre, v, plan, turn, context=context, scale=scale)
    at = torch.arange(context + more)
    q, k = turn.forward(q_pre, at), turn.forward(k_pre, at)
    out, memory = read(q[:, :, :context], k[:, :context], v[:, :context], plan, turn, pieces, scale)
    torch.testing.assert_close(out, wanted[:, :, :context], atol=1e-5, rtol=1e-5)
    store = MemoryStore(DenseStore(k[:, :context].clone(), v[:, :context].clone()), memory)
    for steps in ([more], [5, 6, 7, 24], list(range(1, more + 1))):  # however they come
        tail, start, outs = MemoryTail(store), context, []
        for stop in (context + step for step in steps):
            tail.append(k[:, start:stop], v[:, start:stop])
            outs.append(tail.attend(q[:, :, start:stop], scale=scale).partial.out)
            start = stop
        torch.testing.assert_close(
            torch.cat(outs, dim=2), wanted[:, :, context:], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("tokens", "share", "init", "local", "block", "top"),
    [
        (131072, Fraction(1, 32), 85, 2662, 128, 10),
        (4096, Fraction(1, 32), 4, 83, 8, 5),
        (2048, Fraction(1, 32), 4, 42, 4, 4),
        (1024, Fraction(1, 8), 4, 83, 8, 5),
    ],
)
def test_a_share_becomes_the_sizes_of_the_table(
    tokens: int, share: Fraction, init: int, local: int, block: int, top: int
) -> None:
    plan = InfLLM(tau=share).plan(tokens)
    assert plan is not None
    assert (plan.init, plan.local, plan.block, plan.room // plan.block) == (init, local, block, top)
    assert (plan.exec, plan.repr) == (min(512, local // 2), 4)


@pytest.mark.parametrize(
    "spelling",
    ["infllm[tau=1/32]", "infllm[tau=1/8]", "infllm[budget_tokens=64]", "infllm[preset=infllm]"],
)
def test_no_row_reads_more_than_its_budget_and_some_row_retrieves(spelling: str) -> None:
    stage, tokens = parse(spelling).generation, 9000
    assert isinstance(stage, InfLLM)
    plan, budget = stage.plan(tokens), stage.budget(tokens)
    assert plan is not None
    assert all(plan.keys(row) <= budget for row in range(0, 2 * tokens, 3))
    assert all(
        plan.chosen(row) >= 1 for row in range(plan.init + plan.local + plan.block, tokens, 3)
    )
    if spelling == "infllm[preset=infllm]":
        assert plan.chosen(tokens) == 16


def test_keys_of_a_row_are_those_it_attends_to() -> None:
    plan, turn, tokens = SMALL, Turn(), 70
    q, k, _ = drawn("mha", tokens)
    positions = torch.arange(tokens)
    seen = torch.eye(tokens, dtype=torch.float64).expand(
        k.shape[0], tokens, tokens
    )  # values tell keys apart
    reader = Reader(plan, turn)
    wide = [
        torch.nn.functional.pad(x, (0, tokens - DIM))
        for x in (turn.forward(q, positions), turn.forward(k, positions))
    ]

    @dataclass
    class Padded(Turn):
        def _by(self, x: Tensor, positions: Tensor) -> Tensor:
            return torch.cat([super()._by(x[..., :DIM], positions), x[..., DIM:]], dim=-1)

    reader.turn = Padded()
    out, _ = reader.attend(wide[0], wide[1], seen, layer=0, scale=0.3, total_tokens=tokens)
    for row in range(tokens):
        assert int((out[0, 0, row] > 0).sum()) == plan.keys(row)


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_a_text_within_the_window_is_dense(heads: str) -> None:
    local, ids = engine(heads), [(at * 11) % 90 + 33 for at in range(90)]
    method = parse(
        "infllm[init_tokens=4,local_tokens=110,block_tokens=8,top_blocks=2,exec_tokens=16]"
    )
    ours = fork(local.read(ids, pattern=method.generation), method)
    dense = fork(local.read(ids), Method())
    for piece in ((40, 41, 42), (7,), (8,)):
        got, wanted = (local.advance([Feed(stream, piece)]) for stream in (ours, dense))
        torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-3)


def keys_of(spelling: str, ids: list[int]) -> Tensor:
    local = engine("gqa")
    return local.read(ids, pattern=parse(spelling).generation).view(2).k_HSD


@pytest.mark.parametrize("exec_tokens", [1, 16])
def test_a_later_token_moves_no_row_before_the_stretch_that_chooses_with_it(
    exec_tokens: int,
) -> None:
    spelling = f"infllm[init_tokens=2,local_tokens=12,block_tokens=4,top_blocks=1,exec_tokens={exec_tokens},repr_tokens=1]"
    ids = [(at * at * 7) % 90 + 33 for at in range(150)]
    changed = 139
    other = [*ids[:changed], 40, *ids[changed + 1 :]]
    first = changed // exec_tokens * exec_tokens
    before, after = keys_of(spelling, ids), keys_of(spelling, other)
    torch.testing.assert_close(before[:, :first], after[:, :first], atol=1e-5, rtol=1e-5)
    assert float((before[:, changed] - after[:, changed]).abs().max()) > 1e-3


SPELLING = (
    "infllm[init_tokens=3,local_tokens=20,block_tokens=4,top_blocks=3,exec_tokens=8,repr_tokens=2]"
)


def opened(tokens: int = 120, spelling: str = SPELLING) -> tuple[Stream, Plan]:
    method = parse(spelling)
    stage = method.generation
    assert isinstance(stage, InfLLM)
    plan = stage.plan(tokens)
    assert plan is not None
    ids = [(at * at * 31 + at * 7) % 96 + 32 for at in range(tokens)]
    return fork(engine("gqa").read(ids, pattern=stage), method), plan


def test_bytes_loaded_are_keys_values_representatives_and_received_attention() -> None:
    stream, plan = opened()
    engine("gqa").advance([Feed(stream, (50,))])
    row = stream.logical_tokens - 1
    of_a_head = (
        2 * plan.keys(row) + plan.parts(row)[1]
    ) * SHAPE.head_dim * SHAPE.dtype_bytes + 4 * plan.pending(row + 1)
    assert stream.loaded_bytes == 3 * SHAPE.kv_heads * of_a_head
    assert stream.steps == 1


def test_what_is_appended_becomes_blocks_and_the_shared_ones_stay_shared() -> None:
    stream, plan = opened()
    before = stream.shared_bytes()
    child, other = stream.fork(), stream.fork()
    assert child.private_bytes() == 0
    engine("gqa").advance([Feed(child, tuple(range(40, 80))), Feed(other, (9,))])
    blocks = child.layers[0].tail.tensors()["memory_k"].shape[1]
    assert blocks == plan.parts(160)[1] - plan.parts(120)[1] == 10
    assert child.shared_bytes() == other.shared_bytes() == before
    assert child.stores()[0] is other.stores()[0]


def test_everything_read_is_held_under_its_own_position() -> None:
    stream, _ = opened()
    engine("gqa").advance([Feed(stream, (50, 51))])
    assert stream.positions(1, 1).tolist() == list(range(122))


def test_a_context_read_in_another_way_is_refused() -> None:
    local = engine("gqa")
    for pattern in (None, parse("infllm[tau=1/2]").generation):
        snapshot = local.read([60] * 200, pattern=pattern)
        with pytest.raises(Mismatch, match="read in another way"):
            fork(snapshot, parse(SPELLING))


def test_a_budget_that_covers_the_context_is_dense_and_says_so() -> None:
    method = parse("infllm[budget_tokens=200]")
    stream = fork(engine("gqa").read([61] * 150, pattern=method.generation), method)
    assert stream.notes == ("budget_not_binding",)
    assert (
        stream.held_bytes() == SHAPE.token_bytes * 150 == method.held_bytes(shape=SHAPE, tokens=150)
    )


@pytest.mark.parametrize("other", ["snapkv", "quest", "kivi", "prefix", "tier"])
def test_a_second_say_in_what_follows_the_context_is_refused(other: str) -> None:
    with pytest.raises(Mismatch, match=f"leave {other} out"):
        parse(f"infllm+{other}")
    assert (
        str(parse(f"infllm[dense_decoding=yes]+{other}")) == f"infllm[dense_decoding=yes]+{other}"
    )


def test_after_a_read_with_dense_decoding_everything_is_seen() -> None:
    method = parse(SPELLING.replace("]", ",dense_decoding=yes]"))
    snapshot = engine("gqa").read(
        [(at * 13) % 90 + 33 for at in range(120)], pattern=method.generation
    )
    ours, plain = (
        engine("gqa").advance([Feed(stream, (50, 51))])
        for stream in (fork(snapshot, method), snapshot.fork())
    )
    assert torch.equal(ours, plain)


def test_angles_that_depend_on_the_length_of_the_text_are_refused() -> None:
    with pytest.raises(Mismatch, match="longrope"):
        InfLLM().begin(Turn(steady=False), 100)


def test_an_engine_without_a_reader_is_refused() -> None:
    q, k, v = drawn("mha", 4)
    with pytest.raises(Mismatch, match="did not begin"):
        InfLLM().attend(q, k, v, layer=0, scale=1.0, total_tokens=4)


@pytest.mark.parametrize("tokens", [500, 1500])
def test_a_share_below_two_blocks_is_refused_with_the_least_that_works(tokens: int) -> None:
    with pytest.raises(Mismatch, match="tau=") as refused:
        parse("infllm[tau=1/32]").check(shape=SHAPE, tokens=tokens)
    least = str(refused.value).split("tau=")[-1].split(" ")[0]
    parse(f"infllm[tau={least}]").check(shape=SHAPE, tokens=tokens)


@pytest.mark.parametrize(
    "spelling",
    [
        "infllm[init_tokens=4]",
        "infllm[init_tokens=4,local_tokens=0,block_tokens=8,top_blocks=2]",
        "infllm[init_tokens=4,local_tokens=8,block_tokens=8,top_blocks=2,repr_tokens=9]",
        "infllm[exec_tokens=0]",
        "infllm[repr_tokens=0]",
        "infllm[tau=2]",
        "infllm[tau=1/2,budget_tokens=80]",
    ],
)
def test_parameters_that_make_no_sense_are_refused(spelling: str) -> None:
    with pytest.raises(Mismatch):
        parse(spelling)


@pytest.mark.parametrize("kind", ["qwen3", "glm", "bamba"])
def test_chunks_agree_on_models_that_turn_in_their_own_way(kind: str) -> None:
    """Normed queries, partial and interleaved rotation, none at all; and the read is not the dense
    one.
    """
    local, ids = engine(kind), [(at * 11) % 90 + 33 for at in range(100)]
    method = parse(SPELLING)
    whole = local.read(ids, pattern=method.generation)
    before, local.read_chunk_tokens = local.read_chunk_tokens, 33
    try:
        pieces = local.read(ids, pattern=method.generation)
    finally:
        local.read_chunk_tokens = before
    torch.testing.assert_close(whole.logits_V, pieces.logits_V, atol=1e-3, rtol=1e-3)
    dense = local.read(ids)
    assert float((whole.logits_V - dense.logits_V).abs().max()) > 1e-3
