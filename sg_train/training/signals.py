"""Signals that ask a run to stop or to save."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_STOP = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
)
_SAVE = getattr(signal, "SIGUSR1", None)
ASKED = 1 << 16  # no signal has this number: the caller of `train` wants to stop
_STOPPING = (
    b"sg-train: finishing the current blocks and saving; press again to quit now\n"
)


class Signals:
    """While open, records signals, which then do not end the process.

    The first SIGINT, SIGTERM or SIGHUP sets `stop`; a second one ends the process at
    once. SIGUSR1 sets `save`. Signals reach only the main thread; in any other, nothing
    is recorded.
    """

    def __init__(self, *, reports: bool = True) -> None:
        """Set up.

        Args:
            reports: whether to acknowledge a signal on stderr.
        """
        self._reports = reports
        self.stop: int | None = None
        self.save = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            handlers: dict[int, Callable[[int, FrameType | None], None]]
            handlers = dict.fromkeys(_STOP, self._take_stop)
            if _SAVE is not None:
                handlers[_SAVE] = self._take_save
            for number, handler in handlers.items():
                if signal.getsignal(number) == signal.SIG_IGN:  # as under nohup
                    continue
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop_as_asked(self) -> None:
        """Stop as on a signal, but because the caller of `train` wants it."""
        self.stop = self.stop or ASKED

    def _take_stop(self, number: int, _: FrameType | None) -> None:
        if self.stop not in (None, ASKED):
            os._exit(128 + number)
        self.stop = number
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        # Not print: a handler may interrupt another print.
        if self._reports:
            os.write(2, _STOPPING)

    def _take_save(self, _: int, __: FrameType | None) -> None:
        self.save = True


def _leave_terminal() -> None:
    """Discard further output to a closed terminal, so that writing cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
