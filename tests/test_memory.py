import pytest

from sg_train.config import Config
from sg_train.engines import autograd, fused
from sg_train.errors import TrainingError
from sg_train.training import memory
from sg_train.training.memory import check_memory, memory_needed


def config(**sections: dict[str, object]) -> Config:
    return Config.model_validate(sections)


def test_needs_grow_with_words_and_dimension() -> None:
    small, large = (
        memory_needed(config(model={"dimension": 100}), size, fused.SPEC)
        for size in (1000, 10**6)
    )
    assert large["u and v"] == 2 * 4 * 10**6 * 112  # rows of whole vectors
    assert sum(large.values()) > sum(small.values())
    plain = memory_needed(config(sampling={"window": 100}), 1000, autograd.SPEC)
    assert plain["u and v"] == 2 * 4 * 1000 * 100
    assert plain["a block of windows"] > 7e8
    long = config(
        corpus={"max_sentence_length": 10**6},
        sampling={"negatives": 1000},
        training={"threads": 3},
    )
    layout_of_one = 8 + 4 + 4 + 4 + 8 + 4 * 1000  # bits to repeats, and negatives
    assert memory_needed(long, 1000, fused.SPEC)["sentences"] == 3e6 * layout_of_one
    several = memory_needed(config(), 10**6, fused.SPEC, ranks=2)
    assert sum(several.values()) - sum(large.values()) == 2 * 2 * 4 * 10**6 * 100


def test_too_little_memory_is_reported_before_training(monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * 10**9)
    check_memory(config(), 1000, fused.SPEC)
    with pytest.raises(
        TrainingError,
        match=r"5000000 words of dimension 100 need \d+.\d GB "
        r"\(.*u and v 4.5 GB.*\), but only 2.0 GB is free; lower model.dimension or",
    ):
        check_memory(config(), 5_000_000, fused.SPEC)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    check_memory(config(), 5_000_000, fused.SPEC)
