import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.tokenizer import (
    Tokenizer,
    WhitespaceTokenizer,
    WordsTokenizer,
    make_tokenizer,
)


def tokenize(tokenizer: Tokenizer, text: str) -> list[str]:
    """Do what prepare does, a token at a time."""
    folded = text.encode().translate(tokenizer.fold)
    return [
        word for token in folded.split() for word in tokenizer.words(token.decode())
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's 9 lives -- don't!", ["the", "cat's", "9", "lives", "don't"]),
        ("'quoted' ''x'' rock'n'roll a''b", ["quoted", "x", "rock'n'roll", "a", "b"]),
        ("don’t “so” said…he", ["don't", "so", "said", "he"]),
        ("snake_case e-mail 3.14", ["snake", "case", "e", "mail", "3", "14"]),
        ("Příliš ŽLUŤOUČKÝ kůň", ["příliš", "žluťoučký", "kůň"]),
        ("Pr\u030ci\u0301lis\u030c", ["příliš"]),  # decomposed accents
        ("Съешь ЖЕ ещё этих", ["съешь", "же", "ещё", "этих"]),
        ("İstanbul'da IŞIK", ["istanbul'da", "işik"]),
        ("हिन्दी में क्‍ष लिखें।", ["हिन्दी", "में", "क्‍ष", "लिखें"]),
        ("ΟΔΟΣ", ["οδος"]),
        ("ภาษาไทย 東京 にほん", ["ภาษาไทย", "東京", "にほん"]),
        ("co\u00adoperate x\u00a0y x\u3000z", ["cooperate", "x", "y", "x", "z"]),
        ("", []),
        ("... ' — ’", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    expected = [word.replace("οδος", "οδος"[:-1] + "ς") for word in words]
    assert tokenize(WordsTokenizer("lower"), text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ISPARTA'LI IŞIK", ["ısparta'lı", "ışık"]),
        ("İstanbul I\u0307zmir", ["istanbul", "izmir"]),
        ("DİYARBAKIR", ["diyarbakır"]),
    ],
)
def test_turkic_capitals(text: str, words: list[str]) -> None:
    assert tokenize(WordsTokenizer("lower_turkic"), text) == words


def test_case_is_kept_when_told() -> None:
    tokenizer = WordsTokenizer("keep")
    assert tokenize(tokenizer, "The É İ CAT") == ["The", "É", "İ", "CAT"]


def test_whitespace_keeps_tokens_as_they_are() -> None:
    text = "New_York  the. \t <unk> x\u00a0y\u3000z É \x1cq"
    expected = ["New_York", "the.", "<unk>", "x", "y", "z", "É", "q"]
    assert tokenize(WhitespaceTokenizer(), text) == expected


def test_a_config_names_the_tokenizer() -> None:
    assert isinstance(make_tokenizer("whitespace", "lower"), WhitespaceTokenizer)
    words = make_tokenizer("words", "lower_turkic")
    assert isinstance(words, WordsTokenizer)
    assert words.case == "lower_turkic"


ALL = [
    WhitespaceTokenizer(),
    WordsTokenizer("lower"),
    WordsTokenizer("lower_turkic"),
    WordsTokenizer("keep"),
]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(text=texts)
@pytest.mark.parametrize("tokenizer", ALL)
def test_a_word_is_its_own_tokenization(tokenizer: Tokenizer, text: str) -> None:
    for word in tokenize(tokenizer, text):
        assert word.split() == [word]
        assert tokenize(tokenizer, word) == [word]
        assert tokenizer.words(word) == [word]


@given(text=texts)
@pytest.mark.parametrize("tokenizer", ALL)
def test_cutting_at_a_separator_changes_nothing(
    tokenizer: Tokenizer, text: str
) -> None:
    data = text.encode()
    whole = tokenize(tokenizer, text)
    for place, byte in enumerate(data):
        if byte in tokenizer.separators:
            parts = data[: place + 1].decode(), data[place + 1 :].decode()
            assert (
                tokenize(tokenizer, parts[0]) + tokenize(tokenizer, parts[1]) == whole
            )


@pytest.mark.parametrize("tokenizer", ALL)
def test_folding_leaves_line_ends_and_other_alphabets_alone(
    tokenizer: Tokenizer,
) -> None:
    assert len(tokenizer.fold) == 256
    untouched = bytes([ord("\n"), *range(128, 256)])
    assert untouched.translate(tokenizer.fold) == untouched
