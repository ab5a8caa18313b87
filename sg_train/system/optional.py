"""Libraries that only some users need."""

from importlib import import_module
from types import ModuleType

from sg_train.errors import MissingLibraryError


def require(module: str, package: str, purpose: str) -> ModuleType:
    """Import a library that may not be installed.

    Args:
        module: the module to import.
        package: its name for pip.
        purpose: the feature that needs it; begins the error message.

    Raises:
        MissingLibraryError: it is not installed; the message gives the pip command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingLibraryError(
            f"{purpose} needs {package}: pip install {package}"
        ) from error
