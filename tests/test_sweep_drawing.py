from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sg_train.errors import RunError, SettingsError
from sg_train.reports.sweep_drawing import draw_sweep, plot_sweep
from tests.test_comparison import make_run


def runs() -> list[Path]:
    """Make runs of two dimensions and two windows, with two seeds of one of them."""
    return [
        make_run("a1", 0.4, 2.0, seed=1, dimension=5),
        make_run("a2", 0.6, 2.2, seed=2, dimension=5),
        make_run("b", 0.7, 1.9, seed=1, dimension=20),
    ]


def test_a_figure_is_drawn_against_a_setting_with_its_spread() -> None:
    (axes,) = draw_sweep(runs(), "model.dimension", "sim", "$t").axes
    (container,) = axes.containers
    line, _, (bars,) = container
    places = np.asarray(line.get_xydata())
    np.testing.assert_allclose(places, [[5, 0.5], [20, 0.7]])
    ends = [np.asarray(part)[:, 1].tolist() for part in bars.get_segments()]
    spread = np.std([0.4, 0.6], ddof=1)
    expected = np.array([[0.5 - spread, 0.5 + spread], [0.7, 0.7]])
    np.testing.assert_allclose(np.array(ends, dtype=float), expected)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("model.dimension", "sim")
    assert axes.get_title(loc="left") == "$t"
    assert axes.get_legend() is None


def test_other_settings_make_lines_of_their_own() -> None:
    _, mine = plt.subplots()
    axes = plot_sweep(runs(), "training.seed", "loss", axes=mine)
    assert axes is mine
    shown = [text.get_text().strip() for text in axes.get_legend().get_texts()]
    assert shown == ["model.dimension 20", "model.dimension 5"]
    plt.close("all")


def test_values_that_are_no_numbers_get_places() -> None:
    axes = plot_sweep(runs(), "corpus.case", "sim")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lower"]
    plt.close("all")


def test_what_runs_do_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--x x: no .* in these: model.dimension"):
        draw_sweep(runs(), "x", "sim")
    with pytest.raises(SettingsError, match="--y y: .* choose one of .*sim"):
        draw_sweep(runs(), "model.dimension", "y")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="not a run directory"):
        draw_sweep([tmp_path / "empty"], "model.dimension", "sim")
