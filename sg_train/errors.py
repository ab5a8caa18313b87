"""One family of errors: everything that a user can cause and can fix.

The message is one line that names the file or setting, says what is wrong and what to
do. Only the command line turns it into text on stderr and an exit code.
"""


class SgTrainError(Exception):
    """Base of all errors that a user can fix."""


class SettingsError(SgTrainError):
    """A setting is unknown, of the wrong type, out of range, or contradicts another."""


class CorpusError(SgTrainError):
    """A text or a prepared corpus cannot be read or holds nothing to train on."""


class RunError(SgTrainError):
    """A run directory is missing, unfinished or damaged."""


class VectorsError(SgTrainError):
    """A vector file cannot be read, or a word is not in it."""


class OutputError(SgTrainError):
    """A file or directory cannot be written."""


class MissingLibraryError(SgTrainError):
    """An optional library is not installed."""


class Interrupted(SgTrainError):  # noqa: N818 (not an error)
    """A signal stopped training; the message reports whether progress was saved.

    Attributes:
        signal: the signal's number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class TrainingError(SgTrainError):
    """Training cannot start or continue."""


class ReportedElsewhere(TrainingError):  # noqa: N818 (the error is another rank's)
    """Another rank reports the error; this one has nothing to add."""
