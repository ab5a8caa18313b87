import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from sg_train.config import CorpusConfig
from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.tokenizer import split_words
from sg_train.corpus.tokenizer_json import tokenizer_json
from tests.conftest import ROOT

SETTINGS: list[dict[str, Any]] = [
    {},
    {"case": "keep"},
    {"case": "lower_turkic"},
    {"numbers": "one"},
    {"tokenizer": "whitespace"},
    {"tokenizer": "whitespace", "numbers": "one"},
]
# Letters of many scripts, marks, digits, apostrophes and spaces of all kinds.
LETTERS = 'aZéßŒıİIiΣσςъЖאבעربहिंदी語のンгʻʼŀĿ·‧״"\u0301\u0307\u200c\u200d\u00ad\ufe0f'
MARKS = "0१９〇1'’`´-—_.,:;!?()#*\u00a0\u3000\x1c\x85\t 🙂©"


def words_of(texts: list[str], corpus: CorpusConfig) -> list[list[str]]:
    """Return the words that tokenizers finds, given a vocabulary of all words."""
    known = {w for text in texts for w in split_words(tokenizer_of(corpus), text)}
    content = tokenizer_json(sorted(known), corpus, "[UNK]")
    tokenizer = Tokenizer.from_str(json.dumps(content))
    return [found.tokens for found in tokenizer.encode_batch(texts)]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_text_is_split_as_for_training(settings: dict[str, Any]) -> None:
    corpus = CorpusConfig(**settings)
    tokenizer = tokenizer_of(corpus)
    texts = (ROOT / "data/sotu.txt").read_text("utf-8").splitlines()[:400]
    assert words_of(texts, corpus) == [split_words(tokenizer, text) for text in texts]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@given(text=st.text(LETTERS + MARKS, max_size=30))
@example("ΟΔΥΣΣΕΥΣ Σ ΟΣ'Α Don’t O‘zbek l’été İstanbul col·lega צה\"ל e\u0301")
@example("१२ 1'000 3.5 -7 1980 a1 1a '99 99' 5,5 +3/4:2")
@example("soft\u00adhyphen no\u2060break क्ष\u200dय می\u200cخواهم")
def test_awkward_text_is_split_so_too(settings: dict[str, Any], text: str) -> None:
    corpus = CorpusConfig(**settings)
    (found,) = words_of([text], corpus)
    assert found == split_words(tokenizer_of(corpus), text)


def test_items_are_split_at_their_separator() -> None:
    corpus = CorpusConfig(separator="\t")
    assert words_of(["a b\tc \t d\n"], corpus) == [["[UNK]", "c", "d"]]
    content = tokenizer_json(["a_b", "c"], corpus, "[UNK]")
    tokenizer = Tokenizer.from_str(json.dumps(content))
    assert tokenizer.encode("a b\tc \tx").ids == [0, 1, 2]
