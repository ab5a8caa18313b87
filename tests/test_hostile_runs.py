"""Whole run directories that somebody has prepared to do harm, made at random.

Each example takes a finished or an unfinished run, replaces some of its files by links,
directories, pipes or damaged content, adds files that look like leftovers, and runs
commands on it. Each command succeeds or ends in one line; nothing outside the run
changes; files that a run does not consist of stay.
"""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.runs.directory import RunDirectory
from tests.conftest import Command
from tests.test_hostile import EXAMPLES, damages

hostile = settings(
    max_examples=max(15, EXAMPLES // 10),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TRIED: Counter[str] = Counter()
SECONDS = 60

TEXT = "a b c d a b\nc d a\nb b c\n" * 20
CONFIG = """
corpus: {paths: [t], prepared: corpus}
vocabulary: {min_count: 1}
model: {dimension: 4}
sampling: {subsample: 0}
training: {engine: autograd, epochs: 2, threads: 1}
"""

FILES = [
    *("config.yaml", "run.json", "vocabulary.tsv", "metrics.jsonl", ".lock"),
    *("weights.safetensors", "vectors.txt", "state.json", "given.txt"),
    *("best.safetensors", "checkpoints", "tensorboard", "vectors.words.txt"),
    *("checkpoints/1", "checkpoints/1/state.json", "checkpoints/1/weights.safetensors"),
]
LEFTOVERS = [
    *(".vectors.txt.20240101.bak", ".vectors.txt.².x", ".run.json.123.tmp"),
    *("checkpoints/99", "checkpoints/.7", "notes.txt", "tensorboard/mine"),
    *(".vectors.txt.sg-train.elsewhere.boot.0123456789abcdef", "checkpoints/x"),
]
WRITING = [
    ["resume", "A", "--set", "training.epochs=3"],
    ["train", "c.yaml", "--out", "A", "--overwrite"],
]
COMMANDS = [
    *WRITING,
    ["train", "c.yaml", "--out", "A"],
    ["extend", "A", "t", "--out", "B"],
    ["info", "A"],
    ["compare", "A", "whole"],
    ["report", "A", "--out", "r.html"],
    ["export", "A", "o.txt"],
    ["neighbors", "A", "a"],
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a directory with a finished run and one stopped after its first epoch."""
    place = tmp_path_factory.mktemp("runs")
    before = Path.cwd()
    os.chdir(place)
    Path("t").write_text(TEXT)
    Path("c.yaml").write_text(CONFIG)
    sg_train = Command()
    trained = sg_train("train", "c.yaml", "--out", "whole")
    assert trained.exit_code == 0, trained.output
    shutil.copytree("whole", "stopped")
    checkpoint = Path("stopped/checkpoints/1")
    checkpoint.mkdir(exist_ok=True, parents=True)
    for name in ("state.json", "weights.safetensors"):
        Path("stopped", name).rename(checkpoint / name)
    Path("stopped/vectors.txt").unlink()
    os.chdir(before)
    yield place
    print("commands tried on hostile runs:", dict(TRIED))  # noqa: T201


def snapshot(directory: Path) -> dict[str, object]:
    """Return what a directory holds: names, contents, modes and targets of links."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = path.readlink()
        else:
            content = path.read_bytes() if path.is_file() else None
            found[name] = (path.stat().st_mode, content)
    return found


def make_victim() -> None:
    """Make a directory of somebody else's, with names that this tool uses too."""
    for name in ("12/state.json", ".hidden/x", "notes.txt", "weights.safetensors"):
        file = Path("victim", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine\n")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


TARGETS = ["victim", "victim/notes.txt", "victim/new", "the same file of whole"]
# Links are what has done most harm.
KINDS = [*["link"] * 4, "remove", "damage", "directory", "pipe"]


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, str, object]]:
    """Draw what to do to some of the files of a run."""
    drawn: list[tuple[str, str, object]] = []
    for how in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)):
        name = draw(st.sampled_from(FILES))
        detail: object = None
        if how == "link":
            target = draw(st.sampled_from(TARGETS))
            detail = f"whole/{name}" if target.startswith("the same") else target
        elif how == "damage":
            detail = draw(damages())
        drawn.append((how, name, detail))
    return drawn


def clean(runs: Path) -> None:
    """Enter the directory of the runs, and remove what an example has left there."""
    os.chdir(runs)
    for name in ("A", "B", "victim", "o.txt", "r.html"):
        remove(Path(name))


def tamper(how: str, path: Path, detail) -> None:
    try:
        if how == "damage":
            if path.is_file() and not path.is_symlink():
                path.write_bytes(detail(path.read_bytes()))
            return
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if how == "link":
            path.symlink_to(Path(detail).absolute())
        elif how == "directory":
            path.mkdir()
            (path / "mine").write_text("mine\n")
        elif how == "pipe":
            os.mkfifo(path)
    except (NotADirectoryError, FileExistsError):  # an earlier step replaced a parent
        pass


def add(name: str, *, is_directory: bool) -> list[Path]:
    """Add a file that no run consists of, and return the paths that must stay."""
    path = Path("A", name)
    if path.parent.is_symlink() or not path.parent.is_dir() or path.exists():
        return []
    if not is_directory:
        path.write_text("mine\n")
        return [path]
    path.mkdir()
    (path / "mine").write_text("mine\n")
    return [path / "mine"]


def too_long(*_: object) -> None:
    raise AssertionError(f"a command took longer than {SECONDS} s")


@hostile
@given(
    which=st.sampled_from(["whole", "stopped"]),
    steps=steps(),
    leftovers=st.lists(st.tuples(st.sampled_from(LEFTOVERS), st.booleans())),
    first=st.sampled_from(WRITING),
    others=st.lists(st.sampled_from(COMMANDS), max_size=3),
)
def test_hostile_runs(
    runs: Path, sg_train: Command, which, steps, leftovers, first, others
):
    clean(runs)
    shutil.copytree(which, "A")
    make_victim()
    for how, name, detail in steps:
        tamper(how, Path("A", name), detail)
    foreign = [
        path for name, is_dir in leftovers for path in add(name, is_directory=is_dir)
    ]
    before = {name: snapshot(Path(name)) for name in ("victim", "whole")}
    signal.signal(signal.SIGALRM, too_long)
    for command in (first, *others):
        remove(Path("B"))
        signal.alarm(SECONDS)
        result = sg_train(*command, *(["--overwrite"] * (command[0] == "export")))
        signal.alarm(0)
        TRIED[command[0]] += 1
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code in (0, 1, 2), result.output
        assert "Traceback" not in result.output
        if result.exit_code:
            assert result.stderr.splitlines()[-1].startswith("sg-train: ")
        for name, content in before.items():
            assert snapshot(Path(name)) == content
        for path in foreign:
            assert path.read_text() == "mine\n"


def test_the_runs_work_untouched(runs: Path, sg_train: Command) -> None:
    for name in ("whole", "stopped"):
        clean(runs)
        shutil.copytree(name, "A")
        assert RunDirectory(Path("A")).is_done() == (name == "whole")
        for command in COMMANDS:
            result = sg_train(*command)
            fails = command[:2] == ["train", "c.yaml"] and "--overwrite" not in command
            assert result.exit_code == fails, (command, result.output)
