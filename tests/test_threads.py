import threading
import time
from collections.abc import Iterator

import pytest

from sg_train.system.threads import in_order


def test_results_keep_the_order_of_their_items() -> None:
    def last_come_first(number: int) -> int:
        time.sleep(0.01 * (3 - number % 4))
        return number * number

    squares = in_order(last_come_first, range(20), threads=4)
    assert list(squares) == [number * number for number in range(20)]


def test_as_many_are_at_work_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=30)
    assert list(in_order(lambda _: together.wait() >= 0, range(6), 3)) == [True] * 6


def test_few_items_are_taken_ahead() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    for done, _ in enumerate(in_order(abs, items(), threads=2), start=1):
        assert taken <= done + 2


def test_what_a_thread_raises_comes_at_its_turn() -> None:
    inverses = in_order(lambda number: 1 / number, [1, 2, 0, 4], threads=2)
    assert [next(inverses), next(inverses)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(inverses)
