"""Tokenizers, which decide what a word is.

A tokenizer works in two steps, because a text has far fewer distinct tokens than
tokens. `fold`, a table of bytes, is applied to the whole text, which is then split at
ASCII white space; `words` then splits each distinct token into words, once. To add a
tokenizer, write a class with the members of `Tokenizer`, and add it to `make_tokenizer`
and its name to `choices.TokenizerName`.
"""

import string
import unicodedata
from typing import Protocol

import regex

from sg_train.choices import Case

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


DOTTED_I = regex.compile("i\N{COMBINING DOT ABOVE}+")

# Normalisation takes time quadratic in the number of marks on a letter.
_MOST_MARKS = 32
_LONG_MARKS = regex.compile(rf"(\p{{M}}{{{_MOST_MARKS}}})\p{{M}}+")

# Characters that change how their neighbours look or run, not what is read: soft
# hyphens, variation selectors, marks of direction, joiners without width.
INVISIBLE = regex.compile(
    r"[\u00AD\u034F\u061C\u180B-\u180F\u200E\u200F\u202A-\u202E\u2060-\u206F"
    r"\uFE00-\uFE0F\uFEFF\U000E0100-\U000E01EF]+"
)
# Single quotation marks, wide apostrophe, prime, acute, grave, Armenian, geresh.
APOSTROPHES = "\u2018\u2019\u201b\uff07\u2032´`\u055a\u05f3"
# The Catalan ela geminada has a letter that is an l with its dot.
SPELLINGS = str.maketrans(
    {**dict.fromkeys(APOSTROPHES, "'"), "\u0140": "l·", "\u013f": "L·"}
)
# These two are letters, which begin words in Polynesian languages; inside a word they
# are apostrophes, as in Uzbek and Ukrainian.
APOSTROPHE_INSIDE = regex.compile(
    r"(?<=[\p{L}\p{M}\p{Nd}])[\u02BB\u02BC](?=[\p{L}\p{M}\p{Nd}])"
)
GERSHAYIM = regex.compile(r"(?<=\p{Hebrew})[\"\u201C\u201D](?=\p{Hebrew})")
MIDDLE_DOT = regex.compile(r"(?<=[\p{Latin}\p{M}])\u2027(?=\p{Latin})")

# A word begins with a letter or digit; marks, which include Indic vowel signs, follow.
# U+200C and U+200D join letters in Hindi and Persian spelling.
WORD = r"""
    [\p{L}\p{Nd}〇] [\p{L}\p{Mn}\p{Mc}\p{Nd}〇]*
    (?: ' [\p{L}\p{Nd}〇] [\p{L}\p{Mn}\p{Mc}\p{Nd}〇]*
      | [\u200C\u200D] [\p{L}\p{Mn}\p{Mc}\p{Nd}〇]+
      | (?<=[\p{Latin}\p{M}]) · (?=\p{Latin}) [\p{L}\p{Mn}\p{Mc}\p{Nd}〇]+
      | (?<=\p{Hebrew}) \u05F4 (?=\p{Hebrew}) [\p{L}\p{Mn}\p{Mc}\p{Nd}〇]+
    )*
"""
# Flags, keycaps, and pictographs with skin tones, tags and joined parts (UTS #51), less
# those that are usually text, such as ©. Code points not assigned yet may be emoji.
_PICTOGRAPH = r"""
    [[\p{Extended_Pictographic}&&[\p{Emoji}\p{Cn}]]--[©®™‼⁉ℹ↔-↪Ⓜ〰〽㊗㊙]]
    \p{Emoji_Modifier}? [\U000E0020-\U000E007F]*
"""
_EMOJI = rf"""
    \p{{RI}}{{2}} | [0-9\#*]\u20E3 | {_PICTOGRAPH} (?: \u200D {_PICTOGRAPH} )*
"""


class WordsTokenizer:
    """Finds runs of letters, marks and digits, with apostrophes and joiners inside.

    Words are in Unicode normalisation form C and in lower case unless `case` is `keep`.
    Each word has one spelling: every kind of apostrophe becomes the ASCII one, double
    quotation marks inside Hebrew words become gershayim, and soft hyphens and other
    invisible characters are removed. Lower-casing follows Unicode, except that a dotted
    capital I becomes a plain i; with `lower_turkic` a capital I becomes a dotless one,
    as in Turkish and Azerbaijani. With `emoji`, each emoji is a word, too.

    >>> WordsTokenizer("lower").words("l’été—don't")
    ["l'été", "don't"]
    """

    _WORDS = regex.compile(WORD, regex.VERSION1 | regex.VERBOSE)
    _WORDS_AND_EMOJI = regex.compile(
        f"{_EMOJI} | {WORD}", regex.VERSION1 | regex.VERBOSE
    )

    def __init__(self, case: Case = "lower", *, emoji: bool = False) -> None:
        self.case = case
        self.emoji = emoji
        self._pattern = self._WORDS_AND_EMOJI if emoji else self._WORDS
        in_words = string.ascii_letters + string.digits + "'`\"" + "#*" * emoji
        self.separators = bytes(
            byte for byte in range(128) if chr(byte) not in in_words
        )
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
        if len(token) > _MOST_MARKS:
            token = _LONG_MARKS.sub(r"\1", token)
        text = INVISIBLE.sub("", unicodedata.normalize("NFC", token))
        if self.case == "lower_turkic":
            text = text.replace("I", "ı").replace("İ", "i")
        if self.case != "keep":
            text = DOTTED_I.sub("i", text.lower())
        text = unicodedata.normalize("NFC", text).translate(SPELLINGS)
        if not text.isascii():
            text = APOSTROPHE_INSIDE.sub("'", text)
            text = GERSHAYIM.sub("\u05f4", text)
            text = MIDDLE_DOT.sub("·", text)
        found: list[str] = self._pattern.findall(text)
        return found


class NumbersAsOne:
    """Another tokenizer, with one word for all numbers.

    >>> NumbersAsOne(WordsTokenizer()).words("in")
    ['in']
    >>> NumbersAsOne(WhitespaceTokenizer()).words("-3.5")
    ['0']
    """

    _NUMBER = regex.compile(r"[-+]?\p{Nd}+(?:[.,:/]\p{Nd}+)*")
    _WORD = "0"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.separators = tokenizer.separators
        self.fold = tokenizer.fold

    def words(self, token: str) -> list[str]:
        """Return the words of the other tokenizer, with numbers replaced."""
        words = self._tokenizer.words(token)
        if not any(character.isdigit() for character in token):
            return words
        return [self._WORD if self._NUMBER.fullmatch(w) else w for w in words]


def make_tokenizer(
    name: str, case: Case = "lower", *, emoji: bool = False
) -> Tokenizer:
    """Return the tokenizer that a config names.

    What a Python function returns is split at white space.

    >>> make_tokenizer("words", "lower").words("Don’t")
    ["don't"]
    """
    if name == "words":
        return WordsTokenizer(case, emoji=emoji)
    return WhitespaceTokenizer()


def split_words(tokenizer: Tokenizer, text: str) -> list[str]:
    """Return the words of a text, as a prepared corpus has them.

    >>> split_words(WordsTokenizer("lower"), "Don’t go")
    ["don't", 'go']
    """
    folded = text.encode(errors="replace").translate(tokenizer.fold).decode()
    return [word for token in folded.split() for word in tokenizer.words(token)]
