"""What decides the weights of a lab model."""

from __future__ import annotations

from dataclasses import dataclass, field

from scbench.errors import BadConfig
from scbench.lab.schedule import DECAYS, EVERY_ROW_ONCE, Schedule

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What decides the weights. A resumed run must have the same, and the same data."""

    arch: str = "transformer"
    size: str = "base"
    vocab: int = 2048
    bos: int | None = None
    eos: int | None = None
    seed: int = 0  # of the first weights and of the order of rows
    steps: int | None = None  # None: to the end of the data
    step_tokens: int = 2048
    lr: float = 0.01  # of Muon; at twice that the first weights are gone before they are of use
    adam_lr: float = 3e-3
    momentum: float = 0.95
    weight_decay: float = 0.01
    warmup_steps: int = 50
    decay: str = "linear"
    floor_ratio: float = 0.05  # of the rates at the last step
    clip_norm: float = 1.0
    precision: str = (
        "auto"  # of forward and backward products (weights stay float32); auto is bfloat16 on a GPU
    )
    curve_steps: int = 50  # steps of one window of the curves
    schedule: Schedule = field(default=EVERY_ROW_ONCE)
    start: str | None = None  # SHA-256 of the weights it starts from; None: drawn from the seed

    def __post_init__(self) -> None:
        for name in ("step_tokens", "curve_steps", "vocab", "lr", "adam_lr", "clip_norm"):
            if not getattr(self, name) > 0:
                raise BadConfig(f"{name}={getattr(self, name)}: it must be above 0")
        if self.steps is not None and self.steps < 1:
            raise BadConfig(
                f"steps={self.steps}: give at least 1, or leave it out to train to the end of the "
                f"data"
            )
        if self.decay not in DECAYS:
            raise BadConfig(f"decay={self.decay!r} does not exist; it is {' or '.join(DECAYS)}")
        if self.precision not in PRECISIONS:
            raise BadConfig(
                f"precision={self.precision!r} does not exist; it is {', '.join(PRECISIONS)}"
            )
        if self.warmup_steps < 0 or not 0 <= self.floor_ratio <= 1:
            raise BadConfig(
                f"warmup_steps={self.warmup_steps}, floor_ratio={self.floor_ratio}: at least 0; "
                f"and from 0 to 1"
            )
