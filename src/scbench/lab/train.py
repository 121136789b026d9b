"""The training loop: the same tokens in the same order for every architecture, loss on answers
only, killed and resumed without a trace.

On the CPU, at the same number of threads, stopping and going on gives the same weights bit for bit;
on a GPU attention's backward adds in any order, so there the runs agree only closely. Each step
reads rows padded on the right without a mask: a causal model's real tokens never see the padding
behind them.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scbench.errors import BadConfig, RunError
from scbench.lab import checkpoint, curves
from scbench.lab.batches import Batch, Course
from scbench.lab.optim import Optimisers, clip
from scbench.lab.schedule import rate
from scbench.lab.training import Training
from scbench.tasks import names
from scbench.types import Form

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Build = Callable[["Training"], "PreTrainedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a call of `train` ended."""

    folder: Path
    steps: int
    of_steps: int
    tokens: int
    seconds: float  # of training, over all calls
    padding_ratio: float
    last: dict[str, Any]  # the last window of the curves; only an empty `tasks` before there is one

    @property
    def finished(self) -> bool:
        return self.steps >= self.of_steps

    @property
    def model(self) -> Path:
        """The transformers checkpoint."""
        return self.folder / "model"


def train(
    data: Path,
    out: Path,
    training: Training | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    checkpoint_s: float = 300.0,
    stop_after: int | None = None,
    start: Path | None = None,
    build: Build | None = None,
    save_tokenizer: Callable[[Path], object] | None = None,
    quiet: bool = False,
) -> Trained:
    """Train on the shards of `data` into `out`, from its checkpoint if it has one; Ctrl-C or TERM
    ends after the step, with a checkpoint.

    `start` is the folder of a model to begin with, instead of drawn weights: a second course after
    a first. `stop_after` ends this call, not the run, after that many steps. `build` makes another
    model than `scbench.lab.shapes`; `save_tokenizer` writes the tokenizer's files beside the
    exported model. Raises BadConfig (settings, or other settings than the checkpoint's), DataError,
    CannotWrite, RunError (the loss is not a number).
    """
    if stop_after is not None and stop_after < 1:
        raise BadConfig(
            f"stop_after={stop_after}: give at least 1 step, or leave it out to go to the end"
        )
    if threads is not None:
        torch.set_num_threads(threads)
    training = training or Training()
    if start is not None:
        training = replace(training, start=checkpoint.weights_sha256(start))
    loop = _Loop(
        data,
        out,
        training,
        _device(device),
        build or (lambda given: _build(given, start)),
        save_tokenizer,
    )
    watch = curves.Watch(quiet=quiet)
    last_s = time.monotonic()
    try:
        watch.show(loop.opening(), now=True)
        with _stop_signal() as stopped:
            first = loop.step
            while (
                loop.step < loop.steps
                and not stopped()
                and (stop_after is None or loop.step - first < stop_after)
            ):
                loop.advance()
                watch.show(loop.line())
                if time.monotonic() - last_s >= checkpoint_s:
                    loop.save()
                    last_s = time.monotonic()
            loop.save()
    finally:
        watch.close()
    watch.show(loop.line(), now=True)
    return loop.result()


