import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sg_train.cli import app

ROOT = Path(__file__).parent.parent


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


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Write a small corpus: 30 words that occur 6 to 35 times, in 90 sentences."""
    path = tmp_path / "text.txt"
    words = [f"w{i}" for i in range(30) for _ in range(6 + i)]
    lines = [" ".join(words[i::90]) for i in range(90)]
    path.write_text("\n".join(lines) + "\n")
    return path


def read_metrics(run: Path) -> list[dict[str, float]]:
    return [
        json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
