from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sg_train.errors import RunError, SettingsError
from sg_train.reports.curve_drawing import draw_curves, plot_curve
from sg_train.reports.drawing import to_bytes
from sg_train.runs.metrics import MetricsLine
from tests.conftest import read_metrics

LINES = [
    MetricsLine(1_000_000, 1.0, loss=3.0, learning_rate=0.05),
    MetricsLine(2_000_000, 2.0, loss=None, learning_rate=0.02),
    MetricsLine(2_000_000, 2.0, scores={"sim": 0.5, "none": None}),
    MetricsLine(3_000_000, 3.0, loss=2.0, learning_rate=0.0),
    MetricsLine(3_000_000, 3.0, scores={"sim": 0.6, "none": None}),
]


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


def test_dollars_and_low_lines_are_no_markup() -> None:
    lines = [replace(LINES[0], scores={"$\\frac$": 1.0, "_x": 2.0})]
    svg = to_bytes(draw_curves(lines, "$x^$"), "svg").decode()
    assert "_x" in svg
    assert "$\\frac$" in svg


def test_one_column_is_drawn_on_axes(trained: Path) -> None:
    _, mine = plt.subplots()
    axes = plot_curve(trained, "loss", axes=mine)
    assert axes is mine
    lines = [line for line in read_metrics(trained) if line["loss"] is not None]
    points = np.asarray(axes.lines[0].get_xydata())
    np.testing.assert_allclose(points[:, 1], [line["loss"] for line in lines])
    np.testing.assert_allclose(points[:, 0], [line["words"] / 1e6 for line in lines])
    assert plot_curve(trained, "learning_rate").get_ylabel() == "learning rate"
    with pytest.raises(
        SettingsError, match="has no column x; choose one of words, sec"
    ):
        plot_curve(trained, "x")
    plt.close("all")
