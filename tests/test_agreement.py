from pathlib import Path

import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors.agreement import (
    agreed_analogy,
    agreed_neighbors,
    agreed_similarities,
)
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command


def runs() -> list[WordVectors]:
    """Return three runs of like vectors; the last one lacks a word."""
    truth = np.random.default_rng(0).normal(size=(40, 6))
    noisy = [
        truth + np.random.default_rng(seed).normal(0, 0.5, (40, 6))
        for seed in (1, 2, 3)
    ]
    names = [f"w{row}" for row in range(40)]
    spaces = [WordVectors(names, matrix.astype(np.float32)) for matrix in noisy]
    return [*spaces[:2], WordVectors(names[:39], spaces[2].matrix[:39])]


def test_neighbours_have_mean_spread_and_number_of_runs() -> None:
    spaces = runs()
    found = agreed_neighbors(spaces, "w3", 5)
    near = [[name for name, _ in space.neighbors("w3", 5)] for space in spaces]
    cosines = {
        name: [space.similarity("w3", name) for space in spaces if name in space]
        for names in near
        for name in names
    }
    runs_of = {name: sum(name in names for names in near) for name in cosines}
    expected = sorted(cosines, key=lambda x: (-runs_of[x], -np.mean(cosines[x])))[:5]
    assert [each.word for each in found] == expected
    for each in found:
        assert each.score == pytest.approx(np.mean(cosines[each.word]))
        assert each.spread == pytest.approx(np.std(cosines[each.word], ddof=1))
        assert each.runs == sum(each.word in names for names in near)
    assert len({each.runs for each in found}) > 1
    assert agreed_neighbors(spaces[:1], "w3", 2)[0].spread is None


def test_a_neighbour_that_a_run_lacks_counts_where_it_is() -> None:
    spaces = runs()
    word = spaces[0].neighbors("w39", 1)[0][0]
    found = {each.word: each for each in agreed_neighbors(spaces, word, 38)}
    assert found["w39"].runs == 2
    cosines = [space.similarity(word, "w39") for space in spaces[:2]]
    assert found["w39"].score == pytest.approx(np.mean(cosines))


def test_similarities_have_mean_and_spread() -> None:
    spaces = runs()
    pairs = [("w1", "w2"), ("w3", "w30")]
    found = agreed_similarities(spaces, pairs)
    for (one, other), mean in zip(pairs, found, strict=True):
        cosines = [space.similarity(one, other) for space in spaces]
        assert mean.cosine == pytest.approx(np.mean(cosines))
        assert mean.spread == pytest.approx(np.std(cosines, ddof=1))
    assert agreed_similarities(spaces[:1], pairs)[0].spread is None


@pytest.mark.parametrize("method", ["add", "mul"])
def test_analogies_have_mean_spread_and_number_of_runs(method) -> None:
    spaces = runs()
    how = {"method": method, "restrict": 30}
    found = agreed_analogy(spaces, ("w1", "w2", "w3"), 4, **how)
    of_runs = [dict(space.analogy("w1", "w2", "w3", 30, **how)) for space in spaces]
    means = {
        word: np.mean([scores[word] for scores in of_runs])
        for scores in of_runs
        for word in [*scores][:4]
    }
    runs_of = {word: sum(word in [*of_run][:4] for of_run in of_runs) for word in means}
    expected = sorted(means, key=lambda word: (-runs_of[word], -means[word]))[:4]
    assert [each.word for each in found] == expected
    for each in found:
        scores = [of_run[each.word] for of_run in of_runs]
        assert each.score == pytest.approx(np.mean(scores))
        assert each.spread == pytest.approx(np.std(scores, ddof=1))
        assert each.runs == sum(each.word in [*of_run][:4] for of_run in of_runs)
    assert len({each.runs for each in found}) > 1


def test_a_word_that_a_run_lacks_is_refused() -> None:
    with pytest.raises(VectorsError, match="'w39' has no vector"):
        agreed_neighbors(runs(), "w39")
    with pytest.raises(VectorsError, match="no run to look words up in"):
        agreed_neighbors([], "w3")


def test_several_runs_before_the_words_are_compared(
    sg_train: Command, trained, text
) -> None:
    from sg_train import Run

    seeds = ("--corpus", text, "--seeds", "1-2", "--set", "training.epochs=2")
    result = sg_train("train", *seeds, "--set", "model.dimension=8", "--out", "runs/s")
    assert result.exit_code == 0, result.output
    paths = ["runs/s-seed-1", "runs/s-seed-2"]
    result = sg_train("neighbors", *paths, "w5", "w9", "--top", 3, "--header")
    assert result.exit_code == 0, result.output
    head, *lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert head == ["word", "neighbor", "cosine", "spread", "runs"]
    expected = []
    for word in ("w5", "w9"):
        found = agreed_neighbors([Run.open(path).vectors for path in paths], word, 3)
        for each in found:
            numbers = f"{each.score:.4f}", f"{each.spread:.4f}", f"{each.runs} of 2"
            expected.append([word, each.word, *numbers])
    assert lines == expected
    spaces = [Run.open(path).vectors for path in paths]
    result = sg_train("similarity", *paths, "w5", "w9", "--header")
    (mean,) = agreed_similarities(spaces, [("w5", "w9")])
    assert result.stdout.splitlines() == [
        "first\tsecond\tcosine\tspread\truns",
        f"w5\tw9\t{mean.cosine:.4f}\t{mean.spread:.4f}\t2",
    ]
    result = sg_train("analogy", *paths, "w5", "w9", "w7", "--top", 2)
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        [each.word, f"{each.score:.4f}", f"{each.spread:.4f}", f"{each.runs} of 2"]
        for each in agreed_analogy(spaces, ("w5", "w9", "w7"), 2)
    ]
    assert "FIRST SECOND: give" in sg_train.refused("similarity", *paths, "w5")
    Path("pairs.txt").write_text("w5 w9\nw5 nothing\n")
    some = sg_train("similarity", *paths, "--from", "pairs.txt")
    assert some.exit_code == 1
    assert "'nothing' has no vector" in some.stderr
    assert some.stdout.startswith("w5\tw9")
    unknown = sg_train("neighbors", *paths, "w5", "nothing")
    assert unknown.exit_code == 1
    assert "'nothing' has no vector" in unknown.stderr
    assert unknown.stdout.startswith("w5\t")
    wrong = sg_train.refused("neighbors", *paths, "w5", "--together")
    assert "--together, --wide: cannot be combined with several runs" in wrong
    assert "give one of words" in sg_train.refused("neighbors", *paths, "--all", "w1")
    line = sg_train.refused("neighbors", *paths, "--all")
    assert "--all: cannot be combined with several runs" in line


def test_a_run_that_is_not_there_is_no_word(sg_train: Command, trained) -> None:
    line = sg_train.refused("neighbors", trained, "runs/nope", "w1")
    assert "runs/nope: not a run directory; further runs must be runs" in line
