"""How a run reports its progress: a bar on the terminal, and metrics.jsonl."""

import io
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sg_train.engines.base import BlockResult
from sg_train.errors import OutputError
from sg_train.runs.checkpoint import ProgressState
from sg_train.runs.metrics import MetricsLine
from sg_train.system.bars import progress_bar
from sg_train.system.files import atomic_file, open_to_append, read_regular
from sg_train.system.ranks import Ranks

_LINES_WANTED = 100
_RATE_SECONDS = 1.0
_LOG = logging.getLogger(__name__)
_START = ProgressState(
    words=0,
    seconds=0.0,
    epoch=0,
    lines=0,
    line_words=0,
    line_pairs=0,
    line_loss=0.0,
)


class Progress:
    """Shows and records the results of blocks, and scores.

    A line of metrics.jsonl covers about a hundredth of the run; an evaluation has a
    separate line. See `runs.metrics`.
    """

    def __init__(
        self,
        metrics_file: Path | None,
        words: int,
        listener: Callable[[MetricsLine], None] | None = None,
        state: ProgressState | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        """Start counting time.

        Args:
            metrics_file: where lines are written; of its existing lines, only those up
                to `state` stay. With None, nothing is written and no bar is shown.
            words: number of words that the whole run passes over.
            listener: also receives each new line.
            state: where to continue, as `state` returned it.
            ranks: those that train together.

        Raises:
            OutputError: the file cannot be written.
        """
        self._path = metrics_file or Path(os.devnull)
        self._ranks = ranks or Ranks()
        self._words_wanted = words / _LINES_WANTED
        self._total = words
        state = state or _START
        self._words = state["words"]
        self._line_words = state["line_words"]
        self._line_loss = state["line_loss"]
        self._line_pairs = state["line_pairs"]
        self._epoch = state["epoch"]
        self._lines = state["lines"]
        self._unwritten = b""
        self._is_full = False
        self._listener = listener
        self._shown_scores = ""
        seconds = state["seconds"]
        self._seconds_before = seconds
        self._began = time.perf_counter() - seconds
        # (seconds, words) of the last second's lines
        self._marks = deque([(seconds, self._words)])
        try:
            if metrics_file is not None:
                kept = self._read_lines()[: self._lines] if self._lines else []
                self._lines = len(kept)
                with atomic_file(metrics_file) as file:
                    file.writelines(kept)
            self._file = (
                io.FileIO(os.devnull, "a")
                if metrics_file is None
                else open_to_append(metrics_file)
            )
        except OSError as error:
            raise self._cannot_write(error) from error
        self._bar = progress_bar(
            total=words,
            initial=self._words,
            desc="training",
            unit=" words",
            unit_scale=True,
            shown=metrics_file is not None,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._write_out()
        self._bar.close()
        self._file.close()

    def add(self, result: BlockResult) -> None:
        """Add the result of a block."""
        self._words += result.words
        self._epoch = result.ref.epoch
        self._line_words += result.words
        self._line_loss += result.loss
        self._line_pairs += result.pairs
        self._bar.update(result.words)
        if self._line_words >= self._words_wanted or self._words == self._total:
            self._end_line(result)

    def state(self) -> ProgressState:
        """Return the state to keep in a checkpoint.

        `words`, `seconds` and `epoch` so far, `lines` written, and the content of the
        unfinished line: `line_words`, `line_pairs` and `line_loss`.
        """
        return {
            "words": self._words,
            "seconds": time.perf_counter() - self._began,
            "epoch": self._epoch,
            "lines": self._lines,
            "line_words": self._line_words,
            "line_pairs": self._line_pairs,
            "line_loss": self._line_loss,
        }

    def warn(self, message: str) -> None:
        """Report a problem that does not stop training."""
        _LOG.warning("%s", message)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Exclude the time of the `with` block from all seconds and speeds."""
        began = time.perf_counter()
        yield
        self._began += time.perf_counter() - began

    def add_scores(
        self, scores: Mapping[str, float | None], held_out_loss: float | None = None
    ) -> None:
        """Record and show the scores of an evaluation, by test, and its loss."""
        shown = [
            f"{test} {value:.3f}" for test, value in scores.items() if value is not None
        ]
        if held_out_loss is not None:
            shown.insert(0, f"held out {held_out_loss:.4f}")
        self._shown_scores = "".join(f", {score}" for score in shown)
        self._write(
            MetricsLine(
                words=self._words,
                seconds=round(time.perf_counter() - self._began, 6),
                epoch=self._epoch,
                scores=dict(scores),
                held_out_loss=held_out_loss,
            )
        )

    def _end_line(self, result: BlockResult) -> None:
        seconds = time.perf_counter() - self._began
        while len(self._marks) > 1 and self._marks[1][0] <= seconds - _RATE_SECONDS:
            self._marks.popleft()
        since, words = self._marks[0]
        self._marks.append((seconds, self._words))
        loss = self._line_loss / self._line_pairs if self._line_pairs else None
        line = MetricsLine(
            words=self._words,
            seconds=round(seconds, 6),
            loss=loss,
            learning_rate=result.learning_rate,
            words_per_second=round((self._words - words) / (seconds - since), 1),
            epoch=result.ref.epoch,
        )
        exchanging = ""
        if self._ranks.size > 1:
            line = replace(
                line,
                exchange_seconds=round(self._ranks.seconds, 6),
                exchange_bytes=self._ranks.bytes_sent,
            )
            share = self._ranks.seconds / (seconds - self._seconds_before)
            exchanging = f", {self._ranks.size} ranks, {share:.0%} exchanging"
        self._write(line)
        shown = f"{loss:.4f}" if loss is not None else "-"
        self._bar.set_postfix_str(
            f"loss {shown}, rate {result.learning_rate:.4f}{exchanging}"
            f"{self._shown_scores}",
            refresh=False,
        )
        self._line_words, self._line_loss, self._line_pairs = 0, 0.0, 0

    def _write(self, line: MetricsLine) -> None:
        self._lines += 1
        self._unwritten += line.to_json()
        self._write_out()
        if self._listener:
            self._listener(line)

    def _write_out(self) -> None:
        """Write pending lines; keep those that a full disk refuses for later."""
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten) :]
        except OSError as error:
            if not self._is_full:
                self.warn(
                    f"cannot write {self._path}: {error.strerror}; training continues"
                )
            self._is_full = True
        else:
            self._is_full = False

    def _read_lines(self) -> list[bytes]:
        try:
            return read_regular(self._path).splitlines(keepends=True)
        except FileNotFoundError:
            return []

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {error.strerror}")
