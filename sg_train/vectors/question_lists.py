"""Lists of questions: one per line, each of one or several words."""

import sys
from collections.abc import Iterator
from pathlib import Path

from sg_train.errors import VectorsError
from sg_train.system.containers import HEAD_BYTES, container_of
from sg_train.wording import shortened

_IN_WORDS = {1: "one word", 2: "two words", 3: "three words"}


def read_questions(file: str, size: int) -> list[tuple[str, ...]]:
    """Read questions of `size` words each.

    Words are separated by tabs or, in a line without tabs, by spaces. A line of one
    word may contain spaces. Empty lines are skipped.

    Args:
        file: a path, or - for standard input.
        size: the number of words in a question.

    Raises:
        VectorsError: the file cannot be read, is no UTF-8 text, has no questions, or a
            line has another number of words.
    """
    questions = []
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        words = line.strip().split("\t") if size == 1 or "\t" in line else line.split()
        words = [word.strip() for word in words]
        if len(words) != size or not all(words):
            raise VectorsError(
                f"{file}, line {number}: expected {_IN_WORDS[size]}, not "
                f"{shortened(line.strip())!r}"
            )
        questions.append(tuple(words))
    if not questions:
        raise VectorsError(f"{file}: contains no questions; give one per line")
    return questions


def _lines(file: str) -> Iterator[str]:
    if file == "-" and sys.stdin is None:
        raise VectorsError("-: standard input is closed; give a file of questions")
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise VectorsError(
            f"cannot read {file or repr(file)}: {error.strerror}; give a file of "
            "questions, one per line"
        ) from error
    container = container_of(content[:HEAD_BYTES])
    if container is not None:
        raise VectorsError(
            f"{file}: {container.name}, not text; give one question per line"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise VectorsError(
            f"{file}, line {line}: not UTF-8; convert it to UTF-8"
        ) from error
    yield from text.split("\n")
