import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.corpus.prepare import prepare
from sg_train.errors import RunError, SettingsError, SgTrainError, VectorsError
from sg_train.reports.description import describe
from sg_train.reports.words import open_words
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.train import train
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command
from tests.test_train import config


@pytest.fixture
def run(text: Path) -> Path:
    train(config(text, epochs=2), "r")
    return Path("r")


def test_a_run_is_described(run: Path, text: Path) -> None:
    facts = describe(run)
    assert facts["kind"] == "run"
    assert facts["state"] == "done"
    assert (facts["vocabulary"], facts["dimension"]) == (30, 8)
    assert facts["words trained"] == 2 * len(text.read_text().split())
    assert facts["loss"] == load_metrics(RunDirectory(run).metrics_file)[-1].loss
    assert facts["training.epochs"] == 2
    assert facts["text"] == [str(text)]
    assert "export.format" not in facts  # it is as by default
    for name in ("run.json", ".lock"):
        assert describe(run / name) == facts
    (run / "state.json").unlink()
    assert describe(run)["state"] == "unfinished, without a checkpoint"
    (run / "checkpoints/000000001").mkdir(parents=True)
    shutil.copy(run / "weights.safetensors", run / "checkpoints/000000001")
    assert describe(run)["state"] == "unfinished; continue it with sg-train resume r"


def test_the_files_of_a_run_are_described(run: Path) -> None:
    assert describe(run / "weights.safetensors") == {
        "kind": "sg-train weights 1",
        "vocabulary": 30,
        "dimension": 8,
    }
    assert describe(run / "vocabulary.tsv") == {
        "kind": "vocabulary",
        "words": 30,
        "counts": 615,
    }
    assert describe(run / "vectors.txt")["first words"] == "w29 w28 w27 w26 w25"
    assert describe(run / "config.yaml")["model.dimension"] == 8
    assert describe(run / "metrics.jsonl")["lines"] == 2
    end = describe(run / "state.json")
    assert (end["kind"], end["blocks done"], end["dimension"]) == ("checkpoint", 2, 8)
    assert end["format version"] == 1
    newest = run / "checkpoints/000000002"
    for directory in (newest, run / "checkpoints/000000001"):
        directory.mkdir(parents=True)  # the older one is damaged
    for name in ("state.json", "weights.safetensors"):
        (newest / name).write_bytes((run / name).read_bytes())
    assert describe(newest) == end
    assert describe(run / "checkpoints") == end


def test_a_corpus_and_phrases_are_described(text: Path) -> None:
    settings = config(text)
    corpus = prepare(settings.corpus, settings.vocabulary, Path("c"), 1)
    facts = describe(Path("c"))
    assert facts["kind"] == "prepared corpus"
    assert facts["words"] == facts["words read"] == 615
    assert facts["checksum"] == corpus.checksum
    assert facts["tokenizer"] == "words"
    for name in ("meta.json", "ids.i32"):
        assert describe(Path("c") / name) == facts
    phrases = Phrases(((Phrase(("a", "b"), 1.0, 2),), ()), PhraseSettings(passes=2))
    phrases.save(Path("p.tsv"))
    facts = describe(Path("p.tsv"))
    assert facts["kind"] == "phrases"
    assert (facts["phrases of pass 1"], facts["phrases of pass 2"]) == (1, 0)
    assert facts["scoring"] == "gensim"


def test_vectors_of_any_tool_are_described() -> None:
    vectors = WordVectors(["a", "b"], np.ones((2, 3), dtype=np.float32))
    for form, name in (("safetensors", "v.safetensors"), ("binary", "given.txt")):
        vectors.save(name, form)  # type: ignore[arg-type]
        facts = describe(Path(name))
        assert facts == {
            "kind": "vectors",
            "words": 2,
            "dimension": 3,
            "first words": "a b",
        }
    vectors.save("v.npy", "npy")
    assert describe(Path("v.words.txt")) == describe(Path("v.npy"))
    assert describe(Path("v.npy"))["first words"] == "a b"
    vectors.save("v", "projector")
    assert describe(Path("v"))["first words"] == "a b"


@pytest.mark.parametrize("name", ["missing", "directory", "text.md", "broken.yaml"])
def test_what_is_none_of_these_is_refused(name: str) -> None:
    Path("directory").mkdir()
    Path("directory/metadata.tsv").write_text("a\n")
    Path("text.md").write_text("# Nothing\n")
    Path("broken.yaml").write_text("[")
    with pytest.raises(SgTrainError, match=name):
        describe(Path(name))


def test_words_are_opened_with_what_is_known_of_their_text(run: Path) -> None:
    (prepared,) = Path("corpora").iterdir()
    for path in (run, prepared):
        words = open_words(path)
        assert (words.kept, words.read, words.distinct) == (615, 615, 30)
        assert words.corpus.tokenizer == "words"
    alone = open_words(run / "vocabulary.tsv")
    assert alone.read is None
    assert alone.words == open_words(run).words
    assert alone.counts.tolist() == open_words(run).counts.tolist()
    vectors = open_words(run / "vectors.txt")
    assert (vectors.words, vectors.counts) == (alone.words, None)
    with pytest.raises(VectorsError, match="cannot read missing: no such file"):
        open_words(Path("missing"))


