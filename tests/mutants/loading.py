"""Faults planted in what a step reads, and from where."""

from __future__ import annotations

from mutants.mutant import Mutant

HOME = "methods/loading"
QUEST = ("methods/test_quest.py",)
TOPK = ("methods/test_exact_topk.py",)
SEARCH = ("methods/test_retrieval_attention.py",)
RETRO = ("methods/test_retroinfer.py",)
TIERS = ("kv/test_tiers.py", "methods/test_tier.py", "methods/test_selection_and_tier.py")

PLANTED = (
    Mutant(
        "quest: a page's bound is of its minima",
        f"{HOME}/quest.py",
        'bounds = torch.einsum("hgtd,hpd->hgtp", up, high_HPD)',
        'bounds = torch.einsum("hgtd,hpd->hgtp", up, low_HPD)',
        "quest[tau=1/4]",
        QUEST,
    ),
    Mutant(
        "quest: the newest page is not always read",
        f"{HOME}/quest.py",
        'bounds_HTP[..., -1] = float("inf")',
        "bounds_HTP[..., -1] += 0.0",
        "quest[tau=1/4]",
        QUEST,
    ),
    Mutant(
        "quest: the mean bound of a group",
        f"{HOME}/quest.py",
        "return bounds.amax(dim=1)",
        "return bounds.mean(dim=1)",
        "quest[tau=1/4]",
        QUEST,
    ),
    Mutant(
        "quest: one page too many",
        f"{HOME}/quest.py",
        "return page, max(1, budget // page)",
        "return page, max(1, budget // page) + 1",
        "quest[tau=1/4]",
        QUEST,
    ),
    Mutant(
        "quest: the last page has the extremes of its first key",
        f"{HOME}/quest.py",
        "rest = k_HSD[:, whole:]",
        "rest = k_HSD[:, whole : whole + 1]",
        "quest[tau=1/4,page_tokens=4]",
        QUEST,
    ),
    Mutant(
        "exact-topk: the mean product of a group",
        f"{HOME}/exact_topk.py",
        "scores.amax(dim=1, keepdim=True)",
        "scores.mean(dim=1, keepdim=True)",
        "exact-topk[tau=1/4]",
        TOPK,
    ),
    Mutant(
        "exact-topk: one slot too few",
        f"{HOME}/exact_topk.py",
        "self.k = min(k, self.slots)",
        "self.k = min(k - 1, self.slots) if k < self.slots else self.slots",
        "exact-topk[tau=1/4]",
        TOPK,
    ),
    Mutant(
        "exact-topk: query heads of a group get each other's choice",
        f"{HOME}/exact_topk.py",
        "return largest(scores if self.per_query_head",
        "return largest(scores.flip(1) if self.per_query_head",
        "exact-topk[tau=1/4,granularity=query_head]",
        TOPK,
    ),
    Mutant(
        "retrieval-attention: the worst keys are found",
        f"{HOME}/retrieval_attention.py",
        "return largest(scores, self.k) + self.static",
        "return largest(-scores, self.k) + self.static",
        "retrieval-attention[tau=1/4]",
        SEARCH,
    ),
    Mutant(
        "retrieval-attention: found slots are moved by the static ones",
        f"{HOME}/retrieval_attention.py",
        "return largest(scores, self.k) + self.static",
        "return largest(scores, self.k)",
        "retrieval-attention[tau=1/4]",
        SEARCH,
    ),
    Mutant(
        "retrieval-attention: the last slots are not read",
        f"{HOME}/retrieval_attention.py",
        "ends = ((0, self.static), (self.stop, self.slots))",
        "ends = ((0, self.static),)",
        "retrieval-attention[tau=1/4]",
        SEARCH,
    ),
    Mutant(
        "retroinfer: the last quarter of the clusters is never read",
        f"{HOME}/retroinfer.py",
        "empty = (sizes_HC == 0)[:, None, None]",
        "empty = (sizes_HC == 0)[:, None, None].clone()\n"
        "        empty[..., sizes_HC.shape[1] * 3 // 4 :] = True",
        "retroinfer[tau=1/4]",
        RETRO,
    ),
    Mutant(
        "retroinfer: a cluster's size is left out of the estimate",
        f"{HOME}/retroinfer.py",
        "scores = (scores_HGTC + sizes.log())",
        "scores = (scores_HGTC + 0.0 * sizes)",
        "retroinfer[tau=1/4]",
        RETRO,
    ),
    Mutant(
        "retroinfer: means over one key too many",
        f"{HOME}/retroinfer_clusters.py",
        "return sums / sizes.clamp_min(1).unsqueeze(-1), sizes",
        "return sums / (sizes + 1).unsqueeze(-1), sizes",
        "retroinfer[tau=1/4]",
        RETRO,
    ),
    Mutant(
        "retroinfer: keys join the farthest centroid",
        f"{HOME}/retroinfer_clusters.py",
        "(rows @ centres_CD.T).argmax(dim=-1)",
        "(rows @ centres_CD.T).argmin(dim=-1)",
        "retroinfer[tau=1/4]",
        RETRO,
    ),
    Mutant(
        "tier: rows that are asked for are one off",
        "kv/tiers.py",
        "rows_UD = self._kept.flatten(0, -2).index_select(0, rows_U)",
        "rows_UD = self._kept.flatten(0, -2).roll(1, 0).index_select(0, rows_U)",
        "quest[tau=1/4]+tier",
        TIERS,
    ),
    Mutant(
        "tier: a whole layer comes with keys for values",
        "kv/tiers.py",
        "return self._keys.load(), self._values.load()",
        "return self._keys.load(), self._keys.load()",
        "tier",
        TIERS,
    ),
    Mutant(
        "tier: what was moved is counted without its values",
        "kv/tiers.py",
        "return self._keys.handed + self._values.handed",
        "return self._keys.handed",
        "quest[tau=1/4]+tier",
        TIERS,
    ),
    Mutant(
        "tier: the file has the rows of another head",
        "kv/tiers.py",
        "rows_UD = self._mapped.flatten(0, -2).index_select(0, rows_U)",
        "rows_UD = self._mapped.flip(0).flatten(0, -2).index_select(0, rows_U)",
        "quest[tau=1/4]+tier[at=disk]",
        TIERS,
    ),
)
