import logging

import numpy as np
import pytest

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.notices import UnsegmentedText, single_words
from sg_train.corpus.prepare import prepare
from sg_train.errors import CorpusError

CHINESE = "自然语言处理是人工智能领域中的一个重要方向，它研究人与计算机之间的有效通信。"
SEGMENTED = "自然 语言 处理 是 人工 智能 领域 中 的 一个 重要 方向 ， 它 研究 通信 。"
SHORT = "天气很好，他们回家了，开始了战争。"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
THAI = "การประมวลผลภาษาธรรมชาติเป็นสาขาหนึ่งของปัญญาประดิษฐ์ที่ศึกษาภาษามนุษย์"
KHMER = "ភាសាខ្មែរគឺជាភាសាផ្លូវការរបស់ព្រះរាជាណាចក្រកម្ពុជា"


def warnings_of(text: str, caplog: pytest.LogCaptureFixture, tmp_path) -> list[str]:
    (tmp_path / "text.txt").write_text(f"a b {text} c\n" * 20)
    settings = CorpusConfig(paths=["text.txt"])
    prepare(settings, VocabularyConfig(min_count=1), tmp_path / "c", 1, overwrite=True)
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("text", "script", "mean", "example"),
    [
        (CHINESE, "Chinese or Japanese", 18.0, "自然语言处理是人工智能领域中"),
        (SHORT, "Chinese or Japanese", 14 / 3, "他们回家了"),
        (JAPANESE, "Chinese or Japanese", 10.0, "吾輩は猫である"),
        (THAI, "Thai or Lao", len(THAI), "การประมวล"),
        (KHMER, "Khmer or Burmese", len(KHMER), "ភាសាខ្មែរ"),
    ],
)
def test_text_without_spaces_is_noticed(
    text: str, script: str, mean: float, example: str, caplog, tmp_path
) -> None:
    (warning,) = warnings_of(text, caplog, tmp_path)
    assert warning.startswith(f"text.txt: words in {script} have {mean:.1f} characters")
    assert f"such as {example}" in warning
    assert "corpus.tokenizer=whitespace" in warning


@pytest.mark.parametrize(
    "text", [SEGMENTED, "東京", "한국어는 띄어쓰기를 합니다", "Ы" * 30]
)
def test_text_with_spaces_is_not(text: str, caplog, tmp_path) -> None:
    assert warnings_of(text, caplog, tmp_path) == []


def test_shares_are_of_running_words() -> None:
    watched = UnsegmentedText()
    totals = [(["あ" * 9, "あ", "a"], np.array([1, 9, 90])), (["い"], np.array([1]))]
    assert list(watched.watch(totals)) == totals
    kana = watched._scripts[0]
    assert (kana.words, kana.characters, kana.example) == (11, 19, "あ" * 9)


@pytest.mark.parametrize(
    ("single", "lines", "example", "expected"),
    [
        (9, 9, "word", "every line is one word, such as 'word'; put several words"),
        (9, 9, "milk;bread", "separate words with spaces, not with ';'"),
        (95, 100, "word", "95 of 100 lines are one word"),
        (90, 100, "word", "90 of 100 lines are one word"),
        (89, 100, "word", None),
        (8, 9, "word", None),
    ],
)
def test_lines_of_one_word(
    single: int, lines: int, example: str, expected: str | None
) -> None:
    found = single_words(single, lines, example)
    assert found is None if expected is None else expected in (found or "")


def test_a_text_of_one_word_lines_is_refused_and_most_is_a_warning(
    tmp_path, caplog
) -> None:
    baskets = tmp_path / "baskets.txt"
    baskets.write_text("milk,bread\neggs,milk\n" * 60)
    settings = CorpusConfig(paths=["baskets.txt"], tokenizer="whitespace")
    complaint = "baskets.txt: every line is one word, such as 'milk,bread'; .* with ','"
    with pytest.raises(CorpusError, match=complaint):
        prepare(settings, VocabularyConfig(), tmp_path / "c", 1)
    assert not (tmp_path / "c").exists()
    baskets.write_text("a;b;c\n" * 60)  # all alike
    with pytest.raises(CorpusError, match="separate words with spaces, not with ';'"):
        prepare(settings, VocabularyConfig(), tmp_path / "c", 1)
    baskets.write_text("milk,bread\neggs,milk\n" * 60)
    baskets.write_text(baskets.read_text() + "two words\n" * 5)
    prepare(settings, VocabularyConfig(), tmp_path / "c", 1)
    assert "120 of 125 lines are one word" in caplog.text
