"""How values appear in messages."""

from collections.abc import Sequence


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
