import sys
from types import SimpleNamespace
from typing import Any

import pytest
from tqdm import tqdm

from sg_train.system import bars
from sg_train.system.bars import progress_bar


class NotebookBar(tqdm):  # type: ignore[type-arg]
    """Stands for tqdm's bar for notebooks, which needs a browser."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how, disable=True)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look as Jupyter does to the code that runs in it."""
    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", SimpleNamespace(tqdm=NotebookBar))
    monkeypatch.setattr(bars, "find_spec", lambda name: name == "ipywidgets")


def test_a_bar_is_silent_when_stderr_is_no_terminal(capsys) -> None:
    with progress_bar(total=3, desc="x") as bar:
        bar.update(3)
    assert bar.disable
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("notebook")
def test_a_notebook_has_a_bar_of_its_own() -> None:
    assert isinstance(progress_bar(total=3), NotebookBar)
    assert not isinstance(progress_bar(total=3, shown=False), NotebookBar)


@pytest.mark.usefixtures("notebook")
def test_a_notebook_without_widgets_and_a_console_have_the_usual_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bars, "find_spec", lambda _: None)
    assert not isinstance(progress_bar(total=3), NotebookBar)
    monkeypatch.setattr(bars, "find_spec", lambda _: True)
    console = SimpleNamespace(get_ipython=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "IPython", console)
    assert not isinstance(progress_bar(total=3), NotebookBar)
