"""Whole runs whose input vectors are made of n-grams."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sg_train import WordVectors
from sg_train.config import Config
from sg_train.engines.distributed.exchange import Exchange
from sg_train.errors import Interrupted, TrainingError, VectorsError
from sg_train.model.skip_gram import SkipGram
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors, load_run_weights, word_rows_of
from sg_train.system.ranks import Ranks
from sg_train.training import memory
from sg_train.training.extend import extend
from sg_train.training.train import resume, train
from sg_train.vectors.ngrams import Ngrams, WordRows
from tests.conftest import Command, read_metrics
from tests.local_ranks import on_ranks
from tests.test_exchange import evenly
from tests.test_resume import results, stopping, train_with

STEMS = ["kočk", "pes", "dom", "strom", "vod", "měst", "řek", "hor"]
ENDINGS = ["a", "u", "em", "ům", "ách", "y"]
FORMS = [stem + ending for stem in STEMS for ending in ENDINGS]
UNSEEN = "kočkami"


@pytest.fixture
def text() -> Path:
    """Write a text in which a word occurs beside words of the same stem or its pair."""
    generator = np.random.default_rng(2)
    lines = []
    for _ in range(3000):
        pair = 2 * generator.integers(0, len(STEMS) // 2)
        stems = generator.integers(pair, pair + 2, 8)
        endings = generator.integers(0, len(ENDINGS) - 1, 8)  # the last one is rare
        lines.append(
            " ".join(STEMS[i] + ENDINGS[j] for i, j in zip(stems, endings, strict=True))
        )
    Path("text.txt").write_text("\n".join(lines) + "\n")
    return Path("text.txt")


def config(text: Path, **settings: object) -> Config:
    base = Config.model_validate(
        {
            "corpus": {"paths": [str(text)]},
            "sampling": {"subsample": 0},
            "model": {"dimension": 8, "ngrams": [3, 5], "buckets": 2000},
            "training": {"epochs": 2, "threads": 1, "batch_size": 16},
            "checkpoint": {"every_seconds": 0.02},
        }
    )
    return base.with_settings(settings)


def composed(run: str) -> tuple[list[str], np.ndarray]:
    """Compute the words' vectors from the weights file and the definition alone."""
    words, weights = load_run_weights(RunDirectory(Path(run)))
    settings = RunDirectory(Path(run)).load_config().model
    assert settings.ngrams is not None
    ngrams = Ngrams(*settings.ngrams, settings.buckets)
    rows = word_rows_of(RunDirectory(Path(run)), words)
    assert rows is not None
    buckets = rows.by_bucket(weights["u"])
    vectors = []
    for i, word in enumerate(words):
        mine = buckets[ngrams.buckets_of([word])[1]]
        vectors.append(np.vstack((weights["u"][i], mine)).mean(axis=0))
    return list(words), np.array(vectors)


@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_a_run_gives_vectors_to_words_it_never_saw(text: Path, engine: str) -> None:
    train(config(text, **{"training.engine": engine}), Path("r"))
    vectors = load_run_vectors(RunDirectory(Path("r")))
    words, expected = composed("r")
    assert list(vectors.words) == words
    assert vectors.matrix == pytest.approx(expected, abs=1e-6)
    exported = WordVectors.load("r/vectors.txt")
    assert np.array_equal(exported.matrix, vectors.matrix)
    assert UNSEEN not in vectors
    assert vectors.get(UNSEEN) is not None
    near = [word for word, _ in vectors.neighbors(UNSEEN, top=5)]
    assert all(word.startswith(("kočk", "pes")) for word in near), near
    assert vectors.similarity(UNSEEN, "kočkám") > vectors.similarity(UNSEEN, "domy")
    assert [line["loss"] for line in read_metrics(Path("r"))][-1] < 4


