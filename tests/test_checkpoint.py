import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.errors import RunError
from sg_train.runs import checkpoint
from sg_train.runs.checkpoint import Checkpoints, checkpoints_in, load
from sg_train.system.machine import boot_name, machine_name
from tests.conftest import a_state

WEIGHTS = {
    "u": np.arange(6, dtype=np.float32).reshape(3, 2),
    "v": -np.arange(6, dtype=np.float32).reshape(3, 2),
}


@pytest.fixture
def checkpoints() -> Checkpoints:
    return Checkpoints(Path("c"))


def names() -> list[str]:
    return sorted(path.name for path in Path("c").iterdir())


def write(checkpoints: Checkpoints, *positions: int) -> None:
    for position in positions:
        weights = {key: value + position for key, value in WEIGHTS.items()}
        checkpoints.save(a_state(position), weights)
        assert checkpoints.wait() is not None


def test_the_newest_is_found_with_all_that_was_saved(checkpoints, caplog) -> None:
    write(checkpoints, 5, 10, 200)
    found = checkpoints.newest()
    assert found is not None
    path, found_state, weights = found
    assert path.name == "000000200"
    assert found_state == a_state(200)
    assert np.array_equal(weights["u"], WEIGHTS["u"] + 200)
    assert np.array_equal(weights["v"], WEIGHTS["v"] + 200)
    assert names() == ["000000010", "000000200"]  # one in reserve
    assert caplog.messages == []
    checkpoints.clear()
    assert not Path("c").exists()
    assert checkpoints.newest() is None


def test_weights_are_those_of_the_moment_of_saving(checkpoints) -> None:
    weights = {key: value.copy() for key, value in WEIGHTS.items()}
    assert not checkpoints.is_writing
    checkpoints.save(a_state(1), weights)
    assert checkpoints.is_writing
    weights["u"][:] = 99
    checkpoints.wait()
    assert not checkpoints.is_writing
    assert np.array_equal(load(Path("c/000000001"))[1]["u"], WEIGHTS["u"])


def test_a_damaged_one_is_reported_and_the_one_before_is_used(
    checkpoints, caplog
) -> None:
    write(checkpoints, 1, 2)
    Path("c/000000002/state.json").write_text("{}")
    found = checkpoints.newest()
    assert found is not None
    assert found[0].name == "000000001"
    (line,) = caplog.messages
    assert "000000002/state.json: damaged" in line
    assert names() == ["000000001"]  # the damaged one does not count any more
    Path("c/000000001/weights.safetensors").unlink()
    assert checkpoints.newest() is None


