import gensim
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sg_train.choices import OnBadRows, VectorFormat
from sg_train.errors import OutputError, VectorsError
from sg_train.vectors.formats import text_rows
from sg_train.vectors.formats import word2vec as word2vec_formats
from sg_train.vectors.word_vectors import WordVectors
from tests.building import load_vectors, save_vectors
from tests.conftest import awkward_vectors

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda word: word.split() == [word]
)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
shapes = st.tuples(st.integers(1, 6), st.integers(2, 5))


@pytest.fixture
def vectors() -> WordVectors:
    return awkward_vectors()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_gensim_reads_every_float(vectors: WordVectors, tmp_path, form) -> None:
    path = tmp_path / "vectors"
    save_vectors(vectors, path, form)
    read = gensim.models.KeyedVectors.load_word2vec_format(
        str(path), binary=form == "binary", no_header=form == "glove"
    )
    assert read.index_to_key == vectors.words
    assert np.array_equal(read.vectors, vectors.matrix)
    assert np.signbit(read.vectors[0][1])


@given(data=st.data(), matrix=hnp.arrays(np.float32, shapes, elements=floats))
@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_what_is_saved_is_loaded(tmp_path_factory, form, data, matrix) -> None:
    names = data.draw(
        st.lists(words, min_size=len(matrix), max_size=len(matrix), unique=True)
    )
    path = tmp_path_factory.mktemp("vectors") / "v"
    save_vectors(WordVectors(names, matrix), path, form)
    loaded = load_vectors(path)
    assert loaded.words == names
    assert loaded.matrix.dtype == np.float32
    assert np.array_equal(loaded.matrix, matrix)


def test_text_is_in_shortest_form(tmp_path) -> None:
    matrix = np.array([[0.1, -2, 1e-7]], dtype=np.float32)
    save_vectors(WordVectors(["a"], matrix), tmp_path / "v", "text")
    lines = (tmp_path / "v").read_text().split("\n")
    assert lines[0] == "1 3"
    assert [len(number) <= 5 for number in lines[1].split()[1:]] == [True] * 3
    assert lines[2:] == [""]


@pytest.mark.parametrize("form", ["text", "binary"])
@pytest.mark.parametrize(
    ("word", "number", "complaint"),
    [
        ("a b", 1.0, "white space"),
        ("a\tb", 1.0, "white space"),
        ("a", np.nan, "'a' is not finite"),
        ("a", -np.inf, "'a' is not finite"),
    ],
)
def test_what_others_could_not_read_is_refused(
    tmp_path, form, word: str, number: float, complaint: str
) -> None:
    vectors = WordVectors(["z", word], np.array([[0], [number]], dtype=np.float32))
    with pytest.raises(VectorsError, match=complaint):
        save_vectors(vectors, tmp_path / "v", form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"2 2\na 7 1 2\nc 3 4\n", "line 2: 3 numbers, expected 2"),
        (b"a 1 2\nb 1\n", "line 2: 1 numbers, expected 2"),
        (b"a 1 2\nb 1 2 3\n", "line 2: 3 numbers, expected 2"),
        (b"a 1 2\n\nb 1 2\n", "line 2: is empty"),
        (b"2 3\na 1 2\nb 3 4 5\n", "line 2: 2 numbers, expected 3"),
        (b"1 1\na \x00\x00\x80\x3f\nb", "data after the 1 vectors"),
        (b"", "line 1: expected the number of vectors"),
        (b"a text of words\n", "line 1: expected the number of vectors"),
        (b"0 3\n", "line 1: 0 vectors"),
        (b"1 0\na\n", "line 1: 1 vectors of 0"),
        (b"1000000000000 100\na 1\n", "line 1: states 1000000000000 vectors"),
        (b"2 2\na 1 2\n", "1 vectors, line 1 states 2"),
        (b"1 2\na 1 2\nb 1 2\n", "line 3: more vectors than the 1"),
        (b"2 2\na 1 2\nb 1\n", "line 3: 1 numbers, expected 2"),
        (b"2 2\na 1 2\nb 1 x\n", "line 3: could not convert"),
        (b"2 2\na 1 2\nb 1 nan\n", "line 3: the vector of 'b' is not finite"),
        (b"2 2\na 1 2\n\xff 1 2\n", "line 3: the word is not UTF-8"),
        (b"1 2\na \x00\x00\x80\x3f\x00", "vector 1: the file ends here"),
        (b"1 1\n \x00\x00\x80\x3f", "vector 1: '' is not a word"),
        (b"1 1\na\nb \x00\x00\x80\x3f", "vector 1: .* is not a word"),
        (b"1 1\n\xff \x00\x00\x80\x3f", "vector 1: the word is not UTF-8"),
    ],
)
def test_damaged_files_are_refused_with_the_line(
    tmp_path, content: bytes, complaint: str
) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(VectorsError, match=complaint) as caught:
        load_vectors(tmp_path / "v")
    assert str(tmp_path / "v") in str(caught.value)


