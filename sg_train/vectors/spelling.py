"""Other spellings of a word that is not in a vocabulary as it was typed."""

import unicodedata
from collections.abc import Callable, Iterable

_LONGEST = 1000  # characters

# Returns spellings to try, the most likely first.
Spellings = Callable[[str], Iterable[str]]


def plain_spellings(word: str) -> list[str]:
    """Return spellings that look the same, then those in lower case.

    >>> plain_spellings("Don’t")[-1]
    "don't"
    """
    same = same_spellings(word)
    return [*same, *(other.lower() for other in same)][: len(same) + 2]


def same_spellings(word: str) -> list[str]:
    """Return spellings that look the same: composed, decomposed, other apostrophes.

    >>> same_spellings("l’e\u0301te\u0301")[1]
    "l'été"
    """
    if len(word) > _LONGEST:  # normalisation may take quadratic time
        return []
    composed = unicodedata.normalize("NFC", word)
    return [
        composed,
        composed.replace("’", "'"),
        composed.replace("'", "’"),
        unicodedata.normalize("NFD", word),
    ]
