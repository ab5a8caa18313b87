import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sg_train.errors import MissingLibraryError, OutputError, TrainingError
from sg_train.runs.metrics import MetricsLine
from sg_train.training.tensorboard import TensorBoardWriter
from sg_train.vectors.word_vectors import WordVectors


def test_lines_become_scalars_by_words() -> None:
    line = MetricsLine(10, 1.0, loss=2.5, learning_rate=0.05, words_per_second=7.0)
    matrix = np.array([[1, 2], [3, 4.5]], dtype=np.float32)
    with TensorBoardWriter.opened(Path("board")) as board:
        assert board is not None
        board.add_line(line)
        board.add_line(replace(line, words=20, loss=None))
        board.add_line(MetricsLine(20, 1.0, scores={"wordsim": 0.5, "missing": None}))
        board.add_vectors(WordVectors(["a", "b"], matrix))
    events = EventAccumulator("board").Reload()
    assert sorted(events.Tags()["scalars"]) == [
        "learning_rate",
        "loss",
        "scores/wordsim",
        "words_per_second",
    ]
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(10, 2.5)]
    assert [(e.step, e.value) for e in events.Scalars("scores/wordsim")] == [(20, 0.5)]
    (metadata,) = Path("board").rglob("metadata.tsv")
    assert metadata.read_text() == "a\nb\n"
    (tensors,) = Path("board").rglob("tensors.tsv")
    assert np.array_equal(np.loadtxt(tensors), matrix)


def test_without_tensorboard_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingLibraryError, match="'sg-train.tensorboard.'$"):
        TensorBoardWriter(Path("board"))


def test_the_writer_is_closed_when_training_fails(monkeypatch) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(TensorBoardWriter, "close", lambda _: closed.append(True))

    def fail() -> None:
        with TensorBoardWriter.opened(Path("board")):
            raise TrainingError("the loss became nan")

    with pytest.raises(TrainingError, match="nan"):
        fail()
    assert closed == [True]


def test_without_a_directory_there_is_no_writer() -> None:
    with TensorBoardWriter.opened(None) as board:
        assert board is None


def test_a_linked_directory_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "board").symlink_to(tmp_path / "outside")
    with (
        pytest.raises(OutputError, match="board: a link, which is not followed"),
        TensorBoardWriter.opened(tmp_path / "board"),
    ):
        pass
    assert list((tmp_path / "outside").iterdir()) == []
