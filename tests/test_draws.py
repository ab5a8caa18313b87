import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sg_train.sampling.draws import Purpose, draws, stream_key

MASK = 2**64 - 1


def splitmix64(state: int, count: int) -> list[int]:
    """Generate as the authors' C code does, one number after another."""
    numbers = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(z ^ (z >> 31))
    return numbers


def test_the_published_first_numbers() -> None:
    # The well-known outputs for seed 1234567.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert draws(1234567, np.arange(3)).tolist() == expected


@given(st.integers(0, MASK), st.integers(1, 50))
def test_draws_are_splitmix64_looked_up_by_place(key: int, count: int) -> None:
    expected = splitmix64(key, count)
    assert draws(key, np.arange(count)).tolist() == expected
    assert draws(key, np.array([[count - 1]], dtype=np.int32)).tolist() == [
        [expected[-1]]
    ]


def test_streams_differ_in_every_part_of_their_key() -> None:
    keys = {
        stream_key(seed, epoch, block, purpose)
        for seed in (0, 1, 2**63 - 1)
        for epoch in range(10)
        for block in range(100)
        for purpose in Purpose
    }
    assert len(keys) == 3 * 10 * 100 * len(Purpose)
    assert all(0 <= key <= MASK for key in keys)


def test_bits_are_fair_within_and_across_streams() -> None:
    keys = [stream_key(1, 0, block, Purpose.KEEP) for block in range(64)]
    bits = np.stack([draws(key, np.arange(1024)) for key in keys])
    unpacked = np.unpackbits(bits.view(np.uint8).reshape(64, 1024, 8), axis=2)
    share = unpacked.mean(axis=(0, 1))
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(64 * 1024)
    # Neighbouring blocks do not repeat one another, shifted or not.
    assert len(np.unique(bits)) == bits.size
