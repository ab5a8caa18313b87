"""How a figure depends on a setting, over the runs of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sg_train.errors import SettingsError
from sg_train.reports.comparison import (
    Entry,
    compare,
    differing_settings,
    figure_names,
)
from sg_train.reports.drawing import (
    MARKERS,
    PALETTE,
    new_axes,
    new_figure,
    plain_legend,
    style,
)
from sg_train.wording import printable

_SIZE = (8, 5)  # inches


def draw_sweep(paths: Sequence[Path], x: str, y: str, title: str = "") -> Any:
    """Draw a figure of runs against a setting, with error bars over seeds.

    Runs that differ in other settings as well are drawn as several lines.

    Args:
        paths: run directories.
        x: the setting, such as `model.dimension`.
        y: the figure, such as `loss` or the name of a test.
        title: title above the picture.

    Returns:
        The matplotlib figure.

    Raises:
        SettingsError: there is no such setting or figure.
        RunError: a path is no run.
        MissingLibraryError: matplotlib is not installed.
    """
    with style():
        axes = new_figure(*_SIZE).add_subplot()
        plot_sweep(paths, x, y, axes)
        axes.set_title(printable(title), loc="left", parse_math=False)
        return axes.figure


def plot_sweep(paths: Sequence[str | Path], x: str, y: str, axes: Any = None) -> Any:
    """Draw it in a notebook or a figure of your own; see `draw_sweep`.

    Args:
        paths: run directories.
        x: the setting.
        y: the figure.
        axes: the matplotlib axes to draw on; by default pyplot's new ones.

    Returns:
        The axes.
    """
    entries = compare([Path(path) for path in paths], None)
    entries = [entry for entry in entries if entry.settings]
    names, settings = figure_names(entries), [*dict.fromkeys(_settings(entries))]
    if x not in settings:
        differing = ", ".join(differing_settings(entries)) or "none"
        raise SettingsError(
            f"--x {x}: no such setting; the runs differ in these: {differing}"
        )
    if y not in names:
        raise SettingsError(
            f"--y {y}: no such figure of these runs; choose one of "
            f"{', '.join(names) or 'none'} (or name a test in the config)"
        )
    axes = axes or new_axes(*_SIZE)
    lines = _lines(entries, x, y)
    places = _places(lines)
    for number, (name, points) in enumerate(lines.items()):
        axes.errorbar(
            [places.get(value, value) for value, _, _ in points],
            [mean for _, mean, _ in points],
            yerr=[spread or 0.0 for _, _, spread in points],
            color=PALETTE[number % len(PALETTE)],
            marker=MARKERS[number % len(MARKERS)],
            capsize=3,
            label=f" {printable(name)}",
        )
    if places:
        axes.set_xticks([*places.values()], [str(value) for value in places])
    if len(lines) > 1:
        plain_legend(axes.legend(frameon=False))
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    return axes


def _settings(entries: Sequence[Entry]) -> list[str]:
    return [key for entry in entries for key in entry.settings]


def _lines(
    entries: Sequence[Entry], x: str, y: str
) -> dict[str, list[tuple[Any, float, float | None]]]:
    """Return the points of each line: value of x, mean and spread of y, in order."""
    others = [key for key in differing_settings(entries) if key != x]
    lines: dict[str, list[tuple[Any, float, float | None]]] = {}
    for entry in entries:
        if y in entry.figures:
            name = ", ".join(f"{key} {entry.settings.get(key)}" for key in others)
            figure = entry.figures[y]
            value = _hashable(entry.settings.get(x))
            point = value, figure.mean, figure.spread
            lines.setdefault(name, []).append(point)
    return {
        name: sorted(points, key=lambda point: _order(point[0]))
        for name, points in sorted(lines.items())
    }


def _places(
    lines: dict[str, list[tuple[Any, float, float | None]]],
) -> dict[Any, int]:
    """Return where values that are not all numbers lie; empty if they are."""
    values = {value for points in lines.values() for value, _, _ in points}
    if all(_is_number(value) for value in values):
        return {}
    return {value: place for place, value in enumerate(sorted(values, key=_order))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: object) -> tuple[bool, Any]:
    return (False, value) if _is_number(value) else (True, str(value))


def _hashable(value: object) -> object:
    return str(value) if isinstance(value, list | dict) else value
