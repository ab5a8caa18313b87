import ctypes
from pathlib import Path

import pytest

from sg_train.engines.fused import machine_code

# Doubles the number at the address that it is given.
DOUBLES = """
define i32 @doubles(ptr %result, ptr %error, ptr %arguments) {
  %one = load i64, ptr %arguments
  %two = add i64 %one, %one
  store i64 %two, ptr %arguments
  ret i32 0
}
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    places = [tmp_path / "package", tmp_path / "home" / "cache"]
    monkeypatch.setattr(machine_code, "_directories", lambda: iter(places))
    return places


def test_code_is_translated_kept_and_run(places: list[Path]) -> None:
    code = machine_code.translate(DOUBLES, "doubles")
    assert machine_code.read(b"key") is None
    machine_code.write(b"key", code)
    assert machine_code.read(b"key") == code
    assert machine_code.read(b"another") is None
    function = machine_code.load(code)
    number = ctypes.c_int64(21)
    function(ctypes.addressof(number))
    assert number.value == 42


def test_a_damaged_file_is_never_run(places: list[Path]) -> None:
    machine_code.write(b"key", b"code")
    (file,) = places[0].iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:10], b"", whole + b"x", b"\0" + whole[1:]):
        file.write_bytes(damaged)
        assert machine_code.read(b"key") is None
    machine_code.write(b"key", b"code")
    assert machine_code.read(b"key") == b"code"


def test_where_the_package_cannot_be_written_the_users_cache_is_used(
    places: list[Path],
) -> None:
    places[0].write_text("not a directory")
    machine_code.write(b"key", b"code")
    assert [file.parent for file in places[1].iterdir()] == [places[1]]
    assert machine_code.read(b"key") == b"code"


def test_no_place_for_a_cache_is_no_trouble(places: list[Path]) -> None:
    places[0].write_text("not a directory")
    places[1].parent.mkdir()
    places[1].write_text("nor is this")
    machine_code.write(b"key", b"code")
    assert machine_code.read(b"key") is None


def test_the_users_cache_is_where_the_system_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    package, mine = machine_code._directories()
    assert package == Path(machine_code.__file__).parent / "__pycache__"
    assert mine == Path("/caches/sg-train")
    monkeypatch.delenv("XDG_CACHE_HOME")

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert list(machine_code._directories()) == [package]


@pytest.mark.parametrize(
    ("features", "lanes"),
    [({"avx512f": True, "avx": True}, 16), ({"avx": True}, 8), ({"sse2": True}, 4)],
)
def test_widths_come_from_the_processor(monkeypatch, features, lanes: int) -> None:
    monkeypatch.setattr(
        "llvmlite.binding.get_host_cpu_features", lambda: features, raising=True
    )
    assert machine_code.native_lanes() == lanes
