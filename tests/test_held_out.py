import os
import signal
from pathlib import Path

import numpy as np
import pytest

from sg_train.blocks import Block, BlockRef
from sg_train.config import Config
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.errors import Interrupted, SettingsError
from sg_train.model.skip_gram import SkipGram
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_weights
from sg_train.sampling.windows import NO_WORD, draw_windows
from sg_train.training.held_out import HeldOutLoss
from sg_train.training.schedule import LinearSchedule
from sg_train.training.train import resume, train
from sg_train.vectors.ngrams import Ngrams, WordRows
from tests.building import make_plan
from tests.conftest import read_metrics
from tests.test_resume import Watched, train_with

WORDS = 9
GENERATOR = np.random.default_rng(3)


def block(number: int, words: int = 60) -> Block:
    ids = np.random.default_rng(number).integers(0, WORDS, words, dtype=np.int32)
    return Block(ids, np.array([0, words // 3, words]))


def losses(u, v, plan, number: int) -> list[float]:
    """Return the loss of each pair of a block, by the formula, in float64."""
    drawn = draw_windows(block(number).ids, block(number).offsets, plan, 0, number)
    found = []
    for contexts, centre, negatives in zip(
        drawn.contexts, drawn.centres, drawn.negatives, strict=True
    ):
        for context in contexts[contexts != NO_WORD]:
            dots = [v[centre] @ u[context]]
            dots += [-v[n] @ u[context] for n in negatives if n != NO_WORD]
            found.append(sum(np.log1p(np.exp(-dot)) for dot in dots))
    return found


@pytest.mark.parametrize("composed", [False, True])
def test_the_loss_is_that_of_the_formula(composed: bool) -> None:
    names = [f"word{i}" for i in range(WORDS)]
    rows = WordRows.of_words(names, Ngrams(3, 4, 11)) if composed else None
    model = SkipGram(WORDS, 6, u_range=20, v_range=20, word_rows=rows)
    plan = make_plan(range(1, WORDS + 1), negatives=2, window=3, subsample=0)
    u, v = (model.matrices[name] for name in "uv")
    if rows is not None:
        u = rows.compose(u)
    u, v = u.astype(np.float64), v.astype(np.float64)
    expected = [losses(u, v, plan, number) for number in (4, 7)]
    assert min(map(len, expected)) > 50
    held_out = HeldOutLoss(block, [4, 7], plan)
    assert held_out.pairs == sum(map(len, expected))
    assert held_out(model) == pytest.approx(
        np.mean(expected[0] + expected[1]), rel=1e-5
    )
    first, second = held_out.by_half(model)
    assert first != pytest.approx(second, rel=1e-3)
    assert min(first, second) < held_out(model) < max(first, second)


def test_of_long_texts_windows_are_chosen_evenly(monkeypatch) -> None:
    monkeypatch.setattr("sg_train.training.held_out._MOST_WINDOWS", 20)
    plan = make_plan(np.ones(WORDS, int), subsample=0)
    held_out = HeldOutLoss(block, [4, 7], plan)
    assert len(held_out._centres) == 20
    drawn = draw_windows(block(7).ids, block(7).offsets, plan, 0, 7)
    np.testing.assert_array_equal(held_out._centres[10:], drawn.centres[::6])


@pytest.fixture
def long_text() -> Path:
    """Write a text of four blocks, each with words of its own."""
    lines = [
        " ".join(f"b{number}w{i}" for i in GENERATOR.integers(0, 40, 20))
        for number in range(4)
        for _ in range(500)
    ]
    Path("long.txt").write_text("\n".join(lines) + "\n")
    return Path("long.txt")


def config(text: Path, **settings) -> Config:
    known = {
        "corpus.paths": [str(text)],
        "sampling.subsample": 0,
        "model.dimension": 8,
        "training.epochs": 3,
        "training.learning_rate": 0.05,
        "training.threads": 1,
        "evaluation.held_out": 0.25,
    }
    return Config().with_settings({**known, **settings})


def test_words_of_the_held_out_text_are_not_trained(long_text: Path) -> None:
    train(config(long_text), "r")
    run = RunDirectory(Path("r"))
    words, weights = load_run_weights(run)
    corpus = EncodedCorpus.load(next(Path("corpora").iterdir()))
    assert len(corpus.block_starts) == 5
    limit = 0.75 / 8 + 1e-6
    moved = {
        word
        for word, u in zip(words, weights["u"], strict=True)
        if abs(u).max() > limit
    }
    assert {word[:2] for word in moved} == {"b0", "b1", "b3"}
    lines = read_metrics(Path("r"))
    assert lines[-1]["words"] == 3 * 30_000
    evaluated = [line for line in lines if "held_out_loss" in line]
    assert [line["epoch"] for line in evaluated] == [0, 1, 2]
    assert all(line["scores"] == {} for line in evaluated)
    # As for a model that knows nothing: its pairs and negatives were never trained on.
    assert evaluated[0]["held_out_loss"] > 6 * np.log(2) - 0.5


def test_it_is_the_same_in_all_runs_on_a_corpus(long_text: Path) -> None:
    for name, seed, engine in (("a", 1, "fused"), ("b", 2, "autograd")):
        settings = {
            "training.seed": seed,
            "training.engine": engine,
            "training.batch_size": 8,
        }
        train(config(long_text, **settings), name)
    first, second = (
        [x["held_out_loss"] for x in read_metrics(Path(n)) if "held_out_loss" in x]
        for n in "ab"
    )
    assert first == pytest.approx(second, rel=0.05)


def test_interrupted_and_resumed_the_bytes_are_the_same(long_text: Path) -> None:
    train(config(long_text), "whole")

    def stop(done: int) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train_with(
            lambda engine: Watched(engine, stop), config(long_text), Path("part")
        )
    with pytest.raises(SettingsError, match="evaluation.held_out cannot change"):
        resume("part", ["evaluation.held_out=0.5"])
    resume("part")
    for name in ("vectors.txt", "weights.safetensors"):
        assert (Path("part") / name).read_bytes() == (Path("whole") / name).read_bytes()


def test_training_can_stop_on_the_lowest_loss(long_text: Path) -> None:
    text = long_text.read_text().replace("b2", "b1")
    long_text.write_text(text)
    settings = {
        "evaluation.stop_on": "held_out_loss",
        "evaluation.patience": 1,
        "training.epochs": 60,
        "training.final_learning_rate": 0.05,
    }
    train(config(long_text, **settings), "r")
    found = [
        x["held_out_loss"] for x in read_metrics(Path("r")) if "held_out_loss" in x
    ]
    assert len(found) < 60
    assert found[-1] > min(found) == found[-2]


@pytest.mark.parametrize(
    ("held_out", "text", "message"),
    [
        (0.1, "a b c d e\n" * 9, "the corpus is too small to be divided"),
        (0.9, "a b c d e\n" * 9, "should be less than or equal to 0.5"),
        (0.01, None, "nothing in the text that is held out can be predicted"),
    ],
)
def test_what_cannot_be_held_out_is_refused(
    sg_train, held_out: float, text: str | None, message: str
) -> None:
    if text is None:  # the second of two blocks has no pairs
        text = "a b c d e f g h i j\n" * 1000 + "a\n" * 10_000
    Path("t.txt").write_text(text)
    settings = f"evaluation.held_out={held_out}", "sampling.subsample=0"
    sets = (word for setting in settings for word in ("--set", setting))
    result = sg_train("train", "--corpus", "t.txt", "--out", "r", *sets)
    assert result.exit_code == 1
    assert message in result.stderr.splitlines()[-1]
    assert not Path("r").exists()


def test_blocks_keep_their_draws(long_text: Path) -> None:
    """What is trained does not depend on what is held out, block by block."""
    train(config(long_text, **{"evaluation.held_out": 0}), "r")
    corpus = EncodedCorpus.load(next(Path("corpora").iterdir()))
    schedule = LinearSchedule.of(config(long_text), corpus.block_starts)
    refs = [schedule.ref(position) for position in range(schedule.total_blocks)]
    assert refs[:4] == [BlockRef(0, 0), BlockRef(0, 1), BlockRef(0, 3), BlockRef(1, 0)]
