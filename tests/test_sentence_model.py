import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import yaml
from tokenizers import Tokenizer

from sg_train.errors import OutputError, SettingsError, VectorsError
from sg_train.reports.sentence_model import export_sentence_model, sif_weights
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.formats import sentence_model
from sg_train.vectors.formats.sentence_model import load_sentence_model
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command

WORDS = ["the", "König", "don't", "[UNK]"]


def some_vectors(**more) -> WordVectors:
    matrix = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)
    return WordVectors(WORDS, matrix, **more)


def encoded(path: Path, text: str) -> np.ndarray:
    """Return the vector of a text as sentence-transformers computes it."""
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    weights = safetensors.numpy.load_file(path / "model.safetensors")["embeddings"]
    assert len(weights) == tokenizer.get_vocab_size()
    return weights[tokenizer.encode(text, add_special_tokens=False).ids].sum(axis=0)


def test_a_text_is_the_sum_of_its_words_weighted_by_frequency() -> None:
    counts = np.array([900, 60, 30, 10])
    vectors = some_vectors(counts=counts)
    export_sentence_model(vectors, Path("m"), None, 0.01)
    weights = 0.01 / (0.01 + counts / 1000)
    expected = (vectors.matrix * weights[:, None])[[1, 0, 2]].sum(axis=0)
    found = encoded(Path("m"), "König — the xyz Don’t; don’t")
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # case is kept: "König"
    assert not encoded(Path("m"), "xyz").any()


def test_the_directory_is_read_as_vectors() -> None:
    vectors = some_vectors(counts=np.array([9, 6, 3, 1]))
    for _ in range(2):  # again, in its place
        export_sentence_model(vectors, Path("m"), None)
    read = WordVectors.load("m")
    assert read.words == WORDS
    near, expected = read.neighbors("the"), vectors.neighbors("the")
    assert [word for word, _ in near] == [word for word, _ in expected]
    found = [cosine for _, cosine in near]
    assert found == pytest.approx([cosine for _, cosine in expected], abs=1e-6)


def test_words_without_counts_weigh_the_same(caplog) -> None:
    vectors = some_vectors()
    export_sentence_model(vectors, Path("m"), None)
    assert np.array_equal(WordVectors.load("m").matrix, vectors.matrix)
    assert "m: counts of words are unknown" in caplog.text
    with pytest.raises(SettingsError, match="--sif: the counts of words are unknown"):
        export_sentence_model(vectors, Path("m"), None, 0.1)
    with pytest.raises(SettingsError, match="--sif: the counts"):
        sif_weights(vectors, 1)


def test_the_card_describes_the_run(sg_train: Command, text: Path) -> None:
    Path("pairs.csv").write_text("w1 w2 3\nw3 w4 2\nw5 w6 1\n")
    result = sg_train(
        *("train", "--corpus", text, "--out", "r", "--set", "model.dimension=8"),
        *("--set", "evaluation.similarity=pairs.csv", "--set", "training.epochs=2"),
    )
    assert result.exit_code == 0, result.output
    result = sg_train("export", "r", "m", "--format", "sentence-transformers")
    assert result.exit_code == 0, result.output
    card = Path("m/README.md").read_text()
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["license"] is None
    assert yaml.safe_load(head)["library_name"] == "sentence-transformers"
    assert "\n# m\n" in body
    assert f"| text | {text} |" in body
    assert "| training.epochs | 2 |" in body
    (score,) = [line for line in body.splitlines() if line.startswith("| pairs |")]
    assert -1 <= float(score.split("|")[2]) <= 1
    assert "a = 0.0001" in body
    vectors = load_run_vectors(RunDirectory(Path("r")))
    assert vectors.counts is not None
    share = vectors.counts[5] / vectors.counts.sum()
    expected = vectors.matrix[5] * 1e-4 / (1e-4 + share)
    word = vectors.words[5]
    np.testing.assert_allclose(encoded(Path("m"), word.upper()), expected, rtol=1e-5)
    assert (
        sg_train("neighbors", "m", word).stdout
        == sg_train("neighbors", "r", word).stdout
    )
    assert "kind\tvectors" in sg_train("info", "m").stdout
    again = sg_train(
        "train",
        "--corpus",
        text,
        "--out",
        "x",
        "--init-from",
        "m",
        "--set",
        "model.dimension=8",
        "--set",
        "training.epochs=1",
    )
    assert again.exit_code == 0, again.output


def test_other_files_stay_as_they_are() -> None:
    Path("m").mkdir()
    Path("m/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="m: holds other files"):
        export_sentence_model(some_vectors(), Path("m"), None)
    with pytest.raises(OutputError, match="not a directory"):
        export_sentence_model(some_vectors(), Path("m/mine.txt"), None)
    assert Path("m/mine.txt").read_text() == "mine"
    assert [path.name for path in Path("m").iterdir()] == ["mine.txt"]


def test_what_is_written_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(path: Path):
        words, matrix = load_sentence_model(path)
        return words, matrix + 1

    monkeypatch.setattr(sentence_model, "load_sentence_model", other)
    with pytest.raises(OutputError, match="m: does not read back as written"):
        export_sentence_model(some_vectors(), Path("m"), None)
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("tokenizer.json", "{", "damaged tokenizer"),
        ("tokenizer.json", '{"model": {"vocab": {}, "unk_token": "x"}}', "damaged tok"),
        ("model.safetensors", "x", "damaged safetensors file"),
    ],
)
def test_a_damaged_model_is_refused(file: str, content: str, message: str) -> None:
    export_sentence_model(some_vectors(), Path("m"), None)
    Path("m", file).write_text(content)
    with pytest.raises(VectorsError, match=f"{file}: {message}"):
        WordVectors.load("m")


def test_files_that_do_not_belong_together_are_refused() -> None:
    export_sentence_model(some_vectors(), Path("m"), None)
    name = Path("m/tokenizer.json")
    content = json.loads(name.read_text())
    content["model"]["vocab"]["more"] = 5
    name.write_text(json.dumps(content))
    with pytest.raises(
        VectorsError, match="m: tokenizer.json and model.safetensors do"
    ):
        WordVectors.load("m")


def test_a_subset_is_weighted_by_the_share_of_the_whole_text(
    sg_train: Command, text: Path
) -> None:
    small = ("--set", "model.dimension=4", "--set", "training.epochs=1")
    result = sg_train("train", "--corpus", text, "--out", "r", *small)
    assert result.exit_code == 0, result.output
    model = ("--format", "sentence-transformers", "--sif", "0.01")
    for name, more in (("all", ()), ("few", ("--top", 5))):
        result = sg_train("export", "r", name, *model, *more)
        assert result.exit_code == 0, result.output
    few, every = (WordVectors.load(name).matrix for name in ("few", "all"))
    assert np.array_equal(few, every[:5])


def test_other_types_of_numbers_and_weights_are_refused() -> None:
    vectors = some_vectors(counts=np.array([9, 6, 3, 1]))
    for sif in (float("inf"), 2.0, 1e-300):
        with pytest.raises(
            SettingsError, match="--sif .*: expected 0, or a share from"
        ):
            export_sentence_model(vectors, Path("m"), None, sif)
    export_sentence_model(vectors, Path("m"), None)
    rows = np.ones((5, 6), dtype=np.float16)
    Path("m/model.safetensors").write_bytes(
        safetensors.numpy.save({"embeddings": rows})
    )
    with pytest.raises(VectorsError, match="`embeddings` is F16, expected F32"):
        WordVectors.load("m")