def test_rows_may_end_in_a_space_as_word2vec_writes_them(tmp_path) -> None:
    (tmp_path / "v").write_bytes(b"2 2\na 1 2 \nb 3 4 \n")
    assert load_vectors(tmp_path / "v").matrix.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("header", [b"", b"2 2\n", b"2 2\r\n"])
def test_marks_and_empty_lines_at_the_ends_are_no_trouble(tmp_path, header) -> None:
    (tmp_path / "v").write_bytes(b"\xef\xbb\xbf" + header + b"a 1 2\r\nb 3 4\n\n\r\n")
    loaded = load_vectors(tmp_path / "v")
    assert loaded.words == ["a", "b"]
    assert loaded.matrix.tolist() == [[1, 2], [3, 4]]


def test_numbers_beyond_float32_are_refused_without_a_warning(tmp_path) -> None:
    (tmp_path / "v").write_bytes(b"a 1 2\nb 1e39 4\n")
    with pytest.raises(VectorsError, match="line 2: the vector of 'b' is not finite"):
        load_vectors(tmp_path / "v")


def test_the_first_word_of_glove_may_hold_spaces(tmp_path) -> None:
    (tmp_path / "v").write_bytes("00,0 km² 1 2 3\nx 1 2 4\n".encode())
    assert load_vectors(tmp_path / "v").words == ["00,0 km²", "x"]


@pytest.mark.parametrize("form", ["text", "glove", "npy"])
def test_words_that_would_not_read_back_are_refused(tmp_path, form) -> None:
    path = tmp_path / "v.npy"
    mark = WordVectors(["\ufeffa", "b"], np.eye(2, dtype="f4"))
    with pytest.raises(VectorsError, match="byte order mark; save as safetensors"):
        mark.save(path, form)
    if form != "npy":
        long = WordVectors(["a" * 70_000, "b"], np.eye(2, dtype="f4"))
        with pytest.raises(VectorsError, match="longer than 32768 bytes"):
            long.save(path, form)
    mark.save(path, "safetensors")
    assert list(WordVectors.load(path).words) == mark.words


def test_a_word_may_hold_spaces_under_a_header(tmp_path) -> None:
    (tmp_path / "v").write_bytes("3 2\n00,0 km² 1 2\n10 000 3 4\n. . 5 6\n".encode())
    loaded = load_vectors(tmp_path / "v")
    assert loaded.words == ["00,0 km²", "10 000", ". ."]
    assert loaded.matrix.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_other_white_space_is_part_of_words_as_in_gensim(tmp_path, form) -> None:
    names = ["00,0\u00a0km²", "\u3000", "a\u2028b", "\u00a0"]
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    path = tmp_path / "v"
    save_vectors(WordVectors(names, matrix), path, form)
    loaded = load_vectors(path)
    assert loaded.words == names
    np.testing.assert_array_equal(loaded.matrix, matrix)
    read = gensim.models.KeyedVectors.load_word2vec_format(
        str(path), binary=form == "binary", no_header=form == "glove"
    )
    assert read.index_to_key == names
    read.save_word2vec_format(str(path), binary=form == "binary")
    assert load_vectors(path).words == names


