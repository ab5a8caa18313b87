from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sg_train.config import Config, settings, settings_table
from sg_train.errors import SettingsError


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def fault(*overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Config.load(None, overrides)
    return str(caught.value)


def test_defaults_give_way_to_yaml_and_yaml_to_overrides(tmp_path: Path) -> None:
    file = write(tmp_path / "c.yaml", "training: {epochs: 3, seed: 7}")
    config = Config.load(file, ["training.epochs=4"])
    assert config.training.epochs == 4
    assert config.training.seed == 7
    assert config.model == Config().model


@pytest.mark.parametrize("text", ["", "# nothing", "training:", "---\n"])
def test_an_empty_file_or_section_is_all_defaults(tmp_path: Path, text: str) -> None:
    assert Config.load(write(tmp_path / "c.yaml", text)) == Config()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("sampling.subsample=1e-3", 1e-3),  # PyYAML alone reads text
        ("model.dimension=010", 10),  # ... 8
        ("training.epochs=5.0", 5),
        ("sampling.dynamic_window=on", True),
        ("sampling.dynamic_window=false", False),
        ("corpus.paths=a.txt", ["a.txt"]),
        ("corpus.paths=[a.txt, no]", ["a.txt", "no"]),
        ("corpus.paths=", []),
        ("corpus.prepared=on", "on"),
        ("vocabulary.max_vocabulary=null", None),
        ("training.threads=", None),
    ],
)
def test_the_declared_type_says_what_text_means(override: str, value: object) -> None:
    section, key = override.partition("=")[0].split(".")
    found = getattr(getattr(Config.load(None, [override]), section), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("training.epochs=1.5", "training.epochs: should be a valid integer"),
        ("training.epochs=true", "training.epochs: should be a valid integer"),
        ("training.epochs=[1]", "training.epochs: should be a valid integer"),
        (
            "training.epochs=0",
            "training.epochs: should be greater than or equal to 1, or auto, not '0'",
        ),
        ("training.learning_rate=nan", "should be a finite number"),
        ("sampling.dynamic_window=maybe", "should be a valid boolean"),
        ("model.u_range=0", "model: u_range and v_range are both 0, and zeros never"),
        ("corpus.tokenizer=word", "should be 'words', 'whitespace' or a function such"),
        ("training.epoch=1", "unknown setting, did you mean training.epochs?"),
        ("model.epochs=1", "unknown setting, did you mean training.epochs?"),
        ("trainig.x=1", "trainig: unknown setting, did you mean training?"),
        ("epochs=1", "expected section.key=value"),
        ("training.epochs", "expected section.key=value"),
        ("corpus.paths=[a", "not valid YAML"),
    ],
)
def test_a_fault_is_named(override: str, complaint: str) -> None:
    assert complaint in fault(override)


def test_all_faults_are_reported_at_once() -> None:
    message = fault("training.epoch=1", "model.dimension=0", "sampling.window=x")
    for key in ("training.epoch:", "model.dimension:", "sampling.window:"):
        assert key in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a", "expected sections with settings"),
        ("5", "expected sections with settings"),
        ("training: 5", "training: should be a section with settings, not '5'"),
        ("a: [", "line 1: not valid YAML"),
        ("training: {epochs: 1, epochs: 2}", "duplicate key"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_config_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Config.load(write(tmp_path / "c.yaml", text))
    assert str(tmp_path / "c.yaml") in str(caught.value)
    assert complaint in str(caught.value)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        Config.load(tmp_path / "missing.yaml")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not a text file"):
        Config.load(tmp_path / "c.yaml")


paths = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1
).filter(lambda text: text.strip().lower() not in ("", "~", "null", "none"))


@given(
    paths=st.lists(paths),
    prepared=st.none() | paths,
    rate=st.floats(0, 100, exclude_min=True),
    subsample=st.floats(0, 1),
    seed=st.integers(0, 2**63 - 1),
    limit=st.none() | st.integers(2),
    dynamic=st.booleans(),
)
def test_the_resolved_config_is_itself_a_config(
    tmp_path_factory, paths, prepared, rate, subsample, seed, limit, dynamic
) -> None:
    config = Config.model_validate(
        {
            "corpus": {"paths": paths, "prepared": prepared},
            "vocabulary": {"max_vocabulary": limit},
            "sampling": {"subsample": subsample, "dynamic_window": dynamic},
            "training": {"learning_rate": rate, "seed": seed},
        }
    )
    file = tmp_path_factory.mktemp("config") / "c.yaml"
    file.write_text(config.to_yaml(), encoding="utf-8")
    assert Config.load(file) == config


def test_every_setting_is_described() -> None:
    rows = settings_table().splitlines()
    assert len(rows) == 2 + len(list(settings()))
    for key, default, limits, description in settings():
        assert description, key
        assert limits, key
        row = next(row for row in rows if f"`{key}`" in row)
        shown = row.split("|")[2].strip().strip("`")
        assert yaml.safe_load(shown) == default


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("corpus: {paths: &a [x]}", "line 1: .*& begins an anchor, .* in quotes"),
        ("corpus: {paths: *x}", "line 1: .*[*] begins an alias, .* in quotes"),
        ("corpus: {paths: *.txt}", "line 1: .* after [*] or &; put .* in quotes"),
    ],
)
def test_anchors_and_aliases_are_refused(text: str, complaint: str) -> None:
    Path("c.yaml").write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        Config.load("c.yaml")


def test_a_config_without_end_is_refused() -> None:
    with pytest.raises(SettingsError, match="/dev/zero: longer than 1000000 bytes"):
        Config.load("/dev/zero")


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(SettingsError) as caught:
        Config.load(None, [f"training.epochs={'x' * 100_000}"])
    assert len(str(caught.value)) < 300
