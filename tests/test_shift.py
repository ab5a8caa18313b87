import math

import numpy as np
import pytest

from sg_train.vectors import shift
from sg_train.vectors.alignment import centred
from sg_train.vectors.shift import measure_shift
from sg_train.vectors.word_vectors import WordVectors
from tests.test_alignment import rotation

SIZE, DIMENSION = 1500, 10
COUNTS = (30_000 / np.arange(1, SIZE + 1)).astype(np.int64)
MOVED = [f"w{row}" for row in (40, 80, 120, 160, 200)]


def space(seed: int, *, moved: bool = False, counts=COUNTS) -> WordVectors:
    """Return the same space with noise of its own, larger for rare words."""
    truth = np.random.default_rng(0).normal(size=(SIZE, DIMENSION))
    if moved:
        rows = [int(word[1:]) for word in MOVED]
        truth[rows] = truth[np.roll(rows, 1)]
    noise = np.random.default_rng(seed).normal(size=truth.shape)
    matrix = truth + noise * (4 / np.sqrt(COUNTS))[:, None]
    matrix = (matrix @ rotation(DIMENSION, seed)).astype(np.float32)
    return WordVectors([f"w{row}" for row in range(SIZE)], matrix, counts=counts)


def test_words_that_moved_come_first_and_others_are_no_surprise() -> None:
    found = measure_shift([space(1)], [space(2, moved=True)])
    assert set(found.words[:5]) == set(MOVED)
    assert (found.q[:5] < 0.01).all()
    others = np.array([word not in MOVED for word in found.words])
    assert 0.02 < (found.p[others] < 0.05).mean() < 0.1
    # Some have moved, too, since their neighbours have.
    assert (found.q[others] < 0.05).mean() < 0.02
    assert found.spread is None
    same = measure_shift([space(1)], [space(2)])
    assert (same.q < 0.05).mean() < 0.02
    assert 0.02 < (same.p < 0.05).mean() < 0.1


def test_rare_words_are_marked_and_come_last() -> None:
    found = measure_shift([space(1)], [space(2)], least=100)
    assert found.before is not None
    assert found.after is not None
    assert (found.is_rare == (found.before < 100)).all()
    assert (np.diff(found.is_rare.astype(int)) >= 0).all()
    for rare in (False, True):
        of_kind = found.is_rare == rare
        assert (np.diff(found.p[of_kind]) >= 0).all()
    expected = {f"w{row}": COUNTS[row] for row in range(SIZE)}
    assert found.before.tolist() == [expected[word] for word in found.words]


def test_cosines_are_means_over_pairs_of_runs() -> None:
    before, after = [space(1), space(2)], [space(3), space(4), space(5)]
    found = measure_shift(before, after)
    words = before[0].words
    spaces = [centred(each, words) for each in (*before, *after)]
    turned = [spaces[0]]
    for each in spaces[1:]:
        left, _, right = np.linalg.svd(each.T.astype(float) @ spaces[0].astype(float))
        turned.append(each @ (left @ right))
    pairs = [(x * y).sum(axis=1) for x in turned[:2] for y in turned[2:]]
    mean, spread = np.mean(pairs, axis=0), np.std(pairs, axis=0, ddof=1)
    order = [int(word[1:]) for word in found.words]
    np.testing.assert_allclose(found.cosine, mean[order], atol=1e-5)
    assert found.spread is not None
    np.testing.assert_allclose(found.spread, spread[order], atol=1e-5)


def test_the_local_measure_is_that_of_its_definition(monkeypatch) -> None:
    monkeypatch.setattr(shift, "_CANDIDATES", 40)
    monkeypatch.setattr(shift, "_NEIGHBORS", 5)
    one, other = (centred(space(seed), space(1).words)[:60] for seed in (1, 2))
    found = shift._local(one, other)
    for row in (0, 39, 40, 59):
        near: set[int] = set()
        cosines = []
        for each in (one, other):
            scores = each[:40] @ each[row]
            cosines.append(scores.copy())
            if row < 40:
                scores[row] = -np.inf
            near |= set(np.argsort(-scores)[:5].tolist())
        x, y = (each[sorted(near)] for each in cosines)
        expected = x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
        assert found[row] == pytest.approx(expected, abs=1e-5)


