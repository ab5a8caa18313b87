"""A prompt that answers one question after another, with completion and history."""

import bisect
import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from sg_train.errors import SgTrainError

_MOST_COMPLETIONS = 30
_INTRODUCTION = (
    "Type a word, or several for the neighbours of their mean. Tab completes a word, "
    "Ctrl-D ends."
)


class Words(Completer):
    """Completes words, the most frequent first."""

    def __init__(self, words: Sequence[str]) -> None:
        """Sort the words, which are given most frequent first."""
        self._rows = sorted(range(len(words)), key=words.__getitem__)
        self._words = [words[row] for row in self._rows]

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        """Yield the words that begin with what is typed before the cursor."""
        typed = document.get_word_before_cursor(WORD=True)
        if not typed:
            return
        first = bisect.bisect_left(self._words, typed)
        last = bisect.bisect_right(self._words, typed + chr(0x10FFFF))
        for _, word in heapq.nsmallest(
            _MOST_COMPLETIONS,
            zip(self._rows[first:last], self._words[first:last], strict=True),
        ):
            yield Completion(word, start_position=-len(typed))


def run_prompt(words: Sequence[str], answer: Callable[[str], None]) -> None:
    """Ask for questions until the input ends, and answer each.

    Args:
        words: completions, most frequent first.
        answer: prints the answer to a question; an error is shown, and does not end
            the prompt.
    """
    typer.echo(_INTRODUCTION, err=True)
    session: PromptSession[str] = PromptSession(
        "> ",
        completer=Words(words),
        complete_while_typing=False,
        history=_history(),
        auto_suggest=AutoSuggestFromHistory(),
    )
    while True:
        try:
            question = session.prompt().strip()
        except KeyboardInterrupt:  # drops the line
            continue
        except EOFError:
            return
        if not question:
            continue
        try:
            answer(question)
        except SgTrainError as error:
            typer.echo(f"sg-train: {error}", err=True)


def _history() -> History:
    """Return the questions asked earlier, kept in a file if there can be one."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    file = Path(state) / "sg-train" / "history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab"):
            return FileHistory(str(file))
    except OSError:
        return InMemoryHistory()
