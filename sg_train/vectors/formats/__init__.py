"""Reading and writing vector files of any tool."""

from sg_train.vectors.formats.files import (
    FILES,
    Content,
    format_of,
    is_directory_of_vectors,
    load_vectors,
    save_vectors,
)

__all__ = [
    "FILES",
    "Content",
    "format_of",
    "is_directory_of_vectors",
    "load_vectors",
    "save_vectors",
]
