from pathlib import Path

import pytest
from gensim.test.utils import datapath
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import VectorsError
from sg_train.vectors.question_files import read_analogies, read_similarity

words = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)
scores = st.floats(-10, 10)
PAIRS = [("old", "new", 1.5), ("it's", "is", 4.0)]


@pytest.mark.parametrize(
    "text",
    [
        "old\tnew\t1.5\nit's\tis\t4\n",
        "# a comment\nword1\tword2\tscore\nold\tnew\t1.5\n\nit's\tis\t4",
        "old new 1.5\nit's   is 4\n",
        'Word 1,Word 2,Human (mean)\nold,new,1.5\n"it\'s",is,4\n',
        "\ufeffold;new;1.5\r\nit's;is;4\r\n",
        "word1 word2 SimLex POS\nold new 1.5 A\nit's is 4 V\n",
    ],
)
def test_similarity_is_read_in_all_its_forms(text: str) -> None:
    Path("test.set.txt").write_text(text)
    test = read_similarity(Path("test.set.txt"))
    assert test.name == "test.set"
    assert test.pairs == PAIRS


@given(st.lists(st.tuples(words, words, scores), min_size=1), st.sampled_from("\t,; "))
def test_pairs_are_what_was_written(tmp_path_factory, pairs, separator: str) -> None:
    path = tmp_path_factory.mktemp("pairs") / "p"
    lines = [separator.join(map(str, pair)) for pair in pairs]
    path.write_text("\n".join(lines), newline="")
    assert read_similarity(path).pairs == pairs


def test_gensims_files_are_read_whole() -> None:
    assert len(read_similarity(Path(datapath("wordsim353.tsv"))).pairs) == 353
    assert len(read_similarity(Path(datapath("simlex999.txt"))).pairs) == 999
    sections = read_analogies(Path(datapath("questions-words.txt"))).sections
    assert len(sections) == 14
    assert sum(len(questions) for _, questions in sections) == 19_544


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a b 1\nc d\n", "line 2: expected .* columns, not 'c d'"),
        (b"a b 1\nc d x\n", "line 2: expected two words and a number"),
        (b"a b\n", "line 1: expected two words and a number"),
        (b"one two three\n", "holds no pair"),
        (b"one two three\nfour five six\n", "line 2: expected"),
        (b"gold silver 8,0\n", "line 1: expected .* decimal point"),
        (b"a b nan\n", "line 1: expected|holds no pair"),
        (b"a b 1\nc d inf\n", "line 2: expected"),
        (b"a,b,1\n,c,2\n", "line 2: expected"),
        (b"a,b," + b"1" * 200_000 + b"\n", "line 1: expected"),
        (b"", "holds no pair"),
        (b"\xff", "not UTF-8 text"),
    ],
)
def test_other_files_are_no_similarity_test(content: bytes, complaint: str) -> None:
    Path("p").write_bytes(content)
    with pytest.raises(VectorsError, match=f"p.*{complaint}"):
        read_similarity(Path("p"))


def test_a_section_does_not_pass_for_the_total() -> None:
    Path("q").write_text(": total\na b c d\n:\na b c e\n")
    names = [name for name, _ in read_analogies(Path("q")).sections]
    assert names == ["total (section)", "unnamed"]


def test_analogies_are_read_by_section() -> None:
    Path("q.txt").write_text("a b c d\n: one\nA b c e\n: empty\n")
    test = read_analogies(Path("q.txt"))
    assert test.name == "q"
    assert test.sections == [
        ("q", [("a", "b", "c", "d")]),
        ("one", [("A", "b", "c", "e")]),
        ("empty", []),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (": one\na b c\n", "line 2: expected four words or `: section`, not 'a b c'"),
        (": one\n", "holds no questions"),
    ],
)
def test_other_files_are_no_analogy_test(content: str, complaint: str) -> None:
    Path("q").write_text(content)
    with pytest.raises(VectorsError, match=f"q.*{complaint}"):
        read_analogies(Path("q"))
    with pytest.raises(VectorsError, match="cannot read missing: No such file"):
        read_analogies(Path("missing"))


def test_files_that_are_no_tests_are_named(tmp_path: Path) -> None:
    for read in (read_similarity, read_analogies):
        (tmp_path / "t.tsv").write_bytes(b"PK\x03\x04" + bytes(99))
        with pytest.raises(VectorsError, match="t.tsv: a zip archive, not a test file"):
            read(tmp_path / "t.tsv")
        with pytest.raises(VectorsError, match="/dev/zero: longer than"):
            read(Path("/dev/zero"))
