"""Faults planted in codecs."""

from __future__ import annotations

from mutants.mutant import Mutant

HOME = "methods/compression"
KIVI = ("methods/test_kivi.py",)
TOKENS = ("methods/test_token_codecs.py",)
TURBO = ("methods/test_turboquant.py",)

PLANTED = (
    Mutant(
        "kivi: keys in groups of a token",
        f"{HOME}/kivi.py",
        "TokenGroups(fitted.bits, fitted.group), ChannelGroups(fitted.bits, fitted.group)",
        "ChannelGroups(fitted.bits, fitted.group), ChannelGroups(fitted.bits, fitted.group)",
        "kivi[bits=2]",
        KIVI,
    ),
    Mutant(
        "kivi: half of the residual of values is coded",
        f"{HOME}/kivi.py",
        "old_values = max(0, self.v_HRD.shape[1] - self.residual_tokens)",
        "old_values = max(0, self.v_HRD.shape[1] - self.residual_tokens // 2)",
        "kivi[bits=2]",
        KIVI,
    ),
    Mutant(
        "kivi: codes are rounded down",
        f"{HOME}/affine_codes.py",
        "/ step).round_().clamp_(",
        "/ step).floor_().clamp_(",
        "kivi[bits=2]",
        KIVI,
    ),
    Mutant(
        "kivi: the minimum is half a step off",
        f"{HOME}/affine_codes.py",
        ".add_(low.to(dtype).unsqueeze(-1))",
        ".add_((low + scale / 2).to(dtype).unsqueeze(-1))",
        "kivi[bits=4]",
        KIVI,
    ),
    Mutant(
        "kivi: a coded tail never codes its newer keys",
        f"{HOME}/kivi.py",
        "*joined(self.keys or (), self.coders.keys.write(self.k_HRD[:, :full_keys]))",
        "*joined(self.keys or (), self.keys or self.coders.keys.write(self.k_HRD[:, :full_keys]))",
        "kivi[bits=4]",
        KIVI,
    ),
    Mutant(
        "kivi: a fork of a tail is its parent",
        f"{HOME}/kivi.py",
        "        return copy.copy(self)",
        "        return self",
        "kivi[bits=4]",
        KIVI,
    ),
    Mutant(
        "rtn: one scale for all groups of a token",
        f"{HOME}/affine_codes.py",
        "return quantise(x_HSD.reshape(*x_HSD.shape[:2], -1, self.group), self.bits)",
        "found = quantise(x_HSD.reshape(*x_HSD.shape[:2], -1, self.group), self.bits)\n"
        "        return found._replace(scale=found.scale[..., :1].expand_as(found.scale).clone())",
        "rtn[bits=4,group=8]",
        (*TOKENS, *KIVI),
    ),
    Mutant(
        "rtn: the tail reads one token too few",
        f"{HOME}/coded_store.py",
        "turned, self.keys, self.values, slots - tokens, scale=scale, dtype=self.dtype",
        "turned, self.keys, self.values, max(0, slots - tokens - 1), scale=scale, dtype=self.dtype",
        "rtn[bits=8]",
        TOKENS,
    ),
    Mutant(
        "rtn: a fork of a tail forgets what was appended",
        f"{HOME}/coded_store.py",
        "child.keys, child.values = self.keys, self.values",
        "child.keys, child.values = (), ()",
        "rtn[bits=8]",
        TOKENS,
    ),
    Mutant(
        "fp8: the scale is for numbers up to 240",
        f"{HOME}/fp8.py",
        "LARGEST = 448.0",
        "LARGEST = 240.0",
        "fp8",
        TOKENS,
    ),
    Mutant(
        "fp8: numbers are saturated at half of the range",
        f"{HOME}/fp8.py",
        "return divided.clamp_(-LARGEST, LARGEST)",
        "return divided.clamp_(-LARGEST / 2, LARGEST / 2)",
        "fp8",
        TOKENS,
    ),
    Mutant(
        "fp8: a head's frozen scale is its neighbour's",
        f"{HOME}/fp8.py",
        "return Frozen(torch.stack(scales).view(-1, 1, 1))",
        "return Frozen(torch.stack(scales).roll(1).view(-1, 1, 1))",
        "fp8[scale_scope=head]",
        TOKENS,
    ),
    Mutant(
        "turboquant: what was turned is not turned back",
        f"{HOME}/turboquant.py",
        "back = whole @ self.turner if self.rotation",
        "back = whole if self.rotation",
        "turboquant[bits=4,rotation=dense]",
        TURBO,
    ),
    Mutant(
        "turboquant: the signs are forgotten on the way back",
        f"{HOME}/turboquant.py",
        "else hadamard(whole) * self.turner",
        "else hadamard(whole)",
        "turboquant[bits=4]",
        TURBO,
    ),
    Mutant(
        "turboquant: a code means its cell's edge",
        f"{HOME}/turboquant.py",
        "return pack(torch.bucketize(unit_HSD.contiguous(), edges)",
        "return pack(torch.bucketize(unit_HSD.contiguous(), edges - edges[1] + edges[0])",
        "turboquant[bits=4]",
        TURBO,
    ),
    Mutant(
        "turboquant inner-product: the signs of the residual are turned over",
        f"{HOME}/turboquant.py",
        "signs_HSD = (missed @ self.sketch.T >= 0)",
        "signs_HSD = (missed @ self.sketch.T < 0)",
        "turboquant[bits=4,variant=inner-product]",
        TURBO,
    ),
    Mutant(
        "turboquant half bits: channels come back in another order",
        f"{HOME}/turboquant.py",
        "return torch.empty_like(back).scatter_(-1, self._order_like(back), back)",
        "return back.gather(-1, self._order_like(back))",
        "turboquant[bits=3.5]",
        TURBO,
    ),
)
