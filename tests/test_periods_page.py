"""The session of docs/periods.md, with smaller vectors and fewer epochs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, untraced

PAGE = (ROOT / "docs/periods.md").read_text()
COMMANDS = re.findall(r"^    (.*)$", PAGE, re.MULTILINE)
FAST = " --set model.dimension=12 --set training.epochs=1 --set training.threads=1"


@pytest.fixture
def session(tmp_path: Path) -> list[subprocess.CompletedProcess[str]]:
    for name in ("data", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return [
        subprocess.run(
            command + FAST * command.startswith("sg-train train"),
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            env={**untraced(), "PATH": path},
        )
        for command in COMMANDS
    ]


def test_the_session_works(
    session: list[subprocess.CompletedProcess[str]],
) -> None:
    assert len(COMMANDS) > 15
    for command, result in zip(COMMANDS, session, strict=True):
        assert result.returncode == 0, f"{command}: {result.stderr}"
    starts = ("Fellow-Citizens", "To the Senate", "To the Congress: In considering")
    for name, start in zip((1840, 1900, 1945), starts, strict=True):
        assert Path(f"texts/{name}.txt").read_text().startswith(start)
    parts = [Path(f"texts/{name}.txt").read_text() for name in (1840, 1900, 1945)]
    assert "".join(parts) == (ROOT / "data/sotu.txt").read_text()
    (shown,) = [x for x in session if " shift " in x.args and "--header" in x.args]
    head, *rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert head[:7] == ["word", "before", "after", "cosine", "within", "local", "p"]
    assert len(rows) == 8
    for picture in ("path.svg", "around.svg"):
        assert ">economy" in Path(picture).read_text()
    slices = [f"runs/slice-where-year-{years}" for years in ("..1899", "1945..")]
    for slice_, part in zip(slices, ("1840", "1945"), strict=True):
        vocabularies = [
            (Path(run) / "vocabulary.tsv").read_text()
            for run in (slice_, f"runs/period-paths-{part}")
        ]
        assert vocabularies[0] == vocabularies[1]
    (shown,) = [x for x in session if " neighbors " in x.args]
    assert re.fullmatch(r"(\S+\t\S+\t[\d.]+\t[\d.-]+\t[1-4] of 4\n){6}", shown.stdout)
    assert '"runs": 4' in Path("drawn.html").read_text()
    assert "spread" in Path("shift.tsv").read_text().splitlines()[0].split("\t")
    assert len(Path("aligned.txt").read_text().splitlines()) > 1000
