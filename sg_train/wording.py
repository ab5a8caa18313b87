"""How values appear in messages, on terminals and in pictures."""

import unicodedata
from collections.abc import Sequence

# Marks of direction, and two code points that are never characters.
_HARMFUL = (
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff"
)


def listed(items: Sequence[object], most: int = 3) -> str:
    """Return the first items, separated by commas, and dots for the others.

    >>> listed(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return ", ".join(map(str, items[:most])) + ", ..." * (len(items) > most)


def shortened(text: str, length: int = 60) -> str:
    """Return a text cut to `length` characters.

    >>> shortened("internationalisation", 10)
    'interna...'
    """
    return text if len(text) <= length else f"{text[: length - 3]}..."


def printable(text: str) -> str:
    """Return a text with control characters escaped, which could act on a terminal.

    Marks that change the direction of text, bytes that are not UTF-8 and what XML
    forbids are escaped, too; line ends are kept.

    >>> printable("a" + chr(27)) == "a" + chr(92) + "x1b"
    True
    """
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    is_harmful = unicodedata.category(character) in ("Cc", "Cs")
    is_harmful |= character in _HARMFUL
    if not is_harmful or character == "\n":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode()
