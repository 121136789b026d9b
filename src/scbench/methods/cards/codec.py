"""How what is kept is written down: codecs."""

from __future__ import annotations

from functools import partial

from scbench.methods.card import Card

CODEC = partial(Card, stage="compression", category="quantization")
CARDS = (
    CODEC(
        name="kivi",
        place="scbench.methods.compression.kivi:Kivi",
        about=(
            "Keys by channel and values by token in 1 to 8 bits, the newest left as they are; "
            "the codec to begin with."
        ),
        paper="KIVI, arXiv 2402.02750",
        bytes_formula="2 H T D (b/8 + 4/g), the newest residual at e",
        difference=(
            "goes on quantising what is appended; the published code stops after the first forward"
        ),
        parameters={
            "bits": "2",
            "group": "32",
            "residual_tokens": "32",
            "tau": "none",
        },
        presets={
            "paper": "bits=2,group=32,residual_tokens=32",
            "code": "bits=2,group=32,residual_tokens=32",
            "kivi": "bits=2,group=32,residual_tokens=128",
        },
        in_all="bits=2",
        forms={"": "bits=4"},
        examined=(
            "",
            "bits=3,group=16,residual_tokens=32",
            "bits=4,residual_tokens=64",
            "tau=1/2",
        ),
    ),
    CODEC(
        name="turboquant",
        place="scbench.methods.compression.turboquant:TurboQuant",
        about=(
            "Rotates vectors and writes each coordinate by the best codebook; take it where "
            "no outlier may decide the scale."
        ),
        paper="TurboQuant, arXiv 2504.19874",
        bytes_formula="2 H T (D b/8 + 2), + 2 H T for inner-product",
        difference=(
            "halves of the channels at 2.5 and 3.5 bits (published: other counts); a Hadamard "
            "rotation by default"
        ),
        needs=("heads of a power of two (rotation=dense: of a multiple of 8)",),
        parameters={
            "bits": "4",
            "rotation": "hadamard",
            "variant": "mse",
            "seed": "0",
            "tau": "none",
        },
        presets={
            "paper": "bits=7/2,rotation=dense",
            "code": "bits=4,rotation=hadamard,variant=mse",
        },
        in_all="bits=3",
        forms={"": ""},
        examined=(
            "bits=2.5,rotation=dense",
            "bits=3,variant=inner-product",
            "tau=1/2",
        ),
    ),
    CODEC(
        name="rtn",
        place="scbench.methods.compression.rtn:RTN",
        about=(
            "Rounds keys and values to the nearest code, group by group; the baseline of the "
            "codecs."
        ),
        paper="baseline of KIVI, arXiv 2402.02750",
        bytes_formula="2 H T D (b/8 + 4/g)",
        difference="a baseline: keys and values alike, no residual",
        parameters={
            "bits": "4",
            "group": "none",
            "tau": "none",
        },
        presets={
            "paper": "bits=4,group=32",
            "code": "bits=4",
        },
        in_all="bits=4",
        forms={"": ""},
        examined=(
            "bits=8,group=8",
            "tau=1/2,group=8",
        ),
    ),
    CODEC(
        name="fp8",
        place="scbench.methods.compression.fp8:FP8",
        about=(
            "Writes K and V as 8-bit floats with scales; take it where half the bytes are "
            "enough and speed counts."
        ),
        paper="none; e4m3 of arXiv 2209.05433",
        bytes_formula="2 H T D + 2 per scale",
        difference="a scale per token by default; published: one per tensor, frozen at the context",
        parameters={
            "scale_scope": "token",
            "bits": "8",
            "tau": "none",
        },
        presets={
            "paper": "scale_scope=token",
            "code": "scale_scope=tensor",
        },
        in_all="",
        forms={"": ""},
        examined=(
            "scale_scope=head",
            "scale_scope=tensor",
        ),
    ),
)
