import json

import pytest

from sg_train.errors import MissingLibraryError
from sg_train.system.optional import require


def test_what_is_installed_is_imported() -> None:
    assert require("json", "json", "This") is json


def test_what_is_missing_is_named_with_the_command() -> None:
    with pytest.raises(
        MissingLibraryError, match="^Drawing needs no-such: pip install no-such$"
    ):
        require("no_such_module", "no-such", "Drawing")
