import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from sg_train.cli.prompt import Words, run_prompt
from sg_train.errors import VectorsError
from tests.conftest import untraced


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with (
        create_pipe_input() as keys,
        create_app_session(input=keys, output=DummyOutput()),
    ):
        yield keys


def completions(words: list[str], typed: str) -> list[str]:
    found = Words(words).get_completions(Document(typed), CompleteEvent())
    return [completion.text for completion in found]


def test_words_are_completed_most_frequent_first() -> None:
    words = ["the", "gold", "golden", "go", "Gold", "东京"]
    assert completions(words, "gol") == ["gold", "golden"]
    assert completions(words, "g") == ["gold", "golden", "go"]
    assert completions(words, "silver go") == ["gold", "golden", "go"]
    assert completions(words, "东") == ["东京"]
    assert completions(words, "x") == completions(words, "") == []
    many = [f"a{number}" for number in range(1000)]
    assert completions(many, "a") == many[:30]


def test_questions_are_answered_until_the_input_ends(
    keyboard: PipeInput, state: Path, capsys
) -> None:
    asked: list[str] = []

    def answer(question: str) -> None:
        asked.append(question)
        if question == "bad":
            raise VectorsError("'bad' has no vector")

    keyboard.send_text("one\n\n  two words \nbad\nlost\x03three\n\x04")
    run_prompt(["one"], answer)
    assert asked == ["one", "two words", "bad", "three"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Ctrl-D ends" in shown.err
    assert "sg-train: 'bad' has no vector\n" in shown.err
    history = (state / "sg-train/history").read_text()
    assert [
        line[1:].strip() for line in history.splitlines() if line.startswith("+")
    ] == [*("one", "two words", "bad", "three")]


def test_without_a_place_for_history_there_is_none(
    keyboard: PipeInput, state: Path
) -> None:
    state.write_text("a file")
    asked: list[str] = []
    keyboard.send_text("one\n\x04")
    run_prompt([], asked.append)
    assert asked == ["one"]


def test_neighbours_are_asked_for_on_a_terminal(trained: Path) -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "sg_train", "neighbors", str(trained)]
    process = subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env={**untraced(), "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(inside)
    output = b""

    def wait_for(text: bytes) -> None:
        nonlocal output
        end = time.monotonic() + 60
        while text not in output and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                output += os.read(terminal, 4096)
        assert text in output, output
        output = output.partition(text)[2]

    wait_for(b"Ctrl-D ends")
    wait_for(b"> ")
    os.write(terminal, b"w29\r")
    wait_for(b"  0.")
    wait_for(b"> ")  # else the terminal itself would take what follows
    os.write(terminal, b"nothing\r")
    wait_for(b"'nothing' has no vector")
    wait_for(b"> ")
    end = time.monotonic() + 60
    with contextlib.suppress(OSError):  # the other side is closed
        while process.poll() is None and time.monotonic() < end:
            os.write(terminal, b"\x04")  # once more, if it came before the prompt
            if select.select([terminal], [], [], 0.5)[0]:
                output += os.read(terminal, 4096)
    assert process.wait(5) == 0, output
    os.close(terminal)


def test_elsewhere_words_are_required(sg_train, trained: Path) -> None:
    assert "WORDS: give one of words" in sg_train.refused("neighbors", trained)
