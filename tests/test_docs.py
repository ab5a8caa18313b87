import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import sg_train
from sg_train.config import Config, settings_table
from sg_train.engines import reference
from sg_train.engines.fused import step
from tests.conftest import ROOT, Command
from tests.test_cli import COMMANDS

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_table_of_settings_is_the_configs_own() -> None:
    assert settings_table() in (ROOT / "docs/settings.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table_of_the_readme(command: str) -> None:
    assert re.search(rf"^\| .* \| `sg-train {command} ", README.read_text(), re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_on_a_page_exist(sg_train: Command, page: Path) -> None:
    text = page.read_text().replace("\\\n", " ")
    found = re.findall(r"^ +(?:\$ )?sg-train (.*?)(?: +#.*| \|.*)?$", text, re.M)
    found += re.findall(r"`sg-train ((?:\w+ )[^`]*)`", text)
    for line in found:
        name, *rest = line.split()
        if name == "COMMAND":
            continue
        shown = sg_train(name, "--help")
        assert shown.exit_code == 0, line
        for option in rest:
            if option.startswith("--"):
                assert re.search(rf"{option}\b", shown.stdout), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_on_a_page_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(
        r"`((?:sg_train|benchmarks|configs|data|tests)/[\w/.]+)`", text
    ):
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.read_text().split()) < 1700


def test_the_picture_of_the_rooms_is_the_import_contract() -> None:
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "docs/architecture.md").read_text()
    picture = re.search(r"```text\n(.*?)```", page, re.S)
    assert picture is not None
    assert picture[1].splitlines() == layers


def test_every_room_is_on_the_page_about_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    rooms = [p for p in (ROOT / "sg_train").iterdir() if not p.name.startswith("__")]
    for room in rooms:
        if room.suffix == ".py" or room.is_dir():
            assert f"`sg_train/{room.name}" in page, room.name


def test_the_page_about_the_step_names_what_there_is() -> None:
    page = (ROOT / "docs/step.md").read_text()
    (table,) = re.findall(r"^\| step \| formula(.*?)\n\n", page, re.M | re.S)
    rows = [line.split("|")[1:-1] for line in table.splitlines()[2:]]
    assert len(rows) == 5
    code = Path(reference.__file__).read_text()
    for _, _, in_reference, in_kernel, _ in rows:
        for name in re.findall(r"`(_?\w+)`", in_kernel):
            assert hasattr(step, name), name
        for text in re.findall(r"`([^`]+)`", in_reference):
            assert re.sub(r"[(±].*", "", text) in code, text


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=str)
def test_every_config_is_valid(file) -> None:
    Config.load(file)


def test_make_has_the_targets_that_are_named() -> None:
    makefile = (ROOT / "Makefile").read_text()
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:`|^ {4})make ([a-z]+)\b", page.read_text(), re.M):
            assert f"\n{target}:" in makefile, target
    for target in re.findall(r"run: make ([a-z]+)", workflow):
        assert f"\n{target}:" in makefile, target


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == sg_train.__version__
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{sg_train.__version__}] - {citation['date-released']}" in changes


def test_every_library_that_is_imported_is_declared() -> None:
    project = PROJECT["project"]
    declared = {
        re.split(r"[>=\[]", name)[0].lower().replace("-", "_")
        for name in project["dependencies"]
    }
    names = {"yaml": "pyyaml", "triton": "torch"}  # part of its builds for CUDA
    for file in (ROOT / "sg_train").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            for module in modules:
                top = module.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "sg_train":
                    assert names.get(top, top) in declared, f"{file}: {top}"
