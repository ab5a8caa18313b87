import errno
import os
from pathlib import Path

import pytest

from sg_train.errors import OutputError
from sg_train.files import atomic_directory, atomic_file


def names(path: Path) -> list[str]:
    return sorted(child.name for child in path.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "out") as file:
        file.write(b"whole")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"whole"
    assert names(tmp_path) == ["out"]


def test_a_file_obeys_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "out"):
            pass
        with atomic_directory(tmp_path / "directory"):
            pass
    finally:
        os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "directory").stat().st_mode & 0o777 == 0o750


def test_a_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "out") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*out: No space left"),
        atomic_file(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_a_missing_directory_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*out: No such file"),
        atomic_file(tmp_path / "missing" / "out"),
    ):
        pass


def test_a_directory_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for name in ("first", "second"):
        with atomic_directory(out) as aside:
            (aside / name).write_text(name)
            assert name not in names(out) if out.exists() else True
        assert names(out) == [name]
    assert names(tmp_path / "deep") == ["out"]


def test_a_failed_block_leaves_the_old_directory(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    with pytest.raises(ValueError, match="no"), atomic_directory(out) as aside:
        (aside / "half").write_text("half")
        raise ValueError("no")
    assert names(out) == ["old"]
    assert names(tmp_path) == ["out"]
