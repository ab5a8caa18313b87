"""Random numbers that are looked up, not generated: a draw is a function of its place.

Number `i` of a stream is output `i` of the generator splitmix64 (Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014) seeded with the stream's
key, and the key is a mix of (seed, epoch, block, purpose). So all engines see the same
draws, whichever thread or process works on a block and in any order, and resuming needs
no state.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, splitmix64's increment
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_MASK = (1 << 64) - 1


class Purpose(IntEnum):
    """The decision that a stream draws for; the comments define its places."""

    KEEP = 0  # the token's position in the block
    WINDOW = 1  # the centre's position in the block
    NEGATIVE = 2  # the centre's position * negatives + k
    INITIAL_U = 3  # row * dimension + column; epoch and block are 0
    INITIAL_V = 4  # likewise
    PASSAGE = 5  # the draw's number; epoch and block are 0


def stream_key(seed: int, epoch: int, block: int, purpose: Purpose) -> int:
    """Return the 64-bit key of a stream.

    >>> stream_key(1, 0, 0, Purpose.KEEP) == stream_key(1, 0, 0, Purpose.WINDOW)
    False
    """
    key = 0
    for part in (seed, epoch, block, int(purpose)):
        key = _mix_int((key ^ part) + GOLDEN)
    return key


def draws(key: int, places: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return the 64 random bits at each place of a stream; any shape, uint64.

    >>> draws(0, np.array([0]))
    array([16294208416658607535], dtype=uint64)
    """
    counter = places.astype(np.uint64) + np.uint64(1)
    bits: NDArray[np.uint64] = np.uint64(key) + counter * np.uint64(GOLDEN)
    first, second = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
    bits = (bits ^ (bits >> np.uint64(30))) * first
    bits = (bits ^ (bits >> np.uint64(27))) * second
    return bits ^ (bits >> np.uint64(31))


def _mix_int(bits: int) -> int:
    bits &= _MASK
    bits = ((bits ^ (bits >> 30)) * MULTIPLIERS[0]) & _MASK
    bits = ((bits ^ (bits >> 27)) * MULTIPLIERS[1]) & _MASK
    return bits ^ (bits >> 31)
