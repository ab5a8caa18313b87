"""Libraries that only some users need."""

import shlex
import sys
from importlib import import_module
from types import ModuleType

from sg_train.errors import MissingLibraryError


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Import a library that may not be installed.

    Args:
        module: the module to import.
        purpose: the feature that needs it; begins the error message.
        extra: the extra of this package that installs it.

    Raises:
        MissingLibraryError: it is not installed; the message gives the pip command for
            the interpreter that is running.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = (error.name or module).partition(".")[0]
        raise MissingLibraryError(
            f"{purpose} needs {library}, which is not installed: "
            f"{shlex.quote(sys.executable)} -m pip install 'sg-train[{extra}]'"
        ) from error
