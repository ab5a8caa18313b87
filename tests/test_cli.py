import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from sg_train import WordVectors, __version__
from tests.conftest import ROOT, TINY, Command, read_metrics, untraced

COMMANDS = [
    *("train", "resume", "extend", "tune", "config", "prepare", "phrases"),
    *("neighbors", "similarity", "analogy", "vocab", "vector", "info"),
    *("evaluate", "compare", "plot", "report", "shift", "align"),
    "export",
]


def in_a_process(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sg_train", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **{"env": untraced(), **options},
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Stand where the README's reader stands."""
    for name in ("configs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def example(help_text: str) -> list[str]:
    words = shlex.split(help_text[help_text.index("Example:") :])
    assert words[:2] == ["Example:", "sg-train"]
    return words[2:]


def test_the_examples_of_all_helps_work_in_order(
    sg_train: Command, project: Path, monkeypatch
) -> None:
    monkeypatch.setattr("sg_train.training.tuning.tune._LEAST_RUNS", 1)
    for command in COMMANDS:
        shown = sg_train(command, "--help")
        assert shown.exit_code == 0
        arguments = example(shown.stdout)
        assert arguments[0] == command
        if command == "tune":  # not for five minutes
            arguments[arguments.index("--minutes") + 1] = "0.1"
        result = sg_train(*arguments)
        assert result.exit_code == 0, result.output
    assert (project / "corpora/sotu/ids.i32").exists()
    assert (project / "vectors.txt").exists()
    assert example(sg_train("--help").stdout)[0] == "train"


def test_every_command_is_tested_here(sg_train: Command) -> None:
    shown = sg_train("--help").stdout
    listed = shown[shown.index("Train:") : shown.index("Example:")]
    assert re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE) == COMMANDS
    groups = re.findall(r"^(\w.*):$", listed, re.MULTILINE)
    assert groups == ["Train", "Look up", "Evaluate and draw", "Tables of vectors"]
    # Whole first sentences, none cut off.
    assert "..." not in listed


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_names_arguments_in_capitals(sg_train: Command, command: str) -> None:
    usage = sg_train(command, "--help").stdout.splitlines()[0]
    arguments = usage.partition(" [OPTIONS] ")[2].split()
    assert arguments
    for argument in arguments:
        assert re.fullmatch(r"\{?\[?[A-Z]+(\.yaml)?\]?\}?(\.{3})?", argument), usage


def test_no_command_shows_help_and_version_shows_the_version(sg_train: Command) -> None:
    assert sg_train().stdout == sg_train("--help").stdout
    assert sg_train("--version").stdout == f"{__version__}\n"


def test_train_without_a_config_uses_the_defaults(
    sg_train: Command, trained: Path
) -> None:
    resolved = yaml.safe_load((trained / "config.yaml").read_text())
    assert resolved["training"]["learning_rate"] == 0.05
    assert resolved["model"]["dimension"] == 8
    assert read_metrics(trained)[-1]["words"] == 2 * 615


def test_a_run_can_be_trained_again_from_its_own_config(
    sg_train: Command, trained: Path
) -> None:
    result = sg_train("train", trained / "config.yaml", "--out", "again")
    assert result.exit_code == 0, result.output
    for name in ("vectors.txt", "config.yaml", "weights.safetensors"):
        assert (trained / name).read_bytes() == Path("again", name).read_bytes()


def test_a_prepared_corpus_can_be_trained_on(sg_train: Command, text: Path) -> None:
    assert sg_train("prepare", text, "--out", "corpora/c").exit_code == 0
    result = sg_train("train", "--corpus", "corpora/c", *TINY)
    assert result.exit_code == 0, result.output
    assert Path("runs/c/vectors.txt").exists()
    assert [path.name for path in Path("corpora").iterdir()] == ["c"]


def test_a_run_is_named_after_its_config_unless_told(
    sg_train: Command, text: Path
) -> None:
    Path("mine.yaml").write_text(f"corpus: {{paths: {text}}}\nmodel: {{dimension: 4}}")
    arguments = ("train", "mine.yaml", "--set", "training.epochs=1")
    assert sg_train(*arguments).exit_code == 0
    assert Path("runs/mine/vectors.txt").exists()
    assert "runs/mine: already holds a run" in sg_train.refused(*arguments)
    assert sg_train(*arguments, "--overwrite").exit_code == 0


def test_export_writes_each_format_and_matrix(sg_train: Command, trained: Path) -> None:
    assert sg_train("export", trained, "out.txt").stdout == ""
    assert Path("out.txt").read_bytes() == (trained / "vectors.txt").read_bytes()
    for arguments in (("--format", "binary"), ("--matrix", "v"), ("--matrix", "sum")):
        again = ("export", trained, "out", *arguments, "--overwrite")
        assert sg_train(*again).exit_code == 0
        assert Path("out").read_bytes() != Path("out.txt").read_bytes()


def test_neighbors_are_the_same_of_a_run_and_of_its_file(
    sg_train: Command, trained: Path
) -> None:
    result = sg_train("neighbors", trained, "w5", "w9", "--top", "3")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["w5"] * 3 + ["w9"] * 3
    assert all(-1 <= float(cosine) <= 1 for _, _, cosine in rows)
    of_file = sg_train("neighbors", trained / "vectors.txt", "w5", "w9", "--top", "3")
    assert of_file.stdout == result.stdout
    other = sg_train("neighbors", trained, "w5", "w9", "--top", "3", "--matrix", "v")
    assert other.stdout != result.stdout


def test_words_are_compared_and_analogies_answered(
    sg_train: Command, trained: Path
) -> None:
    word, other, cosine = sg_train("similarity", trained, "w1", "w2").stdout.split()
    assert (word, other) == ("w1", "w2")
    shown = sg_train("similarity", trained, "w1", "w2", "--json").stdout
    (row,) = json.loads(shown)
    assert f"{row['cosine']:.4f}" == cosine
    added = sg_train("analogy", trained, "w1", "w2", "w3", "--top", 4).stdout
    assert len(added.splitlines()) == 4
    by_product = ("--method", "multiply", "--json")
    multiplied = sg_train("analogy", trained, "w1", "w2", "w3", *by_product).stdout
    assert len(json.loads(multiplied)) == 10
    rare = sg_train("neighbors", trained, "w0", "--restrict", 3, "--json").stdout
    words = (trained / "vocabulary.tsv").read_text().split()[::2]
    assert sorted(row["neighbor"] for row in json.loads(rare)) == sorted(words[:3])


def test_evaluate_scores_runs_and_files(sg_train: Command, trained: Path) -> None:
    Path("pairs.csv").write_text("one,other,score\nw1,W2,3\nw3,w4,2\nw5,w6,1\n")
    Path("q.txt").write_text(": s\nw1 w2 w3 w4\nw1 w2 w3 none\n")
    tests = ("--similarity", "pairs.csv", "--analogies", "q.txt")
    result = sg_train("evaluate", trained, *tests)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0] == ["test", "section", "measure", "value", "scored", "missing"]
    assert [row[:3] for row in rows[1:]] == [
        ["pairs", "", "spearman"],
        ["q", "s", "accuracy"],
        ["q", "total", "accuracy"],
    ]
    assert [row[4:] for row in rows[1:]] == [["3", "0"], ["1", "1"], ["1", "1"]]
    of_file = sg_train("evaluate", trained / "vectors.txt", *tests)
    assert of_file.stdout == result.stdout
    cased = sg_train("evaluate", trained, *tests, "--match-case", "--json").stdout
    assert [row["scored"] for row in json.loads(cased)] == [2, 1, 1]
    arguments = ("--out", "scored", "--set", "evaluation.similarity=pairs.csv")
    settings = trained / "config.yaml"
    assert sg_train("train", settings, *arguments).exit_code == 0
    again = sg_train("evaluate", "scored")
    assert again.stdout.splitlines() == result.stdout.splitlines()[:2]


