import gzip
import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sg_train.errors import OutputError, VectorsError
from sg_train.vectors.formats import tables
from sg_train.vectors.formats.text_rows import joined_numbers
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command, awkward_vectors

ENDINGS = ("parquet", "csv", "jsonl")
ANY_WORD = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def with_counts() -> WordVectors:
    vectors = awkward_vectors()
    return WordVectors(
        [*vectors.words[:-1], "new york"],
        vectors.matrix,
        counts=np.arange(len(vectors), 0, -1) + 2**53,  # more than floats can hold
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_reads_back_exactly(ending: str) -> None:
    vectors = with_counts()
    vectors.save(f"v.{ending}")
    read = WordVectors.load(f"v.{ending}")
    assert read.words == vectors.words
    assert np.array_equal(read.matrix, vectors.matrix)
    assert read.counts is not None
    assert read.counts.tolist() == vectors.counts.tolist()
    vectors.save(f"v.{ending}")  # again, in its place
    awkward_vectors().save(f"no-counts.{ending}")
    assert WordVectors.load(f"no-counts.{ending}").counts is None


@pytest.mark.parametrize("ending", ENDINGS)
@given(data=st.data())
def test_any_words_and_numbers_survive(ending: str, data) -> None:
    names = data.draw(st.lists(ANY_WORD, min_size=1, max_size=6, unique=True))
    shape = len(names), data.draw(st.integers(1, 4))
    matrix = data.draw(arrays(np.float32, shape, elements=FLOATS))
    counts = data.draw(arrays(np.int64, len(names), elements=st.integers(0, 2**62)))
    WordVectors(names, matrix, counts=counts).save(f"v.{ending}")
    read = WordVectors.load(f"v.{ending}")
    assert list(read.words) == names
    assert np.array_equal(read.matrix, matrix)
    assert read.counts is not None
    assert np.array_equal(read.counts, counts)


@pytest.mark.parametrize(
    ("ending", "source"),
    [
        ("parquet", "read_parquet('v.parquet')"),
        ("csv", "read_csv('v.csv')"),
        ("jsonl", "read_json('v.jsonl', format = 'newline_delimited')"),
    ],
)
def test_duckdb_computes_with_the_vectors(ending: str, source: str) -> None:
    vectors = awkward_vectors().most_frequent(3000)
    vectors = WordVectors(vectors.words[1:], vectors.matrix[1:])  # without 3e38
    vectors.save(f"v.{ending}")
    rows = duckdb.sql(
        f"WITH v AS (SELECT word, vector::FLOAT[7] AS x FROM {source}) "
        "SELECT o.word, array_cosine_similarity(o.x, w.x) AS cosine FROM v o, v w "
        "WHERE w.word = 'a,b' AND o.word <> w.word ORDER BY cosine DESC LIMIT 5"
    ).fetchall()
    expected = vectors.neighbors("a,b", 5)
    assert [word for word, _ in rows] == [word for word, _ in expected]
    found = [cosine for _, cosine in rows]
    assert found == pytest.approx([cosine for _, cosine in expected], abs=1e-5)


def test_a_line_of_csv_is_what_pgvector_copies() -> None:
    matrix = np.array([[0.1, -2], [1e-7, 3]], dtype=np.float32)
    WordVectors(['a"b', "c"], matrix, counts=np.array([7, 2])).save("v.csv")
    assert Path("v.csv").read_text() == (
        'word,count,vector\n"a""b",7,"[0.1,-2]"\n"c",2,"[1e-7,3]"\n'
    )


def test_a_line_of_json_is_an_object() -> None:
    WordVectors(["a"], np.array([[0.5, 2]])).save("v.jsonl")
    assert json.loads(Path("v.jsonl").read_text()) == {
        "word": "a",
        "count": None,
        "vector": [0.5, 2],
    }


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_parquet_has_small_numbers(dtype) -> None:
    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(500, 64)).astype(np.float32)
    vectors = WordVectors([f"w{row}" for row in range(500)], matrix)
    vectors.save("v.parquet")
    vectors.save("small.parquet", dtype=dtype)
    share = Path("small.parquet").stat().st_size / Path("v.parquet").stat().st_size
    assert share < (0.6 if dtype == "float16" else 0.35)
    read = WordVectors.load("small.parquet")
    assert np.abs(read.matrix - matrix).max() < (0.002 if dtype == "float16" else 0.02)
    kind = pq.read_schema("small.parquet").field("vector").type.value_type
    assert kind == (pa.float16() if dtype == "float16" else pa.int8())


