from pathlib import Path

import numpy as np
import pytest

from sg_train.errors import OutputError, VectorsError
from sg_train.vectors.formats.projector import save_projector
from sg_train.vectors.formats.word2vec import write_rows
from sg_train.vectors.word_vectors import WordVectors
from tests.building import of
from tests.conftest import awkward_vectors


def test_tensorboard_takes_the_directory() -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector import projector_plugin as plugin
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    vectors = awkward_vectors()
    save_projector(*of(vectors), Path("p"))
    save_projector(*of(vectors), Path("p"))  # again, in its place
    config = ProjectorConfig()
    text_format.Parse(Path("p/projector_config.pbtxt").read_text(), config)
    (embedding,) = config.embeddings
    read = plugin._read_tensor_tsv_file(str(Path("p") / embedding.tensor_path))
    assert np.array_equal(np.asarray(read, dtype=np.float32), vectors.matrix)
    # One column of metadata has no heading.
    metadata = (Path("p") / embedding.metadata_path).read_text()
    assert metadata.split("\n") == [*vectors.words, ""]


def test_other_files_stay_as_they_are() -> None:
    Path("p").mkdir()
    Path("p/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="p: holds other files"):
        save_projector(*of(awkward_vectors()), Path("p"))
    with pytest.raises(OutputError, match="not a directory"):
        save_projector(*of(awkward_vectors()), Path("p/mine.txt"))
    assert Path("p/mine.txt").read_text() == "mine"


def test_what_is_written_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments):
        return write_rows(*arguments) - 9

    monkeypatch.setattr("sg_train.vectors.formats.projector.write_rows", shifted)
    with pytest.raises(OutputError, match="p: does not read back as written"):
        save_projector(*of(awkward_vectors()), Path("p"))
    assert not Path("p").exists()


def test_the_directory_is_read_as_vectors() -> None:
    vectors = awkward_vectors()
    save_projector(*of(vectors), Path("p"))
    read = WordVectors.load("p")
    assert read.words == vectors.words
    assert np.array_equal(read.matrix, vectors.matrix)
    Path("run").mkdir()
    Path("p").rename("run/projector")
    assert len(WordVectors.load("run")) == len(vectors)


@pytest.mark.parametrize(
    ("words", "rows", "message"),
    [
        ("a\nb\n", "1\t2\n3\n", "vectors.tsv: not a table of numbers"),
        ("a\nb\n", "1\tx\n3\t4\n", "vectors.tsv: not a table of numbers"),
        ("a\n", "1\t2\n3\t4\n", "1 distinct words in metadata.tsv for 2 vectors"),
        ("a\na\n", "1\t2\n3\t4\n", "1 distinct words in metadata.tsv for 2 vectors"),
        ("a\nb\n", "1\tnan\n3\t4\n", "vector of 'a' is not finite"),
    ],
)
def test_a_damaged_directory_is_refused(words: str, rows: str, message: str) -> None:
    save_projector(*of(awkward_vectors()), Path("p"))
    Path("p/metadata.tsv").write_text(words)
    Path("p/vectors.tsv").write_text(rows)
    with pytest.raises(VectorsError, match=message):
        WordVectors.load("p")
