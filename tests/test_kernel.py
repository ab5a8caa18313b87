import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from sg_train.blocks import BlockRef
from sg_train.engines.fused import block, kernel, machine_code
from tests.building import constant, fused_engine
from tests.test_fused import make_model, make_plan, read_block


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1), st.floats())
def test_words_hold_whatever_they_are_packed_from(
    signed: int, unsigned: int, real: float
) -> None:
    array = np.zeros(3, np.float32)
    value = (signed, (np.uint64(unsigned), (True, real)), array, ())
    words = np.fromiter(kernel.pack(value), np.uint64)
    assert words[:1].view(np.int64)[0] == signed
    assert words[1] == unsigned
    assert words[2] == 1
    assert np.array_equal(words[3:4].view(np.float64), [real], equal_nan=True)
    assert words[4:].tolist() == [array.ctypes.data, 3]


@njit
def move_one_number(u, v, ids, offsets, rates, shape, draws, scratch):
    """Stand in for the kernel, which takes long to compile."""
    u[0] += len(shape.tile)
    return rates[0], len(ids)


def test_code_is_compiled_once_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[bytes, bytes] = {}
    monkeypatch.setattr(block, "train_block", move_one_number)
    monkeypatch.setattr(machine_code, "read", kept.get)
    monkeypatch.setattr(machine_code, "write", kept.__setitem__)
    weights = []
    for negatives in (5, 5, 2):
        monkeypatch.setattr(kernel, "_loaded", {})  # as in another process
        model = make_model(8)
        plan, rate = make_plan(2, negatives), constant(0.05)
        list(fused_engine(model, read_block, plan, rate).train([BlockRef(0, 0)]))
        weights.append(model.matrices["u"].copy())
    assert len(kept) == 2
    begun = make_model(8).matrices["u"]
    for matrix, targets in zip(weights, (6, 6, 3), strict=True):
        assert np.argwhere(matrix != begun).tolist() == [[0, 0]]
        assert matrix[0, 0] == begun[0, 0] + targets


@pytest.mark.parametrize("changed", ["source", "processor", "compiler"])
def test_other_code_has_another_key(changed: str, monkeypatch, tmp_path) -> None:
    kernel._versions.cache_clear()
    before = kernel._versions()
    assert kernel._versions() == before
    kernel._versions.cache_clear()
    if changed == "source":
        for source in ("engines/simd.py", "sampling/draws.py"):
            (tmp_path / source).parent.mkdir()
            (tmp_path / source).write_text("pass")
        monkeypatch.setattr(kernel, "_PACKAGE", tmp_path)
    elif changed == "processor":
        monkeypatch.setattr(machine_code, "processor", lambda: ("another", ""))
    else:
        monkeypatch.setattr(kernel, "version", lambda _: "0")
    assert kernel._versions() != before
    kernel._versions.cache_clear()