def test_tables_of_other_tools_are_read() -> None:
    words = pa.array(["a", "b"], pa.large_string())
    vectors = pa.array([[1, 2], [3, 4]], pa.large_list(pa.float64()))
    more = pa.array(["x", "y"])
    pq.write_table(pa.table({"more": more, "vector": vectors, "word": words}), "v")
    read = WordVectors.load("v")
    assert read.words == ["a", "b"]
    assert read.matrix.tolist() == [[1, 2], [3, 4]]
    Path("v").write_bytes(gzip.compress(b'word,vector\r\na,"{1,2}"\r\nNULL,[3 4]\r\n'))
    read = WordVectors.load("v")
    assert read.words == ["a", "NULL"]  # as Postgres and numpy spell a vector
    assert read.matrix.tolist() == [[1, 2], [3, 4]]
    Path("v").write_text('word,vector\na,"[1, 2]"\n')
    assert WordVectors.load("v").matrix.tolist() == [[1, 2]]
    Path("v").write_text('{"word": "a", "vector": [1], "more": {}}\n\n')
    assert WordVectors.load("v").matrix.tolist() == [[1]]


def test_of_repeated_words_the_first_is_kept(caplog) -> None:
    Path("v").write_text("word,count,vector\na,5,[1]\nb,2,[2]\na,1,[3]\n")
    read = WordVectors.load("v")
    assert (read.words, read.matrix.tolist()) == (["a", "b"], [[1], [2]])
    assert read.counts is not None
    assert read.counts.tolist() == [5, 2]
    assert "they repeat a word: 1, the first: 'a' in vector 3" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("word,count\na,1\n", "has no column 'vector'; a table of vectors has"),
        ("word,word,vector\na,b,1\n", "has 2 columns 'word'; keep one"),
        ("word,vector\n", "holds no vectors"),
        ('word,vector\na,"1,2"\nb,3\n', "vector 2 has 1 numbers, expected 2"),
        ("word,vector\na,[]\n", r"damaged table of vectors \("),
        ("word,vector\na,x\n", r"damaged table of vectors \(.*x"),
        ("word,vector\n,1\n", "the word of vector 1 is empty"),
        ("word,vector\na,inf\n", "the vector of 'a' is not finite"),
        ("word,count,vector\na,-1,1\n", "the count of 'a' is negative"),
        ("word,count,vector\na,x,1\n", r"damaged table of vectors \(.*x"),
        ('{"word": "a"}\n', "has no column 'vector'|vector 1 has 0 numbers"),
        (
            '{"word": "a", "vector": []}\n',
            "vector 1 has 0 numbers, expected at least 1",
        ),
        ('{"word": "a", "vector": [1, null]}\n', "vector 1 lacks a number"),
        ('{"word": "a", "vector": [1]', r"damaged table of vectors \("),
        ('{"word": "a", "vector": "x"}\n', r"damaged table of vectors \("),
        ('{"word": ["a"], "vector": [1]}\n', r"damaged table of vectors \("),
    ],
)
def test_a_faulty_table_is_refused(content: str, message: str) -> None:
    Path("v").write_text(content)
    with pytest.raises(VectorsError, match=f"v: {message}") as refused:
        WordVectors.load("v")
    assert "\n" not in str(refused.value)


