import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sg_train.blocks import BlockRef
from sg_train.engines.base import BlockResult
from sg_train.errors import OutputError
from sg_train.runs.metrics import MetricsLine
from sg_train.training.progress import Progress


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the clock forward by some seconds."""
    now = 1000.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    return wait


def result(words: int, pairs: int, loss: float, rate: float = 0.1) -> BlockResult:
    return BlockResult(BlockRef(0, 0), words, pairs, loss, rate)


def test_lines_are_means_over_their_own_share(tmp_path: Path, wait) -> None:
    file = tmp_path / "metrics.jsonl"
    with Progress(file, words=1000) as progress:
        wait(0.25)
        progress.add(result(4, 10, 30.0))
        wait(0.25)
        progress.add(result(6, 30, 50.0, rate=0.05))  # ten words: a hundredth
        wait(4)
        progress.add(result(985, 0, 0.0))
        wait(0.5)
        progress.add(result(5, 4, 4.0))  # the rest
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["words"] for line in lines] == [10, 995, 1000]
    assert [line["loss"] for line in lines] == [2.0, None, 1.0]
    assert lines[0]["learning_rate"] == 0.05
    assert [line["seconds"] for line in lines] == [0.5, 4.5, 5.0]
    # From the last line that was a second ago: 10 / 0.5, 985 / 4 and 990 / 4.5.
    assert [line["words_per_second"] for line in lines] == [20, 246.2, 220]


def test_many_blocks_make_about_a_hundred_lines(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    with Progress(file, words=50_000) as progress:
        for _ in range(5000):
            progress.add(result(10, 1, 1.0))
    assert len(file.read_text().splitlines()) == 100


def test_scores_have_lines_of_their_own_and_take_no_time(tmp_path: Path, wait) -> None:
    file = tmp_path / "metrics.jsonl"
    heard: list[MetricsLine] = []
    with Progress(file, words=100, listener=heard.append) as progress:
        wait(0.25)
        progress.add(result(50, 1, 1.0))
        with progress.pause():
            wait(3)
            progress.add_scores({"wordsim": 0.5, "none": None, "zero": 0.0})
        wait(0.25)
        progress.add(result(50, 1, 1.0))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [json.loads(line.to_json()) for line in heard] == lines
    assert lines[1]["scores"] == {"wordsim": 0.5, "none": None, "zero": 0.0}
    assert progress._shown_scores == ", wordsim 0.500, zero 0.000"
    assert (lines[1]["words"], lines[1]["epoch"]) == (50, 0)
    assert lines[2]["seconds"] == 0.5
    assert lines[2]["words_per_second"] == 200


def test_an_unwritable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write .*metrics.jsonl: No such"):
        Progress(tmp_path / "missing" / "metrics.jsonl", words=1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_reported_once_and_nothing_is_lost(
    tmp_path: Path, caplog
) -> None:
    with Progress(tmp_path / "m", words=1) as progress:
        progress._file.close()
        with Path("/dev/full").open("wb", buffering=0) as progress._file:
            progress.add(result(1, 1, 1.0))
            progress.add(result(2, 1, 1.0))
        (message,) = caplog.messages
        assert message.endswith("m: No space left on device; training continues")
        progress._file = (tmp_path / "m").open("ab", buffering=0)  # there is room again
        progress.add(result(3, 1, 1.0))
    lines = [json.loads(line) for line in (tmp_path / "m").read_text().splitlines()]
    assert [line["words"] for line in lines] == [1, 3, 6]


def test_a_resumed_run_keeps_the_lines_up_to_its_state(tmp_path: Path) -> None:
    file = tmp_path / "m"
    with Progress(file, words=1000) as progress:
        progress.add(result(10, 1, 2.0))
        progress.add(result(5, 1, 7.0))
        state = progress.state()
        progress.add(result(25, 1, 4.0))
    with file.open("a") as torn:
        torn.write('{"words": 1')
    with Progress(file, words=1000, state=state) as progress:
        progress.add(result(5, 1, 3.0))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["words"] for line in lines] == [10, 20]
    assert [line["loss"] for line in lines] == [2.0, 5.0]
    assert lines[0]["seconds"] < lines[1]["seconds"]
    assert lines[1]["words_per_second"] > 0
