"""Tokenizers, which decide what a word is.

A tokenizer works in two steps, because a text has far fewer distinct tokens than
tokens. `fold`, a table of bytes, is applied to the whole text, which is then split at
ASCII white space; `words` then splits each distinct token into words, once. To add a
tokenizer, write a class with the members of `Tokenizer`, and add it to `_TOKENIZERS`
and its name to `choices.TokenizerName`.
"""

import string
import unicodedata
from collections.abc import Callable
from typing import Protocol

import regex

from sg_train.choices import Case, TokenizerName

# White space by the definition of str.split() and of most readers of vector files.
_ASCII_SPACE = bytes(byte for byte in range(128) if chr(byte).isspace())


class Tokenizer(Protocol):
    """The two steps that turn text into words."""

    @property
    def separators(self) -> bytes:
        """ASCII bytes that are never part of a word; a long line may be cut at them."""
        ...

    @property
    def fold(self) -> bytes:
        """A table for `bytes.translate` that leaves line ends and non-ASCII alone."""
        ...

    def words(self, token: str) -> list[str]:
        """Return the words in one folded token, which contains no ASCII white space.

        No word is empty or contains white space, and `words(word) == [word]` for each
        of them, so that a token known to be a word need not be split again.
        """
        ...


class WhitespaceTokenizer:
    """Splits text that is already tokenised at Unicode white space; changes nothing."""

    separators = _ASCII_SPACE
    fold = bytes.maketrans(
        _ASCII_SPACE.replace(b"\n", b""), b" " * (len(_ASCII_SPACE) - 1)
    )

    def words(self, token: str) -> list[str]:
        """Split at non-ASCII white space, such as U+00A0 and U+3000."""
        return token.split()


class WordsTokenizer:
    """Finds runs of letters, marks and digits, with apostrophes and joiners inside.

    Words are in Unicode normalisation form C and in lower case unless `case` is `keep`.
    Typographic apostrophes become ASCII ones and soft hyphens are removed, so that each
    word has one spelling. Lower-casing follows Unicode, except that a dotted capital I
    becomes a plain i; with `lower_turkic` a capital I becomes a dotless one, as in
    Turkish and Azerbaijani.

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
        # In Turkic, the lower case of I is not ASCII: `words` handles it.
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


def make_tokenizer(name: TokenizerName, case: Case) -> Tokenizer:
    """Return the tokenizer that a config names.

    >>> make_tokenizer("words", "lower").words("Don’t")
    ["don't"]
    """
    return _TOKENIZERS[name](case)


_TOKENIZERS: dict[TokenizerName, Callable[[Case], Tokenizer]] = {
    "words": WordsTokenizer,
    "whitespace": lambda _: WhitespaceTokenizer(),
}