def test_vectors_of_any_tool_can_be_exported(sg_train: Command, trained: Path) -> None:
    forms = ("text", "binary", "glove", "safetensors", "npy", "parquet", "csv", "jsonl")
    for form in forms:
        out = f"of-{form}.npy"
        result = sg_train("export", trained / "vectors.txt", out, "--format", form)
        assert result.exit_code == 0, result.output
        back = sg_train("export", out, f"back-{form}.txt")
        assert back.exit_code == 0, back.output
        expected = (trained / "vectors.txt").read_bytes()
        assert Path(f"back-{form}.txt").read_bytes() == expected
    assert sg_train("export", trained, "p", "--format", "projector").exit_code == 0
    assert len(Path("p/vectors.tsv").read_text().splitlines()) == 30


def test_what_is_exported_can_be_chosen(sg_train: Command, trained: Path) -> None:
    all_words = WordVectors.load(trained).words
    Path("only.txt").write_text("w20\nW3\nxyz\nw7\n")
    result = sg_train(
        *("export", trained, "o.txt", "--only", "only.txt", "--unit"),
        *("--precision", 3),
    )
    assert result.exit_code == 1
    assert "'xyz' has no vector" in result.stderr
    head, *lines = Path("o.txt").read_text().splitlines()
    assert head == "3 8"
    assert [line.split()[0] for line in lines] == [
        word for word in all_words if word in ("w20", "w3", "w7")
    ]
    numbers = [field for line in lines for field in line.split()[1:]]
    assert max(len(number.rpartition(".")[2]) for number in numbers) == 3
    matrix = np.array(numbers, dtype=float).reshape(3, 8)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=0.003)
    assert sg_train("export", trained, "t.npy", "--top", 4).exit_code == 0
    assert WordVectors.load("t.npy").words == all_words[:4]
    result = sg_train("export", trained, "i.parquet", "--dtype", "int8")
    assert result.exit_code == 0, result.output
    small = WordVectors.load("i.parquet")
    assert small.counts is not None
    assert small.counts.tolist() == sorted(range(6, 36), reverse=True)
    assert "w34" not in sg_train("neighbors", "i.parquet", "w3").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("o.txt", "--dtype", "int8"), "--dtype int8: text holds float32; choose npy"),
        (("o.npy", "--precision", 3), "--precision 3: npy is not text; choose csv, "),
        (("o.txt", "--sif", 1), "--sif: only for --format sentence-transformers"),
        (
            ("o", "--format", "sentence-transformers", "--dtype", "int8"),
            "--format sentence-transformers: takes no --dtype or --precision",
        ),
        (("o.txt", "--only", "absent.txt"), "absent.txt"),
        (("o.txt", "--only", "none.txt"), "2 words have no vector: 'xx'"),
    ],
)
def test_a_wrong_export_writes_nothing(
    sg_train: Command, trained: Path, arguments: tuple[object, ...], message: str
) -> None:
    Path("none.txt").write_text("xx\nyy\n")
    assert message in sg_train.refused("export", trained, *arguments)
    assert not Path(str(arguments[0])).exists()


