"""How the kernel is compiled and cached on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from sg_train.engines import simd
from sg_train.sampling import draws

# Without _nrt=False numba counts references to arrays in every window.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# Only compiled code calls these, and without wrappers they compile in half the time.
_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inline = njit(forceinline=True, **_NO_WRAPPERS, **_OPTIONS)


def cached(function: Callable[..., Any]) -> Any:
    """Compile a function, with a cache on disk if one can be written."""
    try:
        return njit(cache=True, **_OPTIONS)(_versioned(function))
    except RuntimeError:
        return njit(**_OPTIONS)(function)


def _versioned(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the code's version to the name, so that numba's cache never serves old code.

    numba itself notices only changes in the file of the cached function.
    """
    package = sorted(Path(__file__).parent.glob("*.py"))
    sources = [*package, Path(simd.__file__), Path(draws.__file__)]
    code = b"".join(source.read_bytes() for source in sources)
    function.__qualname__ += f"_{hashlib.sha256(code).hexdigest()[:12]}"
    return function
