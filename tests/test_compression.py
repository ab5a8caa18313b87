import bz2
import gzip
import io
import lzma

import pyarrow as pa
import pytest

from sg_train.errors import VectorsError
from sg_train.system.compression import compression_of, decompressed

CONTENT = b"one two\n" * 50_000
COMPRESSED = {
    "": CONTENT,
    "gzip": gzip.compress(CONTENT),
    "bz2": bz2.compress(CONTENT),
    "xz": lzma.compress(CONTENT),
    "zstd": pa.compress(CONTENT, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_each_kind_is_recognised_and_read(kind: str) -> None:
    data = COMPRESSED[kind]
    assert compression_of(data[:8]) == kind
    with decompressed(io.BytesIO(data), kind, "f", VectorsError) as content:
        assert content.read(len(CONTENT) + 1) == CONTENT


def test_zeros_after_gzip_data_are_ignored() -> None:
    data = COMPRESSED["gzip"] + bytes(512)
    with decompressed(io.BytesIO(data), "gzip", "f", VectorsError) as content:
        assert content.read() == CONTENT


@pytest.mark.parametrize("kind", [kind for kind in COMPRESSED if kind])
def test_damage_is_the_error_asked_for(kind: str) -> None:
    data = COMPRESSED[kind]
    complaint = f"f: damaged or truncated {kind} data"
    with (
        pytest.raises(VectorsError, match=complaint),
        decompressed(io.BytesIO(data[:-5]), kind, "f", VectorsError) as content,
    ):
        while content.read(1 << 16):
            pass
