import re

import pytest

from sg_train.config import Config, settings_table
from tests.conftest import ROOT, Command
from tests.test_cli import COMMANDS

README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_configs_own() -> None:
    assert settings_table() in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"sg-train {command}" in README


def test_the_commands_in_the_readme_exist(sg_train: Command) -> None:
    for line in re.findall(
        r"^ +(?:\$ )?sg-train (.*?)(?: +#.*)?$", README, re.MULTILINE
    ):
        command, *rest = line.split()
        shown = sg_train(command, "--help").stdout
        for option in rest:
            if option.startswith("--"):
                assert option in shown, line


def test_the_files_in_the_readme_exist() -> None:
    for name in re.findall(r"`((?:sg_train|benchmarks|configs|data)/[\w/.]+)`", README):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=str)
def test_every_config_is_valid(file) -> None:
    Config.load(file)


def test_make_has_the_targets_that_are_named() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        for target in re.findall(r"\bmake ([a-z]+)\b(?=[`\n ])", text):
            if f"`make {target}`" in text or f"    make {target}" in text:
                assert f"\n{target}:" in makefile, target
