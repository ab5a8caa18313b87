import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sg_train.errors import MissingLibraryError
from sg_train.training.board import Board
from sg_train.vectors.word_vectors import WordVectors


def test_lines_become_scalars_by_words() -> None:
    board = Board(Path("board"))
    line = {"words": 10, "loss": 2.5, "learning_rate": 0.05, "words_per_second": 7.0}
    board.add_line(line)
    board.add_line(line | {"words": 20, "loss": None})
    board.add_line({"words": 20, "scores": {"wordsim": 0.5, "missing": None}})
    matrix = np.array([[1, 2], [3, 4.5]], dtype=np.float32)
    board.close(WordVectors(["a", "b"], matrix))
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
    with pytest.raises(MissingLibraryError, match="pip install tensorboard$"):
        Board(Path("board"))