@pytest.mark.parametrize(
    "content",
    [
        b"4 1\na 1\nb 2\na 3\nb 4\n",
        b"a 1\nb 2\na 3\nb 4\n",
        b"4 1\na \0\0\x80?\nb \0\0\0@\na \0\0@@\nb \0\0\x80@\n",
    ],
    ids=["text", "glove", "binary"],
)
def test_of_repeated_words_the_first_is_kept(tmp_path, caplog, content) -> None:
    (tmp_path / "v").write_bytes(content)
    loaded = load_vectors(tmp_path / "v")
    assert (loaded.words, loaded.matrix.tolist()) == (["a", "b"], [[1], [2]])
    (warning,) = caplog.messages
    assert (
        "v: rows left out because they repeat a word: 2, the first: 'a' in " in warning
    )


BAD_ROWS = {
    "cut": (b"caf\xc3 1 2", "line 3: the word is not UTF-8"),
    "numbers": (b"x 1 2 3", "line 3: 3 numbers, expected 2"),
    "number": (b"x 1 y", "line 3: could not convert"),
    "nan": (b"x nan 1", "line 3: the vector of 'x' is not finite"),
    "empty": (b"", "line 3: is empty"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
@pytest.mark.parametrize("first", [b"4 2", b"c 5 6"], ids=["text", "glove"])
def test_a_bad_row_can_be_skipped_and_is_reported(
    tmp_path, caplog, name: str, first: bytes
) -> None:
    row, complaint = BAD_ROWS[name]
    last = b"c 5 6" if first == b"4 2" else b"d 7 8"
    content = b"\n".join([first, b"a 1 2", row, b"b 3 4", last])
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(VectorsError, match=f"{complaint}.*--errors") as caught:
        WordVectors.load(path)
    assert f"sg-train export {path} OUT --errors" in str(caught.value)
    loaded = WordVectors.load(path, "skip")
    for word, vector in {"a": [1, 2], "b": [3, 4], "c": [5, 6]}.items():
        assert loaded[word].tolist() == vector
    assert "x" not in loaded
    assert f"v: damaged rows skipped: 1, the first: {complaint}" in caplog.text
    if name == "cut":
        assert "caf\ufffd" in WordVectors.load(path, "replace")
    else:
        with pytest.raises(VectorsError, match=complaint):
            WordVectors.load(path, "replace")


def test_a_binary_file_is_read_past_bad_rows(tmp_path, caplog) -> None:
    rows = [(b"a", 1), (b"\xff", 2), (b"b", np.nan), (b"c", 3)]
    content = b"4 1\n"
    for word, number in rows:
        content += word + b" " + np.float32(number).tobytes() + b"\n"
    path = tmp_path / "v"
    path.write_bytes(content)
    with pytest.raises(VectorsError, match="vector 2: .*--errors replace"):
        WordVectors.load(path)
    loaded = WordVectors.load(path, "skip")
    assert (loaded.words, loaded.matrix.tolist()) == (["a", "c"], [[1], [3]])
    assert "v: damaged rows skipped: 2, the first: vector 2: " in caplog.text
    path.write_bytes(content[:-3])
    assert WordVectors.load(path, "skip").words == ["a"]
    assert "3 vectors, line 1 states 4" in caplog.text


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_binary_file_out_of_step_is_refused(tmp_path, end: bytes) -> None:
    numbers = np.array([0.5, 0.25], dtype="<f4").tobytes()
    rows = [b"a ", b"new york ", b"c ", b"d "]
    content = b"4 2\n" + b"".join(word + numbers + end for word in rows)
    (tmp_path / "v").write_bytes(content)
    ways: tuple[OnBadRows, ...] = ("strict", "skip")
    for errors in ways:
        with pytest.raises(VectorsError, match="vector 3: .*(not a word|cannot)"):
            WordVectors.load(tmp_path / "v", errors)


def test_a_file_without_a_sound_row_is_refused(tmp_path) -> None:
    (tmp_path / "v").write_bytes(b"1 2\nx 1 y\n")
    with pytest.raises(
        VectorsError, match="all rows are damaged; the first: line 2: could"
    ):
        WordVectors.load(tmp_path / "v", "skip")


def test_words_of_glove_may_hold_spaces(tmp_path) -> None:
    (tmp_path / "v").write_bytes(b"a 1 2\n. . 3 4\nat b.com 5 6\n")
    loaded = load_vectors(tmp_path / "v")
    assert loaded.words == ["a", ". .", "at b.com"]
    assert loaded.matrix.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_what_is_written_is_read_back(
    tmp_path, monkeypatch, form: VectorFormat
) -> None:
    vectors = awkward_vectors()
    slices = word2vec_formats._slices

    def swapped(words, matrix):
        for names, rows in slices(words, matrix):
            yield names, rows[:, ::-1]

    monkeypatch.setattr(word2vec_formats, "_slices", swapped)
    with pytest.raises(OutputError, match="v: does not read back as written"):
        save_vectors(vectors, tmp_path / "v", form)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_look_like_text_are_binary_all_the_same(tmp_path) -> None:
    looks = np.frombuffer(b"-\nU[-\nU[", dtype="<f4").reshape(1, 2)
    save_vectors(WordVectors(["0"], looks), tmp_path / "v", "binary")
    np.testing.assert_array_equal(load_vectors(tmp_path / "v").matrix, looks)


@pytest.mark.parametrize("dimension", [3, 1 << 12])
def test_many_rows_keep_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path, dimension: int
) -> None:
    monkeypatch.setattr(word2vec_formats, "_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(word2vec_formats, "_NUMBERS_AT_ONCE", 3 * dimension)
    matrix = np.random.default_rng(0).normal(size=(100, dimension)).astype(np.float32)
    names = [f"word{number}" for number in range(100)]
    save_vectors(WordVectors(names, matrix), tmp_path / "v", "text")
    lines = (tmp_path / "v").read_text().splitlines()[1:]
    assert [line.split()[0] for line in lines] == names
    read = np.array([line.split()[1:] for line in lines], dtype=np.float32)
    assert np.array_equal(read, matrix)


_FIELDS = st.sampled_from(
    [b"a", b"b", b"\xc3\xa9", b"\xff", b"1", b"-2.5", b"1e39", b"nan", b"x", b"\0", b""]
)
_ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b" \n", b"\n\n", b"\t", b""])


