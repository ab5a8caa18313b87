import json
import sys

import pytest

from sg_train.errors import MissingLibraryError
from sg_train.system.optional import require


def test_what_is_installed_is_imported() -> None:
    assert require("json", "This", "extra") is json


def test_what_is_missing_is_named_with_the_command() -> None:
    with pytest.raises(MissingLibraryError) as caught:
        require("no_such_module.part", "drawing", "plot")
    assert str(caught.value) == (
        "drawing needs no_such_module, which is not installed: "
        f"{sys.executable} -m pip install 'sg-train[plot]'"
    )
