"""What a word is.

A tokenizer works in two steps, because a text has far fewer distinct tokens than
tokens. `fold`, a table of bytes, is applied to the whole text, which is then split at
ASCII white space; `words` looks once at each distinct token that comes out of that and
has the last say. To add a tokenizer, write a class of this shape and enter it in
`make_tokenizer`.
"""

import string
import unicodedata
from typing import Literal, Protocol

import regex

TokenizerName = Literal["words", "whitespace"]
Case = Literal["lower", "lower_turkic", "keep"]

# What str.split() takes for white space, and with it most readers of vector files.
_ASCII_SPACE = bytes(byte for byte in range(128) if chr(byte).isspace())


class Tokenizer(Protocol):
    """The two steps that turn text into words."""

    @property
    def separators(self) -> bytes:
        """ASCII bytes that are never part of a word: a long line may be cut there."""
        ...

    @property
    def fold(self) -> bytes:
        """A table for `bytes.translate` that leaves line ends and non-ASCII alone."""
        ...

    def words(self, token: str) -> list[str]:
        """Return the words in one folded token, which holds no ASCII white space.

        No word is empty or holds white space, and `words(word) == [word]` for each of
        them, so that a token known as a word need not be looked at again.
        """
        ...


def make_tokenizer(name: TokenizerName, case: Case) -> Tokenizer:
    """Return the tokenizer that a config names."""
    if name == "words":
        return WordsTokenizer(case)
    return WhitespaceTokenizer()


class WhitespaceTokenizer:
    """Text that is tokenised already: split at Unicode white space, kept as it is."""

    separators = _ASCII_SPACE
    fold = bytes.maketrans(
        _ASCII_SPACE.replace(b"\n", b""), b" " * (len(_ASCII_SPACE) - 1)
    )

    def words(self, token: str) -> list[str]:
        """Split at the white space beyond ASCII, such as U+00A0 and U+3000."""
        return token.split()


class WordsTokenizer:
    """Runs of letters, marks and digits, with apostrophes and joiners inside a run.

    Words are in Unicode's normal form C and in lower case. The typographic apostrophe
    becomes the ASCII one and soft hyphens vanish, so that one word has one spelling.
    Lowering follows Unicode, except that a dotted capital I gives a plain i; with
    `lower_turkic` a capital I gives a dotless one, as Turkish and Azerbaijani have it.

    >>> WordsTokenizer("lower").words("l’été—don't")
    ["l'été", "don't"]
    """

    # U+200C and U+200D join letters in Hindi and Persian spelling.
    _WORD = regex.compile(r"[\p{L}\p{M}\p{Nd}]+(?:['\u200C\u200D][\p{L}\p{M}\p{Nd}]+)*")

    def __init__(self, case: Case = "lower") -> None:
        self.case = case
        letters = string.ascii_letters + string.digits + "'"
        self.separators = bytes(byte for byte in range(128) if chr(byte) not in letters)
        blank = self.separators.replace(b"\n", b"")
        # Turkic lowering of I leaves ASCII: it waits for `words`.
        upper = {
            "lower": string.ascii_uppercase,
            "lower_turkic": string.ascii_uppercase.replace("I", ""),
            "keep": "",
        }[case]
        self.fold = bytes.maketrans(
            blank + upper.encode(), b" " * len(blank) + upper.lower().encode()
        )

    def words(self, token: str) -> list[str]:
        """Normalise one folded token and return the words in it."""
        if token.isascii() and token.isalnum() and token.islower():
            return [token]
        text = unicodedata.normalize("NFC", token)
        text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        text = text.replace("\N{SOFT HYPHEN}", "")
        if self.case == "lower_turkic":
            text = text.replace("I", "ı").replace("İ", "i")
        if self.case != "keep":
            text = text.lower().replace("i\N{COMBINING DOT ABOVE}", "i")
        found: list[str] = self._WORD.findall(unicodedata.normalize("NFC", text))
        return found