def test_runs_are_compared(sg_train: Command, trained: Path) -> None:
    for seed in (1, 2):
        sets = ("--set", f"training.seed={seed}", "--set", "sampling.window=2")
        run = ("train", trained / "config.yaml", "--out", f"runs/w2-{seed}", *sets)
        assert sg_train(*run).exit_code == 0
    Path("pairs.csv").write_text("w1,w2,3\nw3,w4,2\nw5,w6,1\n")
    paths = ("runs/r", "runs/w2-1", "runs/w2-2", "runs/r/vectors.txt")
    result = sg_train("compare", *paths, "--similarity", "pairs.csv")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0] == [
        *("run", "seeds", "sampling.window", "loss", "words_per_second", "pairs")
    ]
    assert {row[0]: row[1:3] for row in rows[1:]} == {
        "runs/r": ["1", "5"],
        "runs/w2": ["2", "2"],
        "runs/r/vectors.txt": ["1", "-"],
    }
    rows = json.loads(sg_train("compare", *paths, "--json").stdout)
    assert [row["seeds"] for row in rows if row["name"] == "runs/w2"] == [2]


def test_a_grid_is_trained_in_shares_compared_and_drawn(
    sg_train: Command, text: Path
) -> None:
    Path("pairs.csv").write_text("w1 w2 3\nw3 w4 2\nw5 w6 1\n")
    grid = ("--grid", "model.dimension=3,4", "--seeds", "1-2", *TINY[2:])
    command = ("train", "--corpus", text, "--out", "runs/g", *grid)
    command = (*command, "--set", "evaluation.similarity=pairs.csv")
    for share in ("1/3", "2/3", "3/3"):
        result = sg_train(*command, "--only", share)
        assert result.exit_code == 0, result.output
    runs = sorted(Path("runs").iterdir())
    assert [run.name for run in runs] == [
        f"g-dimension-{d}_seed-{seed}" for d in (3, 4) for seed in (1, 2)
    ]
    shown = sg_train("compare", *runs, "--format", "markdown").stdout
    assert shown.startswith("| run | seeds | model.dimension |")
    assert "| runs/g-dimension-4 | 2 | 4 |" in shown
    latex = sg_train("compare", *runs, "--format", "latex", "--columns", "run,pairs")
    assert latex.stdout.startswith("\\begin{tabular}{lr}")
    as_csv = sg_train("compare", *runs, "--format", "csv", "--sort", "loss").stdout
    assert "pairs,pairs_spread" in as_csv.splitlines()[0]
    rows = json.loads(sg_train("compare", *runs, "--format", "json").stdout)
    assert rows == json.loads(sg_train("compare", *runs, "--json").stdout)
    axes = ("--x", "model.dimension", "--y", "pairs")
    assert sg_train("plot", *runs, *axes, "-o", "s.svg").exit_code == 0
    assert "model.dimension" in Path("s.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            "train --corpus text.txt --only 1/2",
            "--only 1/2: needs --grid, --seeds or a",
        ),
        (
            "train --corpus text.txt --seeds 1-2 --only 3/2",
            "--only 3/2: expected a share",
        ),
        (
            "train --corpus text.txt --seeds 1-2 --only 0/2",
            "--only 0/2: expected a share",
        ),
        ("train --corpus text.txt --grid x=1", "x: expected section.key"),
        ("compare runs/r --columns x", "--columns: no column 'x'"),
        (
            "compare runs/r --columns run --json",
            "--columns: cannot be combined with JSON",
        ),
        ("plot runs/r runs/r -o p.png", "VECTORS: one run or file, except with --path"),
        ("plot runs/r --x model.dimension -o p.png", "--x, --y: give both"),
        (
            "plot runs/r --curves --y loss -o p.png",
            "--curves and --y: cannot be combined",
        ),
        (
            "plot runs/r --x a --y b --words w1 -o p.png",
            "--words: cannot be combined with --x",
        ),
        ("plot runs/r --group a -o p.png", "--group a: expected a name and words"),
        ("plot runs/r --labels absent -o p.png", "cannot read absent: No such file"),
        ("neighbors runs/r w1 --labels absent", "cannot read absent: No such file"),
        (
            "export runs/r v.txt --labels absent",
            "--labels: only for --format projector",
        ),
        ("report runs/r -o r.html --labels absent", "cannot read absent: No such file"),
    ],
)
def test_a_mistake_in_an_experiment_is_one_line(
    sg_train: Command, trained: Path, arguments: str, complaint: str
) -> None:
    assert complaint in sg_train.refused(*arguments.split())


