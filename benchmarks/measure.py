"""Fair timing on noisy machines: alternate the cases, quote medians and ratios."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Case = Callable[[], float]  # returns what is measured, usually seconds


def machine() -> str:
    """Name the processor and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next((x.split(": ")[1] for x in lines if "model name" in x), name)
    return (
        f"{name}, {len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}"
    )


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(cases: Mapping[str, Case], repeats: int) -> dict[str, list[float]]:
    """Measure the cases in turn, A B C A B C ..., after one unmeasured round."""
    results: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(repeats + 1):
        for name, case in cases.items():
            value = case()
            if round_number:
                results[name].append(value)
            print(f"  {name}: {value:.3f}", file=sys.stderr, flush=True)
    return results


def ratio(results: Mapping[str, list[float]], one: str, other: str) -> float:
    """Return the median over rounds of one case's figure over the other's."""
    pairs = zip(results[one], results[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return `median (min-max)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def run(command: list[str], log: Path | None = None) -> tuple[float, float]:
    """Run a command to its end; return wall seconds and peak memory in MB.

    What it prints goes to `log`, if given.
    """
    start = time.perf_counter()
    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def write_json(path: Path | None, data: object) -> None:
    """Keep the raw figures for whoever wants to check them."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), "results": data}, indent=1))
