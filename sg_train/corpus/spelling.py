"""How the tokenizer of a text spells words that come from elsewhere."""

from collections.abc import Callable

from sg_train.config import CorpusConfig
from sg_train.corpus.phrases.phrases import delimiter_of
from sg_train.corpus.tokenizer import (
    NumbersAsOne,
    Tokenizer,
    make_tokenizer,
    split_words,
)


def tokenizer_of(corpus: CorpusConfig) -> Tokenizer:
    """Return the tokenizer of a text; items are words as they are."""
    name = "whitespace" if corpus.has_items else corpus.tokenizer
    tokenizer = make_tokenizer(name, corpus.case, emoji=corpus.emoji)
    return tokenizer if corpus.numbers == "keep" else NumbersAsOne(tokenizer)


def spelling(corpus: CorpusConfig) -> Callable[[str], list[str]]:
    """Return a function that spells a typed word as a text's tokenizer does.

    It returns the spellings to try: a word, or the words of a phrase, joined.

    >>> spelling(CorpusConfig())("Don’t")
    ["don't"]
    >>> spelling(CorpusConfig())("New York")
    ['new_york']
    """
    tokenizer = tokenizer_of(corpus)
    delimiter = delimiter_of(corpus.phrases)

    def spellings(word: str) -> list[str]:
        words = split_words(tokenizer, word)
        return [delimiter.join(words)] if words else []

    return spellings
