"""Faults planted in stored caches, and in what every method stands on."""

from __future__ import annotations

from mutants.mutant import Mutant

BLEND = ("methods/test_cacheblend.py",)
POOL = (
    "methods/test_prefix.py",
    "kv/test_pool.py",
    "kv/test_pool_model.py",
    "kv/test_pool_disk.py",
)
STREAMS = ("kv/test_streams.py", "kv/test_shape.py")
BESIDE = ("methods/test_cache_positions.py", "play/test_session.py", "engines/test_models.py")

BLENDED = (
    Mutant(
        "cacheblend: chunks keep the angles of position 0",
        "engines/blend.py",
        "keys.append(self.moved(view.k_HSD.to(self.engine.device), 0, at))",
        "keys.append(view.k_HSD.to(self.engine.device))",
        "cacheblend[tau=1/4]",
        BLEND,
    ),
    Mutant(
        "cacheblend: chunks stand one position too far",
        "engines/blend.py",
        "keys.append(self.moved(view.k_HSD.to(self.engine.device), 0, at))",
        "keys.append(self.moved(view.k_HSD.to(self.engine.device), 0, at + bool(at)))",
        "cacheblend[tau=1/4]",
        BLEND,
    ),
    Mutant(
        "cacheblend: the rows that deviate least are computed",
        "methods/retrieval/blended_chunks.py",
        "return torch.sort(score_N, descending=True, stable=True)",
        "return torch.sort(score_N, descending=False, stable=True)",
        "cacheblend[tau=1/4]",
        BLEND,
    ),
    Mutant(
        "cacheblend: computed keys are not kept",
        "engines/blend.py",
        "self.k_HSD[:, rows], self.v_HSD[:, rows] = k_HND, v_HND",
        "self.v_HSD[:, rows] = v_HND",
        "cacheblend[tau=1/4]",
        BLEND,
    ),
    Mutant(
        "cacheblend: twice the share is computed",
        "methods/retrieval/cacheblend.py",
        "return min(tokens, max(1, rounded(share * tokens)))",
        "return min(tokens, max(1, rounded(2 * share * tokens)))",
        "cacheblend[tau=1/4]",
        BLEND,
    ),
    Mutant(
        "prefix: a link forgets what stands before its block",
        "kv/pool/chain.py",
        "before = hashlib.sha256(before + raw[start : start + step]).digest()",
        "before = hashlib.sha256(raw[start : start + step]).digest()",
        "prefix",
        POOL,
    ),
    Mutant(
        "prefix: a hit in the middle of a segment begins at its start",
        "kv/pool/segment.py",
        "k_HSD, v_HSD = k_HSD[:, start:stop], v_HSD[:, start:stop]",
        "k_HSD, v_HSD = k_HSD[:, : stop - start], v_HSD[:, : stop - start]",
        "prefix",
        POOL,
    ),
    Mutant(
        "prefix: values are stored in the place of keys",
        "kv/pool/segment.py",
        '_range(pieces, start, stop, "k"), _range(pieces, start, stop, "v"))',
        '_range(pieces, start, stop, "v"), _range(pieces, start, stop, "v"))',
        "prefix",
        POOL,
    ),
)

SHARED = (
    Mutant(
        "positions: by stored slots instead of tokens seen",
        "engines/local.py",
        "start, seen = len(ids), feed.stream.logical_tokens",
        "start, seen = len(ids), int(feed.stream.stored_tokens(self.facts.shape))",
        "snapkv[tau=1/4]",
        BESIDE,
    ),
    Mutant(
        "positions: one too far after a context",
        "engines/local.py",
        "start, seen = len(ids), feed.stream.logical_tokens",
        "start, seen = len(ids), feed.stream.logical_tokens + 1",
        "dense",
        BESIDE,
    ),
    Mutant(
        "forks: a tail's buffer is shared by siblings",
        "kv/tail.py",
        "child.append(self.k_HSD, self.v_HSD)",
        "child._k_HCD, child._v_HCD, child.slots = self._k_HCD, self._v_HCD, self.slots",
        "snapkv[tau=1/4]",
        (*STREAMS, "methods/test_evictions.py"),
    ),
    Mutant(
        "forks: a request's tokens go on in the next",
        "kv/stream.py",
        "            ids=list(self.ids),\n            recurrent",
        "            ids=self.ids,\n            recurrent",
        "dense",
        STREAMS,
    ),
    Mutant(
        "dense: the first key of a store is not read",
        "kv/store.py",
        "partial = full(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)",
        "partial = full(q_HGTD, self.k_HSD[:, 1:], self.v_HSD[:, 1:], scale=scale)",
        "dense",
        (*STREAMS, *BESIDE),
    ),
    Mutant(
        "dense: parts of a merge weigh alike",
        "kernels/attention.py",
        "weights = torch.exp(lses - top.masked_fill(",
        "weights = torch.exp(0.5 * lses - 0.5 * top.masked_fill(",
        "dense",
        ("kernels/test_attention.py",),
    ),
    Mutant(
        "dense: a tail read beside others sees their padding",
        "kernels/attention.py",
        'bias_NS[n, slots[n] :] = float("-inf")',
        'bias_NS[n, slots[n] + 1 :] = float("-inf")',
        "dense",
        ("kernels/test_attention.py",),
    ),
)
PLANTED = (*BLENDED, *SHARED)
