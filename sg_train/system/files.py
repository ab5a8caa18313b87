"""Files appear whole or not at all: write aside, fsync, rename.

What is written aside is a hidden file or directory in the same place, which its writer
locks. The name also tells machine and boot, so that what a killed process has left can
be told from the work of others, and only that is removed.
"""

import contextlib
import errno
import fcntl
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sg_train.errors import OutputError
from sg_train.system.machine import boot_name, boot_time, machine_name

_MARK = "sg-train"
_LEFTOVER = re.compile(rf"\..+\.{_MARK}\.([0-9a-f]+)\.([0-9a-f]+)\.[0-9a-f]{{16}}")


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` if the block succeeds.

    The bytes go to a hidden file in the same directory first. If the block raises,
    `path` is left as it was and the hidden file is removed. A link at `path` is
    replaced and not followed; see `behind_link`. An existing file keeps its
    permissions.

    Raises:
        OutputError: the directory is missing or not writable, or the disk is full.
    """
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: not a regular file")
    with _one_line_errors(path):
        mode = _mode_of(path)
        with _aside(path, 0o666 if mode is None else 0o600) as (aside, descriptor):
            if mode is not None:
                os.fchmod(descriptor, mode)
            with os.fdopen(os.dup(descriptor), "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        _fsync(path.parent)


def behind_link(path: Path) -> Path:
    """Return the file that a link of the user's own points to, or the path itself."""
    return path.resolve() if path.is_symlink() else path


@contextmanager
def atomic_directory(
    path: Path, check: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Yield a new directory that replaces `path` if the block succeeds.

    A directory already at `path` is replaced as a whole. If the block raises, it is
    left as it was.

    Args:
        path: the directory; a link is followed.
        check: called while no other process can replace `path`, just before it is
            replaced; whatever it raises is passed on.

    Raises:
        OutputError: the parent is not writable or the disk is full.
    """
    target = path.resolve()
    with _one_line_errors(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _aside(target, None) as (aside, _):
            yield aside
            for child in aside.iterdir():
                _fsync(child)
            with _locked(target.parent):
                check()
                _swap_in(aside, target)
        _fsync(target.parent)


@contextmanager
def scratch_directory(beside: Path | None) -> Iterator[Path]:
    """Yield a new directory that only this user can read, and remove it afterwards.

    Args:
        beside: path whose parent holds the hidden directory; by default the system's
            directory for temporary files does.

    Raises:
        OutputError: the parent is missing or not writable, or the disk is full.
    """
    target = beside or Path(tempfile.gettempdir()) / "scratch"
    with _one_line_errors(target), _aside(target, None, private=True) as (path, _):
        inside = path / "scratch"  # not locked itself, so that it can hold others
        inside.mkdir(mode=0o700)
        yield inside


@contextmanager
def _aside(
    target: Path, mode: int | None, *, private: bool = False
) -> Iterator[tuple[Path, int]]:
    """Make a hidden file or directory beside `target`, locked until the block ends.

    It is removed at the end of the block if it is still there.

    Args:
        target: determines the name.
        mode: permissions of a file before the umask; None for a directory.
        private: whether only this user can read the directory.

    Yields:
        Its path, and a descriptor of it.
    """
    prefix = f".{target.name}.{_MARK}"
    remove_leftovers(target.parent)
    # Only what is locked already has a name by which it may be taken for a leftover.
    unlocked = target.parent / f"{prefix}.new.{secrets.token_hex(8)}"
    if mode is None:
        unlocked.mkdir(mode=0o700 if private else 0o777)
        descriptor = os.open(unlocked, os.O_RDONLY | os.O_DIRECTORY)
    else:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        descriptor = os.open(unlocked, flags, mode)
    place = f"{machine_name()}.{boot_name()}.{secrets.token_hex(8)}"
    aside = target.parent / f"{prefix}.{place}"
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(aside)
        yield aside, descriptor
    finally:
        for path in (unlocked, aside):
            _remove(path)
        os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Remove what killed processes of this user and machine have left aside."""
    for path in directory.iterdir():
        match = _LEFTOVER.fullmatch(path.name)
        if match is None or match[1] != machine_name():
            continue
        try:
            status = path.lstat()
            is_of_this_boot = match[2] == boot_name()
            is_old = is_of_this_boot or status.st_mtime < boot_time()
            if status.st_uid == os.getuid() and is_old and not _is_locked(path):
                _remove(path)
        except OSError:  # it has vanished, or is not ours
            continue


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _swap_in(aside: Path, path: Path) -> None:
    if not path.exists():
        aside.rename(path)
        return
    # rename() cannot replace a directory that holds files: move it out of the way.
    with _aside(path, None) as (old, _):
        path.rename(old / "was")
        try:
            aside.rename(path)
        except OSError:
            (old / "was").rename(path)
            raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes out of the same block for this directory, if locks work."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}") from error


def _mode_of(path: Path) -> int | None:
    """Return the permissions of a file, or None if there is none."""
    if path.is_symlink() or not path.is_file():
        return None
    return stat.S_IMODE(path.stat().st_mode)


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it cannot be read, or is a pipe or a device, which may never end.
    """
    with io.FileIO(os.fspath(path), opener=open_regular) as file:
        return file.read()


def check_regular(path: Path) -> None:
    """Refuse a file that is not a regular one, for libraries that open it themselves.

    Raises:
        OSError: it cannot be opened, or is a pipe or a device, which may never end.
    """
    os.close(open_regular(path))


def open_to_append(path: Path) -> io.FileIO:
    """Open a regular file for reading and appending, but never through a link.

    Raises:
        OSError: the file is a link, a pipe or a device, or cannot be opened.
    """

    def without_links(name: str, flags: int) -> int:
        return open_regular(name, flags | os.O_NOFOLLOW)

    return io.FileIO(os.fspath(path), "a+", opener=without_links)


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """Open a regular file or a directory and return its descriptor.

    Raises:
        OSError: it cannot be opened, or is a pipe or a device. Even opening a pipe
            waits for another process.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return descriptor


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
