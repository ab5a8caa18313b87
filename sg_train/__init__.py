"""Train word2vec skip-gram vectors from text, by the command `sg-train` or from Python.

>>> from sg_train import Config, WordVectors, train
>>> config = Config.load("configs/tiny.yaml").with_settings({"training.epochs": 2})
>>> train(config, "runs/from-python")
>>> vectors = WordVectors.load("runs/from-python")
>>> vectors.dimension, vectors["people"].dtype
(16, dtype('float32'))
>>> len(vectors.neighbors("people", 3))
3

Whatever a user can mend is raised as a `SgTrainError` with one line that says how. What
is not named here may change from one version to the next.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sg_train.config import Config
    from sg_train.training.run import train
    from sg_train.vectors.word_vectors import WordVectors

__version__ = "0.1.0.dev0"
__all__ = ["Config", "WordVectors", "train"]

_HOMES = {
    "Config": "sg_train.config",
    "WordVectors": "sg_train.vectors.word_vectors",
    "train": "sg_train.training.run",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first asked for: torch takes long to load."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
