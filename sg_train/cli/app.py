"""The application that all commands share: its messages, errors and exit codes."""

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
import typer.core

import sg_train
from sg_train.errors import Interrupted, ReportedElsewhere, SgTrainError
from sg_train.system.launch import is_first_rank
from sg_train.wording import printable

TRAIN = "Train"
LOOK_UP = "Look up"
EVALUATE = "Evaluate and draw"
EXPORT = "Tables of vectors"

_INTERRUPTED = 130
_WORDS = {"words", "first", "a"}  # arguments of commands that look words up
_WRITERS = ("train", "resume", "extend", "prepare", "export", "align")  # print nothing


class _Commands(typer.core.TyperGroup):
    """Lists commands by group, and reports errors in one line on stderr."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands of each group with their whole first sentence."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            group = getattr(command, "rich_help_panel", None) or "Commands"
            groups.setdefault(group, []).append(
                (name, command.get_short_help_str(limit=1000))
            )
        for title in (TRAIN, LOOK_UP, EVALUATE, EXPORT):
            with formatter.section(title):
                formatter.write_dl(groups[title])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end quietly if the reader of stdout has closed it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if ctx.invoked_subcommand in _WRITERS or not _is_closed(sys.stdout):
                raise
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            return 0

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *arguments: Any,
        **extra: Any,
    ) -> None:
        """Run a command and exit with its exit code."""
        extra["standalone_mode"] = False
        _open_streams()
        code: Any
        try:
            with _messages_on_stderr(), _ended_by_signals():
                code = super().main(args, prog_name or "sg-train", *arguments, **extra)
        except SystemExit as ended:  # the library exits so if stdout is closed
            code = 0 if ended.code == 1 and _is_closed(sys.stdout) else ended.code
        except _Ended as ended:
            code = 128 + ended.signal
            typer.echo("sg-train: interrupted", err=True)
        except Exception as error:
            message, code = _explain(error, sys.argv[1:] if args is None else args)
            if message is None:
                raise
            if message:
                typer.echo(f"sg-train: {_one_line(message)}", err=True)
        else:
            if code == _INTERRUPTED:
                typer.echo("sg-train: interrupted", err=True)
        sys.exit(code)


def _open_streams() -> None:
    """Give output somewhere to go if a stream was closed before the start."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)


def _is_closed(stream: TextIO) -> bool:
    """Return whether nobody reads a pipe any more."""
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


class _Messages(logging.Handler):
    """Writes messages to stderr, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; warnings are marked as such."""
        from tqdm import tqdm

        prefix = "sg-train: " if record.levelno >= logging.WARNING else ""
        tqdm.write(prefix + _one_line(record.getMessage()), file=sys.stderr)


@contextmanager
def _messages_on_stderr() -> Iterator[None]:
    logger, handler = logging.getLogger("sg_train"), _Messages()
    level = logger.level
    logger.setLevel(logging.INFO if is_first_rank() else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _one_line(message: str) -> str:
    return printable(" ".join(message.split("\n")))


class _Ended(BaseException):
    """A signal asked the process to end."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise an exception on SIGTERM and SIGHUP, so that no partial file is left.

    SIGUSR1, which asks a training run to save, is ignored outside training.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise _Ended(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers: dict[str, Any] = {"SIGTERM": end, "SIGHUP": end}
        handlers["SIGUSR1"] = lambda *_: None
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _explain(error: Exception, args: Sequence[str]) -> tuple[str | None, int]:
    """Return the message for an error and the exit code; None for a bug."""
    if isinstance(error, ReportedElsewhere):
        return "", 1
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signal
    if isinstance(error, SgTrainError):
        return str(error), 1
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}", 1
    if isinstance(error, MemoryError):
        return "not enough memory: lower model.dimension or sampling.window", 1
    describe = getattr(error, "format_message", None)
    return (None, 1) if describe is None else (_usage(error, describe(), args), 2)


def _usage(error: Any, message: str, args: Sequence[str]) -> str:
    """Describe a wrong usage and name the command that shows the help."""
    path = getattr(getattr(error, "ctx", None), "command_path", None)
    if path is None:  # an option without its value
        commands: Any = typer.main.get_command(app)
        command = [arg for arg in args[:1] if arg in commands.commands]
    else:
        command = path.split()[1:]
    hint = _hint(error, args)
    help_of = " ".join(["sg-train", *command, "--help"])
    return f"{message.rstrip('.')}{hint}; see {help_of}"


def _hint(error: Any, args: Sequence[str]) -> str:
    """Explain how to give a word that looks like an option."""
    if type(error).__name__ != "NoSuchOption" or error.possibilities:
        return ""
    command = getattr(error.ctx, "command", None)
    takes_words = {param.name for param in getattr(command, "params", ())} & _WORDS
    for arg in args:
        if arg.startswith(error.option_name) and takes_words:
            return f"; if {arg} is a word, put -- before it"
    return ""


app = typer.Typer(
    cls=_Commands,
    help="Train word2vec skip-gram vectors from text.",
    epilog="Example: sg-train train configs/quickstart.yaml",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _main(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        typer.echo(sg_train.__version__)
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
