import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.tokenizer import (
    Tokenizer,
    WhitespaceTokenizer,
    WordsTokenizer,
    make_tokenizer,
    split_words,
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
        ("❤\ufe0fyou love you", ["you", "love", "you"]),
        ("®\ufe0fis 1\ufe0f\u20e3 \u20dd \u0e31 -\u0301a", ["is", "1", "a"]),
        ("a\u20ddb \U0001f44d\U0001f3fdok", ["a", "b", "ok"]),
        ("葛\U000e0100城 co\u034fop", ["葛城", "coop"]),
        ("র\u200d\u09cdয ক্‍ষ", ["র\u200d\u09cdয", "ক্‍ষ"]),
    ],
)
def test_a_word_begins_with_a_letter_or_digit(text: str, words: list[str]) -> None:
    assert tokenize(WordsTokenizer("lower"), text) == words


def test_marks_without_end_take_no_time() -> None:
    text = "a" + "\u0301\u0316" * 500_000 + "b"
    (word,) = tokenize(WordsTokenizer("lower"), text)
    assert word.startswith("á")
    assert len(word) < 40


def test_a_dotted_i_and_an_ideographic_zero() -> None:
    tokenizer = WordsTokenizer("lower")
    assert tokenize(tokenizer, "İ\u0307x i\u0307\u0307") == ["ix", "i"]
    assert tokenize(tokenizer, "二〇二四 〇") == ["二〇二四", "〇"]


@pytest.mark.parametrize("mark", "'‘’‛＇′´`՚׳ʼʻ")
@pytest.mark.parametrize("text", ["o{}zbek", "прив{}язана", "l{}été", "ג{}ירפה"])
def test_an_apostrophe_inside_a_word_has_one_spelling(text: str, mark: str) -> None:
    word = tokenize(WordsTokenizer("lower"), f"({text.format(mark)})")
    assert word == [text.format("'")]


@pytest.mark.parametrize("mark", '"״”“')
def test_gershayim_have_one_spelling(mark: str) -> None:
    text = f'"צה{mark}ל" a{mark}b'
    assert tokenize(WordsTokenizer("lower"), text) == ["צה״ל", "a", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("col·lega COL·LEGA coŀlega COĿLEGA col‧lega", ["col·lega"] * 5),
        (
            "卡尔·马克思 a · b ·c λόγος· ἔργον",
            ["卡尔", "马克思", "a", "b", "c", "λόγος", "ἔργον"],
        ),
        ("ʻāina kaʻ", ["ʻāina", "kaʻ"]),  # a letter in Hawaiian and Tongan
        ("``quoted'' `a` ´b´ ‘c’", ["quoted", "a", "b", "c"]),
        ("wo\u2060rd wo\ufeffrd של\u200fום", ["word", "word", "שלום"]),
        ("wo\u200brd", ["wo", "rd"]),  # marks where words end in Khmer and Thai
    ],
)
def test_joiners_inside_words(text: str, words: list[str]) -> None:
    assert tokenize(WordsTokenizer("lower"), text) == words


ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
EMOJI = [
    *(
        "❤",
        "😀",
        "👍🏽",
        "👩🏽\u200d🚀",
        "🇨🇿",
        "🇧🇷",
        "3\u20e3",
        "#\u20e3",
        ENGLAND,
        "☕",
    ),
    "👨\u200d👩\u200d👧\u200d👦",
]


@pytest.mark.parametrize("between", ["", " ", "\ufe0f", "\u20dd", "-"])
def test_emoji_are_words_when_asked_for(between: str) -> None:
    text = between.join(EMOJI) + between
    assert tokenize(WordsTokenizer("keep", emoji=True), text) == EMOJI
    assert tokenize(WordsTokenizer("keep"), text) == ["3"]


def test_emoji_separate_words() -> None:
    tokenizer = WordsTokenizer("lower", emoji=True)
    for emoji in EMOJI[:5]:
        assert tokenize(tokenizer, f"a{emoji}b") == ["a", emoji, "b"]


def test_text_symbols_are_no_emoji() -> None:
    text = "®\ufe0fis © ™ ★ a↔b #tag *x* 5 😀"
    assert tokenize(WordsTokenizer("lower", emoji=True), text) == (
        ["is", "a", "b", "tag", "x", "5", "😀"]
    )


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
    words = make_tokenizer("words", "lower_turkic", emoji=True)
    assert isinstance(words, WordsTokenizer)
    assert (words.case, words.emoji) == ("lower_turkic", True)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_text_is_split_as_prepare_splits_it(text: str) -> None:
    for tokenizer in ALL:
        assert split_words(tokenizer, text) == tokenize(tokenizer, text)


ALL: list[Tokenizer] = [
    WhitespaceTokenizer(),
    WordsTokenizer("lower"),
    WordsTokenizer("lower_turkic"),
    WordsTokenizer("keep"),
    WordsTokenizer("lower", emoji=True),
]
# Half of the characters are those that the tokenizer treats in a special way.
_SPECIAL = "aÉİlщה漢 '\"`’ʼ״·\u0301\u20dd\u200d\u200c\ufe0f\u00ad👍🏽🇨1#\u0e31"
texts = st.text(
    st.sampled_from(_SPECIAL) | st.characters(codec="utf-8", exclude_characters="\0")
)


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
