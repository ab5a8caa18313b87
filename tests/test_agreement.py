import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors.agreement import agreed_neighbors
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
    expected = sorted(cosines, key=lambda name: -np.mean(cosines[name]))[:5]
    assert [each.word for each in found] == expected
    for each in found:
        assert each.cosine == pytest.approx(np.mean(cosines[each.word]))
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
    assert found["w39"].cosine == pytest.approx(np.mean(cosines))


def test_a_word_that_a_run_lacks_is_refused() -> None:
    with pytest.raises(VectorsError, match="'w39' has no vector"):
        agreed_neighbors(runs(), "w39")
    with pytest.raises(VectorsError, match="no run to look the word up in"):
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
            numbers = f"{each.cosine:.4f}", f"{each.spread:.4f}", f"{each.runs} of 2"
            expected.append([word, each.word, *numbers])
    assert lines == expected
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