def test_labels_are_shown_for_words(sg_train: Command, trained: Path) -> None:
    names = WordVectors.load(trained).words
    rows = [f"{word}\tlabel of {word}\tgroup {word[-1]}" for word in names[1:]]
    Path("labels.tsv").write_text("word\tlabel\tgroup\n" + "\n".join(rows) + "\n")
    labels = ("--labels", "labels.tsv")
    plain = sg_train("neighbors", trained, "w5", "--top", 29).stdout.splitlines()
    shown = sg_train(
        "neighbors", trained, "w5", "--top", 29, *labels, "--header"
    ).stdout
    head, *lines = shown.splitlines()
    assert head == "word\tneighbor\tcosine\tlabel\tgroup"
    expected = []
    for line in plain:
        word = line.split("\t")[1]
        known = (
            [f"label of {word}", f"group {word[-1]}"] if word != names[0] else ["-"] * 2
        )
        expected.append("\t".join([line, *known]))
    assert lines == expected
    Path("words.txt").write_text("w5\n")
    bulk = ("neighbors", trained, "--from", "words.txt", "--top", 29, *labels)
    assert sg_train(*bulk).stdout == shown.partition("\n")[2].replace("\t-", "\t")
    wide = sg_train(*bulk, "--wide", "--header").stdout.splitlines()[0].split("\t")
    assert wide[:5] == ["word", "neighbor_1", "cosine_1", "label_1", "group_1"]
    exported = sg_train("export", trained, "p", "--format", "projector", *labels)
    assert exported.exit_code == 0, exported.output
    metadata = Path("p/metadata.tsv").read_text().splitlines()
    assert metadata[:3] == ["word\tlabel\tgroup", f"{names[0]}\t\t", rows[0]]
    assert WordVectors.load("p").words == list(names)
    words = ("--words", "w1,w2,w3,w4", "--group", "mine=w1,w9", "--title", "Title $")
    result = sg_train("plot", trained, "-o", "m.svg", *labels, *words)
    assert result.exit_code == 0, result.output
    svg = Path("m.svg").read_text()
    for text in ("label of w9", "mine", "group 2", "Title $"):
        assert text in svg
    assert "group 9" not in svg
    assert sg_train("report", trained, "-o", "r.html", *labels).exit_code == 0
    assert "label of w9" in Path("r.html").read_text()


def test_a_sweep_is_trained_and_can_be_compared(sg_train: Command, text: Path) -> None:
    sweep = ("--set", "sweep.values={model.dimension: [3, 4]}", *TINY[2:])
    result = sg_train("train", "--corpus", text, "--out", "runs/s", *sweep)
    assert result.exit_code == 0, result.output
    assert "2 runs trained, 0 of them earlier" in result.stderr
    assert (
        "2 of them earlier"
        in sg_train("train", "--corpus", text, "--out", "runs/s", *sweep).stderr
    )
    shown = sg_train("compare", *sorted(Path("runs").iterdir())).stdout
    assert shown.splitlines()[0].split("\t")[2] == "model.dimension"


def test_pictures_and_pages_are_made(sg_train: Command, trained: Path) -> None:
    words = ("--words", "w1,w2,w3")
    assert sg_train("plot", trained, "-o", "map.svg", *words).stdout == ""
    assert ">w3<" in Path("map.svg").read_text()
    items = sg_train("plot", trained / "vectors.txt", "-o", "m.png", "--tsne")
    assert items.exit_code == 0  # its words have digits: the most frequent are drawn
    assert sg_train("plot", trained, "-o", "c.png", "--curves").exit_code == 0
    wrong = sg_train.refused("plot", trained, "-o", "m.png", "--words", "w1,,w2")
    assert "--words w1,,w2: contains an empty word" in wrong
    assert "must end in .png" in sg_train.refused("plot", trained, "-o", "m", *words)
    assert sg_train("report", trained, "-o", "r.html").exit_code == 0
    assert sg_train("report", trained / "vectors.txt", "-o", "v.html").exit_code == 0
    assert len(Path("v.html").read_text()) < len(Path("r.html").read_text())


def test_config_prints_a_config(sg_train: Command) -> None:
    shown = sg_train("config", "--set", "model.dimension=7").stdout
    Path("shown.yaml").write_text(shown)
    assert "dimension: 7" in shown
    assert sg_train("config", "shown.yaml").stdout == shown


def test_standard_input_is_a_corpus(sg_train: Command, text: Path) -> None:
    arguments = ("train", "--corpus", "-", "--out", "r", *TINY)
    result = sg_train(*arguments, input=text.read_bytes())
    assert result.exit_code == 0, result.output
    assert "w5" in Path("r/vocabulary.tsv").read_text()
    assert "give --out" in sg_train.refused("train", "--corpus", "-")


