"""Train word2vec skip-gram vectors from text, with the `sg-train` command or Python.

>>> from sg_train import Config, WordVectors, train
>>> config = Config.load("configs/tiny.yaml").with_settings({"training.epochs": 2})
>>> run = train(config, "runs/from-python")
>>> vectors = run.vectors  # or WordVectors.load("runs/from-python")
>>> vectors.dimension, vectors["people"].dtype
(16, dtype('float32'))
>>> len(vectors.neighbors("people", 3))
3

Every error that a user can fix is a `SgTrainError`, whose one-line message explains the
fix. Names that are not listed here may change between versions.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sg_train.config import Config
    from sg_train.model.skip_gram import SkipGram
    from sg_train.training.run import Run
    from sg_train.training.train import train
    from sg_train.vectors.word_vectors import WordVectors

__version__ = "0.1.0"
__all__ = ["Config", "Run", "SkipGram", "WordVectors", "train"]

_HOMES = {
    "Config": "sg_train.config",
    "Run": "sg_train.training.run",
    "SkipGram": "sg_train.model.skip_gram",
    "WordVectors": "sg_train.vectors.word_vectors",
    "train": "sg_train.training.train",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, because torch takes long to load."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
