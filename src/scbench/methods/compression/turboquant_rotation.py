"""Rotations that spread a vector over all its coordinates, and the best codebook for what comes
out.
"""

from __future__ import annotations

from functools import cache

from scbench.tensors import Tensor, torch


@cache
def orthogonal(dim: int, seed: int) -> Tensor:
    """A random orthogonal matrix (D, D), fp64 on the CPU: the Q of a Gaussian matrix with the signs
    that make it Haar-distributed.
    """
    q, r = torch.linalg.qr(gaussian(dim, seed))
    turned: Tensor = q * r.diagonal().sign()
    return turned


@cache
def gaussian(dim: int, seed: int) -> Tensor:
    """Independent standard normals (D, D), fp64 on the CPU."""
    return torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def signs(dim: int, seed: int) -> Tensor:
    """D random signs, fp64 on the CPU."""
    return (
        torch.randint(0, 2, (dim,), generator=torch.Generator().manual_seed(seed)).double() * 2 - 1
    )


def hadamard(x: Tensor) -> Tensor:
    """The orthonormal Walsh-Hadamard transform of the last axis (its length a power of two); its
    own inverse. D log2 D additions.
    """
    dim, lead = x.shape[-1], x.shape[:-1]
    assert dim & (dim - 1) == 0, f"a Hadamard transform needs a power of two, not {dim}"
    width = 1
    while width < dim:
        pairs = x.reshape(*lead, dim // (2 * width), 2, width)
        x = torch.stack(
            [pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]], dim=-2
        ).reshape(*lead, dim)
        width *= 2
    return x * float(dim**-0.5)


@cache
def codebook(dim: int, levels: int) -> Tensor:
    """The Lloyd-Max codebook (levels,), ascending, fp64: the least mean squared error for one
    coordinate of a random unit vector of R^dim.

    Its density is f(x) ~ (1 - x^2)^((dim - 3) / 2) on [-1, 1]. A cell [a, b] is served best by its
    mean, which is exact here but for the cell's mass: the primitive of x f is -(1 - x^2)^((dim - 1)
    / 2) / (dim - 1); the mass comes from a fine grid. Needs dim >= 4.
    """
    assert dim >= 4, "the density has a pole for fewer dimensions"
    grid = torch.linspace(-1, 1, (1 << 16) + 1, dtype=torch.float64)
    density = (1 - grid**2).clamp_min_(0) ** ((dim - 3) / 2)
    mass = torch.cat(
        [torch.zeros(1, dtype=torch.float64), torch.cumulative_trapezoid(density, grid)]
    )
    spread = torch.cat(
        [torch.zeros(1, dtype=torch.float64), torch.cumulative_trapezoid(density ** (1 / 3), grid)]
    )
    middles = (torch.arange(levels, dtype=torch.float64) + 0.5) / levels * spread[-1]
    centres = grid[
        torch.searchsorted(spread, middles).clamp_max_(len(grid) - 1)
    ]  # the best density of centres goes as f^(1/3)
    for _ in range(2000):
        edges = torch.cat([grid[:1], (centres[1:] + centres[:-1]) / 2, grid[-1:]])
        moment = -((1 - edges**2).clamp_min_(0) ** ((dim - 1) / 2)) / (dim - 1)
        better = moment.diff() / _between(mass, edges).diff().clamp_min_(1e-300)
        better = (better - better.flip(0)) / 2  # the density is even
        if float((better - centres).abs().max()) < 1e-10:
            break
        centres = better
    return centres


def _between(values: Tensor, x: Tensor) -> Tensor:
    """Linear interpolation of `values` on an even grid over [-1, 1]."""
    at = (x + 1) / 2 * (len(values) - 1)
    low = at.floor().clamp_(0, len(values) - 2).long()
    return values[low] + (at - low) * (values[low + 1] - values[low])