BAD_TEXTS = {
    "empty": b"",
    "junk": bytes(range(256)) * 4,
    "latin1": "café ".encode("latin-1") * 9,
    "nul": b"one two\0three",
    "rare": b"every word just once",
    "one": b"same " * 99,
    "utf16": "one two".encode("utf-16"),
    "truncated.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab",
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_bad_text_is_refused_and_leaves_nothing(sg_train: Command, name: str) -> None:
    Path(name).write_bytes(BAD_TEXTS[name])
    line = sg_train.refused("train", "--corpus", name, "--out", "r")
    assert name in line
    assert name in sg_train.refused("prepare", name, "--out", "c")
    assert not Path("r").exists()
    assert not Path("c").exists()
    assert not [
        path for path in Path().rglob("*") if path.is_file() and path.name != name
    ]


def test_windows_text_and_a_byte_order_mark_are_no_trouble(sg_train: Command) -> None:
    Path("t").write_bytes(b"\xef\xbb\xbf" + b"one two three\r\n" * 20)
    assert sg_train("prepare", "t", "--out", "c").exit_code == 0
    assert Path("c/vocabulary.tsv").read_text() == "one\t20\nthree\t20\ntwo\t20\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("evaluate text.txt", "no tests: give --similarity FILE or --analogies FILE"),
        ("evaluate text.txt --similarity no", "cannot read no: No such file"),
        ("similarity text.txt a b", "text.txt, line 1: expected"),
        ("similarity text.txt a b --matrix v", "text.txt is a vector file"),
        ("plot text.txt --curves -o c.png", "text.txt: not a run directory"),
        (
            "plot text.txt --curves --tsne -o c.png",
            "--tsne: cannot be combined with --curves",
        ),
        ("compare text.txt --restrict 5", "--restrict: needs --similarity"),
        ("export empty out", "empty: not a run directory"),
        ("train missing.yaml", "cannot read missing.yaml: No such file"),
        ("train --corpus missing.txt", "missing.txt: no such file or directory"),
        ("train --corpus empty", "empty: no files found"),
        ("train --out r", "set corpus.paths"),
        ("train", "give --out"),
        ("config --set training.epoch=1", "did you mean training.epochs?"),
        ("train text.txt", "not a config (settings in YAML); to train on it as text"),
        ("train text.txt", "give --corpus text.txt"),
        ("config --set corpus.stop_words=x", "corpus.stop_words: unknown setting"),
        ("config --set dimension=9", "did you mean model.dimension?"),
        ("config --set training.epochs", "such as training.epochs=10"),
        ("train odd.conf", "training.epoch: unknown setting"),
        ("vocab missing", "cannot read missing: no such file or directory"),
        ("resume missing", "missing: no such directory"),
        ("export text.txt v.xlsx", ".xlsx is not the ending of a vector file"),
        ("export text.txt v.txt.gz", ".gz is not the ending of a vector file"),
        ("export text.txt text.txt", "text.txt: already exists; give --overwrite"),
        ("phrases text.txt --model p.tsv --out taken", "taken: already exists"),
        ("plot text.txt -o taken.png", "taken.png: already exists and is another kind"),
        ("report text.txt -o text.txt", "text.txt: already exists and is another kind"),
        ("train --corpus text.txt --out /sys/r", "cannot write /sys/r"),
        ("prepare text.txt --out /sys/c", "cannot write /sys/c"),
        ("train --corpus text.txt --out text.txt/r", "cannot write text.txt/r"),
        ("train --corpus text.txt --out text.txt", "text.txt: not a directory"),
        ("prepare text.txt --out text.txt/c", "cannot write text.txt/c"),
        ("export missing out", "cannot read missing: No such file"),
        ("neighbors missing w", "cannot read missing: No such file"),
        ("neighbors text.txt w", "text.txt, line 1: expected"),
        ("neighbors empty w", "empty: not a run directory (it has no config.yaml)"),
    ],
)
def test_a_mistake_is_one_line(
    sg_train: Command, text: Path, arguments: str, complaint: str
) -> None:
    Path("empty").mkdir()
    Path("odd.conf").write_text("# ours\ntraining: {epoch: 3}\n")
    for name in ("taken", "taken.png"):
        Path(name).write_text("precious")
    before = text.read_text()
    assert complaint in sg_train.refused(*arguments.split())
    assert not Path("r").exists()
    assert text.read_text() == before
    assert Path("taken").read_text() == Path("taken.png").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("train --nonsense", "No such option: --nonsense"),
        ("neighbors", "Missing argument 'VECTORS'"),
        ("neighbors v w --top 0", "should be greater than or equal to 1"),
        ("neighbors v -lrb-", "if -lrb- is a word, put -- before it; see sg-train nei"),
        ("neighbors v w --tpo 3", "--top); see sg-train neighbors --help"),
        ("train --out", "requires an argument; see sg-train train --help"),
        ("--set", "No such option: --set; see sg-train --help"),
        ("export r out --format docx", "'docx' is not one of"),
    ],
)
def test_wrong_usage_is_one_line(
    sg_train: Command, arguments: str, complaint: str
) -> None:
    assert complaint in sg_train.refused(*arguments.split(), code=2)


