"""A directory that sentence-transformers and model2vec load as a static embedding.

model.safetensors  `embeddings`, (V + 1, D) float32; the last row, of zeros, stands for
                   unknown words
tokenizer.json     splits a text into words, each the id of its row
config.json, modules.json  what the two libraries ask for
README.md          the model card
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.system.files import atomic_directory, read_regular
from sg_train.vectors.formats.checks import (
    check_lines,
    check_place,
    check_read_back,
)

_CARD, _CONFIG, _MODULES = "README.md", "config.json", "modules.json"
_TOKENIZER, _WEIGHTS = "tokenizer.json", "model.safetensors"
_FILES = (_CARD, _CONFIG, _MODULES, _TOKENIZER, _WEIGHTS)
_MODULE = "sentence_transformers.models.StaticEmbedding"
_TENSOR = "embeddings"


def is_sentence_model(path: Path) -> bool:
    """Return whether `save_sentence_model` wrote the directory."""
    return all((path / name).is_file() for name in _FILES)


def unknown_word(words: Sequence[str]) -> str:
    """Return a name for unknown words, which is none of the words.

    >>> unknown_word(["[UNK]"])
    '[[UNK]]'
    """
    name, taken = "[UNK]", frozenset(words)
    while name in taken:
        name = f"[{name}]"
    return name


def save_sentence_model(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    tokenizer: Mapping[str, Any],
    card: str,
) -> None:
    """Write the directory, replacing one written earlier.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors, of which that of a text is the mean.
        path: the directory.
        tokenizer: the content of tokenizer.json.
        card: the model card.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: it cannot be written, does not read back as written, or `path`
            holds other files.
    """
    check_lines(words, matrix)
    check_place(path, _FILES)
    rows = np.zeros((len(words) + 1, matrix.shape[1]), dtype=np.float32)
    rows[:-1] = matrix
    settings = {"normalize": False, "max_length": None, "embedding_dtype": "float32"}
    modules = [{"idx": 0, "name": "0", "path": ".", "type": _MODULE}]
    with atomic_directory(path) as aside:
        (aside / _CARD).write_text(card, "utf-8")
        for name, content in (
            (_CONFIG, settings),
            (_MODULES, modules),
            (_TOKENIZER, tokenizer),
        ):
            text = json.dumps(content, ensure_ascii=False, indent=1)
            (aside / name).write_text(text, "utf-8")
        (aside / _WEIGHTS).write_bytes(safetensors.numpy.save({_TENSOR: rows}))
        read_words, read_matrix = load_sentence_model(aside)
        check_read_back(path, read_words == list(words))
        check_read_back(path, np.array_equal(read_matrix, matrix))


def load_sentence_model(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Read the words and vectors of a directory that `save_sentence_model` wrote.

    Raises:
        VectorsError: a file is damaged, or the files do not belong together.
    """
    name = path / _TOKENIZER
    try:
        model = json.loads(read_regular(name))["model"]
        ids, unknown = dict(model["vocab"]), model["unk_token"]
        row_of_unknown = ids.pop(unknown)
        words = sorted(ids, key=ids.__getitem__)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise VectorsError(f"{name}: damaged tokenizer ({error})") from error
    name = path / _WEIGHTS
    try:
        with safetensors.safe_open(name, framework="numpy") as file:
            kind = file.get_slice(_TENSOR).get_dtype()
            if kind != "F32":
                raise VectorsError(f"{name}: `embeddings` is {kind}, expected F32")
            rows = file.get_tensor(_TENSOR)
    except (OSError, safetensors.SafetensorError) as error:
        raise VectorsError(f"{name}: damaged safetensors file ({error})") from error
    count = len(words)
    in_order = [ids[word] for word in words] == list(range(count))
    fits = rows.ndim == 2 and len(rows) == count + 1 and rows.dtype == np.float32
    if not (count and fits and in_order and row_of_unknown == count):
        raise VectorsError(
            f"{path}: {_TOKENIZER} and {_WEIGHTS} do not belong together; export the "
            "model again"
        )
    matrix: NDArray[np.float32] = rows[:-1]
    check_lines(words, matrix, f"{path}: ")
    return words, matrix
