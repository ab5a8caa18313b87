"""Words that a vocabulary is to leave out, or to keep."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.tokenizer import Tokenizer, split_words
from sg_train.corpus.vocabulary import Vocabulary, is_vocabulary
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
        joins = corpus.phrases is not None
        self._exclude = _words("exclude", vocabulary.exclude, tokenizer, joins=joins)
        self._only = _words("only", vocabulary.only, tokenizer, joins=joins)
        if vocabulary.only and not self._only:
            raise CorpusError(f"{vocabulary.only[0]}: contains no words to keep")
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


def _words(
    key: str, entries: Sequence[str], tokenizer: Tokenizer, *, joins: bool
) -> frozenset[str]:
    """Return the words of a setting; with `joins`, phrases are words, too."""
    is_file = is_file_of_words(entries)
    words: set[str] = set()
    if is_file and is_vocabulary(Path(entries[0])):
        return frozenset(Vocabulary.load(Path(entries[0])).words)
    for entry in _read(Path(entries[0])).split() if is_file else entries:
        spelled = split_words(tokenizer, entry)
        if len(spelled) != 1 and not is_file and not joins:
            raise CorpusError(
                f"vocabulary.{key}={shortened(entry)}: neither a file nor one word as "
                "the tokenizer splits text"
            )
        words.update([entry] if joins and len(spelled) > 1 else spelled)
    return frozenset(words)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LONGEST_FILE:
            raise CorpusError(f"{file}: longer than {_LONGEST_FILE} bytes")
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 text; convert it to UTF-8") from error
