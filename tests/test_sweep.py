import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.config import Config, SweepConfig
from sg_train.errors import OutputError, SettingsError, TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.sweep import Point, choose, point_name, sweep_of, train_sweep
from sg_train.training.train import train

grids = st.dictionaries(
    st.sampled_from(["model.dimension", "training.seed", "sampling.window"]),
    st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
    min_size=1,
)


@given(grids, st.integers(1, 80), st.integers(0, 5))
def test_a_sample_is_of_the_grid_without_repeats(
    values: dict[str, list[Any]], samples: int, seed: int
) -> None:
    grid = list(choose(SweepConfig(values=values)))
    total = 1
    for choices in values.values():
        total *= len(choices)
    assert len(grid) == total == len({tuple(point.items()) for point in grid})
    sweep = SweepConfig(values=values, samples=samples, seed=seed)
    sample = list(choose(sweep))
    assert len(sample) == min(samples, total)
    assert len({tuple(point.items()) for point in sample}) == len(sample)
    assert all(point in grid for point in sample)
    assert sample == list(choose(sweep))


def test_points_are_named_by_what_differs() -> None:
    sweep = SweepConfig(
        values={
            "model.dimension": ["50"],
            "training.seed": ["1"],
            "sweep_.seed": ["2"],
            "corpus.paths": ["a/b", ["x", "y"]],
        }
    )
    settings = {key: values[-1] for key, values in sweep.values.items()}
    name = "dimension-50_training.seed-1_sweep_.seed-2_paths-no2"
    assert point_name(settings, sweep) == name
    assert point_name({"corpus.paths": "a/b"}, sweep) == "paths-b"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["t/1840.txt", "t/1900.txt"], ["1840", "1900"]),
        (["a/text.txt", "b/text.txt", "c"], ["no1", "no2", "c"]),
        (["year=..1899", "year=1900..1944"], ["year-..1899", "year-1900..1944"]),
        (["e.txt", "x/e.txt.gz", "e"], ["e.txt", "no2", "e"]),
        (["no2", "x/t.txt", "y/t.txt"], ["no2", "no2-", "no3"]),
        (["x/no2.txt", "y/"], ["no1", "no2"]),
        (["/", "a" * 41 + " ", "b c.vec.gz"], ["no1", "no2", "b-c.vec"]),
    ],
)
def test_values_that_are_no_names_become_short_ones(values, names) -> None:
    sweep = SweepConfig(values={"corpus.paths": values})
    found = [point_name({"corpus.paths": value}, sweep) for value in values]
    assert found == [f"paths-{name}" for name in names]


@pytest.fixture
def config(text: Path) -> Config:
    Path("c.yaml").write_text(f"""
        corpus: {{paths: {text}}}
        vocabulary: {{min_count: 1}}
        sampling: {{subsample: 0}}
        model: {{dimension: 4}}
        training: {{epochs: 1, threads: 1}}
        sweep:
          values:
            training.learning_rate: [1e-2, 0.05]
            model.dimension: 3
    """)
    return Config.load(Path("c.yaml"))


def test_every_point_is_a_run_with_its_settings(config: Config) -> None:
    points = train_sweep(config, Path("runs/s"))
    names = ["s-learning_rate-1e-2_dimension-3", "s-learning_rate-0.05_dimension-3"]
    assert [point.out.name for point in points] == names
    for point, rate in zip(points, (0.01, 0.05), strict=True):
        of_run = RunDirectory(point.out).load_config()
        assert of_run.training.learning_rate == rate
        assert of_run.model.dimension == 3
        assert of_run.sweep.values == {}
        assert load_run_vectors(RunDirectory(point.out)).matrix.shape[1] == 3


