"""Other spellings of a word that is not in a vocabulary as it was typed."""

import unicodedata
from collections.abc import Callable, Iterable

# Returns spellings to try, the most likely first.
Spellings = Callable[[str], Iterable[str]]


def plain_spellings(word: str) -> list[str]:
    """Return spellings that look the same: composed, decomposed, other apostrophes.

    >>> plain_spellings("l’e\u0301te\u0301")[1]
    "l'été"
    """
    composed = unicodedata.normalize("NFC", word)
    return [
        composed,
        composed.replace("’", "'"),
        composed.replace("'", "’"),
        unicodedata.normalize("NFD", word),
    ]
