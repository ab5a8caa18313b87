import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus import ingest, reader
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.corpus.prepare import prepare
from sg_train.corpus.spilled_words import SpilledWords
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import (
    CorpusError,
    OutputError,
    RunError,
    SettingsError,
    TrainingError,
)
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors, load_run_weights
from sg_train.training.extend import extend
from sg_train.training.train import resume, train
from tests.conftest import Command
from tests.test_train import config

TEXTS = st.lists(st.sampled_from("abcdefgh"), min_size=12, max_size=60)


def write(name: str, words: list[str]) -> Path:
    lines = [" ".join(words[i : i + 6]) for i in range(0, len(words), 6)]
    Path(name).write_text("\n".join(lines) + "\n")
    return Path(name)


def vocabulary(run: str) -> Vocabulary:
    return Vocabulary.load(RunDirectory(Path(run)).vocabulary_file)


def frequent(
    counts: Counter[str], least: int = 1, most: int | None = None
) -> list[tuple[str, int]]:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [pair for pair in ranked if pair[1] >= least][:most]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TEXTS, TEXTS, st.integers(1, 4), st.none() | st.integers(3, 6))
def test_new_vanished_and_reordered_words_keep_to_their_rows(
    caplog, old: list[str], new: list[str], min_count: int, most: int | None
) -> None:
    caplog.set_level("INFO")
    base = config(write("old.txt", old), seed=3).with_settings(
        {
            "vocabulary.min_count": min_count,
            "vocabulary.max_vocabulary": most,
            "model.init_v": False,  # whatever the old run began with
        }
    )
    before = Counter(dict(frequent(Counter(old), min_count, most)))
    expected = frequent(before + Counter(new), min_count, most)
    if len(before) < 2 or len(expected) < 2:
        return
    train(base, "r", overwrite=True)
    caplog.clear()
    extend(
        Path("r"),
        [str(write("new.txt", new))],
        Path("s"),
        anchor=True,
        overwrite=True,
    )
    after = vocabulary("s")
    assert list(zip(after.words, after.counts.tolist(), strict=True)) == expected
    words, weights = load_run_weights(RunDirectory(Path("r")))
    _, now = load_run_weights(RunDirectory(Path("s")))
    for place, word in enumerate(after.words):
        for matrix in "uv":
            if word in words:
                row = weights[matrix][words.index(word)]
                np.testing.assert_array_equal(now[matrix][place], row)
    kept = sum(word in words for word in after.words)
    rare = len((before.keys() | set(new)) - set(words) - set(after.words))
    assert (
        f"vocabulary of {len(after)} words: {kept} of r, {len(after) - kept} new; "
        f"left out by min_count or max_vocabulary: {rare} new words, "
        f"{len(words) - kept} old ones" in caplog.messages
    )


def test_a_run_is_extended_though_its_corpus_was_deleted(text: Path) -> None:
    train(config(text, epochs=1), "r")
    shutil.rmtree("corpora")
    new = write("new.txt", ["w1", "w2", "w3"] * 20)
    extend(Path("r"), [str(new)], Path("s"))
    shutil.rmtree("corpora")
    resume(Path("s"), ["training.epochs=2"])
    assert (Path("s") / "vectors.txt").exists()


def test_old_words_move_unless_they_are_anchored(text: Path) -> None:
    train(config(text, epochs=20), "r")
    new = write("new.txt", [f"w{i % 40}" for i in range(400)])
    old = load_run_vectors(RunDirectory(Path("r")))
    for out, anchor in (("moved", False), ("stayed", True)):
        extend(Path("r"), [str(new)], Path(out), anchor=anchor)
        run = RunDirectory(Path(out))
        vectors = load_run_vectors(run)
        assert len(vectors) == 40
        is_same = [(vectors[word] == old[word]).all() for word in old.words]
        assert all(is_same) == any(is_same) == anchor
        drift = run.load_record().drift
        assert drift is not None
        cosine = drift.cosine
        assert cosine == pytest.approx(1) if anchor else 0.5 < cosine < 1
        assert np.isfinite(vectors.matrix).all()
        assert (np.abs(vectors["w39"]) > 0).all()


