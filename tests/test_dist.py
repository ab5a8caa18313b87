import os
import subprocess
import sys
import tarfile
from pathlib import Path

import sg_train
from tests.conftest import ROOT


def test_the_packages_can_be_built_and_installed(tmp_path: Path) -> None:
    """What a user would install runs, and brings its data files."""
    copy = tmp_path / "source"
    copied = ("sg_train", "pyproject.toml", "README.md", "LICENSE")
    copy.mkdir()
    subprocess.run(["cp", "-r", *(ROOT / name for name in copied), copy], check=True)
    dist = tmp_path / "dist"
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        dist,
        copy,
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    (archive,) = dist.glob("*.tar.gz")
    assert wheel.name == f"sg_train-{sg_train.__version__}-py3-none-any.whl"
    with tarfile.open(archive) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {"pyproject.toml", "LICENSE", "sg_train/reports/page/page.html"} <= names
    target = tmp_path / "target"
    install: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--quiet",
    ]
    subprocess.run([*install, "--target", target, wheel], check=True)
    assert (target / "sg_train/reports/page/page.html").is_file()
    assert (target / "sg_train/py.typed").is_file()
    shown = subprocess.run(
        [target / "bin/sg-train", "--version"],
        env={**os.environ, "PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"{sg_train.__version__}\n"
