"""The map of words."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.reports.drawing import (
    PALETTE,
    new_axes,
    new_figure,
    plain_legend,
    style,
)
from sg_train.reports.labels import Labels
from sg_train.reports.placement import place_labels
from sg_train.vectors.word_map import (
    Projection,
    WordMap,
    content_words,
    make_map,
)
from sg_train.vectors.word_vectors import WordVectors
from sg_train.wording import listed, printable

_LOG = logging.getLogger(__name__)

_OF_NO_GROUP = "#888888"
_NO_LABELS = Labels()
_POINT = 14
_GAP = 4  # pixels at 100 dots an inch
_SIZE = (11, 8)  # inches


def draw_map(
    word_map: WordMap,
    title: str = "",
    labels: Labels = _NO_LABELS,
    axes: Any = None,
) -> tuple[Any, list[str]]:
    """Draw words as labelled points, coloured by cluster or group, with a legend.

    Args:
        word_map: words and their places.
        title: title above the picture.
        labels: what to write for words.
        axes: the matplotlib axes to draw on; by default those of a new figure.

    Returns:
        The matplotlib figure, and the words whose labels did not fit.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    with style():
        axes = axes or new_figure(*_SIZE).add_subplot()
        figure = axes.figure
        axes.set_axis_off()
        axes.set_title(printable(title), loc="left", parse_math=False)
        colours = [colour_of(cluster) for cluster in word_map.clusters.tolist()]
        axes.scatter(*word_map.places.T, s=_POINT, c=colours, linewidths=0)
        axes.margins(0.06)
        legend = add_legend(axes, legend_of(word_map, labels), 3 * _POINT, 4)
        names = [labels.name(word) for word in word_map.words]
        taken = [legend] if legend else []
        left_out = write_labels(axes, word_map.places, names, colours, taken)
    return figure, left_out


def write_labels(
    axes: Any,
    places: NDArray[np.float64],
    names: Sequence[str],
    colours: Sequence[str],
    taken: Sequence[Any] = (),
) -> list[str]:
    """Write names beside points so that none overlap; earlier names take precedence.

    Args:
        axes: the matplotlib axes, which have their final limits.
        places: (n, 2) of the points, in data coordinates.
        names: n texts.
        colours: n colours.
        taken: matplotlib artists that labels must not cover.

    Returns:
        The names that did not fit.
    """
    figure = axes.figure
    figure.canvas.draw()
    texts = [
        axes.text(
            0,
            0,
            printable(name),
            color=colour,
            ha="center",
            va="center",
            fontsize=9,
            parse_math=False,
        )
        for name, colour in zip(names, colours, strict=True)
    ]
    boxes = [text.get_window_extent() for text in texts]
    extents = [each.get_window_extent().extents for each in taken]
    centres = place_labels(
        axes.transData.transform(places),
        np.array([(box.width + 2, box.height) for box in boxes]),
        tuple(figure.bbox.size),
        _GAP,
        np.array(extents) if extents else None,
    )
    left_out = []
    for text, centre in zip(texts, centres, strict=True):
        if np.isnan(centre).any():
            left_out.append(text.get_text())
            text.remove()
        else:
            text.set_position(axes.transData.inverted().transform(centre))
    return left_out


def colour_of(cluster: int) -> str:
    """Return the colour of a cluster or group, or of words without one (-1)."""
    return _OF_NO_GROUP if cluster < 0 else PALETTE[cluster % len(PALETTE)]


def legend_of(word_map: WordMap, labels: Labels = _NO_LABELS) -> list[tuple[str, str]]:
    """Return each colour on a map and what it stands for; empty if there is only one.

    A cluster is described by its most central words, a group by its name.
    """
    titles = [
        (colour_of(number), ", ".join(map(labels.name, words)))
        for number, words in enumerate(word_map.titles)
    ]
    if -1 in word_map.clusters:
        titles.append((colour_of(-1), "other words"))
    return titles if len(titles) > 1 else []


def add_legend(
    axes: Any, titles: Sequence[tuple[str, str]], size: float, columns: int
) -> Any:
    """Explain colours below the axes, and return the legend; None without any.

    Args:
        axes: the matplotlib axes.
        titles: each colour and what it stands for.
        size: of the points, in square points.
        columns: of the legend, at most.
    """
    if not titles:
        return None
    points = [
        axes.scatter([], [], s=size, c=colour, label=f" {printable(name)}")
        for colour, name in titles
    ]
    legend = axes.legend(
        handles=points,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=min(columns, len(points)),
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
    )
    plain_legend(legend)
    return legend


def plot_map(
    vectors: WordVectors,
    words: Sequence[str] | None = None,
    *,
    count: int = 120,
    tsne: bool = False,
    labels: Labels = _NO_LABELS,
    title: str = "",
    axes: Any = None,
) -> Any:
    """Draw a map of words in a notebook or a figure of your own.

    Args:
        vectors: the vectors.
        words: words to draw; by default `count` content words.
        count: number of words to draw.
        tsne: whether t-SNE places the words, instead of PCA.
        labels: what to write for words, and the groups that colours show.
        title: title above the picture.
        axes: the matplotlib axes to draw on; by default pyplot's new ones.

    Returns:
        The axes.

    Raises:
        VectorsError: a word has no vector, or there are too few words.
        MissingLibraryError: a library is not installed.
    """
    chosen = content_words(vectors, count) if words is None else words
    projection: Projection = "tsne" if tsne else "pca"
    word_map = make_map(vectors, chosen, projection, groups=labels.groups)
    if axes is None:
        axes = new_axes(*_SIZE)
    _, left_out = draw_map(word_map, title, labels, axes)
    if left_out:
        some = listed(left_out, 10)
        _LOG.warning("no room for %d labels: %s", len(left_out), some)
    return axes