def test_nothing_is_suggested_for_what_is_like_no_setting(sg_train: Command) -> None:
    for key in ("corpus.stop_words", "vocabulary.stop_words", "model.x"):
        line = sg_train.refused("config", "--set", f"{key}=1")
        assert line.endswith(f"{key}: unknown setting")


def test_known_words_are_shown_and_the_others_named(
    sg_train: Command, trained: Path
) -> None:
    asked = ("w5", "nosuch", "w55", "w9")
    for command, rows in (("neighbors", 4), ("vector", 2)):
        top = ("--top", 2) if command == "neighbors" else ()
        result = sg_train(command, trained, *asked, *top)
        assert result.exit_code == 1
        shown = [line.split()[0] for line in result.stdout.splitlines()]
        assert shown == ["w5"] * (rows // 2) + ["w9"] * (rows // 2)
        assert result.stderr.startswith(
            "sg-train: 2 words have no vector: 'nosuch', 'w55' (similar: w5, "
        )
        assert sg_train(command, trained, "w5", "w9", *top).stdout == result.stdout
        refused = sg_train.refused(command, trained, *asked, "--strict", *top)
        assert refused == result.stderr.rstrip("\n")
        assert "'x' has no vector" in sg_train.refused(command, trained, "x")
        shown = sg_train(command, trained, *asked, "--json", *top).stdout
        assert len(json.loads(shown)) == rows


def test_a_map_shows_known_words_and_names_the_others(sg_train: Command) -> None:
    matrix = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
    WordVectors(["a", "1,000", "b", 'c"', "d"], matrix).save("v.txt")
    words = 'a, "1,000",b,"c""",x,y'
    result = sg_train("plot", "v.txt", "-o", "m.svg", "--words", words)
    assert result.exit_code == 1
    assert result.stderr == "sg-train: 2 words have no vector: 'x', 'y'\n"
    drawn = Path("m.svg").read_text()
    assert all(f">{word}<" in drawn for word in ("a", "1,000", "b", 'c"'))
    for wrong in ("", "a,,b", 'a,"b', "a\nb"):
        line = sg_train.refused("plot", "v.txt", "-o", "n.svg", "--words", wrong)
        assert "--words " in line
    few = sg_train.refused("plot", "v.txt", "-o", "n.svg", "--words", "a,b,x,y")
    assert few == "sg-train: 2 words have no vector: 'x', 'y'"
    strict = ("plot", "v.txt", "-o", "n.svg", "--words", words, "--strict")
    assert sg_train.refused(*strict) == result.stderr.rstrip("\n")
    assert not Path("n.svg").exists()


def test_a_library_is_missed_before_the_work(
    sg_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for arguments in (
        ("plot", "missing", "-o", "m.png"),
        ("report", "missing", "-o", "m.html"),
    ):
        line = sg_train.refused(*arguments)
        assert f"needs matplotlib, which is not installed: {sys.executable} -m pip" in (
            line
        )


def test_characters_without_a_font_are_reported(sg_train: Command) -> None:
    matrix = np.random.default_rng(0).normal(size=(3, 3)).astype("f4")
    WordVectors(["a", "b", "\U00013000"], matrix).save("v.txt")
    result = sg_train("plot", "v.txt", "-o", "m.png")
    assert result.exit_code == 0
    assert "no installed font has 1 of the characters, such as \U00013000" in (
        result.stderr
    )
    assert sg_train("plot", "v.txt", "-o", "m.svg").stderr == ""


def test_a_word_in_brackets_is_found(sg_train: Command, tmp_path: Path) -> None:
    Path("v.tsv").write_text("[UNK]\t9\nU\t8\nu\t7\n")
    assert sg_train("vocab", "v.tsv", "--search", "[UNK]").stdout == (
        "[UNK]\t9\t0.375\nU\t8\t0.333\n"
    )


def test_a_reader_that_has_seen_enough_is_no_error(trained: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "sg_train", "vocab", trained, "--top", "9"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env=untraced(),
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


def test_many_paths_are_cut_short_except_in_json(sg_train: Command) -> None:
    texts = [f"texts/{number}.txt" for number in range(60)]
    Path("texts").mkdir()
    for name in texts:
        Path(name).write_text("one two three\n" * 9)
    assert sg_train("prepare", "texts", "--out", "c").exit_code == 0
    absolute = [str(Path(name).absolute()) for name in sorted(texts)]
    (line,) = [
        line
        for line in sg_train("info", "c").stdout.splitlines()
        if line.startswith("text\t")
    ]
    assert line == f"text\t{', '.join(absolute[:3])}, ... (60 in all)"
    (facts,) = json.loads(sg_train("info", "c", "--json").stdout)
    assert facts["text"] == absolute


def test_a_run_remembers_its_files_wherever_it_is_read(
    sg_train: Command, text: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("q.txt").write_text("w1 w2 w3 w4\n")
    files = ("--set", "corpus.paths=text.txt", "--set", "evaluation.analogies=q.txt")
    assert sg_train("train", *files, "--out", "r", *TINY).exit_code == 0
    expected = sg_train("evaluate", "r").stdout
    assert expected
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert sg_train("evaluate", "../r").stdout == expected
    again = ("resume", "../r", "--set", "training.epochs=3")
    assert sg_train(*again).exit_code == 0


def test_a_missing_test_is_noticed_before_the_text_is_read(
    sg_train: Command, text: Path
) -> None:
    for setting, complaint in (
        ("evaluation.similarity=no.tsv", "cannot read no.tsv: No such file"),
        ("training.device=nosuch", "training.device=nosuch"),
    ):
        asked = ("train", "--corpus", text, "--out", "r", "--set", setting)
        assert complaint in sg_train.refused(*asked)
        assert not Path("corpora").exists()


def test_damaged_rows_are_left_out_when_asked_to(sg_train: Command) -> None:
    Path("v.txt").write_bytes(b"3 1\na 1\ncaf\xc3 2\nb 3\n")
    refused = sg_train.refused("neighbors", "v.txt", "a")
    assert "line 3: the word is not UTF-8" in refused
    assert "sg-train export v.txt OUT --errors replace (or skip)" in refused
    skipped = sg_train("export", "v.txt", "s.txt", "--errors", "skip")
    assert "damaged rows skipped: 1, the first: line 3" in skipped.stderr
    assert Path("s.txt").read_text() == "2 1\na 1\nb 3\n"
    assert sg_train("export", "v.txt", "r.txt", "--errors", "replace").exit_code == 0
    assert Path("r.txt").read_text() == "3 1\na 1\ncaf\ufffd 2\nb 3\n"


def test_an_unknown_word_is_named(sg_train: Command, trained: Path) -> None:
    file = trained / "vectors.txt"
    assert "'ww5' has no vector; similar" in sg_train.refused("neighbors", file, "ww5")
    assert "'W5' is looked up as 'w5'" in sg_train("neighbors", file, "W5").stderr


def test_an_export_that_cannot_be_written_leaves_nothing(
    sg_train: Command, trained: Path
) -> None:
    assert "cannot write no/out" in sg_train.refused("export", trained, "no/out")
    Path("taken").mkdir()
    assert "taken: already exists" in sg_train.refused("export", trained, "taken")
    refused = sg_train.refused("export", trained, "taken", "--overwrite")
    assert "cannot write taken" in refused
    assert list(Path("taken").iterdir()) == []


def test_a_full_disk_is_one_line(sg_train: Command, trained: Path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    line = sg_train.refused("export", trained, "out.txt")
    assert "cannot write out.txt: No space left on device" in line
    assert not Path("out.txt").exists()


def break_prepare(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("sg_train.corpus.prepare.prepare", broken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error", "some/file"), "some/file: Input/output err"),
        (MemoryError(), "not enough memory: lower model.dimension"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    sg_train: Command, text: Path, monkeypatch, error: Exception, said: str
) -> None:
    break_prepare(monkeypatch, error)
    assert said in sg_train.refused("prepare", text, "--out", "c")


def test_a_fault_of_ours_is_not_hidden(
    sg_train: Command, text: Path, monkeypatch
) -> None:
    break_prepare(monkeypatch, ZeroDivisionError())
    result = sg_train("prepare", text, "--out", "c")
    assert isinstance(result.exception, ZeroDivisionError)


def test_two_processes_give_the_same_bytes(text: Path) -> None:
    for name in ("a", "b"):
        result = in_a_process("train", "--corpus", text, "--out", name, *TINY)
        assert result.returncode == 0, result.stderr
        assert result.stdout == ""
        assert result.stderr == (
            f"{name}: trained; try sg-train neighbors {name} WORD\n"
        )  # no bar where nobody watches
    for name in ("vectors.txt", "weights.safetensors"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_help_starts_light() -> None:
    code = (
        "import sys; from sg_train.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'numba', 'pyarrow', 'yaml', 'pydantic', 'tqdm'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


TRAINS = """
import sys
from sg_train.cli import app
try: app(["train", *sys.argv[1:]])
except SystemExit: pass
print(*{"torch", "numba", "scipy", "llvmlite"} & set(sys.modules))
"""


def test_training_starts_light_once_the_kernel_is_compiled(text: Path) -> None:
    loaded = [
        subprocess.run(
            [sys.executable, "-c", TRAINS, "--corpus", text, "--out", name, *TINY],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("first", "second")
    ]
    assert loaded[1] == "llvmlite\n"


def test_a_reader_that_leaves_early_is_no_error(trained: Path) -> None:
    command = f"{sys.executable} -m sg_train neighbors {trained} w5 w6 w7 --top 29"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)],
)
def test_told_to_end_while_preparing_it_leaves_nothing(number: int, code: int) -> None:
    os.mkfifo("pipe")  # whose text does not end
    process = subprocess.Popen(
        [sys.executable, "-m", "sg_train", "prepare", "pipe", "--out", "c/out"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with Path("pipe").open("wb") as pipe:
        pipe.write(b"some words\n" * 1000)
        pipe.flush()
        while not list(Path().glob("c/.out.*")):
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)  # asks for nothing that is there to give
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (code, "sg-train: interrupted\n")
    assert list(Path("c").iterdir()) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_shell_completes_commands() -> None:
    environment = {
        **os.environ,
        "_SG_TRAIN_COMPLETE": "complete_bash",
        "COMP_WORDS": "sg-train ne",
        "COMP_CWORD": "1",
    }
    code = "from sg_train.cli import app; app(prog_name='sg-train')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert result.stdout.split() == ["neighbors"], result.stderr


def test_a_terminal_sees_a_bar_with_what_matters(text: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sg_train", "train", "--corpus", str(text)),
            *("--out", "r", *TINY, "--set", "training.epochs=500"),
        ],
        stderr=terminal,
        env=untraced(),
    )
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the process is
        while part := os.read(controller, 1 << 16):
            seen += part
    os.close(controller)
    assert process.wait() == 0
    lines = seen.decode().replace("\r", "\n").split("\n")
    assert any(line.startswith("loading the kernel") for line in lines)
    bar = next(line for line in reversed(lines) if line.startswith("training:"))
    for shown in ("100%", "words/s", "loss ", "rate ", "<00:0"):
        assert shown in bar


def test_escapes_do_not_reach_a_terminal_but_do_reach_a_pipe(sg_train: Command) -> None:
    evil = "a\x1b[2J"
    WordVectors([evil, "b", "c"], np.eye(3, dtype="f4")).save("v.txt")
    assert evil in sg_train("neighbors", "v.txt", "b").stdout
    refused = sg_train.refused("neighbors", "v.txt", "x\x1b]0;t\x07")
    assert "\x1b" not in refused
    assert sg_train("plot", "v.txt", "-o", "m.svg").exit_code == 0
    ElementTree.parse("m.svg")
    assert ">a\\x1b[2J<" in Path("m.svg").read_text()
    sent, shown = os.openpty()
    with os.fdopen(shown, "wb") as terminal:
        subprocess.run(
            [sys.executable, "-m", "sg_train", "neighbors", "v.txt", "b"],
            stdout=terminal,
            check=True,
            env=untraced(),
        )
        assert b"a\\x1b[2J" in os.read(sent, 10_000)
    os.close(sent)


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_does_not_stop_the_work(text: Path, closed: str) -> None:
    command = shlex.join(
        [sys.executable, "-m", "sg_train", "train", "--corpus", str(text)]
    )
    command += f" --out r {shlex.join(TINY)} {closed}>&-"
    result = subprocess.run(["sh", "-c", command], check=False, env=untraced())
    assert result.returncode == 0
    assert Path("r/vectors.txt").exists()


def test_a_name_that_is_not_utf8_is_no_trouble(
    sg_train: Command, trained: Path
) -> None:
    odd = Path(os.fsdecode(b"odd-\xff"))
    trained.rename(odd)
    assert sg_train("report", odd, "-o", "r.html").exit_code == 0
    assert "odd-\\udcff" in Path("r.html").read_text()
    assert sg_train("plot", odd, "-o", "c.svg", "--curves").exit_code == 0


def test_a_run_with_a_linked_checkpoints_directory(
    sg_train: Command, trained: Path
) -> None:
    for name in ("2024/a.txt", ".hidden/b.txt", "000000001/c.txt"):
        Path("precious", name).parent.mkdir(parents=True)
        Path("precious", name).touch()
    (trained / "checkpoints").symlink_to(Path("precious").absolute())
    resumed = sg_train("resume", trained, "--set", "training.epochs=4")
    assert resumed.exit_code == 0, resumed.output
    assert {str(path) for path in Path("precious").rglob("*.txt")} == {
        *("precious/2024/a.txt", "precious/.hidden/b.txt", "precious/000000001/c.txt")
    }


def test_two_texts_prepared_at_once_do_not_replace_each_other(tmp_path: Path) -> None:
    code = """if True:
        import sys, time
        from pathlib import Path
        from sg_train.config import CorpusConfig, VocabularyConfig
        from sg_train.corpus import prepare
        make = prepare._make
        def slow(*arguments):
            made = make(*arguments)
            Path(sys.argv[1] + ".made").touch()
            while not Path("a.txt.made").exists() or not Path("b.txt.made").exists():
                time.sleep(0.01)
            return made
        prepare._make = slow
        settings = CorpusConfig(paths=[sys.argv[1]])
        prepare.prepare(settings, VocabularyConfig(min_count=1), Path("c"), 1)
    """
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(f"one two {name}\n" * 9)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, name],
            env={**untraced(), "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a.txt", "b.txt")
    ]
    ends = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    failed = ends[[process.returncode for process in both].index(1)]
    assert "c: holds a corpus of another text" in failed
