"""What all pictures share: style, fonts and files."""

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sg_train.errors import OutputError
from sg_train.system.files import atomic_file, behind_link
from sg_train.system.optional import require

# Okabe and Ito (2008), for any kind of colour vision; without their yellow.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vP*"  # so that not only colours differ
_ENDINGS = (".png", ".svg", ".pdf")
# After matplotlib's own font, those for other scripts, if installed.
_FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "WenQuanYi Zen Hei")


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


def undrawable(texts: Iterable[str]) -> list[str]:
    """Return the characters that no installed font has; pictures show boxes for them.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    manager = require("matplotlib.font_manager", "a picture", "plot")
    matplotlib = require("matplotlib", "a picture", "plot")
    known: set[int] = set()
    with style():
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
    with style(), warnings.catch_warnings():
        # Characters that no installed font has are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of all pictures inside the `with` block."""
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


def new_figure(width: float, height: float) -> Any:
    """Return a matplotlib figure of a size in inches, without pyplot."""
    figures = require("matplotlib.figure", "drawing", "plot")
    figure = figures.Figure(figsize=(width, height), layout="constrained")
    agg = require("matplotlib.backends.backend_agg", "drawing", "plot")
    agg.FigureCanvasAgg(figure)
    return figure


def new_axes(width: float, height: float) -> Any:
    """Return axes of a new pyplot figure, which a notebook shows."""
    pyplot = require("matplotlib.pyplot", "a picture", "plot")
    _, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    return axes


def plain_legend(legend: Any) -> None:
    """Keep dollars in a legend's texts from starting formulas."""
    for text in legend.get_texts():
        text.set_parse_math(False)
