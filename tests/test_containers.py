import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sg_train.system.containers import HEAD_BYTES, NPZ, PYTORCH, container_of


def test_archives_of_arrays_are_told_apart() -> None:
    arrays, weights = io.BytesIO(), io.BytesIO()
    np.savez(arrays, vectors=np.ones(3))
    torch.save({"u": torch.ones(3)}, weights)
    assert container_of(arrays.getvalue()[:HEAD_BYTES]) is NPZ
    assert container_of(weights.getvalue()[:HEAD_BYTES]) is PYTORCH


@given(text=st.text(st.characters(exclude_categories=["Cc"]), min_size=1))
def test_text_is_no_container(text: str) -> None:
    assert container_of(text.encode(errors="replace")[:HEAD_BYTES]) is None


@pytest.mark.parametrize("length", range(40))
def test_a_truncated_archive_is_an_archive(length: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    found = container_of(file.getvalue()[:length])
    assert (found is not None) == (length >= 4)
