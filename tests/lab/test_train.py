"""Training: it learns, a killed run goes on bit for bit, and what it leaves is an ordinary
checkpoint.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from scbench.errors import BadConfig, CannotWrite, DataError, RunError
from scbench.lab import checkpoint, shapes
from scbench.lab.batches import Course
from scbench.lab.commands import lab
from scbench.lab.optim import split
from scbench.lab.train import Trained, Training, answer_logits, train

Corpus = Callable[..., Path]
VOCAB = 40


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tiny(**words: Any) -> Training:
    given = {
        "size": "tiny",
        "vocab": VOCAB,
        "step_tokens": 512,
        "warmup_steps": 3,
        "curve_steps": 2,
    }
    return Training(**{**given, **words})


def run(data: Path, out: Path, training: Training, **words: Any) -> Trained:
    return train(data, out, training, device="cpu", quiet=True, **words)


def weights(out: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(out / "checkpoint.pt")
    assert state is not None
    found: dict[str, torch.Tensor] = state["model"]
    return found


def curve(out: Path) -> list[dict[str, Any]]:
    points = [json.loads(line) for line in (out / "curves.jsonl").read_text().splitlines()]
    return [{key: value for key, value in point.items() if key != "seconds"} for point in points]


@pytest.mark.slow
def test_training_lowers_the_loss_and_raises_accuracy(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus(rows=800), tmp_path / "out", tiny(warmup_steps=5, curve_steps=10))
    points = curve(tmp_path / "out")
    assert points[-1]["loss"] < 0.6 * points[0]["loss"]
    assert points[-1]["token"] > 0.5 > points[0]["token"]


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
def test_stopping_and_going_on_changes_no_bit(corpus: Corpus, tmp_path: Path, arch: str) -> None:
    data, straight, broken = corpus(phases=2), tmp_path / "straight", tmp_path / "broken"
    training = tiny(arch=arch, steps=6, step_tokens=1024)
    assert run(data, straight, training).finished
    assert len({Course(data, seed=0, step_tokens=1024).phase(step) for step in range(6)}) == 2
    assert not run(data, broken, training, stop_after=3).finished
    with (broken / "curves.jsonl").open("a") as file:
        file.write('{"step": "of a step that the checkpoint does not hold"}\n')
    torch.manual_seed(1234)
    assert run(data, broken, training).steps == 6
    ours, theirs = weights(straight), weights(broken)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert curve(straight) == curve(broken)


def test_a_signal_ends_after_the_step_with_a_checkpoint(corpus: Corpus, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    kills = iter([True])

    def kill(_: Path) -> None:
        if next(kills, False):
            signal.raise_signal(signal.SIGTERM)

    found = run(corpus(), tmp_path / "out", tiny(steps=4), checkpoint_s=0.0, save_tokenizer=kill)
    assert (found.steps, found.finished) == (1, False)
    assert signal.getsignal(signal.SIGTERM) == before
    assert run(corpus(), tmp_path / "out", tiny(steps=4)).finished


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.02}, "lr is 0.02 and was 0.01"),
        ({"arch": "mamba2"}, "arch"),
        ({"steps": 3}, "steps"),
    ],
)
def test_going_on_under_other_settings_is_refused_by_name(
    corpus: Corpus, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    data = corpus()
    run(data, tmp_path / "out", tiny(steps=4), stop_after=1)
    with pytest.raises(BadConfig, match=said):
        run(data, tmp_path / "out", tiny(**{"steps": 4, **change}))


def test_going_on_with_other_data_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    run(corpus(), tmp_path / "out", tiny(steps=4), stop_after=1)
    with pytest.raises(BadConfig, match="data is"):
        run(corpus(seed=9, name="other"), tmp_path / "out", tiny(steps=4))


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
def test_the_export_is_an_ordinary_checkpoint_with_the_trained_weights(
    corpus: Corpus, tmp_path: Path, arch: str
) -> None:
    data = corpus()
    found = run(data, tmp_path / "out", tiny(arch=arch, steps=2, bos=1, eos=4))
    model = AutoModelForCausalLM.from_pretrained(found.model)
    assert model.dtype == torch.float32
    trained = weights(tmp_path / "out")
    assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())
    assert json.loads((found.model / "lab.json").read_text())["settings"]["arch"] == arch
    assert (model.config.bos_token_id, model.config.eos_token_id) == (1, 4)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "checkpoint.pt",
        "curves.jsonl",
        "model",
    }


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
def test_answers_do_not_see_the_padding_behind_other_rows(corpus: Corpus, arch: str) -> None:
    model = shapes.build(arch, vocab=VOCAB, size="tiny")
    course = Course(corpus(longest_tokens=100), seed=0, step_tokens=2048)
    shards, rows = course.phases[0], course.steps[0][1]
    with torch.no_grad():
        together = answer_logits(model, shards.batch(rows))
        alone = torch.cat(
            [
                model(shards.batch(rows[i : i + 1]).ids).logits[0, shards.batch(rows[i : i + 1]).at]
                for i in range(len(rows))
            ]
        )
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arch", shapes.ARCHITECTURES)
def test_every_weight_has_one_optimiser_and_only_matrices_of_blocks_go_to_muon(arch: str) -> None:
    model = shapes.build(arch, vocab=VOCAB, size="tiny")
    matrices, embeddings, others = split(model)
    assert sorted([*matrices, *embeddings, *others]) == sorted(
        name for name, _ in model.named_parameters()
    )
    assert all(weight.ndim == 2 and weight.shape[0] != VOCAB for weight in matrices.values())
    assert [weight.shape[0] for weight in embeddings.values()] == [VOCAB]
    assert all(weight.ndim != 2 for weight in others.values())


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CannotWrite, match="no space"):
        checkpoint.save(path, {"step": 2})
    assert (checkpoint.load(path) or {})["step"] == 1


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"something else")
    with pytest.raises(DataError, match="is not a checkpoint"):
        checkpoint.load(tmp_path / "checkpoint.pt")


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    corpus: Corpus, tmp_path: Path
) -> None:
    def broken(training: Training) -> Any:
        model = shapes.build("transformer", vocab=VOCAB, size="tiny")
        with torch.no_grad():
            model.get_input_embeddings().weight.fill_(float("nan"))
        return model

    with pytest.raises(RunError, match="step 0: loss nan"):
        run(corpus(), tmp_path / "out", tiny(steps=2), build=broken)
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"vocab": 10}, "vocabulary ends at 9"),
        ({"steps": 10_000}, "the data end after"),
        ({"decay": "steep"}, "cosine or linear"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"precision": "float8"}, "bfloat16"),
    ],
)
def test_settings_that_cannot_work_are_refused_first(
    corpus: Corpus, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadConfig, match=said):
        run(corpus(), tmp_path / "out", tiny(**wrong))


@pytest.mark.parametrize("steps", [0, -5])
def test_a_call_that_would_take_no_step_is_refused_before_anything_is_written(
    tmp_path: Path, steps: int
) -> None:
    with pytest.raises(BadConfig, match=f"stop_after={steps}"):
        train(tmp_path / "data", tmp_path / "run", stop_after=steps, quiet=True)
    assert not list(tmp_path.iterdir())


def test_bfloat16_products_train_float32_weights(corpus: Corpus, tmp_path: Path) -> None:
    for arch in shapes.ARCHITECTURES:
        run(corpus(), tmp_path / arch, tiny(arch=arch, steps=2, precision="bfloat16"))
        assert {value.dtype for value in weights(tmp_path / arch).values()} == {torch.float32}


def test_the_command_trains_and_leaves_a_model_with_its_tokenizer(
    corpus: Corpus, tmp_path: Path
) -> None:
    words = [
        "train",
        "--arch",
        "hybrid",
        "--size",
        "tiny",
        "--data",
        str(corpus()),
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(
        lab,
        [
            *words,
            "--steps",
            "2",
            "--step-tokens",
            "512",
            "--threads",
            "1",
            "--device",
            "cpu",
            "--quiet",
        ],
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "model" / "tokenizer.json").is_file()
    assert len(curve(tmp_path / "out")) == 1


def test_a_closed_stderr_does_not_end_the_training(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    assert train(corpus(), tmp_path / "out", tiny(steps=2), device="cpu").finished


def test_help_does_not_import_torch() -> None:
    code = "import sys, scbench.lab.commands, scbench.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_second_course_starts_from_the_weights_of_the_first(
    corpus: Corpus, tmp_path: Path
) -> None:
    still = {"steps": 1, "lr": 1e-9, "adam_lr": 1e-12}
    first = run(corpus(name="one"), tmp_path / "first", tiny(steps=3))
    run(corpus(name="two", seed=5), tmp_path / "second", tiny(**still), start=first.model)
    run(corpus(name="two", seed=5), tmp_path / "drawn", tiny(**still))
    one, two, drawn = (weights(tmp_path / name) for name in ("first", "second", "drawn"))
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)
    assert not all(torch.allclose(one[name], drawn[name], atol=1e-3) for name in one)


def test_a_course_cannot_start_from_another_shape_or_from_nothing(
    corpus: Corpus, tmp_path: Path
) -> None:
    first = run(corpus(), tmp_path / "first", tiny(steps=1))
    with pytest.raises(BadConfig, match="same --arch and --size"):
        run(corpus(), tmp_path / "other", tiny(steps=1, arch="mamba2"), start=first.model)
    with pytest.raises(BadConfig, match=r"holds no model\.safetensors"):
        run(corpus(), tmp_path / "other", tiny(steps=1), start=tmp_path / "nowhere")
