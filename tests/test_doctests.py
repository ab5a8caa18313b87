import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import sg_train
from tests.conftest import ROOT

MODULES = [
    "sg_train",
    *(found.name for found in pkgutil.walk_packages(sg_train.__path__, "sg_train.")),
]
MODULES.remove("sg_train.__main__")


def has_examples(name: str) -> bool:
    file = import_module(name).__file__
    return file is not None and ">>>" in Path(file).read_text()


@pytest.fixture(autouse=True)
def beside_the_sample(tmp_path: Path) -> None:
    for name in ("configs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)


@pytest.mark.parametrize("name", [name for name in MODULES if has_examples(name)])
def test_examples_show_what_happens(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_examples_on_a_page_show_what_happens(page: str) -> None:
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False)
    assert failed == 0
    assert tried > 3


def test_no_other_page_has_examples() -> None:
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    with_examples = [n for n in pages if ">>>" in (ROOT / "docs" / n).read_text()]
    assert with_examples == ["python.md"]


def test_nothing_else_is_public() -> None:
    names = ["Config", "Run", "SkipGram", "WordVectors", "train"]
    assert sorted(sg_train.__all__) == names
    assert all(getattr(sg_train, name).__doc__ for name in sg_train.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        _ = sg_train.Trainer