@pytest.mark.parametrize("name", ["state.json", "weights.safetensors"])
def test_every_cut_and_every_flipped_byte_is_noticed(checkpoints, name) -> None:
    write(checkpoints, 1)
    file = Path("c/000000001", name)
    whole = file.read_bytes()
    for size in range(len(whole) - (name == "state.json")):  # the last line end is free
        file.write_bytes(whole[:size])
        with pytest.raises(RunError, match="000000001"):
            load(file.parent)
    for place in range(len(whole) - 1):
        for bit in (1, 128):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            file.write_bytes(damaged)
            try:
                found, weights = load(file.parent)
            except RunError:
                continue
            # White space between JSON's parts may differ; what is read may not.
            assert found == a_state(1)
            assert np.array_equal(weights["u"], WEIGHTS["u"] + 1)
            assert np.array_equal(weights["v"], WEIGHTS["v"] + 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_junk_is_one_line(checkpoints, junk: bytes) -> None:
    write(checkpoints, 1)
    for name in ("state.json", "weights.safetensors"):
        file = Path("c/000000001", name)
        whole = file.read_bytes()
        file.write_bytes(junk)
        with pytest.raises(RunError):
            load(file.parent)
        file.write_bytes(whole)


def test_another_version_is_named(checkpoints) -> None:
    write(checkpoints, 1)
    file = Path("c/000000001/state.json")
    content = json.loads(file.read_bytes())
    content["version"] = 9
    file.write_text(json.dumps(content))
    with pytest.raises(RunError, match="checkpoint 9, but this sg-train reads .* 1"):
        load(file.parent)


def test_a_full_disk_is_reported_and_leaves_the_one_before(
    checkpoints, caplog, monkeypatch
) -> None:
    write(checkpoints, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        checkpoints.save(a_state(2), WEIGHTS)
        assert checkpoints.wait() is None
    (line,) = caplog.messages
    assert line.startswith("no checkpoint was written: cannot write ")
    assert line.endswith("No space left on device")
    assert names() == ["000000001"]
    write(checkpoints, 3)  # and the next one succeeds
    assert names() == ["000000001", "000000003"]


def test_one_that_reads_back_otherwise_does_not_replace_those_before(
    checkpoints, caplog, monkeypatch
) -> None:
    write(checkpoints, 1, 2)
    save = checkpoint.save_weights

    def wrong(file: Path, weights) -> None:
        save(file, {**weights, "u": weights["u"] + 1})

    monkeypatch.setattr(checkpoint, "save_weights", wrong)
    checkpoints.save(a_state(3), WEIGHTS)
    assert checkpoints.wait() is None
    assert "u is wrong" in caplog.messages[0]
    assert names()[:2] == ["000000001", "000000002"]
    assert checkpoints.newest()[0].name == "000000002"


def test_what_a_killed_process_left_is_cleared(checkpoints) -> None:
    left = f".000000001.sg-train.{machine_name()}.{boot_name()}.{'0' * 16}"
    Path("c", left).mkdir(parents=True)
    Path("c", left, "weights.safetensors").touch()
    Path("c/.mine").mkdir()
    write(checkpoints, 2)
    assert names() == [".mine", "000000002"]


@pytest.mark.parametrize("step", ["unlink", "rmdir"])
def test_a_removal_that_was_killed_is_completed(checkpoints, monkeypatch, step) -> None:
    write(checkpoints, 1, 2)

    def die(path: Path, **_: object) -> None:
        raise KeyboardInterrupt

    if step == "unlink":
        Path("c/000000001/state.json").unlink()  # the first of two files is gone
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, step, die)
        checkpoints.clear()
    assert "000000001" in names()
    checkpoints.clear()
    assert not Path("c").exists()


def test_only_checkpoints_are_removed(checkpoints) -> None:
    for name in ("20240101", "000000001", ".hidden", "x"):
        Path("c", name).mkdir(parents=True)
        Path("c", name, "file").touch()
    write(checkpoints, 2)
    write(checkpoints, 3)
    Path("c/000000003/mine.txt").touch()
    Path("linked").mkdir()
    shutil.copytree("c/000000002", "linked/000000002")
    Path("c/000000009").symlink_to(Path("linked/000000002").absolute())
    assert [path.name for path in checkpoints_in(Path("c"))] == [
        *("000000002", "000000003")
    ]
    checkpoints.clear()
    assert names() == [
        ".hidden",
        "000000001",
        "000000003",
        "000000009",
        *("20240101", "x"),
    ]
    assert [path.name for path in Path("c/000000003").iterdir()] == ["mine.txt"]
    assert len(list(Path("linked/000000002").iterdir())) == 2


def test_a_linked_directory_of_checkpoints_works(checkpoints) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/20240101").mkdir()
    Path("c").symlink_to("elsewhere")
    for position in (1, 2, 3, 4):
        write(checkpoints, position)
    assert names() == ["000000003", "000000004", "20240101"]
    assert checkpoints.newest()[0].name == "000000004"
    checkpoints.clear()
    assert names() == ["20240101"]
    assert Path("c").is_symlink()


NONSENSE: list[tuple[str, object]] = [
    *(("position", value) for value in ("x", None, 1.5, -5, True)),
    *(("pairs", value) for value in ("x", -1)),
    *(("parts", value) for value in (5, {}, {"u": "1"}, None)),
    *(("config", value) for value in (5, None)),
    *(("corpus", value) for value in (5, {}, {"path": 5, "checksum": "c"})),
    *(("progress", value) for value in (5, {}, {"words": "x"})),
    ("scoring", 5),
    ("more", 1),
]


@pytest.mark.parametrize(("key", "value"), NONSENSE, ids=str)
def test_nonsense_with_a_right_checksum_is_damage_too(checkpoints, key, value) -> None:
    write(checkpoints, 1)
    file = Path("c/000000001/state.json")
    content = {**json.loads(file.read_bytes()), key: value}
    del content["checksum"]
    content["checksum"] = checkpoint._checksum_of_json(content)
    file.write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"state.json: damaged"):
        load(file.parent)
