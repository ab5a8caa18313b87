import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sg_train import Run, WordVectors
from sg_train.errors import RunError
from sg_train.training.train import train
from tests.conftest import read_metrics
from tests.test_train import config


def test_a_run_has_its_config_metrics_and_vectors(text: Path) -> None:
    Path("pairs.csv").write_text("w1 w2 3\nw3 w4 2\nw5 w6 1\n")
    settings = config(text).with_settings({"evaluation.similarity": ["pairs.csv"]})
    run = train(settings, "runs/r")
    assert (repr(run), run.path, run.is_done) == ("Run('runs/r')", Path("runs/r"), True)
    assert run.config.model.dimension == 8
    lines = read_metrics(run.path)
    metrics = run.metrics
    assert metrics["words"].tolist() == [line["words"] for line in lines]
    scores = [line.get("scores", {}).get("pairs", np.nan) for line in lines]
    np.testing.assert_array_equal(metrics["pairs"], np.array(scores, dtype=float))
    assert np.isnan(metrics["loss"]).sum() == 3  # a score has no loss
    opened = Run.open("runs/r")
    assert np.array_equal(opened.vectors.matrix, WordVectors.load("runs/r").matrix)
    assert opened.vectors is opened.vectors
    both = opened.load("u").matrix + opened.load("v").matrix
    assert np.array_equal(opened.load("sum").matrix, both)
    assert opened.vectors.counts is not None
    assert opened.vectors.counts.sum() == len(text.read_text().split())
    with pytest.raises(RunError, match="absent: no such directory"):
        Run.open("absent")


def test_a_run_is_resumed_and_extended(text: Path) -> None:
    run = train(config(text), "r")
    longer = run.resume(["training.epochs=5"])
    assert (longer.path, longer.config.training.epochs) == (run.path, 5)
    Path("more.txt").write_text("w1 w2 new w3 new\n" * 9)
    more = run.extend(["more.txt"], "more", overwrite=True)
    assert more.path == Path("more")
    assert "new" in more.vectors
    assert "new" not in run.vectors


def test_progress_is_what_metrics_hold(text: Path) -> None:
    seen: list[dict[str, Any]] = []
    train(config(text), "r", on_progress=seen.append)
    assert seen == read_metrics(Path("r"))
    assert json.dumps(seen)  # plain values


def test_progress_can_stop_a_run_that_then_resumes(text: Path, caplog) -> None:
    whole = train(config(text, epochs=9), "whole")
    calls = 0

    def stop(line: dict[str, Any]) -> bool:
        nonlocal calls
        calls += 1
        return line["epoch"] >= 3

    run = train(config(text, epochs=9), "r", on_progress=stop)
    assert not run.is_done
    assert calls == len(read_metrics(Path("r"))) < len(read_metrics(Path("whole")))
    with pytest.raises(RunError, match="r: unfinished"):
        run.load()
    again = run.resume(on_progress=lambda line: line["epoch"] == 6)
    assert not again.is_done
    done = again.resume()
    assert np.array_equal(done.vectors.matrix, whole.vectors.matrix)
    losses = done.metrics["loss"]
    np.testing.assert_array_equal(losses, whole.metrics["loss"])


def test_a_stop_at_the_end_changes_nothing(text: Path) -> None:
    run = train(config(text), "r", on_progress=lambda line: line["words"] >= 1845)
    assert run.metrics["words"][-1] == 1845
    assert run.is_done


def test_only_true_stops(text: Path) -> None:
    answers: list[Any] = [None, 1, "stop"]
    for answer in answers:
        say = partial(_say, answer)
        run = train(config(text), "r", overwrite=True, on_progress=say)
        assert run.is_done


def _say(answer: Any, _: dict[str, Any]) -> Any:
    return answer


def test_a_fault_in_on_progress_is_raised(text: Path) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        train(config(text), "r", on_progress=fail)
