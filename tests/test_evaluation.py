from pathlib import Path

import gensim
import numpy as np
import pytest
import scipy.stats
from gensim.test.utils import datapath
from hypothesis import assume, given
from hypothesis import strategies as st

from sg_train.vectors import evaluation, word_vectors
from sg_train.vectors.evaluation import Evaluation, Score, spearman
from sg_train.vectors.question_files import (
    AnalogyTest,
    SimilarityTest,
    read_analogies,
    read_similarity,
)
from sg_train.vectors.word_vectors import WordVectors

WORDSIM = Path(datapath("wordsim353.tsv"))
SIMLEX = Path(datapath("simlex999.txt"))
QUESTIONS = Path(datapath("questions-words.txt"))


def vectors_that_know_something() -> WordVectors:
    """Make vectors for most of the tests' words, in which some analogies hold."""
    generator = np.random.default_rng(3)
    matrix: dict[str, np.ndarray] = {}
    for _, questions in read_analogies(QUESTIONS).sections:
        offset = generator.normal(0, 1, 20)
        for a, b, *_ in questions:
            if a not in matrix:
                matrix[a] = generator.normal(0, 1, 20)
                matrix[b] = matrix[a] + offset + generator.normal(0, 0.7, 20)
    for file in (WORDSIM, SIMLEX):
        for one, other, score in read_similarity(file).pairs:
            matrix.setdefault(one, generator.normal(0, 1, 20))
            noise = generator.normal(0, 1, 20) * (10 - score) / 5
            matrix.setdefault(other, matrix[one] + noise)
    words = [word for word in matrix if generator.random() < 0.95]
    # Words that differ in capitals alone, before and behind one another.
    words += [word.upper() for word in words[::7]] + [word.lower() for word in words]
    words = list(dict.fromkeys(words))
    generator.shuffle(words)
    near = [
        matrix.get(w, matrix.get(w.capitalize(), generator.normal(0, 1, 20)))
        for w in words
    ]
    rows = np.array(near) + generator.normal(0, 0.05, (len(words), 20))
    return WordVectors(words, rows.astype(np.float32))


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return vectors_that_know_something()


@pytest.fixture(scope="module")
def theirs(vectors: WordVectors) -> gensim.models.KeyedVectors:
    keyed = gensim.models.KeyedVectors(20)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


@pytest.mark.parametrize("match_case", [False, True])
@pytest.mark.parametrize("restrict", [None, 900])
def test_similarity_is_that_of_gensim(vectors, theirs, match_case, restrict) -> None:
    scores = Evaluation.from_files(
        [WORDSIM, SIMLEX], [], restrict=restrict, match_case=match_case
    )(vectors)
    for score, file in zip(scores, (WORDSIM, SIMLEX), strict=True):
        _, spearman, missing = theirs.evaluate_word_pairs(
            file, restrict_vocab=restrict, case_insensitive=not match_case
        )
        assert score.value == pytest.approx(spearman[0], abs=1e-9)
        asked = score.scored + score.missing
        assert 100 * score.missing / asked == pytest.approx(missing)
        assert (score.test, score.measure) == (file.stem, "spearman")
    assert 0 < scores[0].missing < 350


