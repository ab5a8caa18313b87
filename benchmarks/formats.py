"""How fast texts of each format are read: made up from a plain text.

    python -m benchmarks.formats FILE [--megabytes 100] [--events 20000000]
        [--repeats 3]

FILE is a text with a sentence per line. It is repeated up to the given size, and the
same sentences are written as XML (TEI), HTML, vertical text, JSON lines, CSV and
Parquet. The cases take turns; each prepares its file with one thread. Events are rows
of user, item and time in random order, ten per user on average, in Parquet; they are
grouped and ordered on all cores.
"""

import argparse
import csv
import html
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import alternate, machine, ratio, seconds, spread
from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.prepare import prepare
from sg_train.system.machine import available_cpus


def write_xml(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write(
            '<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><text>'
        )
        out.writelines(f"<p>{html.escape(line)}</p>\n" for line in lines)
        out.write("</text></TEI>")


def write_html(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("<!DOCTYPE html><html><body>")
        out.writelines(f"<p>{html.escape(line)}\n" for line in lines)


def write_vertical(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for line in lines:
            tokens = "".join(f"{word}\tX\t{word}\n" for word in line.split())
            out.write(f"<s>\n{tokens}</s>\n")


def write_jsonl(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines):
            record = {"id": number, "text": line, "tags": ["a", "b"]}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_csv(lines: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["id", "text"])
        rows.writerows(enumerate(lines))


def write_parquet(lines: Iterable[str], path: Path) -> None:
    pq.write_table(pa.table({"text": list(lines)}), path)


def write_text(lines: Iterable[str], path: Path) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


CONTROLS = re.compile(r"[\x00-\x1f]")  # not allowed in XML

FORMATS: dict[str, Callable[[Iterable[str], Path], None]] = {
    "text": write_text,
    "xml": write_xml,
    "html": write_html,
    "vertical": write_vertical,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def write_events(count: int, path: Path) -> None:
    generator = np.random.default_rng(1)
    columns = {
        "user": generator.integers(0, max(1, count // 10), count),
        "item": generator.zipf(1.3, count).clip(max=100_000),
        "time": generator.integers(0, 1 << 40, count),
    }
    pq.write_table(pa.table(columns), path)


def read(path: Path, threads: int, **settings: object) -> float:
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        corpus = CorpusConfig.model_validate({"paths": [str(path)], **settings})
        work = partial(prepare, corpus, VocabularyConfig(), Path(name) / "c", threads)
        return seconds(work)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        once = options.file.read_text(encoding="utf-8").splitlines()
        times = max(1, options.megabytes * 1_000_000 // options.file.stat().st_size)
        once = [CONTROLS.sub(" ", line) for line in once if line.strip()]
        lines = once * times
        cases, sizes = {}, {}
        for form, write in FORMATS.items():
            path = Path(name) / f"text.{form}"
            write(lines, path)
            sizes[form] = path.stat().st_size / 1e6
            cases[form] = partial(read, path, 1)
        results = alternate(cases, options.repeats)
        print(f"{machine()}; {sizes['text']:.0f} MB of text, one thread\n")
        print("| format | MB | seconds | MB/s | of the time of text |")
        print("|---|---|---|---|---|")
        for form, taken in results.items():
            speed = sizes[form] / sorted(taken)[len(taken) // 2]
            print(
                f"| {form} | {sizes[form]:.0f} | {spread(taken)} | {speed:.0f} | "
                f"{ratio(results, form, 'text'):.1f} |"
            )
        path = Path(name) / "events.parquet"
        write_events(options.events, path)
        grouped = {"field": ["item"], "group_by": "user", "order_by": "time"}
        case = {"events": partial(read, path, available_cpus(), **grouped)}
        taken = alternate(case, options.repeats)["events"]
        rate = [options.events / each / 1e6 for each in taken]
        print(f"\n{options.events:,} events: {spread(rate)} million/s")


if __name__ == "__main__":
    main()
