"""The path of a word through periods, and its neighbourhood in each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sg_train.reports.drawing import PALETTE, new_figure, style
from sg_train.reports.labels import Labels
from sg_train.reports.map_drawing import add_legend, write_labels
from sg_train.vectors.paths import WordPath
from sg_train.wording import printable

_NO_LABELS = Labels()
_SEVERAL = "#666666"
_WORD = "#000000"
_ARROW = "#999999"
_POINT = 18
# Small enough that labels can be read on a phone.
_PATH_SIZE = (6.5, 5.5)  # inches
_PANEL_SIZE = (6.5, 3.8)


def draw_path(
    path: WordPath,
    names: Sequence[str],
    title: str = "",
    labels: Labels = _NO_LABELS,
) -> tuple[Any, list[str]]:
    """Draw a word's path through spaces, among the words that are near in them.

    Neighbours lie where they are on average; their colour shows in which space they
    are near.

    Args:
        path: the places.
        names: of the spaces.
        title: title above the picture; by default the word.
        labels: what to write for words.

    Returns:
        The matplotlib figure, and the labels that did not fit.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    (stops,) = np.nonzero(~np.isnan(path.places[:, 0]))
    way = path.places[stops]
    with style():
        word = labels.name(path.word)
        axes = _new_axes(new_figure(*_PATH_SIZE).add_subplot(), title or word)
        places = np.nanmean(path.word_places, axis=0)
        colours = [_colour(path, word) for word in path.words]
        axes.scatter(*places.T, s=_POINT, c=colours, linewidths=0)
        for start, end in pairwise(way):
            axes.annotate(
                "",
                end,
                start,
                zorder=0,
                arrowprops={"arrowstyle": "->", "color": _ARROW, "shrinkB": 4},
            )
        axes.scatter(*way.T, s=2 * _POINT, c=_WORD, zorder=3)
        axes.margins(0.12)
        legend = add_legend(axes, _legend_of(path, names), 2 * _POINT, 2)
        ways = [f"{word} {names[stop]}" for stop in stops.tolist()]
        left_out = write_labels(
            axes,
            np.concatenate((way, places)),
            [*ways, *map(labels.name, path.words)],
            [*([_WORD] * len(ways)), *colours],
            [legend],
        )
    return axes.figure, left_out


def draw_neighborhoods(
    path: WordPath,
    names: Sequence[str],
    title: str = "",
    labels: Labels = _NO_LABELS,
) -> tuple[Any, list[str]]:
    """Draw a word with its nearest words of each space, one panel a space.

    All panels show the same plane, so that words can be followed.

    Args:
        path: the places.
        names: of the spaces.
        title: title above the picture; by default the word.
        labels: what to write for words.

    Returns:
        The matplotlib figure, and the labels that did not fit.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    (stops,) = np.nonzero(~np.isnan(path.places[:, 0]))
    row_of = {word: row for row, word in enumerate(path.words)}
    left_out: list[str] = []
    with style():
        width, height = _PANEL_SIZE
        figure = new_figure(width, height * len(stops))
        title = title or labels.name(path.word)
        figure.suptitle(printable(title), x=0, ha="left", parse_math=False)
        panels = figure.subplots(len(stops), squeeze=False, sharex=True, sharey=True)
        contents = []
        for stop, axes in zip(stops.tolist(), panels[:, 0], strict=True):
            near = path.near[stop]
            rows = [row_of[word] for word in near]
            places = np.concatenate(
                (path.places[stop][None], path.word_places[stop, rows])
            )
            colours = [_WORD, *(_colour(path, word) for word in near)]
            _new_axes(axes, names[stop])
            axes.scatter(*places.T, s=_POINT, c=colours, linewidths=0)
            axes.margins(0.12)
            shown = [labels.name(word) for word in (path.word, *near)]
            contents.append((axes, places, shown, colours))
        add_legend(contents[-1][0], _legend_of(path, names), 2 * _POINT, 2)
        for content in contents:
            left_out += write_labels(*content)
    return figure, left_out


def _new_axes(axes: Any, title: str) -> Any:
    axes.set_axis_off()
    axes.set_title(printable(title), loc="left", parse_math=False)
    return axes


def _spaces_of(path: WordPath, word: str) -> list[int]:
    """Return the spaces in which a word is near."""
    return [number for number, near in enumerate(path.near) if word in near]


def _colour(path: WordPath, word: str) -> str:
    spaces = _spaces_of(path, word)
    return _SEVERAL if len(spaces) > 1 else PALETTE[spaces[0] % len(PALETTE)]


def _legend_of(path: WordPath, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return each colour, and where its words are near, in the order of the spaces."""
    shown = [(_colour(path, word), _spaces_of(path, word)) for word in path.words]
    titles = {
        colour: f"near in {names[spaces[0]]}"
        for colour, spaces in sorted(shown, key=lambda each: each[1])
        if len(spaces) == 1
    }
    if any(len(spaces) > 1 for _, spaces in shown):
        titles[_SEVERAL] = "near in several"
    return [*titles.items()]