def test_p_is_that_of_a_normal_deviate_and_q_that_of_benjamini_and_hochberg() -> None:
    rank = np.arange(SIZE)[::-1]
    normal = np.random.default_rng(3).normal(5, 2, SIZE)
    surprise = shift._surprise(normal, rank)
    np.testing.assert_allclose(surprise, (5 - normal) / 2, atol=0.7)
    p = np.array([0.9, 0.01, 0.04, 0.03, 0.5])
    expected = [0.9, 0.05, 4 / 60, 4 / 60, 0.625]
    np.testing.assert_allclose(shift._false_shares(p), expected)
    found = measure_shift([space(1)], [space(2)])
    assert found.p.min() >= 0
    assert found.p.max() <= 1
    assert math.isclose(float(np.median(found.p)), 0.5, abs_tol=0.05)


def test_unknown_counts_are_unknown() -> None:
    known, unknown = space(1), space(2, moved=True, counts=None)
    found = measure_shift([known], [unknown])
    assert found.after is None
    assert set(found.words[:5]) == set(MOVED)
    none = measure_shift([unknown], [space(1, counts=None)])
    assert none.before is None
    assert not none.is_rare.any()
    assert set(none.words[:5]) == set(MOVED)


def test_what_differs_between_runs_on_one_text_counts_as_noise() -> None:
    """A word that no two runs agree on is less of a surprise than one they agree on."""
    unstable = "w60"
    row = int(unstable[1:])

    def shaken(seed: int, *, moved: bool = False) -> WordVectors:
        found = space(seed, moved=moved)
        noise = np.random.default_rng(3 * seed + 100).normal(size=DIMENSION)
        found.matrix[row] = noise @ rotation(DIMENSION, seed)
        return found

    before, after = [shaken(1)], [shaken(2, moved=True)]
    alone = measure_shift(before, after)
    assert alone.within is None
    assert unstable in alone.words[:6]
    samples = [shaken(3), shaken(4)], [shaken(5, moved=True), shaken(6, moved=True)]
    known = measure_shift(before, after, samples=samples)
    assert set(known.words[:5]) == set(MOVED)
    place = {word: at for at, word in enumerate(known.words)}
    assert place[unstable] > 50
    before_p, now_p = (
        float(found.p[found.words.index(unstable)]) for found in (alone, known)
    )
    assert now_p > 10 * before_p
    # The figures of the two sides stay as they are.
    of_alone = dict(zip(alone.words, alone.cosine.tolist(), strict=True))
    assert known.cosine.tolist() == [of_alone[word] for word in known.words]


def test_the_cosine_within_a_side_is_the_mean_over_its_pairs_of_runs() -> None:
    before, after = [space(1), space(2)], [space(3), space(4), space(5)]
    found = measure_shift(before, after)
    words = before[0].words
    turned: list[np.ndarray] = []
    for each in (*before, *after):
        rows = centred(each, words).astype(float)
        left, _, right = np.linalg.svd(rows.T @ centred(space(1), words).astype(float))
        turned.append(rows @ left @ right if turned else rows)
    pairs = [(0, 1), (2, 3), (2, 4), (3, 4)]
    expected = np.mean([(turned[i] * turned[j]).sum(axis=1) for i, j in pairs], axis=0)
    order = [int(word[1:]) for word in found.words]
    assert found.within is not None
    np.testing.assert_allclose(found.within, expected[order], atol=1e-4)
    # The same runs as samples give the same.
    again = measure_shift(before, after, samples=(before, after))
    assert again.words == found.words


def test_words_that_samples_lack_stay_in_the_table() -> None:
    lacking = space(3).subset([f"w{row}" for row in range(SIZE - 20)])
    samples = [lacking, space(4)], [space(5)]
    found = measure_shift([space(1)], [space(2)], samples=samples)
    assert found.within is not None
    is_last = np.array([int(word[1:]) >= SIZE - 20 for word in found.words])
    assert np.isnan(found.within[is_last]).all()
    assert np.isfinite(found.within[~is_last]).all()
    assert np.isfinite(found.p).all()
    words = space(1).words
    rank = np.arange(SIZE)
    noise = shift._noise(samples, shift._Turns(space(1), None), words, rank)
    assert noise is not None
    for values in noise[1:]:
        rarest = np.median(values[SIZE - 220 : SIZE - 20])
        np.testing.assert_allclose(values[SIZE - 20 :], rarest)