class _Loop:
    """The state of one run; between two calls of `advance` it is whole and can be saved."""

    def __init__(
        self,
        data: Path,
        out: Path,
        training: Training,
        device: torch.device,
        build: Build,
        save_tokenizer: Callable[[Path], object] | None,
    ) -> None:
        self.out, self.training, self.device, self.save_tokenizer = (
            out,
            training,
            device,
            save_tokenizer,
        )
        self.course = Course(
            data, seed=training.seed, step_tokens=training.step_tokens, schedule=training.schedule
        )
        if (highest := self.course.highest_id()) >= training.vocab:
            raise BadConfig(
                f"the data hold token {highest}, the model's vocabulary ends at "
                f"{training.vocab - 1}; raise vocab"
            )
        self.steps = min(training.steps or len(self.course), len(self.course))
        if training.steps is not None and training.steps > len(self.course):
            raise BadConfig(
                f"steps={training.steps}, but the data end after {len(self.course)}; write more, "
                f"or give fewer steps"
            )
        self.model = build(training).to(device)
        self.model.train()
        self.optimisers = Optimisers(
            self.model,
            lr=training.lr,
            adam_lr=training.adam_lr,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
        )
        automatic = "bfloat16" if device.type == "cuda" else "float32"
        self.precision = automatic if training.precision == "auto" else training.precision
        met = {"steps": self.steps, "precision": self.precision, "data": self.course.digest()}
        self.settings = {**json.loads(json.dumps(asdict(training))), **met}
        self.step, self.tokens, self.seconds, self.norm = 0, 0, 0.0, 0.0
        self.window = curves.new_window(len(names(Form.TINY)), device)
        self.last: dict[str, Any] = {"tasks": {}}  # no window is over yet
        lines = self._resume()
        self.curves = curves.Curves(out / "curves.jsonl", lines)
        self._begun = (self.seconds, self.tokens)

    def advance(self) -> None:
        """One step: forward, backward, both optimisers, the sums of the window."""
        began = time.perf_counter()
        batch = self.course.batch(self.step).to(self.device)
        factor = rate(
            self.step,
            steps=self.steps,
            warmup_steps=self.training.warmup_steps,
            floor_ratio=self.training.floor_ratio,
            decay=self.training.decay,
        )
        loss = self._backward(batch)
        self.norm = clip(self.model, self.training.clip_norm)
        if not (math.isfinite(loss) and math.isfinite(self.norm)):
            raise RunError(
                f"step {self.step}: loss {loss}, gradient norm {self.norm}; the checkpoint before "
                f"is kept. Lower --lr, in a new --out"
            )
        self.optimisers.step(factor)
        self.step, self.tokens = self.step + 1, self.tokens + batch.tokens
        self.seconds += time.perf_counter() - began
        if self.step % self.training.curve_steps == 0 or self.step == self.steps:
            self._point(factor)

    def _backward(self, batch: Batch) -> float:
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"
        ):
            logits = answer_logits(self.model, batch)
        losses = F.cross_entropy(logits.float(), batch.wanted, reduction="none")
        loss = losses.mean()
        loss.backward()  # type: ignore[no-untyped-call]
        curves.add(self.window, batch, logits.detach(), losses.detach())
        return float(loss.detach())

    def _point(self, factor: float) -> None:
        self.last = {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "phase": self.course.phase(self.step - 1),
            "lr": round(self.training.lr * factor, 6),
            "norm": round(self.norm, 4),
            **curves.summary(self.window, names(Form.TINY)),
        }
        self.curves.add(self.last)
        self.window.zero_()

    def save(self) -> None:
        """Checkpoint, and the model in the form that everyone reads."""
        state = {
            "settings": self.settings,
            "model": self.model.state_dict(),
            **self.optimisers.state_dict(),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            "window": self.window.cpu(),
            "curves": self.curves.lines,
            "last": self.last,
        }
        checkpoint.save(self.out / "checkpoint.pt", state)
        checkpoint.export(
            self.model, self.out / "model", card=self._card(), save_tokenizer=self.save_tokenizer
        )

    def _resume(self) -> list[str]:
        path = self.out / "checkpoint.pt"
        state = checkpoint.load(path)
        if state is None:
            torch.manual_seed(self.training.seed)
            return []
        checkpoint.check_same(self.settings, state["settings"], path)
        self.model.load_state_dict(state["model"])
        self.optimisers.load_state_dict(state)
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] and self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.window.copy_(state["window"])
        self.last = state["last"]
        return list(state["curves"])

    def _card(self) -> dict[str, Any]:
        done = {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "last": self.last,
        }
        longest = self.course.longest_row_tokens
        return {
            "made_by": "scbench lab train",
            "settings": self.settings,
            "longest_row_tokens": longest,
            **done,
        }

    def opening(self) -> str:
        weights = sum(one.numel() for one in self.model.parameters())
        whole = int(self.course.step_tokens[: self.steps].sum())
        start = f"goes on at step {self.step}" if self.step else "starts"
        return (
            f"{self.training.arch}: {weights / 1e6:.2f}M parameters, {self.steps} steps, "
            f"{whole / 1e6:.1f}M tokens, {100 * self.course.padding_ratio(self.steps):.1f} % "
            f"padding, {self.device.type}, {self.precision}, {torch.get_num_threads()} threads; "
            f"{start}"
        )

    def line(self) -> str:
        """Where the run is, how fast, and when it will end."""
        seconds, tokens = self.seconds - self._begun[0], self.tokens - self._begun[1]
        speed = tokens / seconds if seconds > 0 else 0.0
        left = int(self.course.step_tokens[self.step : self.steps].sum())
        end = (
            f"about {curves.spell_s(left / speed)} left"
            if speed and left
            else "at its end"
            if not left
            else "not begun"
        )
        now = (
            f"step {self.step}/{self.steps}, phase {self.course.phase(max(self.step - 1, 0))}, "
            f"{speed:,.0f} tokens/s, {end}"
        )
        if not self.last["tasks"]:
            return now
        return (
            f"{now}; loss {self.last['loss']:.3f}, exact {100 * self.last['exact']:.0f} %; worst "
            f"{curves.worst(self.last)}"
        )

    def result(self) -> Trained:
        return Trained(
            folder=self.out,
            steps=self.step,
            of_steps=self.steps,
            tokens=self.tokens,
            seconds=self.seconds,
            padding_ratio=self.course.padding_ratio(self.steps),
            last=self.last,
        )


def answer_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """[flagged, vocab]: the head is applied only where a flagged token is predicted, a tenth of all
    places or fewer.
    """
    hidden = model.base_model(input_ids=batch.ids[:, :-1], use_cache=False).last_hidden_state
    logits: Tensor = model.get_output_embeddings()(hidden.flatten(0, 1).index_select(0, batch.at))
    return logits


def _build(training: Training, start: Path | None) -> PreTrainedModel:
    from scbench.lab import scan, shapes

    model = shapes.build(
        training.arch,
        vocab=training.vocab,
        seed=training.seed,
        size=training.size,
        bos=training.bos,
        eos=training.eos,
    )
    if start is not None:
        checkpoint.load_weights(model, start)
    return scan.fast(model)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadConfig(f"--device {name}: this machine's torch sees no GPU; give cpu or auto")
    if name != "cpu" and not name.startswith("cuda"):
        raise BadConfig(f"--device {name!r}: it is auto, cpu, cuda or cuda:N")
    return torch.device(name)


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Within, INT and TERM only raise a flag, so that no step is cut in two; a second one acts as
    always.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def raise_flag(number: int, frame: FrameType | None) -> None:
        flag.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, raise_flag)
    try:
        yield flag.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
