"""Progress bars: on a terminal, in a notebook, and nowhere else."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tqdm import tqdm


def progress_bar(*, shown: bool = True, **how: Any) -> "tqdm[Any]":
    """Return a bar on stderr if that is a terminal, or the notebook's own in one.

    Args:
        shown: whether to show it at all.
        how: as for `tqdm.tqdm`.
    """
    if shown and _in_notebook():
        notebook = import_module("tqdm.notebook")
        bar: tqdm[Any] = notebook.tqdm(**how)
        return bar
    return tqdm(**how, disable=None if shown else True)


def word_bar(description: str) -> "tqdm[Any]":
    """Return a bar of words, whose number is not known beforehand."""
    return progress_bar(desc=description, unit=" words", unit_scale=True)


def _in_notebook() -> bool:
    """Return whether a notebook runs this code, and can show bars."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None
