"""Libraries that only some users need."""

from importlib import import_module
from types import ModuleType

from sg_train.errors import MissingLibraryError


def require(module: str, package: str, purpose: str) -> ModuleType:
    """Import a library that may not be installed.

    Args:
        module: what to import.
        package: its name for pip.
        purpose: what it is needed for, as the beginning of a sentence.

    Raises:
        MissingLibraryError: it is not installed; the message has the command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(
            f"{purpose} needs {package}: pip install {package}"
        ) from error
