import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sg_train.errors import OutputError
from sg_train.system.files import (
    atomic_directory,
    atomic_file,
    behind_link,
    check_regular,
    open_to_append,
    read_regular,
    remove_leftovers,
    scratch_directory,
)
from sg_train.system.machine import boot_name, machine_name
from tests.conftest import ROOT, untraced


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


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_file(tmp_path / "link") as file:
        file.write(b"new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"
    assert (tmp_path / "target").read_bytes() == b"old"


def test_a_link_of_the_users_own_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_file(behind_link(tmp_path / "link")) as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "out").touch(mode=0o600)
    with atomic_file(tmp_path / "out") as file:
        file.write(b"secret")
        (aside,) = (path for path in tmp_path.iterdir() if path.name != "out")
        assert aside.stat().st_mode & 0o077 == 0
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_the_umask_is_never_changed(tmp_path: Path, monkeypatch) -> None:
    def refuse(mask: int) -> int:
        raise AssertionError

    monkeypatch.setattr(os, "umask", refuse)
    with atomic_file(tmp_path / "out"), atomic_directory(tmp_path / "directory"):
        pass
    with scratch_directory(tmp_path / "x") as scratch:
        assert scratch.stat().st_mode & 0o077 == 0


def test_a_check_stops_a_replacement(tmp_path: Path) -> None:
    def check() -> None:
        raise OutputError("taken meanwhile")

    with (
        pytest.raises(OutputError, match="taken meanwhile"),
        atomic_directory(tmp_path / "out", check) as aside,
    ):
        (aside / "new").touch()
    assert names(tmp_path) == []


def test_scratch_does_not_follow_a_link_of_others(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "trap").mkdir()
    for name in ("sg-train", "scratch"):
        (tmp_path / "tmp" / name).symlink_to(tmp_path / "trap" / "in")
    with scratch_directory(None) as scratch:
        assert scratch.parent.parent == tmp_path / "tmp"
        with atomic_directory(scratch / "inside"):  # does not wait for itself
            pass
    assert names(tmp_path / "trap") == []
    assert names(tmp_path / "tmp") == ["scratch", "sg-train"]


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


KILLED = """
import os, sys
from pathlib import Path
from sg_train.system.files import atomic_directory, atomic_file
with atomic_file(Path("file")), atomic_directory(Path("directory")):
    print("begun", flush=True)
    sys.stdin.read()
    os._exit(1)
"""


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**untraced(), "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        at_work = names(tmp_path)
        assert len(at_work) == 2
        remove_leftovers(tmp_path)
        assert names(tmp_path) == at_work  # while their process lives
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    assert names(tmp_path) == at_work
    with atomic_file(tmp_path / "other"):
        pass
    assert names(tmp_path) == ["other"]


def leftover(machine: str, boot: str, name: str = "file") -> str:
    return f".{name}.sg-train.{machine}.{boot}.{'0' * 16}"


def test_what_may_be_anothers_is_left_alone(tmp_path: Path) -> None:
    here, now = machine_name(), boot_name()
    theirs = [
        leftover("0" * 12, now),  # of another machine
        leftover(here, "0" * 12),  # written since this machine was booted
        leftover("0" * 12, "0" * 12),
        ".file.20240101.bak",
        ".file.².x",
        f".file.{os.getpid()}.abc",
        ".file.sg-train.new.0000000000000000",
        ".file.txt",
    ]
    for name in theirs:
        (tmp_path / name).touch()
    ours = [leftover(here, now), leftover(here, "1" * 12)]
    for name in ours:
        (tmp_path / name).touch()
    os.utime(tmp_path / ours[1], (0, 0))  # before the last boot
    with atomic_file(tmp_path / "file") as file:
        file.write(b"x")
    assert names(tmp_path) == sorted([*theirs, "file"])


def test_a_leftover_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    name = leftover(machine_name(), boot_name())
    (tmp_path / name).symlink_to("precious")
    remove_leftovers(tmp_path)
    assert names(tmp_path / "precious") == ["file"]


def test_a_link_is_not_opened_to_append(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        open_to_append(tmp_path / "link")
    for _ in range(2):
        with open_to_append(tmp_path / "new") as file:
            file.write(b"x")
    assert (tmp_path / "new").read_bytes() == b"xx"


@pytest.mark.parametrize(
    "read", [read_regular, check_regular, open_to_append], ids=lambda f: f.__name__
)
def test_a_pipe_or_device_is_not_opened(read, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read(path)
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(tmp_path / "file") == b"content"