@given(
    header=st.sampled_from([b"", b"2 2\n", b"3 1\n"]),
    rows=st.lists(
        st.tuples(st.lists(_FIELDS, min_size=1, max_size=4).map(b" ".join), _ENDS),
        max_size=6,
    ),
    at_once=st.sampled_from([1, 7, 1 << 22]),
    errors=st.sampled_from(["strict", "replace", "skip"]),
)
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100
)
def test_parts_say_what_their_lines_say(
    tmp_path_factory, caplog, header, rows, at_once, errors
):
    file = tmp_path_factory.mktemp("vectors") / "v"
    good = b"k 1 2\nl 3 4\n" * (header != b"3 1\n")
    file.write_bytes(header + good + b"".join(line + end for line, end in rows))

    def read() -> object:
        caplog.clear()
        try:
            loaded = WordVectors.load(file, errors)
        except VectorsError as error:
            return str(error)
        return loaded.words, loaded.matrix.tolist(), caplog.messages

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word2vec_formats, "_BYTES_AT_ONCE", at_once)
        by_parts = read()
        patch.setattr(text_rows, "plain_rows", lambda *_: None)
        assert by_parts == read()


@pytest.mark.parametrize("at_once", [1, 4, 9])
def test_rows_are_judged_across_parts(tmp_path, monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(word2vec_formats, "_BYTES_AT_ONCE", at_once)
    file = tmp_path / "v"
    file.write_bytes(b"a 1 2\nb 3 4\nc 5 6\n")
    assert load_vectors(file).matrix.tolist() == [[1, 2], [3, 4], [5, 6]]
    file.write_bytes(b"a 1 2\nb 3 4\na 5 6\nc 7 8\n")
    assert load_vectors(file).matrix.tolist() == [[1, 2], [3, 4], [7, 8]]
    file.write_bytes(b"a 1 2\n\nb 3 4\nc 5 6\n")
    with pytest.raises(VectorsError, match="line 2: is empty"):
        load_vectors(file)


def test_rows_without_bounds_are_refused(tmp_path) -> None:
    (tmp_path / "v").write_bytes(b"a" + b" 1" * 100_001 + b"\n")
    with pytest.raises(VectorsError, match="line 1: 100001 numbers, expected at most"):
        load_vectors(tmp_path / "v")