def test_the_rate_falls_as_if_all_texts_were_one(text: Path) -> None:
    settings = config(text, learning_rate=0.04, final_learning_rate=0.01)
    train(settings, "first")
    sizes = [len(text.read_text().split()), 300, 120]
    for number, run, out in ((1, "first", "second"), (2, "second", "third")):
        new = write(f"{out}.txt", [f"w{i % 30}" for i in range(sizes[number])])
        extend(Path(run), [str(new)], Path(out))
        rate = RunDirectory(Path(out)).load_config().training.learning_rate
        share = sizes[number] / sum(sizes[: number + 1])
        assert rate == pytest.approx(0.01 + 0.03 * share)
    extend(Path("first"), ["third.txt"], Path("set"), ["training.learning_rate=0.02"])
    assert RunDirectory(Path("set")).load_config().training.learning_rate == 0.02
    # What began at a rate of its own is where the next schedule begins.
    final = "training.final_learning_rate=0.005"
    extend(Path("set"), ["third.txt"], Path("after"), [final])
    rate = RunDirectory(Path("after")).load_config().training.learning_rate
    share = 120 / (sizes[0] + 120 + 120)
    assert rate == pytest.approx(0.005 + (0.02 - 0.005) * share)


def test_words_on_disk_are_added_up_as_those_in_memory(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    words = [f"w{i}" for i in generator.zipf(1.3, 3000).clip(max=2000)]
    new = str(write("new.txt", words))
    train(config(text), "r")
    monkeypatch.setattr(reader, "CHUNK_BYTES", 500)
    monkeypatch.setattr(ingest, "_BYTES_PER_WORD", 1_000_000 // 100)
    runs = []
    add = SpilledWords.add

    def add_noted(self: SpilledWords, *what) -> None:
        runs.append(what)
        add(self, *what)

    monkeypatch.setattr(SpilledWords, "add", add_noted)
    prepared = []
    for name, limit in (("a", 1_000_000), ("b", 1)):
        assert not runs
        settings = config(text).with_settings(
            {
                "vocabulary.extends": "r",
                "corpus.paths": [new],
                "corpus.memory_limit": limit,
            }
        )
        prepared.append(prepare(settings.corpus, settings.vocabulary, Path(name), 1))
    assert len(runs) > 3
    one, other = prepared
    assert one.checksum == other.checksum
    assert one.vocabulary.counts.tolist() == other.vocabulary.counts.tolist()
    counts = Counter(words) + Counter(text.read_text().split())
    assert frequent(counts) == list(
        zip(one.vocabulary.words, one.vocabulary.counts.tolist(), strict=True)
    )


def test_another_vocabulary_makes_another_corpus(text: Path) -> None:
    train(config(text), "r")
    settings = config(text).with_settings({"vocabulary.extends": "r"})

    def checksum() -> str:
        made = prepare(
            settings.corpus, settings.vocabulary, Path("c"), 1, overwrite=True
        )
        return made.checksum + str(made.vocabulary.counts.sum())

    first = checksum()
    assert first == checksum()
    Path("r/vocabulary.tsv").write_text("other\t5\n")
    assert first != checksum()


def test_what_cannot_be_extended_is_refused(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(text), "r")
    paths = [str(text)]
    with pytest.raises(OutputError, match="this is the run to extend"):
        extend(Path("r"), paths, Path("../" + Path().resolve().name + "/r"))
    with pytest.raises(SettingsError):
        extend(Path("r"), paths, Path("s"), ["training.epoch=2"])
    with pytest.raises(SettingsError, match="--anchor"):
        freeze = ["training.freeze_words=9"]
        extend(Path("r"), paths, Path("s"), freeze, anchor=True)
    with pytest.raises(SettingsError, match="sweep.values"):
        extend(Path("r"), paths, Path("s"), ["sweep.values={training.seed: [1, 2]}"])
    Path("odd.txt").write_text("\N{SNOWMAN}\n...\n")
    with pytest.raises(CorpusError, match="odd.txt: none of its words"):
        extend(Path("r"), ["odd.txt"], Path("s"))
    with pytest.raises(SettingsError, match="set model.dimension=8"):
        extend(Path("r"), paths, Path("s"), ["model.dimension=9"])
    prepared = prepare(config(text).corpus, config(text).vocabulary, Path("c"), 1)
    with pytest.raises(CorpusError, match="c: a prepared corpus; give the text"):
        extend(Path("r"), [str(prepared.path)], Path("s"))
    Path("r/weights.safetensors").unlink()
    with pytest.raises(RunError, match="unfinished"):
        extend(Path("r"), paths, Path("s"))
    assert not Path("s").exists()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="one process only"):
        extend(Path("r"), paths, Path("s"))


def test_new_text_is_joined_by_the_phrases_of_the_old(text: Path) -> None:
    phrases = Phrases(((Phrase(("w1", "w2"), 1.0, 1),),), PhraseSettings())
    phrases.save(Path("p.tsv"))
    train(config(text).with_settings({"corpus.phrases": "p.tsv"}), "r")
    new = str(write("new.txt", ["w1", "w2", "new"] * 30))
    extend(Path("r"), [new], Path("s"))
    assert "w1_w2" in load_run_vectors(RunDirectory(Path("s")))
    Phrases(((),), PhraseSettings()).save(Path("p.tsv"))
    with pytest.raises(CorpusError, match="p.tsv: not the phrases that r"):
        extend(Path("r"), [new], Path("t"))
    with pytest.raises(SettingsError, match="r was trained with phrases"):
        extend(Path("r"), [new], Path("t"), ["corpus.phrases=null"])
    train(config(text), "plain")
    with pytest.raises(
        SettingsError, match="plain was trained without phrases; leave it out"
    ):
        extend(Path("plain"), [new], Path("t"), ["corpus.phrases=p.tsv"])


def test_a_damaged_record_is_named(text: Path) -> None:
    train(config(text), "r")
    run = RunDirectory(Path("r"))
    record = json.loads(run.record_file.read_text())
    run.record_file.write_text(json.dumps({**record, "first_learning_rate": "x"}))
    with pytest.raises(RunError, match=r"run.json: damaged \(first_learning_rate\)"):
        extend(Path("r"), [str(text)], Path("s"))


def test_text_may_come_through_a_pipe(sg_train: Command, text: Path) -> None:
    train(config(text), "r")
    result = sg_train("extend", "r", "-", "--out", "s", input="w1 new\n" * 9)
    assert result.exit_code == 0, result.output
    assert load_run_vectors(RunDirectory(Path("s")))["new"].shape == (8,)


def test_the_command_says_what_becomes_of_the_words(
    sg_train: Command, text: Path
) -> None:
    train(config(text), "r")
    write("new.txt", ["w1", "w2", "new"] * 30)
    result = sg_train("extend", "r", "new.txt", "--out", "s")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert (
        "training.learning_rate=0.00647, training.epochs=1, since the new text has 13% "
        "of all words" in result.stderr
    )
    assert (
        "vocabulary of 31 words: 30 of r, 1 new; left out by min_count or "
        "max_vocabulary: 0 new words, 0 old ones" in result.stderr
    )
    assert "over 30 shared words: mean cosine of before and after" in (result.stderr)
    assert Config.load("s/config.yaml").vocabulary.extends == str(Path("r").absolute())


def test_old_text_can_be_mixed_in(text: Path, sg_train: Command) -> None:
    train(config(text), "r")
    new = write("new.txt", ["w1", "new"] * 30)
    old_words = len(text.read_text().split())
    for share, words in ((0.5, None), (1, old_words + 60)):
        result = sg_train(
            "extend", "r", new, "--out", "s", "--mix", share, "--overwrite"
        )
        assert result.exit_code == 0, result.output
        assert "since the mixed text has" in result.stderr
        run = RunDirectory(Path("s"))
        (path,) = run.load_config().corpus.paths
        mixed = EncodedCorpus.load(Path(path))
        assert 60 < mixed.words <= old_words + 60
        assert words is None or mixed.words == words
        assert "new" in load_run_vectors(run).words
    # All text is read again, so as often as in a run on all of it, and at its rate.
    training = Config.load("s/config.yaml").training
    assert training.learning_rate == pytest.approx(0.05)
    epochs = int(training.epochs)
    assert epochs > 20
    resume(Path("s"), [f"training.epochs={epochs + 1}"])
    shutil.rmtree(Config.load("s/config.yaml").corpus.paths[0])
    with pytest.raises(CorpusError, match="extend --mix mixed it from two corpora"):
        resume(Path("s"), [f"training.epochs={epochs + 2}"])


@pytest.mark.parametrize(
    ("share", "break_it", "message"),
    [
        (2, lambda _: None, "--mix 2: a share of the old text, from 0 to 1"),
        (0.5, shutil.rmtree, "not a prepared corpus"),
        (
            0.5,
            lambda corpus: prepare(
                CorpusConfig(paths=["new.txt"]),
                VocabularyConfig(min_count=1),
                corpus,
                1,
                overwrite=True,
            ),
            "no longer the corpus that r was trained on",
        ),
    ],
)
def test_what_cannot_be_mixed_in_is_refused(
    text: Path, sg_train: Command, share: float, break_it, message: str
) -> None:
    train(config(text), "r")
    new = write("new.txt", ["w1", "new"] * 30)
    (corpus,) = Path("corpora").iterdir()
    break_it(corpus)
    line = sg_train.refused("extend", "r", new, "--out", "s", "--mix", share)
    assert re.search(message, line), line
    assert not Path("s").exists()
