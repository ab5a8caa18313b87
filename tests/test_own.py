from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sg_train import Run, SkipGram
from sg_train.engines import autograd, fused
from sg_train.engines.autograd import AutogradEngine
from sg_train.errors import RunError, SettingsError
from sg_train.runs.directory import RunDirectory
from sg_train.training.extend import extend
from sg_train.training.train import resume, train
from tests.conftest import Command
from tests.test_train import config


class Same(SkipGram):
    """Has the loss of its parent."""

    def pair_losses(self, dots: torch.Tensor) -> torch.Tensor:
        signs = torch.ones(dots.shape[-1])
        signs[1:] = -1
        return -F.logsigmoid(signs * dots)


class Doubled(SkipGram):
    """Has twice the loss of its parent."""

    def pair_losses(self, dots: torch.Tensor) -> torch.Tensor:
        return 2 * super().pair_losses(dots)


class Margin(SkipGram):
    """Wants the centre's product to be above those of negatives by 1."""

    def pair_losses(self, dots: torch.Tensor) -> torch.Tensor:
        missed = F.relu(1 - dots[..., :1] + dots[..., 1:])
        return F.pad(missed, (1, 0))


class Adagrad(AutogradEngine):
    """Has another optimizer."""

    def __init__(self, model: SkipGram, *args: Any, **how: Any) -> None:
        super().__init__(model, *args, **how)
        self.optimizer = torch.optim.Adagrad(model.parameters())


ADAGRAD = replace(
    autograd.SPEC,
    name="adagrad",
    build=partial(autograd.build, engine_class=Adagrad),
)


def u_of(run: Run) -> np.ndarray:
    return run.load("u").matrix


def test_a_model_with_the_same_loss_trains_the_same(text: Path) -> None:
    train(config(text, engine="autograd"), "theirs")
    run = train(config(text), "mine", model=Same)
    assert np.array_equal(u_of(run), u_of(Run.open("theirs")))
    theirs, mine = (Run.open(name).metrics["loss"] for name in ("theirs", "mine"))
    assert np.array_equal(theirs, mine)


def test_twice_the_loss_is_half_the_rate(text: Path) -> None:
    rates = {"learning_rate": 0.04, "final_learning_rate": 0.004}
    run = train(config(text, engine="autograd", **rates), "r")
    rates = {name: rate / 2 for name, rate in rates.items()}
    twice = train(config(text, **rates), "twice", model=Doubled)
    np.testing.assert_allclose(u_of(twice), u_of(run), rtol=1e-4, atol=1e-6)
    losses, doubled = run.metrics["loss"], twice.metrics["loss"]
    np.testing.assert_allclose(doubled, 2 * losses, rtol=1e-4)


def test_a_margin_loss_is_learnt_and_recorded(text: Path) -> None:
    run = train(config(text, epochs=20), "r", model=Margin)
    losses = run.metrics["loss"]
    assert losses[-5:].mean() < 0.95 * losses[:5].mean()
    own = RunDirectory(run.path).load_record().own
    assert own is not None
    assert (own.kind, own.name) == ("model", "tests.test_own.Margin")
    assert own.source is not None
    assert len(own.source) == 64


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch's own
def test_an_engine_of_the_users_own_trains(text: Path) -> None:
    same = replace(
        autograd.SPEC,
        name="same",
        build=partial(autograd.build, engine_class=AutogradEngine),
    )
    first = train(config(text, engine="autograd"), "r")
    assert np.array_equal(u_of(first), u_of(train(config(text), "same", engine=same)))
    other = train(config(text), "other", engine=ADAGRAD)
    assert not np.array_equal(u_of(first), u_of(other))
    own = RunDirectory(other.path).load_record().own
    assert own is not None
    assert (own.kind, own.name) == ("engine", "adagrad")
    assert other.resume(["training.epochs=4"], engine=ADAGRAD).is_done
    fast = train(config(text), "fast", engine=replace(fused.SPEC, name="f"))
    assert np.array_equal(u_of(fast), u_of(train(config(text), "fused")))


def test_a_run_resumes_with_the_part_that_it_began_with(
    text: Path, sg_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(text), "r", model=Margin)
    longer = ["training.epochs=4"]
    line = sg_train.refused("resume", "r", "--set", *longer)
    assert (
        "r: trains the model tests.test_own.Margin; resume it in Python, with" in line
    )
    with pytest.raises(RunError, match="Margin, not the model tests.test_own.Same"):
        resume("r", longer, model=Same)
    with pytest.raises(RunError, match="Margin, not the engine adagrad"):
        resume("r", longer, engine=ADAGRAD)
    with pytest.raises(
        SettingsError, match=r"r: trained the model .*Margin, which ext"
    ):
        extend("r", [str(text)], "x")
    with monkeypatch.context() as patch:
        patch.setattr("inspect.getsource", lambda _: "changed")
        with pytest.raises(RunError, match="r: the source of .*Margin has changed"):
            resume("r", longer, model=Margin)
    assert resume("r", longer, model=Margin).metrics["epoch"][-1] == 3
    train(config(text), "plain")
    with pytest.raises(RunError, match="plain: began without your own model"):
        resume("plain", longer, model=Margin)


def test_a_stopped_model_resumes_to_the_same_vectors(text: Path) -> None:
    whole = train(config(text, epochs=6), "whole", model=Margin)
    run = train(
        config(text, epochs=6),
        "r",
        model=Margin,
        on_progress=lambda line: line["epoch"] >= 2,
    )
    assert not run.is_done
    assert np.array_equal(u_of(run.resume(model=Margin)), u_of(whole))


def test_source_that_cannot_be_read_is_not_compared(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> str:
        raise OSError

    monkeypatch.setattr("inspect.getsource", fail)
    run = train(config(text), "r", model=Margin)
    own = RunDirectory(run.path).load_record().own
    assert own is not None
    assert own.source is None
    assert run.resume(["training.epochs=4"], model=Margin).is_done


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": Margin, "engine": ADAGRAD}, "give one of them"),
        ({"model": torch.nn.Linear}, "expected a subclass of SkipGram"),
        ({"model": 3}, "model=3: expected a subclass of SkipGram"),
        ({"engine": "fused"}, "engine='fused': expected an EngineSpec"),
    ],
)
def test_other_parts_are_refused(text: Path, parts: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        train(config(text), "r", **parts)
    assert not Path("r").exists()


def test_the_fused_engine_trains_no_other_model(text: Path) -> None:
    with pytest.raises(
        SettingsError, match="engine=fused: trains sg-train's own model"
    ):
        train(config(text, engine="fused"), "r", model=Margin)
