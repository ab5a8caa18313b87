"""Tests of sg_train.training.tuning and sg_train.training.trial."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sg_train.config import Config, Range
from sg_train.errors import OutputError, RunError, SettingsError, TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.train import train
from sg_train.training.trial import Trial
from sg_train.training.tuning import tune as tuning
from sg_train.training.tuning.journal import Journal, TrialRecord
from sg_train.training.tuning.judges import Scores, make_judge
from sg_train.training.tuning.space import space_of
from sg_train.training.tuning.tune import Finalist, _ranked, _Search
from sg_train.vectors.question_files import read_analogies, read_similarity
from tests.conftest import Command
from tests.test_train import config

# --- a trial ---------------------------------------------------------------------


def test_a_trial_gives_the_vectors_of_a_run(text: Path) -> None:
    train(config(text, engine="fused"), "r")
    trial = Trial(config(text, engine="fused"), Path("none"))
    assert list(trial.train(parts=3)) == [1, 2, 3]
    expected = load_run_vectors(RunDirectory(Path("r")))
    np.testing.assert_array_equal(trial.vectors.matrix, expected.matrix)
    assert not Path("none").exists()


def test_a_trial_that_diverges_is_an_error(text: Path) -> None:
    trial = Trial(config(text, engine="fused", learning_rate=90), Path("none"))
    with pytest.raises(TrainingError, match="infinite"):
        list(trial.train(parts=2))


# --- what is improved ------------------------------------------------------------


def test_halves_are_disjoint_equal_and_always_the_same() -> None:
    pairs = [(f"a{i}", f"b{i}", float(i)) for i in range(41)]
    Path("s.tsv").write_text("".join(f"{a}\t{b}\t{x}\n" for a, b, x in pairs))
    one, other = read_similarity(Path("s.tsv")).halves()
    assert sorted(one.pairs + other.pairs) == sorted(pairs)
    assert (len(one.pairs), len(other.pairs)) == (21, 20)
    Path("s.tsv").write_text("".join(f"{a}\t{b}\t{x}\n" for a, b, x in pairs[::-1]))
    again, _ = read_similarity(Path("s.tsv")).halves()
    assert sorted(again.pairs) == sorted(one.pairs)


def test_a_question_and_its_reverse_are_in_the_same_half() -> None:
    asked = [(f"a{i}", f"b{i}", f"a{j}", f"b{j}") for i in range(9) for j in range(9)]
    lines = [": one", *map(" ".join, asked), ": two", "x y z w"]
    Path("q.txt").write_text("\n".join(lines) + "\n")
    halves = [dict(half.sections) for half in read_analogies(Path("q.txt")).halves()]
    one, other = (half["one"] for half in halves)
    assert sorted(one + other) == sorted(asked)
    assert abs(len(one) - len(other)) < 9
    assert {(c, d, a, b) for a, b, c, d in one} == set(one)
    assert sum(len(half["two"]) for half in halves) == 1


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (["nothing"], r"--on nothing: neither a file nor a test of the config \(held"),
        (["held_out_loss", "s.tsv"], "cannot be combined with tests"),
    ],
)
def test_a_wrong_aim_is_refused(on: list[str], message: str) -> None:
    Path("s.tsv").write_text("a b 1\n")
    with pytest.raises(SettingsError, match=message):
        make_judge(Config(), on)


def test_a_test_without_known_words_is_refused(text: Path) -> None:
    Path("s.tsv").write_text("x y 1\ny z 2\nw1 w2 3\n")
    judge, settings = make_judge(config(text), ["s.tsv"])
    trial = Trial(settings, Path("none"))
    with pytest.raises(TrainingError, match="too few of its words are in the vocab"):
        judge(trial)


# --- the space -------------------------------------------------------------------


def test_the_default_space_can_be_tried() -> None:
    base = Config().with_settings({"training.epochs": 7})
    space = space_of(base, "analogies")
    assert "training.epochs" in space
    assert set(space_of(base, "held_out_loss")) == {
        "training.learning_rate",
        "training.epochs",
    }
    space = space_of(Config().with_settings({"training.epochs": 1}), "analogies")
    assert space["training.epochs"] == Range(low=1, high=3, log=True)


@pytest.mark.parametrize(
    ("space", "judge", "message"),
    [
        ("{training.epoch: [1]}", "t", "did you mean training.epochs"),
        ("{training.epochs: {low: 0, high: 3}}", "t", "training.epochs: .*not 0"),
        (
            "{model.dimension: [8, x]}",
            "t",
            "model.dimension: should be a valid integer",
        ),
        ("{vocabulary.min_count: [1, 2]}", "t", "vocabulary.min_count cannot be tuned"),
        ("{sampling.window: [1, 2]}", "held_out_loss", "losses cannot be compared"),
        ("{sweep.seed: [1]}", "t", "sweep.seed cannot be tuned"),
        ("{training.epochs: 3}", "t", "a list of values, or a range such as"),
        ("{training.epochs: {low: 3, high: 3}}", "t", "with low below high"),
        ("{training.epochs: []}", "t", "a list of values, or a range such as"),
    ],
)
def test_a_wrong_space_is_refused(space: str, judge: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        space_of(Config.load(None, [f"tune.space={space}", "training.epochs=5"]), judge)


# --- the journal -----------------------------------------------------------------

values = st.integers(-9, 9) | st.floats(-1, 1) | st.sampled_from(["u", "sum"])
records = st.builds(
    TrialRecord,
    stage=st.sampled_from(["search", "final"]),
    settings=st.dictionaries(st.sampled_from("abc"), values),
    seed=st.integers(0, 2**63 - 1),
    state=st.sampled_from(["done", "stopped"]),
    by_part=st.lists(st.floats(-9, 9), min_size=1, max_size=4),
    unseen=st.none() | st.floats(-9, 9),
    seconds=st.floats(0, 1e6),
)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, max_size=5))
def test_what_is_added_is_read(trials: list[TrialRecord]) -> None:
    file = Path("t.jsonl")
    file.unlink(missing_ok=True)
    for trial in trials:
        journal = Journal(file, "digest", overwrite=False)
        journal.add(trial)
        journal.close()
    again = Journal(file, "digest", overwrite=False)
    again.close()
    assert again.trials == trials
    assert again.seconds == sum(trial.seconds for trial in trials)


def test_an_unfinished_line_is_dropped() -> None:
    file = Path("t.jsonl")
    Journal(file, "digest", overwrite=False).close()
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"stage": "sea')
    journal = Journal(file, "digest", overwrite=False)
    journal.close()
    assert journal.trials == []
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b'{"format": "x", "version": 1}\n', OutputError, "not trials of this version"),
        (b"my notes\n", RunError, "damaged"),
        (b"", RunError, "damaged"),
        (b"[]\n", RunError, "damaged"),
        (b"\xff\n", RunError, "damaged"),
    ],
)
def test_another_file_is_refused(content: bytes, kind: Any, message: str) -> None:
    Path("t.jsonl").write_bytes(content)
    with pytest.raises(kind, match=message):
        Journal(Path("t.jsonl"), "digest", overwrite=False)
    assert Path("t.jsonl").read_bytes() == content


def test_trials_of_another_search_are_refused() -> None:
    Journal(Path("t.jsonl"), "one", overwrite=False).close()
    with pytest.raises(OutputError, match="other settings, tests or text"):
        Journal(Path("t.jsonl"), "other", overwrite=False)
    Journal(Path("t.jsonl"), "other", overwrite=True).close()


# --- the search ------------------------------------------------------------------


class World:
    """A clock, and trials that take as long and score as well as a test says."""

    def __init__(self, seconds: float, score: Any) -> None:
        self.now = 0.0
        self.seeds: list[int] = []
        world = self

        class FakeTrial:
            def __init__(self, settings: Config, _: Path) -> None:
                self.config = settings
                world.seeds.append(settings.training.seed)

            def train(self, parts: int) -> Iterator[int]:
                for part in range(1, parts + 1):
                    world.now += seconds / parts
                    yield part

        self.trial = FakeTrial
        self.score = score

    def __call__(self, trial: Any) -> Scores:
        score = self.score(trial.config)
        return Scores(score, score / 2)

    name = "score"


def search(monkeypatch, world: World, journal: Journal, minutes: float) -> Any:
    monkeypatch.setattr(tuning, "Trial", world.trial)
    monkeypatch.setattr("time.monotonic", lambda: world.now)
    base = Config().with_overrides(
        ["training.epochs=5", "training.learning_rate=0.05", "training.seed=10"]
    )
    space = space_of(base, "score")
    return _Search(base, Path("out"), world, space, journal, 60 * minutes).run()


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(Journal(Path("t.jsonl"), "digest", overwrite=True)) as journal:
        yield journal


def noise(settings: Config) -> float:
    return 0.01 * (settings.training.seed % 3)


def test_a_search_finds_what_is_better(monkeypatch, journal) -> None:
    world = World(1, lambda c: noise(c) - abs(np.log(c.training.learning_rate / 0.1)))
    ranked = search(monkeypatch, world, journal, minutes=4)
    best = ranked[0]
    assert best.is_chosen
    assert 0.08 < best.settings["training.learning_rate"] < 0.125
    assert not any(each.is_chosen for each in ranked[1:])
    (given,) = [each for each in ranked if not each.settings]
    assert not given.is_tied
    assert given.score == pytest.approx(np.log(0.5) + 0.01, abs=0.006)
    assert given.unseen == pytest.approx(given.score / 2)
    # Finalists are judged with seeds that the search has not used.
    searched = journal.of_stage("search")
    assert {trial.seed for trial in searched} == {10}
    assert {trial.seed for trial in journal.of_stage("final")} >= {11, 12, 13}
    assert min(each.seeds for each in ranked) >= 3
    assert sum(trial.state == "stopped" for trial in searched) > 5
    stopped = [trial.score for trial in searched if trial.state == "stopped"]
    assert max(stopped) < best.score
    assert world.now <= 4 * 60


def test_what_is_no_better_than_noise_changes_nothing(monkeypatch, journal) -> None:
    world = World(1, noise)
    ranked = search(monkeypatch, world, journal, minutes=2)
    (chosen,) = [each for each in ranked if each.is_chosen]
    assert chosen.settings == {}


def test_a_search_continues_where_it_stopped(monkeypatch, journal) -> None:
    score = lambda c: noise(c) + c.sampling.window / 100  # noqa: E731
    first = World(1, score)

    class StoppedError(Exception):
        pass

    def interrupted(settings: Config) -> float:
        if first.now > 50:
            raise StoppedError
        return score(settings)

    first.score = interrupted
    with pytest.raises(StoppedError):
        search(monkeypatch, first, journal, minutes=3)
    before = list(journal.trials)
    second = World(1, score)
    with closing(Journal(Path("t.jsonl"), "digest", overwrite=False)) as journal:
        assert journal.trials == before
        search(monkeypatch, second, journal, minutes=3)
    assert journal.trials[: len(before)] == before
    assert second.now <= 3 * 60 - len(before)
    assert sum(not trial.settings for trial in journal.of_stage("search")) == 1


def test_what_takes_too_long_is_stopped(monkeypatch, journal) -> None:
    world = World(1, lambda c: noise(c) + c.training.epochs / 10)
    slow = world.trial.train

    def train_slowly(self, parts: int) -> Iterator[int]:
        for part in slow(self, parts):
            world.now += self.config.training.epochs > 10
            yield part

    monkeypatch.setattr(world.trial, "train", train_slowly)
    ranked = search(monkeypatch, world, journal, minutes=1)
    assert ranked[0].settings["training.epochs"] == 10
    assert world.now < 1.2 * 60


def test_a_diverging_trial_only_ends_itself(monkeypatch, journal) -> None:
    def score(settings: Config) -> float:
        rate = float(settings.training.learning_rate)
        if rate > 0.08:
            raise TrainingError("the loss became infinite")
        return noise(settings) + rate

    world = World(1, score)
    ranked = search(monkeypatch, world, journal, minutes=2)
    assert ranked[0].settings["training.learning_rate"] <= 0.08
    assert any(trial.by_part == [0.0] for trial in journal.trials)


def test_too_little_time_is_refused(monkeypatch, journal) -> None:
    with pytest.raises(
        SettingsError, match="one run takes 7.0 seconds; give at least 2.4"
    ):
        search(monkeypatch, World(7, noise), journal, minutes=2)


def finalist(score: float, spread: float, **settings) -> Finalist:
    return Finalist(settings, 3, score, spread, 0, 0, 1)


def test_ties_are_marked_and_the_settings_as_given_win_them() -> None:
    good, near, far = (
        finalist(0.5, 0.1, a=1),
        finalist(0.42, 0, a=2),
        finalist(0.3, 0.05),
    )
    ranked = _ranked([far, near, good])
    assert [each.score for each in ranked] == [0.5, 0.42, 0.3]
    assert [each.is_tied for each in ranked] == [False, True, False]
    assert [each.is_chosen for each in ranked] == [True, False, False]
    ranked = _ranked([finalist(0.45, 0.01), good])
    assert [each.is_chosen for each in ranked] == [False, True]


# --- the command -----------------------------------------------------------------

TUNE = (
    *("--set", "vocabulary.min_count=1", "--set", "sampling.subsample=0"),
    *("--set", "model.dimension=8"),
)


def space(values: str) -> tuple[str, ...]:
    return (*TUNE, "--set", f"tune.space={values}")


def test_a_run_is_left_beside_its_trials(text: Path, sg_train: Command) -> None:
    lines = [f"w{i} w{j} {i + j}" for i in range(6) for j in range(i)]
    Path("pairs.tsv").write_text("\n".join(lines) + "\n")
    arguments = (
        *("tune", "--corpus", text, "--on", "pairs.tsv", "--out", "runs/best"),
        *space("{training.learning_rate: {low: 0.01, high: 0.5, log: true}}"),
    )
    result = sg_train(*arguments, "--minutes", 0.2)
    assert result.exit_code == 0, result.output
    head, *rows = (row.split("\t") for row in result.stdout.splitlines())
    assert head[:5] == ["score", "unseen half", "seeds", "seconds", "run"]
    (chosen,) = [row for row in rows if row[4] == "runs/best"]
    run = RunDirectory(Path("runs/best"))
    rate = run.load_config().training.learning_rate
    assert chosen[5] == ("as given" if rate == 0.025 else f"{rate:g}")
    assert run.is_done()
    trials = Path("runs/best.trials.jsonl").read_bytes()
    assert trials.count(b"\n") > 2

    line = sg_train.refused(*arguments, "--minutes", 0.2)
    assert "already tuned for 0.2 minutes; give more --minutes" in line
    result = sg_train(*arguments, "--minutes", 0.3, "--json")
    assert [row["is_chosen"] for row in json.loads(result.stdout)].count(True) == 1
    assert Path("runs/best.trials.jsonl").read_bytes().startswith(trials)
    train(config(text), "runs/best", overwrite=True)  # a run of the user's own
    line = sg_train.refused(*arguments, "--minutes", 0.4)
    assert "runs/best" in line
    assert "--overwrite" in line
    other = [str(word).replace("0.5", "0.6") for word in arguments]
    assert "holds trials with other settings" in sg_train.refused(*other)


def test_the_run_has_the_numbers_of_its_trials(text: Path, monkeypatch) -> None:
    """Automatic numbers stay what they were in the search."""
    Path("p.tsv").write_text("w1 w2 3\nw2 w3 1\nw3 w4 2\nw4 w5 5\n")
    chosen = replace(finalist(1, 0, **{"training.epochs": 3}), is_chosen=True)
    monkeypatch.setattr(_Search, "run", lambda _: [chosen])
    auto = config(text, epochs="auto")
    tuning.tune(auto, Path("out"), ["p.tsv"], 1)
    training = RunDirectory(Path("out")).load_config().training
    assert (training.epochs, training.learning_rate) == (3, 0.025)


def test_the_loss_on_held_out_text_can_be_lowered(
    sg_train: Command, monkeypatch
) -> None:
    monkeypatch.setattr("sg_train.training.held_out._MOST_WINDOWS", 500)
    generator = np.random.default_rng(1)
    ids = generator.integers(0, 20, (2100, 10)) + 20 * generator.integers(
        0, 3, (2100, 1)
    )
    text = "\n".join(" ".join(f"w{i}" for i in line) for line in ids) + "\n"
    Path("long.txt").write_text(text)
    result = sg_train(
        *("tune", "--corpus", "long.txt", "--on", "held_out_loss", "--out", "best"),
        *space("{training.learning_rate: [0.0001, 0.05]}"),
        *("--set", "training.learning_rate=0.0002", "--set", "training.epochs=1"),
        *("--minutes", 0.2),
    )
    assert result.exit_code == 0, result.output
    run = RunDirectory(Path("best")).load_config()
    assert run.training.learning_rate == 0.05
    assert run.evaluation.held_out > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--on", "p.tsv", "--set", "sweep.values={training.seed: [1]}"),
            "sweep.values",
        ),
        (("--on", "none.tsv"), "--on none.tsv: neither a file nor a test"),
        (("--on", "p.tsv", "--out", "taken"), "taken"),
    ],
)
def test_what_cannot_be_tuned_is_refused(
    text: Path, sg_train: Command, arguments: tuple[str, ...], message: str
) -> None:
    Path("p.tsv").write_text("w1 w2 3\nw2 w3 1\n")
    Path("taken").mkdir()
    Path("taken/file").write_text("x")
    line = sg_train.refused("tune", "--corpus", text, "--out", "out", *TUNE, *arguments)
    assert message in line
    assert not Path("out").exists()
    assert not Path("out.trials.jsonl").exists()


def test_interrupted_it_keeps_its_trials(text: Path) -> None:
    lines = [f"w{i} w{j} {i + j}" for i in range(6) for j in range(i)]
    Path("pairs.tsv").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "sg_train", "tune", "--corpus", str(text)]
    command += ["--on", "pairs.tsv", "--out", "best", "--minutes", "5"]
    command += space("{training.learning_rate: [0.01, 0.02, 0.04]}")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    trials = Path("best.trials.jsonl")
    until = time.monotonic() + 60
    while not (trials.exists() and trials.read_bytes().count(b"\n") > 3):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert messages.splitlines()[-1] == (
        "sg-train: interrupted; best.trials.jsonl keeps the trials; continue with the "
        "same command"
    )
    assert not Path("best").exists()
