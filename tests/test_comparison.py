import json
from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import SettingsError
from sg_train.reports import comparison
from sg_train.reports.comparison import (
    Figure,
    compare,
    differing_settings,
    figure_names,
)
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.question_files import SimilarityTest
from sg_train.vectors.word_vectors import WordVectors
from tests.building import a_record, save_vectors

WORDS = list("abcd")
TEST = SimilarityTest("sim", [("a", "b", 3.0), ("a", "c", 2.0), ("a", "d", 1.0)])


def make_run(
    name: str, score: float, loss: float, *, seed: int = 1, dimension: int = 2
) -> Path:
    run = RunDirectory(Path(name))
    config = Config.model_validate(
        {"training": {"seed": seed}, "model": {"dimension": dimension}}
    )
    run.create(config, Vocabulary(WORDS, np.array([4, 3, 2, 1])), a_record())
    lines = [
        {"words": 50, "seconds": 1.0, "loss": 9.0},
        {"words": 50, "seconds": 1.0, "scores": {"sim": 0.1, "empty": None}},
        {"words": 100, "seconds": 4.0, "loss": loss},
        {"words": 100, "seconds": 4.0, "scores": {"sim": score, "empty": None}},
    ]
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    weights = {key: vectors().matrix for key in "uv"}
    checkpoint.save_weights(run.weights_file, weights)
    run.state_file.touch()
    return run.path


def vectors() -> WordVectors:
    angles = np.array([0, 1, 2, 3])
    matrix = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return WordVectors(WORDS, matrix.astype(np.float32))


def test_runs_are_in_order_of_their_last_score() -> None:
    paths = [make_run("r1", 0.5, 2.0), make_run("r2", 0.7, 2.5, dimension=9)]
    entries = compare(paths, None)
    assert [entry.name for entry in entries] == ["r2", "r1"]
    assert figure_names(entries) == ["loss", "words_per_second", "sim"]
    assert entries[0].figures == {
        "loss": Figure(2.5),
        "words_per_second": Figure(25),
        "sim": Figure(0.7),
    }
    assert differing_settings(entries) == ["model.dimension"]
    assert [entry.name for entry in compare(paths, None, "loss")] == ["r1", "r2"]
    with pytest.raises(
        SettingsError, match=r"--sort x: .* loss, words_per_second, sim"
    ):
        compare(paths, None, "x")


def test_seeds_become_a_mean_and_a_spread() -> None:
    paths = [
        *(make_run(f"a{i}", score, 2.0, seed=i) for i, score in enumerate((0.4, 0.5))),
        *(
            make_run(f"b{i}", score, 2.0, seed=i, dimension=3)
            for i, score in enumerate((0.44, 0.48, 0.52))
        ),
        make_run("c", 0.2, 2.0, dimension=4),
    ]
    best, close, far = compare(paths, None)
    assert (best.name, best.seeds) == ("b", 3)
    assert best.figures["sim"].mean == pytest.approx(0.48)
    assert best.figures["sim"].spread == pytest.approx(0.04)
    assert not best.figures["sim"].is_close
    # The difference of .03 is below the spread of a's two runs, .0707.
    assert close.figures["sim"].is_close
    assert str(close.figures["sim"]) == "0.4500 ± 0.0707 ≈"
    assert (far.name, far.figures["sim"]) == ("c", Figure(0.2))


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        (["runs/w2-1", "runs/w2-2"], "runs/w2"),
        (["g-dimension-50_seed-1", "g-dimension-50_seed-10"], "g-dimension-50"),
        (["g_seed-1_dimension-50", "g_seed-2_dimension-50"], "g_dimension-50"),
        (["s,seed=1", "s,seed=2"], "s"),
        (["1", "2"], "1"),
        (["runs/1", "runs/2"], "runs/1"),
        (["first", "second"], "first"),
        (["a1b2", "a2b3"], "a1b2"),
        (["a1", "a"], "a1"),
    ],
)
def test_runs_of_several_seeds_are_named_without_them(names, joined) -> None:
    assert comparison._without_seed(names) == joined


def test_tests_given_are_taken_of_all_alike() -> None:
    save_vectors(vectors(), Path("v.txt"), "text")
    entries = compare([make_run("r", 0.5, 2.0), Path("v.txt")], Evaluation([TEST]))
    assert {entry.name: entry.figures["sim"].mean for entry in entries} == {
        "r": pytest.approx(1),
        "v.txt": pytest.approx(1),
    }
    assert entries[1].settings == {}
    alone = compare([Path("v.txt")], None)
    assert alone[0].figures == {}


def test_a_torn_last_line_is_no_trouble() -> None:
    path = make_run("r", 0.5, 2.0)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"words": 150, "lo')
    assert compare([path], None)[0].figures["loss"] == Figure(2.0)


def test_of_a_run_that_kept_its_best_weights_those_scores_are_shown() -> None:
    path = make_run("r", 0.5, 2.0)
    run = RunDirectory(path)
    values = run.load_config().model_dump()
    values["evaluation"] |= {"similarity": ["sim.tsv"], "stop_on": "sim"}
    run.save_config(Config.model_validate(values))
    lines = [
        {"words": 10, "seconds": 1.0, "loss": 5.0},
        {"words": 10, "seconds": 1.0, "scores": {"sim": 0.7}},
        {"words": 20, "seconds": 2.0, "loss": 4.0},
        {"words": 20, "seconds": 2.0, "scores": {"sim": 0.6}},
    ]
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures = compare([path], None)[0].figures
    assert (figures["sim"], figures["loss"]) == (Figure(0.7), Figure(5.0))


def test_only_finished_runs_of_other_seeds_are_joined() -> None:
    paths = [make_run("a", 0.5, 2.0), make_run("b", 0.6, 2.0), make_run("c", 0.4, 2.0)]
    paths += [make_run("d", 0.3, 2.0, seed=2), Path("a"), Path("./a/")]
    (Path("c") / "state.json").unlink()
    entries = compare(paths, None)
    assert {entry.name: entry.seeds for entry in entries} == {
        "a": 2,  # with d
        "b": 1,  # the seed of a
        "c (unfinished)": 1,
    }


def test_a_test_cannot_have_the_name_of_a_column() -> None:
    test = SimilarityTest("loss", TEST.pairs)
    with pytest.raises(SettingsError, match="the test loss has the name of another"):
        compare([make_run("r", 0.5, 2.0)], Evaluation([test]))
