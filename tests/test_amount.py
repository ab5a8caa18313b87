import re
from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config
from sg_train.errors import TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.training.amount import automatic_epochs, with_numbers
from sg_train.training.train import resume, train
from tests.conftest import ROOT, Command
from tests.test_train import config


def test_the_numbers_are_those_of_the_documented_table() -> None:
    page = (ROOT / "docs/notebook.md").read_text()
    (table,) = re.findall(r"\| words \| epochs \|\n\|---\|---\|\n((?:\|.*\n)+)", page)
    rows = [row.strip("|").split("|") for row in table.splitlines()]
    assert len(rows) > 5
    for words, epochs in rows:
        assert automatic_epochs(int(words.replace(",", ""))) == int(epochs), words


def test_more_text_gets_no_more_epochs() -> None:
    sizes = np.logspace(0, 12, 1000)
    epochs = [automatic_epochs(size) for size in sizes]
    assert epochs == sorted(epochs, reverse=True)
    assert all(isinstance(number, int) for number in epochs)
    assert epochs[-1] >= 1


def numbers_of(*overrides: str, share: float = 1.0) -> dict[str, float]:
    asked = Config().with_overrides(["sampling.subsample=0", *overrides])
    chosen, numbers = with_numbers(asked, np.array([900_000, 100_000]), share)
    assert chosen == asked.with_settings(numbers)
    return numbers


def test_numbers_are_obeyed_and_auto_is_replaced() -> None:
    epochs, rate = "training.epochs", "training.learning_rate"
    assert numbers_of() == {epochs: 18, rate: 0.025}
    assert numbers_of(f"{epochs}=3") == {rate: 0.05}
    assert numbers_of(f"{rate}=0.05") == {epochs: 9}
    assert numbers_of(f"{rate}=1") == numbers_of(f"{rate}=0.1")
    assert numbers_of(f"{rate}=1e-9") == numbers_of(f"{rate}=0.0125") == {epochs: 36}
    assert numbers_of(f"{epochs}=3", f"{rate}=0.1") == {}
    assert numbers_of(share=0.5)[epochs] == round(18 / 4)
    assert numbers_of(share=1e-9)[epochs] == 1


def test_the_run_holds_the_numbers(text: Path, caplog) -> None:
    auto = config(text, epochs="auto")
    train(auto, "r")
    run = RunDirectory(Path("r"))
    epochs = automatic_epochs(len(text.read_text().split()))
    assert run.load_config().training.epochs == epochs
    assert run.load_record().automatic == {
        "training.epochs": epochs,
        "training.learning_rate": 0.025,
    }
    assert (
        f"training.learning_rate=0.025, training.epochs={epochs}, by the size of the "
        "corpus" in caplog.messages
    )
    assert run.load_record().config_hash == auto.hash()
    train(Config.load("r/config.yaml"), "copy")
    assert RunDirectory(Path("copy")).load_record().automatic is None
    for name in ("vectors.txt", "weights.safetensors"):
        assert (Path("copy") / name).read_bytes() == (Path("r") / name).read_bytes()
    with pytest.raises(TrainingError, match=f"training.epochs={epochs + 5}"):
        resume("r", ["training.epochs=auto"])


def test_info_says_what_was_chosen(text: Path, sg_train: Command) -> None:
    train(config(text, epochs="auto", learning_rate=0.1), "r")
    assert "chosen automatically\ttraining.epochs\n" in sg_train("info", "r").stdout


def test_a_sweep_can_try_auto(text: Path, sg_train: Command) -> None:
    values = "sweep.values={training.epochs: [auto, 1]}"
    sets = ["sampling.subsample=0", "vocabulary.min_count=1", values]
    arguments = [word for setting in sets for word in ("--set", setting)]
    for earlier in (0, 2):  # the second time, both are recognised
        result = sg_train("train", "--corpus", text, "--out", "r", *arguments)
        assert result.exit_code == 0, result.output
        assert f"2 runs trained, {earlier} of them earlier" in result.stderr
    assert RunDirectory(Path("r-epochs-1")).load_config().training.epochs == 1