@pytest.mark.parametrize("match_case", [False, True])
@pytest.mark.parametrize("restrict", [None, 700])
@pytest.mark.parametrize("rows_at_once", [100, 1 << 14])
def test_analogies_are_those_of_gensim(
    vectors, theirs, monkeypatch, match_case, restrict, rows_at_once
) -> None:
    monkeypatch.setattr(word_vectors, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(evaluation, "_QUESTIONS_AT_ONCE", 1000)
    test = read_analogies(QUESTIONS)
    thinned = AnalogyTest(
        "some", [(n, questions[::9]) for n, questions in test.sections]
    )
    Path("some.txt").write_text(
        "".join(
            f": {name}\n" + "".join(" ".join(q) + "\n" for q in questions)
            for name, questions in thinned.sections
        )
    )
    expected, sections = theirs.evaluate_word_analogies(
        "some.txt", restrict_vocab=restrict, case_insensitive=not match_case
    )
    check = Evaluation([], [thinned], restrict, match_case)
    scores = check(vectors)
    assert [score.section for score in scores] == [
        *(name for name, _ in test.sections),
        "total",
    ]
    for score, section in zip(scores, sections, strict=True):
        right = len(section["correct"])
        asked = right + len(section["incorrect"])
        assert score.scored == asked
        assert score.value == (right / asked if asked else None)
    assert scores[-1].value == expected
    assert 0.1 < expected < 0.9
    asked = sum(len(questions) for _, questions in thinned.sections)
    assert scores[-1].scored + scores[-1].missing == asked


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
def test_3cosmul_is_that_of_gensim(vectors, theirs) -> None:
    questions = [
        question
        for _, section in read_analogies(QUESTIONS).sections
        for question in section[::60]
        if all(word in vectors.ids for word in question)
    ]
    right = 0
    for a, b, c, d in questions:
        found = theirs.most_similar_cosmul([b, c], [a], topn=1)
        right += found[0][0] == d
    test = AnalogyTest("some", [("all", questions)])
    scores = Evaluation([], [test], match_case=True, method="multiply")(vectors)
    assert scores[-1].value == right / len(questions)
    assert 0.05 < scores[-1].value < 0.9


def test_what_has_no_vector_is_counted_not_scored() -> None:
    vectors = WordVectors(["a", "b", "zero"], np.eye(3, 2, dtype=np.float32))
    similar = SimilarityTest("s", [("a", "b", 1.0), ("a", "x", 2.0), ("x", "y", 3.0)])
    analogies = AnalogyTest("q", [("one", [("a", "b", "x", "a")]), ("none", [])])
    assert Evaluation([similar], [analogies])(vectors) == [
        Score("s", "", "spearman", None, 1, 2),
        Score("q", "one", "accuracy", None, 0, 1),
        Score("q", "none", "accuracy", None, 0, 0),
        Score("q", "total", "accuracy", None, 0, 1),
    ]


def test_scores_of_one_value_are_no_score() -> None:
    vectors = WordVectors(["a", "b", "c"], np.ones((3, 2), dtype=np.float32))
    pairs = [("a", "b", 1.0), ("a", "c", 2.0)]
    assert Evaluation([SimilarityTest("s", pairs)])(vectors)[0].value is None


def test_ties_take_the_mean_rank() -> None:
    matrix = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    vectors = WordVectors(list("abcde"), matrix)
    pairs = [("a", "b", 3.0), ("a", "c", 2.0), ("a", "d", 2.0), ("a", "e", 1.0)]
    value = Evaluation([SimilarityTest("s", pairs)])(vectors)[0].value
    ours, theirs = [3.5, 3.5, 2, 1], [4, 2.5, 2.5, 1]
    assert value == pytest.approx(np.corrcoef(ours, theirs)[0, 1])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2))
def test_the_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, dtype=float).T
    assume(np.ptp(one) > 0)
    assume(np.ptp(other) > 0)
    expected = scipy.stats.spearmanr(one, other).statistic
    assert spearman(one, other) == pytest.approx(expected, abs=1e-12)


def test_words_of_a_test_may_be_spelled_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["café", "don't", "c", "d"]
    vectors = WordVectors(
        words, np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    )
    (tmp_path / "plain.tsv").write_text("café\tc\t1\ndon't\td\t2\n")
    (tmp_path / "other.tsv").write_text("cafe\u0301\tC\t1\nDon’t\td\t2\nx\td\t1\n")
    plain, other = Evaluation.from_files(
        [tmp_path / "plain.tsv", tmp_path / "other.tsv"], []
    )(vectors)
    assert (plain.scored, other.scored, other.missing) == (2, 2, 1)
    assert other.value == plain.value
    assert (
        "tests looked up as the vocabulary spells them: 2, such as 'café'"
        in caplog.text
    )
