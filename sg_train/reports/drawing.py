"""Pictures: a map of words, and the curves of a run."""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sg_train.errors import OutputError, RunError
from sg_train.reports.labels import place_labels
from sg_train.runs.metrics import MetricsLine, trained_lines
from sg_train.system.files import atomic_file, behind_link
from sg_train.system.optional import require
from sg_train.vectors.word_map import WordMap
from sg_train.wording import printable

# Okabe and Ito (2008), for any kind of colour vision; without their yellow.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_ENDINGS = (".png", ".svg", ".pdf")
# After matplotlib's own font, those for other scripts, if installed.
_FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "WenQuanYi Zen Hei")
_WHY_LOSS_RISES = (
    "A rise at the end is normal: the learning rate falls,\n"
    "so the model adapts less to the latest sentences."
)
_PARTS = 10
_LEAST_RISE = 0.02  # of the fall before
_POINT = 14
_GAP = 4  # pixels at 100 dots an inch


def check_picture(path: Path, *, is_map: bool = False, tsne: bool = False) -> None:
    """Check what a picture needs before the work on it begins.

    Args:
        path: the file to write.
        is_map: whether it shows a map of words.
        tsne: whether t-SNE places the words.

    Raises:
        OutputError: the file's ending is not that of a picture.
        MissingLibraryError: a library is not installed.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise OutputError(
            f"{path}: unknown kind of picture; the name must end in "
            f"{', '.join(_ENDINGS)}"
        )
    require("matplotlib", "a picture", "plot")
    if is_map:
        require("scipy", "a map of words", "plot")
    if tsne:
        require("sklearn", "t-SNE", "tsne")


def draw_map(word_map: WordMap, title: str = "") -> tuple[Any, list[str]]:
    """Draw words as labelled points, coloured by cluster.

    Returns:
        The matplotlib figure, and the words whose labels did not fit.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    with _style():
        figure = _new_figure(11, 8)
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_title(printable(title), loc="left", parse_math=False)
        colours = [PALETTE[cluster % len(PALETTE)] for cluster in word_map.clusters]
        axes.scatter(*word_map.places.T, s=_POINT, c=colours, linewidths=0)
        axes.margins(0.06)
        figure.canvas.draw()
        labels = [
            axes.text(
                0,
                0,
                printable(word),
                color=colour,
                ha="center",
                va="center",
                fontsize=9,
                parse_math=False,
            )
            for word, colour in zip(word_map.words, colours, strict=True)
        ]
        boxes = [label.get_window_extent() for label in labels]
        centres = place_labels(
            axes.transData.transform(word_map.places),
            np.array([(box.width + 2, box.height) for box in boxes]),
            tuple(figure.bbox.size),
            _GAP,
        )
        left_out = []
        for label, centre in zip(labels, centres, strict=True):
            if np.isnan(centre).any():
                left_out.append(label.get_text())
                label.remove()
            else:
                label.set_position(axes.transData.inverted().transform(centre))
    return figure, left_out


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
    with _style():
        figure = _new_figure(8, 2.2 * len(panels) + 0.6)
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
                marker="osD^vP*"[number % 7],  # not only by colour
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
            for text in legend.get_texts():
                text.set_parse_math(False)
        all_axes[-1].set_xlabel("million words")
        all_axes[-1].set_xlim(left=0)
    return figure


def _rises(losses: Sequence[float]) -> bool:
    """Return whether the loss, having fallen, is clearly higher at the end again."""
    parts = np.array_split(np.array(losses), min(len(losses), _PARTS))
    means = np.array([part.mean() for part in parts])
    fall = means[0] - means.min()
    return bool(means[-1] - means.min() > _LEAST_RISE * fall and means[-1] < means[0])


def undrawable(texts: Iterable[str]) -> list[str]:
    """Return the characters that no installed font has; pictures show boxes for them.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    manager = require("matplotlib.font_manager", "a picture", "plot")
    matplotlib = require("matplotlib", "a picture", "plot")
    known: set[int] = set()
    with _style():
        for family in matplotlib.rcParams["font.family"]:
            font = manager.get_font(manager.findfont(family))
            known.update(font.get_charmap())
    characters = dict.fromkeys("".join(texts))
    return [
        character
        for character in characters
        if ord(character) not in known and character.isprintable()
    ]


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, depending on the file's ending.

    Raises:
        OutputError: the ending is not one of these, or the file cannot be written.
    """
    check_picture(path)
    content = to_bytes(figure, path.suffix.lower()[1:])
    with atomic_file(behind_link(path)) as file:
        file.write(content)


def to_bytes(figure: Any, form: str) -> bytes:
    """Render a figure in a file format; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with _style(), warnings.catch_warnings():
        # Characters that no installed font has are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    matplotlib = require("matplotlib", "drawing", "plot")
    fonts = set(require("matplotlib.font_manager", "drawing", "plot").get_font_names())
    settings = {
        "font.family": [
            *(font for font in _FONTS if font in fonts),
            *sorted(
                font for font in fonts - {*_FONTS} if font.startswith("Noto Sans ")
            ),
        ],
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "sg-train",
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def _new_figure(width: float, height: float) -> Any:
    figures = require("matplotlib.figure", "drawing", "plot")
    figure = figures.Figure(figsize=(width, height), layout="constrained")
    agg = require("matplotlib.backends.backend_agg", "drawing", "plot")
    agg.FigureCanvasAgg(figure)
    return figure