def test_the_command_line_marks_unseen_words(text: Path, sg_train: Command) -> None:
    train(config(text), Path("r"))
    result = sg_train("neighbors", "r", "Kočkami", "domu", "--top", 1)
    assert result.exit_code == 0
    said = "words not seen in training, whose vectors are made from their n-grams: "
    assert result.stderr == f"{said}Kočkami\n"
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [
        "Kočkami",
        "domu",
    ]
    one = sg_train("vector", "r", "kočkami", "--json").stdout
    other = load_run_vectors(RunDirectory(Path("r")))["kočkami"]
    assert json.loads(one)[0]["vector"] == pytest.approx(other.tolist())
    assert sg_train("similarity", "r", UNSEEN, "psům").exit_code == 0
    assert sg_train("analogy", "r", "doma", "domu", UNSEEN, "--top", 1).exit_code == 0
    said = sg_train.refused("neighbors", "r", "x", "--matrix", "v")
    assert "no vector" in said
    assert "'x'" in said


def test_evaluate_scores_unseen_words_too(text: Path, sg_train: Command) -> None:
    Path("pairs.tsv").write_text(
        "kočka\tkočku\t9\nkočka\tdomu\t1\nkočkami\tkočkou\t9\n"
        "kočkami\tdomech\t1\nkočkami\tdomu\t2\nhoru\thora\t8\n"
    )
    train(config(text, **{"evaluation.similarity": ["pairs.tsv"]}), Path("r"))
    rows = json.loads(sg_train("evaluate", "r", "--unseen", "--json").stdout)
    found = {row["section"]: (row["scored"], row["missing"]) for row in rows}
    assert found == {"": (3, 3), "with unseen": (6, 0)}
    vectors = load_run_vectors(RunDirectory(Path("r")))
    cosines = [
        vectors.similarity(*line.split("\t")[:2])
        for line in Path("pairs.tsv").read_text().splitlines()
    ]
    ranks = np.argsort(np.argsort(cosines))
    # Expected ranks with ties: 9, 1, 9, 1, 2, 8.
    wanted = [4.5, 0.5, 4.5, 0.5, 2, 3]
    assert rows[1]["value"] == pytest.approx(np.corrcoef(ranks, wanted)[0, 1])
    # Scores during training are those of the vectors that are exported.
    *_, scores = [
        line["scores"] for line in read_metrics(Path("r")) if "scores" in line
    ]
    assert scores == {"pairs": pytest.approx(rows[0]["value"])}
    sg_train("export", "r", "plain.txt")
    said = sg_train.refused(
        "evaluate", "plain.txt", "--unseen", "--similarity", "pairs.tsv"
    )
    assert "the vectors of n-grams are missing" in said


@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_interrupted_and_resumed_the_bytes_are_the_same(
    text: Path, engine: str
) -> None:
    settings = config(text, **{"training.engine": engine})
    train(settings, Path("whole"))
    with pytest.raises(Interrupted):
        train_with(stopping(2), settings, Path("part"))
    resume(Path("part"))
    assert results(Path("part")) == results(Path("whole"))


def test_extend_keeps_vectors_and_begins_new_words_from_their_ngrams(
    text: Path,
) -> None:
    train(config(text), Path("old"))
    Path("new.txt").write_text("kočkami kočka domu domech pesy\n" * 30)
    old = load_run_vectors(RunDirectory(Path("old")))
    still = ["training.learning_rate=1e-12", "training.final_learning_rate=0"]
    extend("old", ["new.txt"], "new", still)
    new = load_run_vectors(RunDirectory(Path("new")))
    assert new[list(old.words)] == pytest.approx(old.matrix, abs=1e-5)
    for word in ("kočkami", "domech"):
        assert word not in old
        assert word in new
        assert new[word] == pytest.approx(old[word], abs=1e-5)


