"""TurboQuant: the rotation keeps lengths, the codebook has the known distortion, and one variant is
unbiased.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kv import CacheShape, Slots
from scbench.methods import parse
from scbench.methods.compression.turboquant import Rotation, TurboQuant, Turned, Unbiased
from scbench.methods.compression.turboquant_rotation import codebook, hadamard, orthogonal

CPU = torch.device("cpu")


def units(rows: int, dim: int, seed: int = 0) -> torch.Tensor:
    x = torch.randn(1, rows, dim, generator=torch.Generator().manual_seed(seed))
    return x / x.norm(dim=-1, keepdim=True)


def shape(dim: int = 128, dtype_bytes: int = 2) -> CacheShape:
    return CacheShape.even(
        layers=1,
        attention_layers=(0,),
        query_heads=4,
        kv_heads=2,
        head_dim=dim,
        dtype_bytes=dtype_bytes,
    )


def back_and_forth(coder: Turned, x: torch.Tensor) -> torch.Tensor:
    return coder.turn_back(coder.read(coder.write(x), torch.float32))


def decoded(codec: TurboQuant, x: torch.Tensor) -> torch.Tensor:
    """Keys as attention sees them, in their own basis."""
    coders = codec.coders(Slots.even(x, x))
    assert coders is not None
    return coders.keys.turn_back(coders.keys.read(coders.keys.write(x), torch.float32))


@settings(deadline=None, max_examples=30)
@given(
    power=st.integers(3, 7),
    rotation=st.sampled_from(["dense", "hadamard"]),
    seed=st.integers(0, 99),
)
def test_turning_keeps_lengths_and_angles_and_can_be_undone(
    power: int, rotation: Rotation, seed: int
) -> None:
    coder = Turned(1 << power, 4, rotation, seed, CPU)
    x, y = units(7, 1 << power, seed), 3 * units(7, 1 << power, seed + 1)
    torch.testing.assert_close(coder.turn(y).norm(dim=-1), y.norm(dim=-1))
    torch.testing.assert_close(
        (coder.turn(x) * coder.turn(y)).sum(-1), (x * y).sum(-1), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(coder.turn_back(coder.turn(y)), y, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dim", [1, 2, 8, 64])
def test_the_hadamard_transform_is_its_matrix(dim: int) -> None:
    matrix = torch.ones(1, 1)
    while len(matrix) < dim:
        matrix = torch.cat(
            [torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)]
        )
    x = torch.randn(3, dim, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(hadamard(x), x @ matrix.T / dim**0.5)


def test_a_rotation_is_drawn_from_all_rotations_alike() -> None:
    """Without its sign rule a QR factorisation favours some; the mean diagonal of many draws shows
    it.
    """
    mean = torch.stack([orthogonal(4, seed).diagonal() for seed in range(600)]).mean(dim=0)
    assert float(mean.abs().max()) < 0.08  # four times the standard error, 1/2 / sqrt(600)


@pytest.mark.parametrize("dim", [4, 16, 128])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_a_codebook_is_what_lloyd_and_max_ask_for(dim: int, bits: int) -> None:
    """Ascending, even, inside [-1, 1], and every centre the mean of the coordinates nearest
    to it.
    """
    book = codebook(dim, 1 << bits)
    assert bool((book.diff() > 0).all())
    torch.testing.assert_close(book, -book.flip(0))
    assert float(book.abs().max()) < 1
    grid = torch.linspace(-1, 1, 2_000_001, dtype=torch.float64)
    density = (1 - grid**2) ** ((dim - 3) / 2)
    cell = torch.bucketize(grid, (book[1:] + book[:-1]) / 2)
    mass = torch.zeros(len(book), dtype=torch.float64).index_add_(0, cell, density)
    means = torch.zeros(len(book), dtype=torch.float64).index_add_(
        0, cell, density * grid
    ) / mass.clamp_min(1e-300)
    heavy = mass / mass.sum() > 1e-6
    torch.testing.assert_close(means[heavy], book[heavy], atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("bits", "wanted"), [("1", 0.36), ("2", 0.117), ("3", 0.034), ("4", 0.0095)]
)
@pytest.mark.parametrize("rotation", ["dense", "hadamard"])
def test_the_distortion_of_random_unit_vectors_is_the_known_one(
    bits: str, wanted: float, rotation: Rotation
) -> None:
    x = units(3000, 128)
    found = (back_and_forth(Turned(128, int(bits), rotation, 0, CPU), x) - x).pow(2).sum(-1).mean()
    assert float(found) == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("bits", range(1, 9))
def test_no_distortion_is_above_the_bound(bits: int) -> None:
    x = units(8000, 64, seed=bits)
    found = (back_and_forth(Turned(64, int(bits), "hadamard", 3, CPU), x) - x).pow(2).sum(-1).mean()
    assert float(found) < 3**0.5 * torch.pi / 2 * 4.0**-bits


def test_the_distortion_of_one_vector_does_not_depend_on_its_length() -> None:
    x, coder = units(1, 128), Turned(128, 2, "dense", 0, CPU)
    for size in (1e-3, 1.0, 1e3):
        torch.testing.assert_close(
            back_and_forth(coder, x * size) / size, back_and_forth(coder, x), atol=1e-3, rtol=1e-2
        )


@pytest.mark.parametrize("bits", [2, 3])
def test_over_many_sketches_the_inner_product_is_unbiased_and_plain_codes_are_not(
    bits: int,
) -> None:
    x, q = units(1, 64, seed=1), units(1, 64, seed=2)
    q = (q + 2 * x) / 3
    wanted = float((q * x).sum())

    def mean(kind: type[Turned]) -> tuple[float, float]:
        coders = [kind(64, int(bits), "dense", 2 * seed, CPU) for seed in range(800)]
        found = torch.tensor(
            [
                float((coder.turn(q) * coder.read(coder.write(x), torch.float32)).sum())
                for coder in coders
            ]
        )
        return float(found.mean()), float(found.std() / len(found) ** 0.5)

    unbiased, error = mean(Unbiased)
    assert abs(unbiased - wanted) < 4 * error + 5e-4  # norms are held in 16 bits
    shrunk, error = mean(Turned)
    assert shrunk < wanted - 4 * error


@pytest.mark.parametrize(("bits", "wanted"), [("5/2", 0.075), ("7/2", 0.0217)])
def test_half_bits_lie_between_their_neighbours_where_channels_are_alike(
    bits: str, wanted: float
) -> None:
    x = units(3000, 128)
    found = (decoded(TurboQuant(bits=Fraction(bits)), x) - x).pow(2).sum(-1).mean()
    assert float(found) == pytest.approx(wanted, rel=0.04)


def test_half_bits_spend_their_extra_bit_on_the_channels_that_are_large() -> None:
    """Where half the channels hold nearly all, 2.5 bits are nearly as good as 3."""
    x = torch.randn(2, 2000, 64, generator=torch.Generator().manual_seed(0))
    x[0, :, ::2] *= 10
    x[1, :, 32:] *= 10

    def error(bits: str) -> float:
        return float(
            (decoded(TurboQuant(bits=Fraction(bits)), x) - x).pow(2).sum() / x.pow(2).sum()
        )

    assert error("5/2") < 1.05 * error("3")
    assert error("5/2") < 0.4 * error("2")


def test_keys_of_zero_come_back_as_zero() -> None:
    x = torch.zeros(1, 2, 64)
    for kind in (Turned, Unbiased):
        assert torch.equal(back_and_forth(kind(64, 3, "hadamard", 0, CPU), x), x)


def test_a_norm_beyond_16_bits_is_refused() -> None:
    with pytest.raises(Mismatch, match="norms in fp16"):
        Turned(64, 3, "hadamard", 0, CPU).write(units(2, 64) * 1e6)


@pytest.mark.parametrize(
    ("tau", "variant", "bits"),
    [
        ("1/14", "mse", "1"),
        ("1/8", "mse", "1"),
        ("3/16", "mse", "3"),
        ("1/4", "mse", "4"),
        ("1/4", "inner-product", "4"),
        ("1/2", "mse", "8"),
    ],
)
def test_a_share_takes_the_most_bits_that_fit_with_the_norms(
    tau: str, variant: str, bits: str
) -> None:
    codec = parse(f"turboquant[tau={tau},variant={variant}]").codec
    assert codec is not None
    fitted = codec.at(shape=shape().alike, tokens=100)
    assert isinstance(fitted, TurboQuant)
    assert fitted.bits == Fraction(bits)
    assert (
        fitted.coded_bytes(shape=shape().alike, slots=100)
        <= 1.05 * Fraction(tau) * 4 * 2 * 128 * 100
    )


@pytest.mark.parametrize("tau", ["1/32", "1/16"])
def test_a_share_below_one_bit_is_refused_with_one_that_does(tau: str) -> None:
    with pytest.raises(Mismatch, match=r"use tau=0\.067") as refusal:
        parse(f"turboquant[tau={tau}]").check(shape=shape(), tokens=100)
    least = str(refusal.value).split("use tau=")[1].split()[0]
    parse(f"turboquant[tau={least}]").check(shape=shape(), tokens=100)


@pytest.mark.parametrize(
    ("spelling", "dim", "why"),
    [
        ("turboquant", 80, "power of two"),
        ("turboquant[rotation=dense]", 12, "multiple of 8"),
        ("turboquant[bits=2.5]", 8, "two halves"),
    ],
)
def test_heads_that_cannot_be_turned_are_refused(spelling: str, dim: int, why: str) -> None:
    with pytest.raises(Mismatch, match=why):
        parse(spelling).check(shape=shape(dim), tokens=100)
    parse("turboquant[rotation=dense]").check(shape=shape(80), tokens=100)


@pytest.mark.parametrize("bits", ["0", "9", "4.5", "1.5"])
def test_bits_that_have_no_codebook_are_refused(bits: str) -> None:
    with pytest.raises(Mismatch, match=r"one of 1\.\.8"):
        parse(f"turboquant[bits={bits}]")
    with pytest.raises(Mismatch, match="2 bits or more"):
        parse("turboquant[bits=1,variant=inner-product]")


def test_overhead_is_16_bits_per_head_vector() -> None:
    mse, product = parse("turboquant").codec, parse("turboquant[variant=inner-product]").codec
    assert mse is not None
    assert product is not None
    assert mse.coded_bytes(shape=shape().alike, slots=10) == 2 * 2 * 10 * (128 * 4 // 8 + 2)
    assert product.coded_bytes(shape=shape().alike, slots=10) == 2 * 10 * (
        2 * (128 * 4 // 8 + 2) + 2
    )
