import os
import signal
import subprocess
import sys
import threading

import pytest

from sg_train.training.signals import Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_said(number: int, capfd) -> None:
    before = signal.getsignal(number)
    with Signals() as signals:
        os.kill(os.getpid(), number)
        assert signals.stop == number
    assert signal.getsignal(number) == before
    assert "press again to quit now" in capfd.readouterr().err


def test_sigusr1_asks_for_a_checkpoint() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert (signals.save, signals.stop) == (True, None)


def in_a_process(body: str) -> subprocess.CompletedProcess[str]:
    code = f"""
import os, signal, sys
from sg_train.training.signals import Signals
with Signals() as signals:
    {body}
print("went on", file=sys.stderr)
"""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


def test_a_second_one_ends_the_process_at_once() -> None:
    result = in_a_process(
        "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert result.returncode == 143
    assert "went on" not in result.stderr


def test_a_closed_terminal_takes_no_more_words() -> None:
    result = in_a_process(
        "os.kill(os.getpid(), signal.SIGHUP); print('x', file=sys.stderr, flush=True)"
    )
    assert result.returncode == 0
    assert result.stderr == ""


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter() -> None:
        with Signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
