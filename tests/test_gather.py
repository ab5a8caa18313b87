"""Prefetching, in plain Python: every row is prefetched before its window needs it."""

from tests.building import in_plain_python

IN_PLAIN_PYTHON = """
import numpy as np
from sg_train.blocks import Block, BlockRef
from sg_train.engines.fused import block, composed, gather, kernel
from sg_train.engines.fused.layout import LINE
from sg_train.model.skip_gram import SkipGram
from sg_train.vectors.ngrams import Ngrams, WordRows
from tests import building

kernel._load = None  # nothing is compiled
WORDS = 400  # enough that a row is rarely prefetched by chance
generator = np.random.default_rng(1)
text = Block(
    generator.integers(0, WORDS, 120).astype(np.int32),
    np.array([0, 1, 3, 10, 60, 120]),
)
prefetched, checked = set(), {}


def note(array, rows, column, to_write):
    prefetched.update((array.ctypes.data, row + column) for row in rows)


def check(what, array, rows, shape):
    for row in rows:
        for column in range(0, shape.row, LINE):
            assert (array.ctypes.data, row + column) in prefetched, (what, row, column)
    checked[what] = checked.get(what, 0) + len(rows)


def begin_windows(*arguments):
    prefetched.clear()
    begin_windows.before(*arguments)


def dots(u, v, contexts, shape, window, step):
    check("targets", v, window.targets, shape)
    if not shape.composed:
        check("contexts", u, window.contexts[:contexts], shape)
    dots.before(u, v, contexts, shape, window, step)


def compose(u, i, shape, scratch):
    parts = scratch.composed
    word = scratch.sentence.words[i]
    rows = parts.rows[parts.starts[word] : parts.starts[word + 1]]
    check("parts", u, rows.astype(np.int64) * shape.row, shape)
    compose.before(u, i, shape, scratch)


gather.prefetch_rows = note
for module, name, checking in (
    (block, "begin_windows", begin_windows),
    (block, "dots", dots),
    (composed, "_compose", compose),
):
    checking.before = getattr(module, name)
    setattr(module, name, checking)
names = [f"word{i}" for i in range(WORDS)]
for dimension, negatives, word_rows in (
    (20, 5, None),
    (7, 7, None),
    (20, 5, WordRows.of_words(names, Ngrams(3, 4, 1000))),
):
    plan = building.make_plan(
        np.arange(WORDS, 0, -1), window=4, negatives=negatives, subsample=0.05
    )
    model = SkipGram(
        WORDS, dimension, u_range=0.5, v_range=0.5, seed=1, word_rows=word_rows
    )
    engine = building.fused_engine(
        model, lambda _: text, plan, building.constant(0.01), lanes=4
    )
    list(engine.train([BlockRef(0, 0)]))
assert checked.keys() == {"targets", "contexts", "parts"}, checked
"""


def test_rows_are_prefetched_before_they_are_used() -> None:
    result = in_plain_python(IN_PLAIN_PYTHON)
    assert result.returncode == 0, result.stderr
