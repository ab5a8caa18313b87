import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from typer.testing import CliRunner

from sg_train.cli import app
from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare
from sg_train.runs.checkpoint import CorpusState, ProgressState, State
from sg_train.vectors.word_vectors import WordVectors

ROOT = Path(__file__).parent.parent

# Triton decides when it is imported whether to compile kernels or to interpret them.
if not Path("/dev/nvidia0").exists():
    os.environ["TRITON_INTERPRET"] = "1"
# Triton has no build for some systems.
collect_ignore = [] if find_spec("triton") else ["test_triton.py"]

# `make test` tries the same examples every time, `make soak` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("new", deadline=None)
settings.load_profile(os.environ.get("SG_TRAIN_EXAMPLES_ARE", "same"))
IS_SOAK = os.environ.get("SG_TRAIN_EXAMPLES_ARE") == "new"


TINY = [
    *("--set", "model.dimension=8"),
    *("--set", "training.epochs=2"),
    *("--set", "training.threads=1"),
    *("--set", "training.batch_size=16"),
    *("--set", "sampling.subsample=0.05"),
]


class Command:
    """Runs `sg-train` in this process."""

    def __call__(self, *arguments: object, input: str | bytes | None = None):
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, words, input=input)

    def refused(self, *arguments: object, code: int = 1, input=None) -> str:
        """Run what must fail, check how it does and return the one line it says."""
        result = self(*arguments, input=input)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        line = result.stderr.removesuffix("\n")
        assert line.startswith("sg-train: ")
        assert "\n" not in line
        assert "Traceback" not in line
        return line


@pytest.fixture
def sg_train() -> Command:
    return Command()


@pytest.fixture(autouse=True)
def in_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def all_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="sg_train")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Write a small corpus: 30 words that occur 6 to 35 times, in 90 sentences."""
    path = tmp_path / "text.txt"
    words = [f"w{i}" for i in range(30) for _ in range(6 + i)]
    lines = [" ".join(words[i::90]) for i in range(90)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def corpus(text: Path) -> EncodedCorpus:
    """Prepare that text."""
    settings = CorpusConfig(paths=[str(text)])
    return prepare(settings, VocabularyConfig(min_count=1), Path("c"), threads=1)


def untraced() -> dict[str, str]:
    """Return the environment of a process whose coverage is not measured: faster."""
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}


def read_metrics(run: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()
    ]


def awkward_vectors() -> WordVectors:
    """Return 5008 vectors with words and numbers that formats stumble over."""
    generator = np.random.default_rng(0)
    names = ['"', "'", "a,b", "#", "é", "東京", "\\n", "-1.5"]
    names += [f"w{i}" for i in range(5000)]
    matrix = generator.normal(0, 0.3, (len(names), 7)).astype(np.float32)
    matrix[0] = [0, -0.0, 1e-45, 3.4028235e38, -1e-7, 1 / 3, 16777216]
    return WordVectors(names, matrix)


def a_state(position: int, pairs: int = 7) -> State:
    """Return the state of a run after so many blocks."""
    progress = ProgressState(
        words=3,
        seconds=0.5,
        epoch=0,
        lines=1,
        line_words=1,
        line_pairs=1,
        line_loss=0.25,
    )
    corpus = CorpusState(path="p", checksum="c")
    return State(position, pairs, {"a": {"b": 1}}, corpus, progress, None)


@pytest.fixture
def trained(sg_train: Command, text: Path) -> Path:
    result = sg_train("train", "--corpus", text, "--out", "runs/r", *TINY)
    assert result.exit_code == 0, result.output
    return Path("runs/r")
