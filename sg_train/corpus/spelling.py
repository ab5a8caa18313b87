"""How the tokenizer of a text spells words that come from elsewhere."""

from collections.abc import Callable

from sg_train.config import CorpusConfig
from sg_train.corpus.phrases.phrases import delimiter_of
from sg_train.corpus.tokenizer import Tokenizer, make_tokenizer, split_words


def tokenizer_of(corpus: CorpusConfig) -> Tokenizer:
    """Return the tokenizer of a text."""
    return make_tokenizer(corpus.tokenizer, corpus.case, emoji=corpus.emoji)


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
