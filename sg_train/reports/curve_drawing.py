"""The curves of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sg_train.errors import RunError, SettingsError
from sg_train.reports.drawing import (
    MARKERS,
    PALETTE,
    new_axes,
    new_figure,
    plain_legend,
    style,
)
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import (
    MetricsLine,
    as_columns,
    load_metrics,
    trained_lines,
)
from sg_train.wording import printable

_WHY_LOSS_RISES = (
    "A rise at the end is normal: the learning rate falls,\n"
    "so the model adapts less to the latest sentences."
)
_PARTS = 10
_LEAST_RISE = 0.02  # of the fall before


def draw_curves(lines: Sequence[MetricsLine], title: str = "") -> Any:
    """Draw loss, learning rate and scores over the words of a run.

    Args:
        lines: lines of metrics.jsonl.
        title: title above the picture.

    Returns:
        The matplotlib figure.

    Raises:
        MissingLibraryError: matplotlib is not installed.
        RunError: there is nothing to draw.
    """
    if not trained_lines(lines):
        raise RunError(f"{title}: has no metrics to draw yet")
    tests = sorted({test for line in lines for test in (line.scores or ())})
    panels = ["loss", "learning_rate", *(["scores"] if tests else [])]
    with style():
        figure = new_figure(8, 2.2 * len(panels) + 0.6)
        all_axes = figure.subplots(len(panels), sharex=True)
        all_axes[0].set_title(printable(title), loc="left", parse_math=False)
        for axes, key in zip(all_axes, panels[:2], strict=False):
            known = [line for line in lines if getattr(line, key) is not None]
            words = [line.words / 1e6 for line in known]
            axes.plot(words, [getattr(line, key) for line in known], color=PALETTE[0])
            axes.set_ylabel({"loss": "loss per pair"}.get(key, "learning rate"))
        held_out = [line for line in lines if line.held_out_loss is not None]
        if held_out:
            all_axes[0].plot(
                [line.words / 1e6 for line in held_out],
                [line.held_out_loss for line in held_out],
                color=PALETTE[1],
                marker="o",
                label="held out",
            )
            all_axes[0].legend(frameon=False, loc="lower left")
        if _rises([line.loss for line in lines if line.loss is not None]):
            all_axes[0].text(
                1,
                1,
                _WHY_LOSS_RISES,
                transform=all_axes[0].transAxes,
                ha="right",
                va="top",
                fontsize=8,
                color="#555555",
            )
        for number, test in enumerate(tests):
            scored = [
                (line.words / 1e6, score)
                for line in lines
                if (score := (line.scores or {}).get(test)) is not None
            ]
            all_axes[-1].plot(
                [words for words, _ in scored],
                [score for _, score in scored],
                color=PALETTE[number % len(PALETTE)],
                marker=MARKERS[number % len(MARKERS)],
                # matplotlib omits labels that begin with _
                label=f" {printable(test)}",
            )
        if tests:
            all_axes[-1].set_ylabel("score")
            legend = all_axes[-1].legend(
                frameon=False,
                loc="lower right",
                bbox_to_anchor=(1, 1),
                ncols=min(4, len(tests)),
            )
            plain_legend(legend)
        all_axes[-1].set_xlabel("million words")
        all_axes[-1].set_xlim(left=0)
    return figure


def _rises(losses: Sequence[float]) -> bool:
    """Return whether the loss, having fallen, is clearly higher at the end again."""
    parts = np.array_split(np.array(losses), min(len(losses), _PARTS))
    means = np.array([part.mean() for part in parts])
    fall = means[0] - means.min()
    return bool(means[-1] - means.min() > _LEAST_RISE * fall and means[-1] < means[0])


def plot_curve(run: str | Path, column: str = "loss", axes: Any = None) -> Any:
    """Draw one column of a run's metrics, in a notebook or a figure of your own.

    Args:
        run: a run directory.
        column: `loss`, `held_out_loss`, `learning_rate`, another column of
            metrics.jsonl, or the name of a test.
        axes: the matplotlib axes to draw on; by default pyplot's new ones.

    Returns:
        The axes.

    Raises:
        RunError: the run has no metrics.
        SettingsError: they have no such column.
        MissingLibraryError: matplotlib is not installed.
    """
    columns = as_columns(load_metrics(RunDirectory.open(Path(run)).metrics_file))
    if column not in columns:
        known = ", ".join(columns) or "none"
        raise SettingsError(f"{run}: has no column {column}; choose one of {known}")
    known_at = ~np.isnan(columns[column])
    axes = axes or new_axes(8, 4)
    words, values = columns["words"][known_at] / 1e6, columns[column][known_at]
    axes.plot(words, values, label=f" {printable(str(run))}")
    axes.set_xlabel("million words")
    axes.set_ylabel(column.replace("_", " "))
    return axes
