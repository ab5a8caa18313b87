"""Reading and writing vector files of any tool."""

from sg_train.vectors.formats.files import (
    FILES,
    format_of,
    load_vectors,
    save_vectors,
)

__all__ = ["FILES", "format_of", "load_vectors", "save_vectors"]
