"""One family of errors: everything that a user can cause and can fix.

The message is one line that names the file or setting, says what is wrong and what to
do. Only the command line turns it into text on stderr and an exit code.
"""

from collections.abc import Callable, Sequence

from sg_train.wording import listed

_MOST_NAMED = 20


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


class UnknownWordError(VectorsError):
    """Words that have no vector.

    The message names similar words, which are looked up only when it is displayed.

    Attributes:
        words: the words.
    """

    def __init__(
        self, words: Sequence[str], similar: Callable[[str], Sequence[str]]
    ) -> None:
        super().__init__(words)
        self.words = tuple(words)
        self._similar = similar

    def __str__(self) -> str:
        if len(self.words) == 1:
            similar = ", ".join(self._similar(self.words[0]))
            hint = f"; similar words: {similar}" if similar else ""
            return f"{self.words[0]!r} has no vector{hint}"
        named = listed(
            list(map(self._described, self.words[: _MOST_NAMED + 1])), _MOST_NAMED
        )
        return f"{len(self.words)} words have no vector: {named}"

    def __reduce__(self) -> tuple[type[VectorsError], tuple[str]]:
        return VectorsError, (str(self),)

    def _described(self, word: str) -> str:
        similar = ", ".join(self._similar(word))
        return f"{word!r} (similar: {similar})" if similar else repr(word)


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
