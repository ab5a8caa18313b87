"""Machine code on disk: compiled once, and loaded without the compiler.

A file holds one function. Its name is a digest of everything that decides its content,
and it begins with a digest of its content, so that a damaged file is never run.
"""

import ctypes
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from sg_train.errors import OutputError
from sg_train.system.files import atomic_file

ENTRY = "sg_train_entry"  # the name of every function

_DIGEST = hashlib.sha256
_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)


@cache
def processor() -> tuple[str, str]:
    """Return the name of this processor and its features, as LLVM has them."""
    features: str = llvm.get_host_cpu_features().flatten()
    return llvm.get_host_cpu_name(), features


def native_lanes() -> int:
    """Return how many float32 the widest vectors of this processor hold."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx") else 4


def translate(assembly: str, function: str) -> bytes:
    """Translate a function, given in LLVM's assembly, for this processor."""
    module = llvm.parse_assembly(align_stack(assembly))
    module.get_function(function).name = ENTRY
    code: bytes = _machine().emit_object(module)
    return code


def align_stack(assembly: str) -> str:
    """Let all functions begin their stack at a cache line.

    Vectors that find no register are kept there, and LLVM does not align them by
    itself. Those that straddle two cache lines take longer to write and to read.

    >>> align_stack("attributes #0 = { nounwind }")
    'attributes #0 = { alignstack=64 nounwind }'
    """
    return re.sub(r"(?m)^attributes #\d+ = \{", r"\g<0> alignstack=64", assembly)


def load(code: bytes) -> Callable[[int], None]:
    """Load a function and return it; it takes the address of its arguments.

    Python's other threads run while it does.
    """
    machine, empty = _machine(), llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    function = _FUNCTION(engine.get_function_address(ENTRY))

    def call(arguments: int, _owner: object = engine) -> None:
        """Call the function; numba's convention has room for a result and an error."""
        room = (ctypes.c_int64 * 2)()
        first = ctypes.addressof(room)
        status = function(first, first + 8, arguments)
        assert status == 0  # compiled without anything that raises

    return call


def read(key: bytes) -> bytes | None:
    """Return the machine code with this key, if an undamaged file has it."""
    for directory in _directories():
        try:
            content = (directory / _file_name(key)).read_bytes()
        except OSError:
            continue
        size = _DIGEST().digest_size
        digest, code = content[:size], content[size:]
        if _DIGEST(code).digest() == digest:
            return code
    return None


def write(key: bytes, code: bytes) -> None:
    """Keep machine code, if there is a directory that can be written."""
    for directory in _directories():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with atomic_file(directory / _file_name(key)) as file:
                file.write(_DIGEST(code).digest() + code)
        except (OutputError, OSError):
            continue
        return


def _file_name(key: bytes) -> str:
    return f"kernel-{_DIGEST(key).hexdigest()[:24]}.o"


def _directories() -> Iterator[Path]:
    yield Path(__file__).parent / "__pycache__"
    caches = os.environ.get("XDG_CACHE_HOME")
    try:
        yield Path(caches or Path.home() / ".cache") / "sg-train"
    except RuntimeError:  # the user has no home
        return


def _machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=name, features=features, opt=3, jit=True, codemodel="jitdefault"
    )
