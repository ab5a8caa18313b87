import pytest

from sg_train.config import Config
from sg_train.engines import autograd, fused
from sg_train.engines.selection import choose_engine
from sg_train.errors import SettingsError


@pytest.mark.parametrize(
    ("settings", "engine"),
    [
        ({}, "fused"),
        ({"training.engine": "fused"}, "fused"),
        ({"training.engine": "autograd"}, "autograd"),
        ({"model.max_norm": 1.0}, "autograd"),
        ({"model.scale_grad_by_freq": True}, "autograd"),
    ],
)
def test_auto_takes_the_fused_engine_where_it_can(
    settings: dict[str, object], engine: str
) -> None:
    assert choose_engine(Config().with_settings(settings)).name == engine


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("training.device", "cuda", "runs on the CPU only"),
        ("model.max_norm", 1.0, "does not measure rows"),
        ("model.scale_grad_by_freq", True, "takes one window per step"),
    ],
)
def test_an_engine_says_what_it_cannot_do_and_why(
    setting: str, value: object, reason: str
) -> None:
    config = Config().with_settings({"training.engine": "fused", setting: value})
    with pytest.raises(
        SettingsError, match=rf"^{setting}.*{reason}; set training.engine=auto$"
    ):
        choose_engine(config)


def test_engines_state_what_they_owe() -> None:
    config = Config().with_settings({"training.batch_size": 32})
    assert fused.SPEC.windows_per_step(config) == 1
    assert autograd.SPEC.windows_per_step(config) == 32
    assert fused.SPEC.threads(4) == 4
    assert autograd.SPEC.threads(4) == 1
