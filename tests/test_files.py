import errno
import os
import subprocess
from pathlib import Path

import pytest

from sg_train.errors import OutputError
from sg_train.system.files import atomic_directory, atomic_file


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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with (
            pytest.raises(OutputError, match="not a regular file"),
            atomic_file(path),
        ):
            pass


def test_a_directory_that_cannot_be_swapped_in_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if target == out and self.name != "was":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with (
        pytest.raises(OutputError, match="busy"),
        atomic_directory(out) as aside,
    ):
        (aside / "new").write_text("new")
    assert names(out) == ["old"]
    assert names(tmp_path) == ["out"]


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for process in (gone.pid, os.getppid()):
        (tmp_path / f".file.{process}.abc").touch()
        (tmp_path / f".file.{process}.def").mkdir()
    (tmp_path / ".file.txt").touch()  # somebody's own
    with atomic_file(tmp_path / "file") as file:
        file.write(b"x")
    names = sorted(path.name for path in tmp_path.iterdir())
    living = os.getppid()
    assert names == [f".file.{living}.abc", f".file.{living}.def", ".file.txt", "file"]
