"""Words that a vocabulary is to leave out, or to keep."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.tokenizer import Tokenizer, split_words
from sg_train.errors import CorpusError
from sg_train.wording import shortened

_LONGEST_FILE = 1_000_000_000  # bytes


class WordLists:
    """Decides which words of a text may be in its vocabulary.

    Attributes:
        digest: of both lists; None if there is none.
    """

    def __init__(self, corpus: CorpusConfig, vocabulary: VocabularyConfig) -> None:
        """Read the lists, with their words spelled as the tokenizer spells them.

        Raises:
            CorpusError: a file cannot be read, or the list to keep is empty.
        """
        tokenizer = tokenizer_of(corpus)
        self._exclude = _words(vocabulary.exclude, tokenizer)
        self._only = _words(vocabulary.only, tokenizer)
        if vocabulary.only and not self._only:
            given = shortened(repr(vocabulary.only))
            raise CorpusError(f"vocabulary.only={given}: contains no words")
        self.digest: str | None = None
        if self._exclude or self._only:
            both = repr((sorted(self._exclude), sorted(self._only)))
            self.digest = hashlib.sha256(both.encode()).hexdigest()

    def allows(self, word: str) -> bool:
        """Return whether a word may be in the vocabulary."""
        return word not in self._exclude and (not self._only or word in self._only)

    def __bool__(self) -> bool:
        """Return whether there is any list."""
        return self.digest is not None


def is_file_of_words(entries: Sequence[str]) -> bool:
    """Return whether a setting names a file: it is one entry, and there is such a file.

    >>> is_file_of_words(["data/sotu.txt"]), is_file_of_words(["the"])
    (True, False)
    """
    return len(entries) == 1 and Path(entries[0]).is_file()


def _words(entries: Sequence[str], tokenizer: Tokenizer) -> frozenset[str]:
    if is_file_of_words(entries):
        return _read(Path(entries[0]), tokenizer)
    return frozenset(
        word for entry in entries for word in split_words(tokenizer, entry)
    )


def _read(file: Path, tokenizer: Tokenizer) -> frozenset[str]:
    try:
        if file.stat().st_size > _LONGEST_FILE:
            raise CorpusError(f"{file}: longer than {_LONGEST_FILE} bytes")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 text; convert it to UTF-8") from error
    return frozenset(split_words(tokenizer, text))