def test_anchored_words_stay_and_others_learn(text: Path) -> None:
    train(config(text), Path("old"))
    Path("new.txt").write_text("kočkami kočka domu domech pesy\n" * 300)
    old = load_run_vectors(RunDirectory(Path("old")))
    extend("old", ["new.txt"], "new", ["training.epochs=3"], anchor=True)
    new = load_run_vectors(RunDirectory(Path("new")))
    assert new[list(old.words)] == pytest.approx(old.matrix, abs=1e-6)
    assert np.abs(new["kočkami"] - old["kočkami"]).max() > 1e-3
    exported = WordVectors.load("new/vectors.txt")
    assert np.array_equal(exported.matrix, new.matrix)
    new.save("new.bin", "fasttext")
    assert WordVectors.load("new.bin")["kočka"] == pytest.approx(new["kočka"], abs=1e-5)


def test_vectors_of_a_file_are_what_words_begin_with(text: Path) -> None:
    given = WordVectors(
        ["kočka", "domu"], np.array([[1.0] * 8, [-2.0] * 8], dtype=np.float32)
    )
    given.save("given.txt")
    settings = {
        "model.init_from": "given.txt",
        "training.learning_rate": 1e-12,
        "training.final_learning_rate": 0,
    }
    train(config(text, **settings), Path("r"))
    vectors = load_run_vectors(RunDirectory(Path("r")))
    assert vectors[["kočka", "domu"]] == pytest.approx(given.matrix, abs=1e-5)


def test_matrices_other_than_u_have_no_unseen_words(text: Path) -> None:
    train(config(text), Path("r"))
    run = RunDirectory(Path("r"))
    words, weights = load_run_weights(run)
    u = load_run_vectors(run, "u").matrix
    assert np.array_equal(load_run_vectors(run, "v").matrix, weights["v"])
    both = load_run_vectors(run, "sum")
    assert np.array_equal(both.matrix, u + weights["v"])
    assert len(words) == len(u)
    with pytest.raises(VectorsError):
        both[UNSEEN]


def test_the_rows_of_buckets_are_counted_beforehand(text: Path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: int(2e9))
    settings = config(text, **{"model.buckets": 200_000_000})
    with pytest.raises(TrainingError, match=r"model\.buckets"):
        train(settings, Path("r"))
    assert not Path("r").exists()


def test_ranks_exchange_the_rows_of_buckets_with_the_rarest_words() -> None:
    words = [f"w{i}" for i in range(40)]

    def work(ranks: Ranks) -> list[bool]:
        rows = WordRows.of_words(words, Ngrams(2, 3, 25))
        model = SkipGram(40, 2, word_rows=rows)
        both = Exchange(model, ranks, evenly(40), frequent_rows=2)
        u = model.u_embeddings.weight.detach()
        seen = []
        for _ in range(16):
            before = u.clone()
            u[40:] += 1.0
            both.round(10.0, 0.05)
            moved = (u - before)[40:, 0] > 1.5
            seen.append(bool(moved.all()))
            assert moved.all() == moved.any()
        u += ranks.rank
        both.all(10.0, 0.05)
        gathered = ranks.gather(u.clone())
        assert torch.equal(gathered[0], gathered[-1])
        return seen

    for seen in on_ranks(2, work):
        assert seen == [False] * 15 + [True]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("model.ngrams=[6,3]", "[6, 3] are not the shortest and the longest"),
        ("model.ngrams=[0,3]", "[0, 3] are not the shortest and the longest"),
        ("model.ngrams=3,6", "should be two numbers such as [3, 6], not '3,6'"),
        ("model.ngrams=[3]", "model.ngrams: should be two numbers such as [3, 6]"),
        ("model.ngrams=[a,b]", "model.ngrams.0: should be a valid integer"),
        ("model.buckets=0", "model.buckets"),
    ],
)
def test_wrong_settings_are_one_line(
    setting: str, complaint: str, sg_train: Command
) -> None:
    assert complaint in sg_train.refused("config", "--set", setting)


@pytest.mark.parametrize("other", ["max_norm=1", "scale_grad_by_freq=true"])
def test_settings_that_do_not_go_together(other: str, sg_train: Command) -> None:
    ngrams = ["--set", "model.ngrams=[3,6]", "--set", f"model.{other}"]
    said = sg_train.refused("config", *ngrams)
    assert f"ngrams and {other.partition('=')[0]}: cannot be combined" in said
