"""Questions in bulk, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command


@pytest.fixture
def loaded(trained: Path) -> WordVectors:
    return load_run_vectors(RunDirectory(trained))


def test_words_of_a_file_have_the_neighbours_of_single_questions(
    sg_train: Command, trained: Path
) -> None:
    Path("words.txt").write_text("w5\n\nw9\nw5\n")
    single = sg_train("neighbors", trained, "w5", "w9", "w5", "--top", 3).stdout
    assert len(single.splitlines()) == 9
    bulk = ("neighbors", trained, "--top", 3, "--from")
    assert sg_train(*bulk, "words.txt").stdout == single
    assert sg_train(*bulk, "-", input="w5\nw9\nw5\n").stdout == single
    with_header = sg_train(*bulk, "words.txt", "--header").stdout
    assert with_header == "word\tneighbor\tcosine\n" + single
    as_json = sg_train(*bulk, "words.txt", "--json").stdout
    by_words = sg_train("neighbors", trained, "w5", "w9", "w5", "--top", 3, "--json")
    assert json.loads(as_json) == json.loads(by_words.stdout)


def test_all_words_go_to_a_table(
    sg_train: Command, trained: Path, loaded: WordVectors
) -> None:
    every = ("neighbors", trained, "--all", "--top", 4)
    assert sg_train(*every, "--out", "t.tsv").stdout == ""
    lines = [line.split("\t") for line in Path("t.tsv").read_text().splitlines()]
    assert lines[0] == ["word", "neighbor", "cosine"]
    assert lines[1:] == [
        [word, near, f"{cosine:.4f}"]
        for word in loaded.words
        for near, cosine in loaded.neighbors(word, 4)
    ]
    assert "t.tsv: already exists" in sg_train.refused(*every, "--out", "t.tsv")
    few = (*every, "--restrict", 5, "--wide", "--out", "t.parquet")
    assert sg_train(*few).exit_code == 0
    table = pq.read_table("t.parquet").to_pylist()
    assert [row["word"] for row in table] == list(loaded.words[:5])
    for row in table:
        nearest = loaded.neighbors(row["word"], 4, restrict=5)
        assert [*row.values()][1:] == [x for pair in nearest for x in pair]


def test_words_together_are_one_question(
    sg_train: Command, trained: Path, loaded: WordVectors
) -> None:
    Path("basket.txt").write_text("w5\nw9\n")
    nearest = loaded.neighbors(["w5", "w9"], 3)
    for asked in (("w5", "w9"), ("--from", "basket.txt")):
        shown = sg_train("neighbors", trained, *asked, "--together", "--top", 3).stdout
        assert shown == "".join(f"{word}\t{cosine:.4f}\n" for word, cosine in nearest)


def test_pairs_and_triples_of_files(
    sg_train: Command, trained: Path, loaded: WordVectors
) -> None:
    Path("pairs.tsv").write_text("w1\tw2\nw3 w4\n")
    shown = sg_train("similarity", trained, "--from", "pairs.tsv").stdout
    assert shown == "".join(
        sg_train("similarity", trained, *pair.split()).stdout
        for pair in ("w1 w2", "w3 w4")
    )
    Path("triples.txt").write_text("w1 w2 w3\nw4 w5 w6\n")
    asked = ("analogy", trained, "--from", "triples.txt", "--top", 2)
    rows = [
        line.split("\t") for line in sg_train(*asked, "--header").stdout.split("\n")
    ]
    assert rows[0] == ["a", "b", "c", "word", "score"]
    best, score = loaded.analogy("w4", "w5", "w6", 2)[0]
    assert rows[3] == ["w4", "w5", "w6", best, f"{score:.4f}"]
    assert sg_train(*asked, "--out", "a.jsonl").exit_code == 0
    lines = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert [line["word"] for line in lines] == [row[3] for row in rows[1:5]]
    Path("words.txt").write_text("w5\nw9\n")
    of_file = sg_train("vector", trained, "--from", "words.txt").stdout
    assert of_file == sg_train("vector", trained, "w5", "w9").stdout


def test_unknown_words_of_a_file_are_named(sg_train: Command, trained: Path) -> None:
    Path("words.txt").write_text("w5\nnosuch\nw9\n")
    asked = ("neighbors", trained, "--from", "words.txt", "--out", "t.csv")
    result = sg_train(*asked)
    assert result.exit_code == 1
    assert "'nosuch' has no vector" in result.stderr
    assert len(Path("t.csv").read_text().splitlines()) == 21
    Path("t.csv").unlink()
    assert "'nosuch' has no vector" in sg_train.refused(*asked, "--strict")
    assert not Path("t.csv").exists()
    Path("pairs.txt").write_text("w5 nosuch\nw1 w2\n")
    result = sg_train("similarity", trained, "--from", "pairs.txt")
    assert result.exit_code == 1
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [["w1", "w2"]]
    Path("pairs.txt").write_text("w5 nosuch\n")
    assert "'nosuch'" in sg_train.refused("similarity", trained, "--from", "pairs.txt")


def test_no_answer_is_never_silent(sg_train: Command, trained: Path) -> None:
    first = (trained / "vocabulary.tsv").read_text().split()[0]
    alone = ("neighbors", trained, "--restrict", 1)
    for asked in ((first,), ("--all",), ("--all", "--out", "t.csv"), (first, "--wide")):
        result = sg_train(*alone, *asked)
        assert result.exit_code == 0
        assert "no other word to answer with; raise --restrict" in result.stderr
    Path("one.txt").write_text("1 2\nsolo 1 2\n")
    assert "no other word to answer" in sg_train("neighbors", "one.txt", "--all").stderr


def test_a_table_never_replaces_what_is_asked(sg_train: Command, trained: Path) -> None:
    vocabulary = trained / "vocabulary.tsv"
    before = vocabulary.read_bytes()
    asked = ("neighbors", trained, "--all", "--overwrite", "--out", vocabulary)
    assert "is part of" in sg_train.refused(*asked)
    assert vocabulary.read_bytes() == before
    Path("v.tsv").write_text("2 2\na 1 2\nb 2 1\n")
    of_file = ("similarity", "v.tsv", "a", "b", "--overwrite", "--out", "v.tsv")
    assert "--out v.tsv: is part of v.tsv; choose" in sg_train.refused(*of_file)


def test_on_a_terminal_words_are_escaped_and_aligned() -> None:
    Path("v.txt").write_bytes(b"2 2\n\x1b[31mred 1 2\nb 2 1\n")
    code = "import sys; from sg_train.cli import app; sys.stdout.isatty = lambda: True"
    code += "; app(['neighbors', 'v.txt', '--all'])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    red = "\\x1b[31mred"
    assert result.stdout == f"{red}  b            0.8000\nb            {red}  0.8000\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("neighbors r", "WORDS: give one of words, --from FILE and --all"),
        ("neighbors r w1 --all", "WORDS: give one of words, --from FILE and --all"),
        (
            "neighbors r --all --from x",
            "WORDS: give one of words, --from FILE and --all",
        ),
        ("neighbors r --all --together", "--together: cannot be combined with --all"),
        ("neighbors r --all --out t.xls", "t.xls: no format has the ending '.xls'"),
        ("neighbors r --all --out t.csv --json", "--json: cannot be combined with"),
        ("neighbors r --from no.txt", "cannot read no.txt: No such file"),
        ("similarity r w1", "FIRST SECOND: give FIRST SECOND or --from FILE"),
        ("similarity r w1 w2 --from x", "FIRST SECOND: cannot be combined with"),
        ("analogy r w1 w2", "A B C: give A B C or --from FILE"),
        ("vector r", "WORDS: give WORDS or --from FILE"),
        ("vector r w1 --from x", "WORDS: cannot be combined with --from"),
    ],
)
def test_questions_that_do_not_fit_together(
    sg_train: Command, arguments: str, complaint: str
) -> None:
    assert complaint in sg_train.refused(*arguments.split())
    assert list(Path().iterdir()) == []
