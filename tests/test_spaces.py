"""The commands that compare spaces."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sg_train import Run
from sg_train.runs.directory import RunDirectory
from sg_train.training.beginning import corpus_of
from sg_train.vectors.alignment import align
from sg_train.vectors.shift import measure_shift
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command
from tests.test_shift import COUNTS, MOVED, space


@pytest.fixture
def sides() -> tuple[WordVectors, WordVectors]:
    before, after = space(1), space(2, moved=True)
    before.save("before.parquet")
    after.save("after.parquet")
    return before, after


def test_the_words_that_moved_most_are_shown(
    sg_train: Command, sides: tuple[WordVectors, WordVectors]
) -> None:
    command = ("shift", "before.parquet", "after.parquet", "--top", 6)
    result = sg_train(*command, "--header")
    assert result.exit_code == 0, result.output
    assert "1500 shared words; residual after alignment" in result.stderr
    head, *lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert head == [
        *("word", "before", "after", "cosine", "local", "p", "q", "rare"),
        *("near_before", "near_after"),
    ]
    found = measure_shift([sides[0]], [sides[1]])
    for row, line in enumerate(lines):
        word = found.words[row]
        near = [" ".join(w for w, _ in side.neighbors(word, 5)) for side in sides]
        numbers = [found.cosine[row], found.local[row], found.p[row], found.q[row]]
        count = str(COUNTS[int(word[1:])])
        assert line == [word, count, count, *(f"{x:.4f}" for x in numbers), "", *near]
    assert {line[0] for line in lines[:5]} == {*MOVED}
    assert sg_train(*command, "--out", "t.csv").stdout == ""
    with Path("t.csv").open() as file:
        assert [row["word"] for row in csv.DictReader(file)] == [x[0] for x in lines]
    assert len(json.loads(sg_train(*command, "--json").stdout)) == 6


def test_chosen_words_are_shown(
    sg_train: Command, sides: tuple[WordVectors, WordVectors]
) -> None:
    Path("words.txt").write_text("w900\nw40\nabsent\n")
    command = ("shift", "before.parquet", "after.parquet", "--words", "words.txt")
    result = sg_train(*command)
    assert result.exit_code == 1
    assert "words without a vector on one of the sides: absent" in result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [(row[0], row[7]) for row in rows] == [("w40", ""), ("w900", "rare")]
    assert "absent" in sg_train.refused(*command, "--strict")
    few = sg_train("shift", *command[1:], "--min-count", 10).stdout.splitlines()
    assert [line.split("\t")[7] for line in few] == ["", ""]


def test_several_runs_a_side_show_their_spread(sg_train: Command) -> None:
    paths = []
    for name, seeds in (("early", (1, 2)), ("late", (3, 4))):
        for seed in seeds:
            paths.append(f"{name}-{seed}.npy")
            space(seed, moved=name == "late").save(paths[-1])
    assert "4 given, with 4 names" in sg_train.refused("shift", *paths)
    for path in paths:
        words = Path(path).with_suffix(".words.txt")
        words.rename(words.name.replace(".words.txt", ".txt"))
    for path in paths:
        stem = path.removesuffix(".npy")
        Path(f"{stem}.txt").unlink()
        space(int(stem[-1]), moved="late" in stem).save(stem, "text")
    names = [path.removesuffix(".npy") for path in paths]
    result = sg_train("shift", *names, "--top", 5, "--header")
    assert result.exit_code == 0, result.output
    head, *lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert head[1:3] == ["cosine", "spread"]  # text holds no counts
    assert {line[0] for line in lines} == {*MOVED}


def test_rotated_vectors_are_written(
    sg_train: Command, sides: tuple[WordVectors, WordVectors]
) -> None:
    result = sg_train("align", "after.parquet", "before.parquet", "aligned.parquet")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "aligned on 1500 shared words: mean cosine" in result.stderr
    written = WordVectors.load("aligned.parquet")
    expected = align(sides[1], sides[0]).apply(sides[1])
    assert np.array_equal(written.matrix, expected.matrix)
    assert written.counts is not None
    gain = [
        np.mean([v[word] @ sides[0][word] for word in v.words[:50]])
        for v in (sides[1], written)
    ]
    assert gain[1] > 5 > abs(gain[0])
    again = ("align", "after.parquet", "before.parquet", "aligned.parquet")
    assert "already exists; give --overwrite" in sg_train.refused(*again)
    wrong = sg_train.refused("align", "after.parquet", "absent", "x.txt")
    assert "cannot read absent" in wrong
    assert not Path("x.txt").exists()


def test_pictures_of_a_word_in_several_spaces(
    sg_train: Command, sides: tuple[WordVectors, WordVectors]
) -> None:
    for option in ("--path", "--around"):
        picture = Path(f"{option[2:]}.svg")
        result = sg_train(
            *("plot", "before.parquet", "after.parquet", option, "w40"),
            *("--count", 3, "-o", picture),
        )
        assert result.exit_code == 0, result.output
        shown = picture.read_text()
        assert "near in before" in shown
        near = {word for side in sides for word, _ in side.neighbors("w40", 3)}
        assert all(f">{word}<" in shown for word in near)


def test_pictures_of_a_word_refuse_what_they_cannot_draw(
    sg_train: Command, sides: tuple[WordVectors, WordVectors]
) -> None:
    def refused(*arguments: object) -> str:
        message = sg_train.refused("plot", *arguments, "-o", "picture.svg")
        assert not Path("picture.svg").exists()
        return message

    both = ("before.parquet", "after.parquet")
    assert "give two or more with --path" in refused("before.parquet", "--path", "w1")
    assert "'absent' has a vector in 0 of 2" in refused(*both, "--path", "absent")
    message = refused(*both, "--path", "w1", "--around", "w2")
    assert "--path and --around: cannot be combined" in message
    assert "--words: cannot be combined with --around" in refused(
        *both, "--around", "w1", "--words", "w2"
    )
    assert "one run or file, except with --path" in refused(*both)


def test_samples_show_what_is_noise(sg_train: Command) -> None:
    for name, seed in (("early", 1), ("late", 2)):
        generator = np.random.default_rng(seed)
        lines = generator.zipf(1.3, (2000, 10)).clip(max=200)
        Path(f"{name}.txt").write_text(
            "\n".join(" ".join(f"w{word}" for word in line) for line in lines)
        )
        command = ("train", "--corpus", f"{name}.txt", "--out", name)
        small = ("model.dimension=5", "training.epochs=1")
        assert sg_train(*command, "--set", small[0], "--set", small[1]).exit_code == 0
    result = sg_train("shift", "early", "late", "--samples", 2, "--header", "--json")
    assert result.exit_code == 0, result.stderr
    for seed in (1, 2):
        assert f"early: training on bootstrap sample {seed}" in result.stderr
        assert f"late: training on bootstrap sample {seed + 2}" in result.stderr
    rows = json.loads(result.stdout)
    assert all(-1 <= row["within"] <= 1 for row in rows)
    assert "spread" not in rows[0]
    # What can be checked is checked before the first sample is trained.
    Path("asked.txt").write_text("w1\nabsent\n")
    asked = ("--samples", 2, "--words", "asked.txt", "--strict")
    message = sg_train.refused("shift", "early", "late", *asked)
    assert "without a vector on one of the sides: absent" in message
    corpus = corpus_of(RunDirectory(Path("late"))).path
    moved = corpus.rename("moved")
    message = sg_train.refused("shift", "early", "late", "--samples", 2)
    assert f"{corpus}: not a prepared corpus" in message
    moved.rename(corpus)
    message = sg_train.refused("shift", "early", "late", "--samples", 1)
    assert "--samples 1: shows no difference; give at least 2" in message
    Run("late").vectors.save("late.vec")
    message = sg_train.refused("shift", "early", "late.vec", "--samples", 2)
    assert "--samples: late.vec is not a run" in message
    assert "--samples: give one run a side" in sg_train.refused(
        "shift", "a-1", "a-2", "b-1", "--samples", 2
    )
