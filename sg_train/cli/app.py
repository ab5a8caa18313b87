"""What all commands share: the application, its errors and its exit codes."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer
import typer.core

import sg_train
from sg_train.errors import Interrupted, SgTrainError

_INTERRUPTED = 130


class _OneLineErrors(typer.core.TyperGroup):
    """Says every error that a user can mend in one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *arguments: Any,
        **extra: Any,
    ) -> None:
        """Run a command and leave with its exit code."""
        extra["standalone_mode"] = False
        code: int | None
        try:
            with _ended_by_signals():
                code = super().main(args, prog_name or "sg-train", *arguments, **extra)
        except _Ended as ended:
            code = 128 + ended.signal
            typer.echo("sg-train: interrupted", err=True)
        except Exception as error:
            message, code = _explain(error)
            if message is None:
                raise
            line = " ".join(message.split("\n"))
            if not getattr(error, "is_silent", False):
                typer.echo(f"sg-train: {line}", err=True)
        else:
            if code == _INTERRUPTED:
                typer.echo("sg-train: interrupted", err=True)
        sys.exit(code)


class _Ended(BaseException):
    """A signal asked the process to end."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind, so that nothing half-made stays behind.

    SIGUSR1, which asks a training run to save, is let pass where there is none.
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


def _explain(error: Exception) -> tuple[str | None, int]:
    """Return what to say of an error and the exit code; None for a fault of ours."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signal
    if isinstance(error, SgTrainError):
        return str(error), 1
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}", 1
    if isinstance(error, MemoryError):
        return "not enough memory: lower model.dimension or sampling.window", 1
    describe = getattr(error, "format_message", None)
    return (
        (f"{describe().rstrip('.')}; see sg-train --help", 2) if describe else (None, 1)
    )


app = typer.Typer(
    cls=_OneLineErrors,
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
        bool, typer.Option("--version", help="Show the version and leave.")
    ] = False,
) -> None:
    if version:
        typer.echo(sg_train.__version__)
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
