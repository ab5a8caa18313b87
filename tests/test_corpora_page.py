"""Executes every command of docs/corpora.md on small files."""

import importlib
import json
import re
import shlex
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from tests.conftest import ROOT, Command

PAGE = (ROOT / "docs/corpora.md").read_text()
COMMANDS = re.findall(
    r"^ +(?:\$ )?sg-train (.*)$", PAGE.replace("\\\n", " "), re.MULTILINE
)
LINES = [f"the cat {i % 7} and the dog {i % 5} sleep by the fire" for i in range(60)]
SENTENCES = ("".join(f"{word}s\t{word}\n" for word in line.split()) for line in LINES)
TOKENS = "".join(f"<s>\n{tokens}</s>\n" for tokens in SENTENCES)


@pytest.fixture
def files() -> None:
    """Write the files that the page names."""
    for name in ("configs", "data"):
        Path(name).symlink_to(ROOT / name)
    for name in ("my-texts", "books", "novels-tei", "pages"):
        Path(name).mkdir()
    Path("my-texts/a.txt").write_text("\n".join(LINES))
    wrapped = textwrap.fill(" ".join(LINES), 60).replace("sleep\n", "sl-\neep ")
    Path("books/a.txt").write_text(wrapped)
    words = (f"<w lemma='{w}'>{w}s</w> " for line in LINES for w in line.split())
    Path("novels-tei/a.xml").write_text(f"<TEI><p>{''.join(words)}</p></TEI>")
    Path("pages/a.html").write_text("<!doctype html><p>" + "<p>".join(LINES))
    Path("corpus.vert").write_text(TOKENS)
    posts = [{"title": f"T {line}", "body": line} for line in LINES]
    text = "".join(json.dumps(post) + "\n" for post in posts)
    compressed = pa.compress(text.encode(), codec="zstd", asbytes=True)
    Path("posts.jsonl.zst").write_bytes(compressed)
    rows = "".join(f"{post['title']},{post['body']}\n" for post in posts)
    Path("posts.csv").write_text(f"title,body\n{rows}")
    events = {
        "user": [i % 20 for i in range(400)],
        "item": [f"SKU {i * i % 13}" for i in range(400)],
        "time": range(400),
    }
    pq.write_table(pa.table(events), "events.parquet")
    baskets = (f"red shoe {i % 31},hat {i % 7},{i % 41}\n" for i in range(900))
    Path("baskets.csv").write_text("".join(baskets))
    (module,) = re.findall(r"```python\n(# mine.py\n.*?)```", PAGE, re.DOTALL)
    Path("mine.py").write_text(module)
    Path("stop.txt").write_text("the\nand\n")
    Path("items.txt").write_text("a b c\nb c d\n" * 20)


def test_the_page_has_its_commands() -> None:
    assert len(COMMANDS) > 12


@pytest.mark.usefixtures("files")
def test_the_functions_of_the_page_split_text(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    mine = importlib.import_module("mine")
    assert mine.lemmas("The cats sleeps") == ["the", "cat", "sleep"]
    assert mine.hashtags("A #tag, B!") == ["a", "#tag", "b"]
    assert mine.characters("我们, 好") == ["我", "们", "好"]


@pytest.mark.usefixtures("files")
def test_every_command_of_the_page_works(sg_train: Command) -> None:
    """The commands run in order, as a reader may run them."""
    small = ("--set", "model.dimension=8", "--set", "training.epochs=1")
    assert sg_train("train", "configs/quickstart.yaml", *small).exit_code == 0
    for line in COMMANDS:
        words = shlex.split(line)
        if "configs/quickstart.yaml" in words or "configs/items.yaml" in words:
            words += small
        result = sg_train(*words)
        assert result.exit_code == 0, (line, result.output)
    kept = {
        path.name: set(load_run_vectors(RunDirectory(path)).words)
        for path in Path("runs").iterdir()
    }
    prose = {"the", "cat", "and", "dog", "sleep", "by", "fire", *"0123456"}
    assert kept["mine"] == kept["pages"] == kept["posts"] == kept["books"] == prose
    assert kept["lemmas"] == kept["vertical"] == prose
    assert kept["novels"] == {f"{word}s" for word in prose}
    assert kept["content"] == prose - {"the", "and", "by", *"123456"}
    assert kept["stopped"] == prose - {"the", "and"}
    assert kept["function"] == prose
    assert kept["table"] == prose | {"t"}
    assert {"red_shoe_3", "hat_6", "40"} < kept["baskets"]
    assert kept["events"] == {f"SKU_{i * i % 13}" for i in range(13)}