def test_a_faulty_parquet_file_is_refused() -> None:
    pq.write_table(pa.table({"word": ["a"], "vector": ["x"]}), "v")
    with pytest.raises(VectorsError, match="vector holds string, expected lists of nu"):
        WordVectors.load("v")
    pq.write_table(pa.table({"word": ["a", None], "vector": [[1.0], [2.0]]}), "v")
    with pytest.raises(VectorsError, match="the word of vector 2 is empty"):
        WordVectors.load("v")
    with_counts().save("v.parquet")
    whole = Path("v.parquet").read_bytes()
    Path("v.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VectorsError, match=r"v.parquet: damaged table of vectors \("):
        WordVectors.load("v.parquet")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_that_does_not_read_back_is_refused(ending: str, monkeypatch) -> None:
    if ending == "parquet":
        broken = tables._lists
        monkeypatch.setattr(tables, "_lists", lambda x, kind: broken(x + 1, kind))
    else:
        place = "sg_train.vectors.formats.tables.joined_numbers"
        monkeypatch.setattr(place, lambda rows, mark: joined_numbers(rows + 1, mark))
    with pytest.raises(OutputError, match=r"v\.\w+: does not read back as written"):
        WordVectors(["a"], np.array([[1, 2]])).save(f"v.{ending}")
    assert not Path(f"v.{ending}").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_table_cannot_hold_is_refused(ending: str) -> None:
    vectors = WordVectors(["a", "b"], np.array([[1], [np.inf]]))
    with pytest.raises(VectorsError, match="the vector of 'b' is not finite"):
        vectors.save(f"v.{ending}")
    assert not Path(f"v.{ending}").exists()


def test_scales_belong_to_int8_only_and_must_be_complete() -> None:
    floats = {"word": ["a", "b"], "vector": [[1.0], [2.0]], "scale": [0.0, 5.0]}
    pq.write_table(pa.table(floats), "v")
    assert WordVectors.load("v").matrix.tolist() == [[1], [2]]
    kind = pa.list_(pa.int8())
    small = pa.table(
        {
            "word": ["a", "b"],
            "vector": pa.array([[1], [2]], kind),
            "scale": pa.array([0.5, None], pa.float32()),
        }
    )
    pq.write_table(small, "v")
    with pytest.raises(VectorsError, match="v: a scale of an int8 vector is missing"):
        WordVectors.load("v")


def test_counts_of_pandas_are_read_and_missing_ones_reported(caplog) -> None:
    Path("v").write_text("word,count,vector\na,3.0,[1]\nb,2.0,[2]\n")
    counts = WordVectors.load("v").counts
    assert counts is not None
    assert counts.tolist() == [3, 2]
    assert not caplog.text
    Path("v").write_text("word,count,vector\na,3.0,[1]\nb,,[2]\n")
    assert WordVectors.load("v").counts is None
    assert "v: counts are ignored, because some are missing" in caplog.text
    Path("v").write_text("word,count,count,vector\na,3,3,[1]\n")
    with pytest.raises(VectorsError, match="v: has 2 columns 'count'; keep one"):
        WordVectors.load("v")


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"precision": 3}], ids=str)
def test_a_vector_that_would_vanish_is_refused(options) -> None:
    vectors = WordVectors(["a", "b"], np.array([[1, 0], [1e-8, 0]]))
    name = "v.npy" if "dtype" in options else "v.csv"
    with pytest.raises(VectorsError, match="vector of 'b' would be rounded to zeros"):
        vectors.save(name, **options)
    assert not Path(name).exists()
    WordVectors(["a", "b"], np.array([[1, 0], [0, 0]])).save(name, **options)


@pytest.mark.parametrize(("counts", "share"), [([0, 0], 0.0), ([2**62] * 2, 0.5)])
def test_shares_of_odd_counts_are_shown(sg_train: Command, counts, share) -> None:
    matrix = np.array([[1], [2]])
    WordVectors(["a", "b"], matrix, counts=np.array(counts)).save("v.parquet")
    result = sg_train("vocab", "v.parquet", "--top", 2)
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [float(row[2]) for row in rows] == [share, share]