def test_an_interrupted_sweep_resumes_where_it_stopped(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    real = train

    def stops(settings: Config, out: Path, *, overwrite: bool) -> None:
        if len(trained) == 1:
            trained.append("stopped")
            raise KeyboardInterrupt
        trained.append(out.name)
        real(settings, out, overwrite=overwrite)

    monkeypatch.setattr("sg_train.training.sweep.train", stops)
    with pytest.raises(KeyboardInterrupt):
        train_sweep(config, Path("s"))
    points = train_sweep(config, Path("s"))
    assert [point.is_done for point in points] == [True, False]
    assert trained == [points[0].out.name, "stopped", points[1].out.name]
    assert all(point.is_done for point in train_sweep(config, Path("s")))
    again = train_sweep(config, Path("s"), overwrite=True)
    assert not any(point.is_done for point in again)


def test_a_sweep_resumes_though_its_corpus_was_deleted(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_sweep(config, Path("whole"))
    points = train_sweep(config, Path("s"))
    last = points[-1].out
    shutil.rmtree(last)
    shutil.rmtree("corpora")
    again = train_sweep(config, Path("s"))
    assert [point.is_done for point in again] == [True] * (len(points) - 1) + [False]
    whole = last.with_name(last.name.replace("s-", "whole-"))
    assert (last / "vectors.txt").read_bytes() == (whole / "vectors.txt").read_bytes()


def test_a_point_of_an_earlier_version_is_recognised(config: Config) -> None:
    points = train_sweep(config, Path("s"))
    for point in points:  # the hash of settings depends on which there are
        run = RunDirectory(point.out)
        run.load_record().replaced(config_hash="earlier").save(run.record_file)
    assert all(point.is_done for point in train_sweep(config, Path("s")))


def test_another_experiments_runs_are_left_alone(config: Config, text: Path) -> None:
    train_sweep(config, Path("s"))
    other = Config.load(Path("c.yaml"), ["sampling.window=2"])
    with pytest.raises(OutputError, match="s-.*: holds a run with other settings"):
        train_sweep(other, Path("s"))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("{training.epochs: [1, many]}", "training.epochs: .*not 'many'"),
        ("{training.epoch: [1]}", "did you mean training.epochs?"),
        ("{training: [1]}", "expected section.key"),
        ("{training.epochs: []}", "cannot be swept"),
        ("{sweep.seed: [1]}", "cannot be swept"),
        ("[1]", "sweep.values: .*dictionary"),
        ("{training.seed: [1, 01]}", "s-seed-01 is the same run as an earlier point"),
        (
            "{training.engine: [fused], model.max_norm: [null, 1]}",
            "max_norm: the fused engine does not measure rows",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(
    config: Config, values: str, complaint: str
) -> None:
    with pytest.raises((SettingsError, TrainingError), match=complaint):
        train_sweep(Config.load(Path("c.yaml"), [f"sweep.values={values}"]), Path("s"))
    assert not list(Path().glob("s-*"))


def test_settings_that_need_one_another_are_checked_together(config: Config) -> None:
    Path("test.tsv").write_text("w1 w2 1\nw3 w4 2\nw5 w6 3\n")
    values = "{evaluation.similarity: [test.tsv], evaluation.stop_on: [test]}"
    swept = Config.load(Path("c.yaml"), [f"sweep.values={values}"])
    (point,) = train_sweep(swept, Path("s"))
    assert point.config.evaluation.stop_on == "test"


def test_a_sweep_may_grow(config: Config) -> None:
    points: list[Point] = []
    for seeds in ("[1]", "[1, 2]"):
        values = f"sweep.values={{training.seed: {seeds}}}"
        swept = Config.load(Path("c.yaml"), [values, f"sweep.seed={len(seeds)}"])
        points = train_sweep(swept, Path("s"))
    assert [point.is_done for point in points] == [True, False]


def test_a_sample_of_a_grid_beyond_all_bounds() -> None:
    values = {f"model.x{i}": list(range(60)) for i in range(13)}
    points = list(choose(SweepConfig(values=values, samples=3)))
    assert len({tuple(point.items()) for point in points}) == 3


def test_a_sweep_without_bounds_is_refused(config: Config) -> None:
    values = {
        "training.seed": list(map(str, range(200))),
        "model.dimension": ["1"] * 99,
    }
    endless = config.with_settings({"sweep.values": values})
    with pytest.raises(SettingsError, match="19800 combinations, but at most 10000"):
        train_sweep(endless, Path("s"))


def test_a_share_of_the_points_is_trained(config: Config) -> None:
    values = "sweep.values={training.seed: [1, 2, 3, 4, 5]}"
    swept = Config.load(Path("c.yaml"), [values])
    names = ["s-seed-2", "s-seed-4"]
    points = train_sweep(swept, Path("s"), share=(2, 2))
    assert [point.out.name for point in points] == names
    assert sorted(path.name for path in Path().glob("s-*")) == names
    both = [train_sweep(swept, Path("s"), share=(k, 2)) for k in (1, 2)]
    assert [point.is_done for points in both for point in points] == [
        *(False, False, False),
        *(True, True),
    ]


def test_a_sweep_of_an_earlier_version_goes_on(config: Config) -> None:
    points = train_sweep(config, Path("s"))
    old = Path("s-learning_rate=1e-2,dimension=3")
    points[0].out.rename(old)
    again = train_sweep(config, Path("s"))
    assert [point.out for point in again] == [old, points[1].out]
    assert all(point.is_done for point in again)


def test_a_grid_and_seeds_are_given_as_text() -> None:
    base = Config().with_settings({"sweep.values": {"training.seed": ["9"]}})
    grid = ["model.dimension=16,32", "model.ngrams=[3, 6],null"]
    assert sweep_of(base, grid, "1-2, 7,2").sweep.values == {
        "training.seed": ["1", "2", "7"],
        "model.dimension": ["16", "32"],
        "model.ngrams": [["3", "6"], "null"],
    }
    assert sweep_of(base, ["sampling.window=5"]).sweep.values == {
        "training.seed": ["9"],
        "sampling.window": ["5"],
    }
    assert sweep_of(Config()) == Config()


@pytest.mark.parametrize(
    ("grid", "seeds", "complaint"),
    [
        ("model.dimension", None, "--grid model.dimension: expected values separated"),
        ("model.dimension=", None, "--grid model.dimension=: expected values"),
        ("model.dimension=[1", None, "--grid .*: expected values"),
        (None, "1-", "--seeds 1-: expected numbers and ranges, as in 1-3"),
        (None, "3-1", "--seeds 3-1: expected"),
        (None, "1-99999", "--seeds 1-99999: expected"),
        (None, "", "--seeds : expected"),
    ],
)
def test_a_faulty_grid_is_refused(grid, seeds, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        sweep_of(Config(), [grid] if grid else [], seeds)


def test_seeds_are_given_once() -> None:
    with pytest.raises(
        SettingsError, match="--seeds: cannot be combined with --grid tr"
    ):
        sweep_of(Config(), ["training.seed=1,2"], "3-4")
