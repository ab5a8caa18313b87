"""Files appear whole or not at all: write aside, fsync, rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sg_train.errors import OutputError


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` if the block succeeds.

    The bytes go to a hidden file in the same directory first. If the block raises,
    `path` is left as it was and the hidden file is removed.

    Raises:
        OutputError: the directory is missing or not writable, or the disk is full.
    """
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: not a regular file")
    target = path.resolve()  # a link stays a link
    with _one_line_errors(path):
        descriptor, name = tempfile.mkstemp(prefix=_aside(target), dir=target.parent)
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.chmod(0o666 & ~_umask())
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _fsync_directory(target.parent)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory that replaces `path` if the block succeeds.

    A directory already at `path` is replaced as a whole. If the block raises, it is
    left as it was.

    Raises:
        OutputError: the parent is not writable or the disk is full.
    """
    target = path.resolve()
    with _one_line_errors(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=_aside(target), dir=target.parent))
        try:
            yield aside
            for child in aside.iterdir():
                _fsync(child, os.O_RDONLY)
            aside.chmod(0o777 & ~_umask())
            _swap_in(aside, target)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        _fsync_directory(target.parent)


@contextmanager
def scratch_directory(beside: Path | None) -> Iterator[Path]:
    """Yield a new directory, and remove it afterwards.

    Args:
        beside: path whose parent holds the hidden directory; by default the system's
            directory for temporary files does.

    Raises:
        OutputError: the parent is missing or not writable, or the disk is full.
    """
    beside = beside or Path(tempfile.gettempdir()) / "sg-train"
    target = beside.resolve()
    with _one_line_errors(beside):
        path = Path(tempfile.mkdtemp(prefix=_aside(target), dir=target.parent))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _aside(target: Path) -> str:
    """Return the name prefix of this process's hidden files for a target.

    Hidden files that killed processes have left are removed.
    """
    prefix = f".{target.name}."
    for path in target.parent.iterdir():
        name, dot, rest = path.name.rpartition(".")
        process = name.removeprefix(prefix)
        if path.name.startswith(prefix) and process.isdigit() and dot and rest:
            if _is_running(int(process)):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    return f"{prefix}{os.getpid()}."


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _swap_in(aside: Path, path: Path) -> None:
    if not path.exists():
        aside.rename(path)
        return
    # rename() cannot replace a directory that holds files: move it out of the way.
    old = Path(tempfile.mkdtemp(prefix=_aside(path), dir=path.parent))
    try:
        path.rename(old / "was")
        aside.rename(path)
    except OSError:
        if (old / "was").exists():
            (old / "was").rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsync_directory(path: Path) -> None:
    _fsync(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
