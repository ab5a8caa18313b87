import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg_train.errors import MissingLibraryError, OutputError, RunError
from sg_train.reports.drawing import draw_curves, draw_map, save_figure, to_bytes
from sg_train.runs.metrics import MetricsLine
from sg_train.vectors.word_map import WordMap

LINES = [
    MetricsLine(1_000_000, 1.0, loss=3.0, learning_rate=0.05),
    MetricsLine(2_000_000, 2.0, loss=None, learning_rate=0.02),
    MetricsLine(2_000_000, 2.0, scores={"sim": 0.5, "none": None}),
    MetricsLine(3_000_000, 3.0, loss=2.0, learning_rate=0.0),
    MetricsLine(3_000_000, 3.0, scores={"sim": 0.6, "none": None}),
]


def word_map(count: int = 60) -> WordMap:
    generator = np.random.default_rng(1)
    names = [f"word{i}" for i in range(count - 1)] + ["東京"]
    return WordMap(names, generator.normal(size=(count, 2)), np.arange(count) % 5)


def test_labels_on_the_map_do_not_overlap() -> None:
    figure, left_out = draw_map(word_map(), "title")
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.texts]
    assert len(boxes) + len(left_out) == 60
    assert len(boxes) > 40
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    crowded = WordMap(["a"] * 50, np.zeros((50, 2)), np.zeros(50, dtype=np.int64))
    assert len(draw_map(crowded)[1]) > 20


def test_curves_show_what_was_measured() -> None:
    loss, rate, scores = draw_curves(LINES, "run").axes
    assert loss.lines[0].get_xydata().tolist() == [[1, 3], [3, 2]]
    assert rate.lines[0].get_xydata().tolist() == [[1, 0.05], [2, 0.02], [3, 0]]
    shown = {
        line.get_label().strip(): line.get_xydata().tolist() for line in scores.lines
    }
    assert shown == {"none": [], "sim": [[2, 0.5], [3, 0.6]]}
    assert len(draw_curves(LINES[:2]).axes) == 2
    with pytest.raises(RunError, match="run: has no metrics to draw yet"):
        draw_curves(LINES[1:2], "run")


@pytest.mark.parametrize(
    ("losses", "explained"),
    [
        ([2.0, 0.5, 1.0], True),
        ([2.0, 0.5, 0.4], False),
        ([2.0, 0.5, 0.501], False),  # noise
        ([2.0, 1.5, 9.0], False),  # not the falling rate
        ([2.0], False),
    ],
)
def test_a_rise_of_the_loss_at_the_end_is_explained(losses, explained) -> None:
    lines = [
        replace(LINES[0], words=n * 10, loss=loss)
        for n, loss in enumerate(losses, start=1)
    ]
    picture = to_bytes(draw_curves(lines), "svg").decode()
    assert ("A rise at the end is normal" in picture) == explained


def test_pictures_are_written_by_their_ending() -> None:
    figure, _ = draw_map(word_map())
    save_figure(figure, Path("map.png"))
    with Image.open("map.png") as image:
        assert image.size == (1650, 1200)
    save_figure(figure, Path("map.svg"))
    svg = Path("map.svg").read_text()
    assert set(re.findall(r">(word\d+)<", svg)) >= {"word0", "word1"}
    save_figure(figure, Path("map.pdf"))
    assert Path("map.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(
        OutputError, match="map.jpg: unknown kind of picture; the name must end in .png"
    ):
        save_figure(figure, Path("map.jpg"))


def test_dollars_and_low_lines_are_no_markup() -> None:
    words = WordMap(
        ["$\\frac$", "$a$", "_b"], np.eye(3, 2), np.zeros(3, dtype=np.int64)
    )
    svg = to_bytes(draw_map(words, "$x^$")[0], "svg").decode()
    assert "$\\frac$" in svg
    assert "$a$" in svg
    lines = [replace(LINES[0], scores={"$\\frac$": 1.0, "_x": 2.0})]
    svg = to_bytes(draw_curves(lines, "$x^$"), "svg").decode()
    assert "_x" in svg
    assert "$\\frac$" in svg


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_the_same_picture_gives_the_same_bytes(form: str) -> None:
    one, other = (to_bytes(draw_map(word_map())[0], form) for _ in range(2))
    assert one == other


def test_without_matplotlib_there_is_one_line(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        MissingLibraryError, match="drawing needs matplotlib, .*'sg-train.plot.'$"
    ):
        draw_map(word_map())
