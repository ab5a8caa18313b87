"""The tokenizer of a text in the format of Hugging Face's tokenizers library.

It splits text as the tokenizer of a corpus does, with these exceptions: phrases are not
joined, a Python function is not called (what it returns must be joined by spaces),
emoji are not words, numbers next to joiners are not replaced, and letters follow the
version of Unicode that the other library has.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any

from sg_train.config import CorpusConfig
from sg_train.corpus.tokenizer import (
    APOSTROPHE_INSIDE,
    APOSTROPHES,
    DOTTED_I,
    GERSHAYIM,
    INVISIBLE,
    MIDDLE_DOT,
    WORD,
)

_CODE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_BEGINS = r"[\p{L}\p{Nd}〇]"  # a word
_CONTINUES = r"[\p{L}\p{Mn}\p{Mc}\p{Nd}〇]"
# Up to three marks: a look behind has no `*`.
_IN_WORD = "|".join(_BEGINS + r"[\p{Mn}\p{Mc}]" * marks for marks in range(4))
_NUMBER = rf"(?<!{_IN_WORD})(?<!(?:{_IN_WORD})')\p{{Nd}}+(?!{_CONTINUES})(?!'{_BEGINS})"


def _escaped(characters: str) -> str:
    return "".join(f"\\x{{{ord(character):X}}}" for character in characters)


_SPACES = _escaped("".join(filter(str.isspace, map(chr, range(sys.maxunicode)))))
_INSIDE = f"[^{_SPACES}]"  # of a word that white space ends
# Lower-casing a letter at a time does not know the Greek sigma at the end of a word.
# Between two words there may be a full stop, a colon or a circumflex.
_IGNORED = r"[\p{Case_Ignorable}&&[^.:^]]"
_AFTER_LETTER = "|".join(rf"\p{{Cased}}{_IGNORED * marks}" for marks in range(4))
_FINAL_SIGMA = rf"(?<={_AFTER_LETTER})Σ(?!{_IGNORED}*\p{{Cased}})"


def tokenizer_json(
    words: Sequence[str], corpus: CorpusConfig, unknown: str
) -> dict[str, Any]:
    """Return the content of tokenizer.json.

    Args:
        words: V words, whose ids are their places.
        corpus: the settings of the text that the words come from.
        unknown: stands for all other words; its id is V.
    """
    if corpus.has_items or corpus.tokenizer != "words":
        normalizers, pattern = _of_items(corpus), _INSIDE + "+"
    else:
        normalizers, pattern = _of_words(corpus), _literal("".join(WORD.split()))
    vocabulary = {word: row for row, word in enumerate([*words, unknown])}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Removed",
            "invert": True,
        },
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }


def _of_words(corpus: CorpusConfig) -> list[dict[str, Any]]:
    """Return the steps of `tokenizer.WordsTokenizer` before it splits."""
    steps = [{"type": "NFC"}, _replace(INVISIBLE.pattern, "")]
    if corpus.case == "lower_turkic":
        steps += [_replace("I", "ı"), _replace("İ", "i")]
    if corpus.case != "keep":
        lower = [_replace(_FINAL_SIGMA, "ς"), {"type": "Lowercase"}]
        steps += [*lower, _replace(DOTTED_I.pattern, "i")]
    steps += [
        {"type": "NFC"},
        _replace(f"[{APOSTROPHES}]", "'"),
        _replace("\u0140", "l·"),
        _replace("\u013f", "L·"),
        _replace(APOSTROPHE_INSIDE.pattern, "'"),
        _replace(GERSHAYIM.pattern, "\u05f4"),
        _replace(MIDDLE_DOT.pattern, "·"),
    ]
    if corpus.numbers != "keep":
        steps.append(_replace(_NUMBER, "0"))
    return steps


def _of_items(corpus: CorpusConfig) -> list[dict[str, Any]]:
    """Return the steps for text whose words are separated already."""
    steps = []
    if corpus.separator is not None:
        mark = _escaped(corpus.separator)
        steps = [
            _replace(f"[{_SPACES}]*{mark}[{_SPACES}]*", "\n"),
            _replace(rf"(?<={_INSIDE})[^\S\n]+(?={_INSIDE})", "_"),
        ]
    if corpus.numbers != "keep":
        number = r"[-+]?\p{Nd}+(?:[.,:/]\p{Nd}+)*"
        steps.append(_replace(f"(?<!{_INSIDE}){number}(?!{_INSIDE})", "0"))
    return steps


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {
        "type": "Replace",
        "pattern": {"Regex": _literal(pattern)},
        "content": content,
    }


def _literal(pattern: str) -> str:
    """Return a pattern with characters in place of their codes."""
    return _CODE.sub(lambda found: chr(int(found[1] or found[2], 16)), pattern)