def test_what_an_extended_run_knows_is_of_its_own_text(
    sg_train: Command, run: Path
) -> None:
    Path("new.txt").write_text("w1 new\n" * 80)
    assert sg_train("extend", run, "new.txt", "--out", "s").exit_code == 0
    words = open_words(Path("s"))
    assert (words.kept, words.read) == (160, 160)
    assert words.counts.sum() == words.counted == 615 + 160
    assert words.distinct == 31
    shown = sg_train("vocab", "s", "--top", "1").stdout
    assert shown == f"w1\t87\t{87 / 775:.3g}\n"
    assert "share kept\t1.0000\n" in sg_train("vocab", "s").stdout


def test_files_of_another_version_are_named(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["corpus"]["fingerprint"]["settings"]["tokenizer"] = "telepathy"
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(SettingsError, match=r"^r: corpus.tokenizer: .*telepathy"):
        open_words(run)


@pytest.mark.parametrize(
    "damage",
    [
        {"versions": [1]},
        {"corpus": 3},
        {"corpus": {"fingerprint": 3}},
        {"corpus": {"fingerprint": {"inputs": 3, "settings": 3}}},
    ],
)
def test_damaged_records_are_named(run: Path, damage) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **damage}))
    with pytest.raises(RunError, match="^r/run.json: damaged"):
        describe(run)
    if damage.get("corpus"):
        with pytest.raises(SgTrainError, match="^r/run.json: "):
            open_words(run)


def test_vocab_shows_counts_and_what_is_out_of_it(
    sg_train: Command, text: Path
) -> None:
    arguments = ("--set", "vocabulary.min_count=20", "--out", "c")
    assert sg_train("prepare", text, *arguments).exit_code == 0
    assert sg_train("vocab", "c").stdout == (
        "vocabulary\t16\nwords kept\t440\nwords read\t615\nshare kept\t0.7154\n"
        "distinct words counted\t30\nleast count\t20\n"
    )
    assert sg_train("vocab", "c", "--top", "2").stdout == (
        "w29\t35\t0.0569\nw28\t34\t0.0553\n"
    )
    assert sg_train("vocab", "c", "--search", "w1?", "--top", "1").stdout == (
        "w19\t25\t0.0407\n"
    )
    nothing = sg_train("vocab", "c", "--search", "X*")
    assert (nothing.stdout, nothing.stderr) == ("", "sg-train: c: no word matches X*\n")
    other = sg_train("vocab", "c", "--search", "W19")
    assert (other.stdout, other.stderr) == (
        "w19\t25\t0.0407\n",
        "'W19' is looked up as 'w19'\n",
    )
    Path("other").write_text("W29 new w28 new\nold w13\n")
    assert sg_train("vocab", "c", "--text", "other", "--top", "2").stdout == (
        "words\t6\nout of vocabulary\t4\nout-of-vocabulary rate\t0.6667\n"
        "distinct words\t5\ndistinct out of vocabulary\t3\n"
        "rate of distinct words\t0.6000\n"
        "word\tcount\nnew\t2\nold\t1\n"
    )
    (found,) = json.loads(sg_train("vocab", "c", "--text", "other", "--json").stdout)
    WordVectors(["w28"], np.ones((1, 2), dtype=np.float32)).save("v.txt")
    assert sg_train("vocab", "v.txt").stdout == "vocabulary\t1\n"
    assert sg_train("vocab", "v.txt", "--search", "w*").stdout == "w28\t-\t-\n"
    shown = sg_train("vocab", "v.txt", "--text", "other").stdout
    assert "out of vocabulary\t5\n" in shown
    assert found["most_frequent"][-1] == {"word": "w13", "count": 1}
    assert "--search" in sg_train.refused("vocab", "c", "--search", "a", "--text", "o")
    assert "no such file" in sg_train.refused("vocab", "c", "--text", "missing")


def test_vector_shows_the_numbers_that_export_writes(
    sg_train: Command, run: Path
) -> None:
    shown = sg_train("vector", run, "w3", "w29").stdout.splitlines()
    exported = (run / "vectors.txt").read_text().splitlines()
    assert set(shown) <= set(exported)
    assert [line.split()[0] for line in shown] == ["w3", "w29"]
    (found,) = json.loads(sg_train("vector", run, "w3", "--json").stdout)
    vectors = load_run_vectors(RunDirectory(run))
    assert found == {"word": "w3", "vector": vectors["w3"].tolist()}
    assert "'w30' has no vector" in sg_train.refused("vector", run, "w30")


def test_info_shows_facts(sg_train: Command, run: Path) -> None:
    assert sg_train("info", run).stdout.startswith("kind\trun\nstate\tdone\n")
    (facts,) = json.loads(sg_train("info", run, "--json").stdout)
    assert facts == json.loads(json.dumps(describe(run), default=str))
    sg_train.refused("info", "missing")
