"""A tokenizer that is a Python function, named as `module:function` in a config.

The function takes a sentence, a str, and returns its words, a list of str. Words are
then taken as they are; white space inside one becomes `_`. Long texts are split in
several processes, which import the module themselves.
"""

import hashlib
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from itertools import chain, islice
from pathlib import Path

from sg_train.errors import CorpusError
from sg_train.wording import shortened

Function = Callable[[str], Sequence[str]]

_PIECE = 1 << 20  # bytes of text that a process splits at a time
_functions: dict[str, Function] = {}  # of this process, by name


def is_function(name: str) -> bool:
    """Return whether a tokenizer is named as a Python function.

    >>> is_function("words"), is_function("mine:split")
    (False, True)
    """
    return ":" in name


def load_function(name: str) -> Function:
    """Import a function; modules in the working directory are found, too.

    Args:
        name: `module:function`.

    Raises:
        CorpusError: it cannot be imported, or is no function.
    """
    if name in _functions:
        return _functions[name]
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        function: Function = getattr(import_module(module), attribute)
    except Exception as error:
        raise CorpusError(
            f"corpus.tokenizer={name}: cannot be imported ({_reason(error)})"
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise CorpusError(f"corpus.tokenizer={name}: not a function")
    return _functions.setdefault(name, function)


def digest_of(name: str) -> str:
    """Return a digest of the source of the module that defines a function.

    Raises:
        CorpusError: it cannot be imported.
    """
    module = sys.modules.get(getattr(load_function(name), "__module__", None) or "")
    source = getattr(module, "__file__", None)
    content = Path(source).read_bytes() if source else b""
    return hashlib.sha256(name.encode() + content).hexdigest()


def split_lines(
    chunks: Iterable[bytes], name: str, text: str, processes: int
) -> Iterator[bytes]:
    r"""Yield the words of each line, separated by spaces.

    Args:
        chunks: of text, in UTF-8; after one that does not end with a newline, the same
            line continues.
        name: `module:function`.
        text: name of the text, for messages.
        processes: how many split long texts.

    Raises:
        CorpusError: the function cannot be imported, fails, or does not return a list
            of str.
    """
    load_function(name)
    pieces = chain.from_iterable(map(_pieces, _whole_lines(chunks)))
    first = list(islice(pieces, 2))
    if processes == 1 or len(first) < 2:
        for piece in chain(first, pieces):
            yield _split(name, text, piece)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _ignore_interrupts) as pool:
        waiting: deque[Future[bytes]] = deque()
        try:
            for piece in chain(first, pieces):
                waiting.append(pool.submit(_split, name, text, piece))
                if len(waiting) > processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise CorpusError(
                f"corpus.tokenizer={name}: a process that ran it ended unexpectedly"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    carry: list[bytes] = []
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*carry, chunk[:end]])
            carry = []
        carry.append(chunk[end:])
    yield b"".join(carry)


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """Cut a chunk at line ends."""
    start = 0
    while start < len(chunk):
        end = chunk.find(b"\n", start + _PIECE) + 1 or len(chunk)
        yield chunk[start:end]
        start = end


def _split(name: str, text: str, piece: bytes) -> bytes:
    function = load_function(name)
    lines = [_words(function, line, name, text) for line in piece.decode().split("\n")]
    return "\n".join(lines).encode(errors="replace")


def _words(function: Function, line: str, name: str, text: str) -> str:
    if not line.strip():
        return ""
    try:
        words = function(line)
        if isinstance(words, str):
            raise TypeError("it returned a str, not a list of str")
        return " ".join(["_".join(word.split()) for word in words])
    except Exception as error:
        raise CorpusError(
            f"corpus.tokenizer={name}: failed in {text} ({_reason(error)}) on the line "
            f"{shortened(repr(line))}"
        ) from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which reaches every process, to the one that reads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
