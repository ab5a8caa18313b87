"""One family of errors: everything that a user can cause and can mend.

The message is one line that names the file or setting, says what is wrong and what
to do. Only the command line turns it into text on stderr and an exit code.
"""


class SgTrainError(Exception):
    """Base of all errors that are the user's to mend.

    Attributes:
        is_silent: whether another process says it.
    """

    is_silent = False


class SettingsError(SgTrainError):
    """A setting is unknown, of the wrong type or out of its range."""


class CorpusError(SgTrainError):
    """A text or a prepared corpus cannot be read or holds nothing to train on."""


class VectorsError(SgTrainError):
    """A vector file cannot be read, or a word is not in it."""


class OutputError(SgTrainError):
    """A file or directory cannot be written."""


class MissingLibraryError(SgTrainError):
    """A library is not installed that only some users need."""


class Interrupted(SgTrainError):  # noqa: N818 (it is no error)
    """Training was told to stop, and has saved what it had.

    Attributes:
        signal: the number of the signal that said so.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class TrainingError(SgTrainError):
    """Training cannot start or go on."""
