"""The triton engine: compiled for a GPU, or run by Triton's interpreter without one.

tests/conftest.py chooses the interpreter before Triton is imported.
"""

import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sg_train.blocks import Block, BlockRef
from sg_train.config import Config
from sg_train.engines import triton as triton_engine
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import BlockResult, Engine, Frozen
from sg_train.engines.distributed.engine import DistributedEngine
from sg_train.engines.distributed.exchange import Exchange
from sg_train.engines.reference import take_steps
from sg_train.engines.selection import choose_engine
from sg_train.engines.triton import engine as compiled
from sg_train.engines.triton.engine import TritonEngine
from sg_train.engines.triton.kernel import draw_negatives, find_contexts
from sg_train.errors import SettingsError, TrainingError
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import NO_WORD, SamplingPlan, Windows, draw_windows
from sg_train.system.ranks import Ranks
from sg_train.training.train import train
from tests.building import Rates, expect_touches, make_plan
from tests.conftest import untraced
from tests.local_ranks import on_ranks

HAS_GPU = torch.cuda.is_available()
DEVICE = "cuda" if HAS_GPU else "cpu"
SIZE = 12
PLACES = [BlockRef(0, 0), BlockRef(3, 1)]
FALLING = Rates(lambda ref: (0.1 / (1 + ref.epoch), -1 / 1000))


def read_block(number: int) -> Block:
    generator = np.random.default_rng(number)
    ids = generator.integers(0, SIZE, 24).astype(np.int32)
    return Block(ids, np.array([0, 1, 9, 11, 24]))


def a_plan(**changes) -> SamplingPlan:
    how = {"window": 3, "negatives": 4, "subsample": 0.1, **changes}
    return make_plan(np.arange(SIZE, 0, -1), **how)


def make_model(dimension: int = 7) -> SkipGram:
    return SkipGram(SIZE, dimension, u_range=2.0, v_range=2.0, seed=1).to(DEVICE)


def expected(
    windows: Windows, ref: BlockRef, u, v, frozen: Frozen | None = None
) -> float:
    line = FALLING.line(ref)
    rates = [line(position) for position in windows.positions.tolist()]
    is_frozen = frozen is not None and frozen.during(ref)
    rows = (frozen.u, frozen.v) if frozen is not None and is_frozen else None
    return take_steps(u, v, windows, rates, rows)


def check(
    plan: SamplingPlan, *, in_flight: int = 1, dimension: int = 7, frozen=None
) -> list[BlockResult]:
    """Train on some blocks, and compare weights and losses with the reference."""
    model = make_model(dimension)
    u, v = (w.detach().cpu().numpy().astype(np.float64) for w in model.parameters())
    engine = TritonEngine(
        model, read_block, plan, FALLING, in_flight=in_flight, frozen=frozen
    )
    engine.compile()
    results = list(engine.train(iter(PLACES)))
    for ref, result in zip(PLACES, results, strict=True):
        block = read_block(ref.block)
        windows = draw_windows(block.ids, block.offsets, plan, ref.epoch, ref.block)
        loss = expected(windows, ref, u, v, frozen)
        assert result.ref == ref
        assert result.words == len(block.ids)
        assert result.pairs == windows.pairs
        assert result.loss == pytest.approx(loss, rel=1e-5)
        assert result.learning_rate == FALLING.line(ref)(len(block.ids) - 1)
    for matrix, weight in zip((u, v), model.parameters(), strict=True):
        np.testing.assert_allclose(weight.detach().cpu().numpy(), matrix, atol=2e-5)
    return results


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"subsample": 0},
        {"window": 1, "negatives": 1},
        {"window": 9, "negatives": 17, "dynamic": False},
    ],
    ids=str,
)
def test_single_windows_are_the_steps_of_the_reference(changes) -> None:
    check(a_plan(**changes))


@pytest.mark.parametrize("dimension", [1, 33, 150])
def test_rows_of_any_length_are_trained(dimension: int) -> None:
    check(a_plan(), dimension=dimension)


@pytest.mark.skipif(HAS_GPU, reason="on a GPU, programs run at the same time")
@pytest.mark.parametrize("in_flight", [7, 30])
def test_programs_share_out_all_windows_in_the_order_of_the_text(in_flight) -> None:
    """The interpreter runs one program after another, so that nothing is stale."""
    check(a_plan(), in_flight=in_flight)


@pytest.mark.parametrize("matrix", ["u", "v"])
def test_frozen_rows_stay(matrix: str) -> None:
    rows = {name: np.zeros(SIZE, dtype=np.bool_) for name in "uv"}
    rows[matrix][::2] = True
    check(a_plan(), frozen=Frozen(**rows, during=lambda ref: ref.epoch == 0))


def test_a_slice_is_that_part_of_its_block() -> None:
    plan = a_plan()
    model = make_model()
    engine = TritonEngine(model, read_block, plan, FALLING, in_flight=1)
    slices = [BlockRef(0, 0, number, 3) for number in range(3)]
    results = list(engine.train(iter(slices)))
    whole = make_model()
    (one,) = TritonEngine(whole, read_block, plan, FALLING, in_flight=1).train(
        iter([BlockRef(0, 0)])
    )
    assert sum(result.pairs for result in results) == one.pairs
    assert sum(result.words for result in results) == one.words
    for mine, theirs in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_block_whose_words_are_all_dropped_is_no_work() -> None:
    plan = a_plan(subsample=1e-12)
    engine = TritonEngine(make_model(), read_block, plan, FALLING, in_flight=4)
    (result,) = engine.train(iter([BlockRef(0, 0)]))
    assert (result.pairs, result.loss, result.words) == (0, 0.0, 24)


@hypothesis_settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 2**31),
    window=st.integers(1, 12),
    negatives=st.integers(1, 20),
)
def test_draws_are_those_of_the_other_engines_bit_for_bit(
    lengths, seed: int, epoch: int, window: int, negatives: int
) -> None:
    plan = a_plan(seed=seed, window=window, negatives=negatives, subsample=0.2)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    generator = np.random.default_rng(len(lengths))
    ids = generator.integers(0, SIZE, offsets[-1]).astype(np.int32)
    windows = draw_windows(ids, offsets, plan, epoch, 5)
    kept, contexts, targets = drawn(plan, ids, offsets, BlockRef(epoch, 5))
    some = (contexts != NO_WORD).any(axis=1)
    assert np.array_equal(kept[1][some], windows.positions)
    assert np.array_equal(kept[0][some], windows.centres)
    assert np.array_equal(targets[some, 0], windows.centres)
    assert np.array_equal(targets[some, 1:], windows.negatives)
    assert np.array_equal(contexts[some], windows.contexts)


@triton.jit
def show(
    kept, keys, table, words, size, contexts, targets,
    REACH: tl.constexpr, DYNAMIC: tl.constexpr, K: tl.constexpr,  # noqa: N803
    M: tl.constexpr, T: tl.constexpr,  # noqa: N803
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64)
    position = tl.load(kept + words + i).to(tl.int64)
    window_key = tl.load(keys + 1).to(tl.uint64, bitcast=True)
    negative_key = tl.load(keys + 2).to(tl.uint64, bitcast=True)
    found, is_context = find_contexts(
        window_key, kept, words, i, position, REACH, DYNAMIC, M
    )
    centre = tl.load(kept + i)
    tl.store(contexts + i * M + tl.arange(0, M), tl.where(is_context, found, -1))
    drawn = draw_negatives(negative_key, table, size, position, centre, K, T)
    tl.store(targets + i * T + tl.arange(0, T), drawn)


def drawn(plan: SamplingPlan, ids, offsets, ref: BlockRef):
    """Return kept words, contexts and targets as the kernels draw them."""
    engine = TritonEngine(make_model(), read_block, plan, FALLING, in_flight=1)
    keys = torch.from_numpy(compiled.keys_of(plan, ref)).to(DEVICE)
    kept, count = engine._kept(ids, offsets, keys)
    number = int(count.item())
    m, t = (compiled._padded(size) for size in (2 * plan.window, 1 + plan.negatives))
    contexts, targets = (
        torch.full((number, width), -9, dtype=torch.int64, device=DEVICE)
        for width in (m, t)
    )
    if number:
        show[(number,)](
            kept, keys, engine._table, len(ids), SIZE, contexts, targets,
            REACH=plan.window, DYNAMIC=plan.dynamic, K=plan.negatives, M=m, T=t,
        )  # fmt: skip
    assert (targets[:, 1 + plan.negatives :] == NO_WORD).all()
    assert (contexts[:, 2 * plan.window :] == NO_WORD).all()
    return (
        kept[:, :number].cpu().numpy(),
        contexts[:, : 2 * plan.window].cpu().numpy(),
        targets[:, : 1 + plan.negatives].cpu().numpy(),
    )


# --- with other ranks --------------------------------------------------------------


INTERPRETER = threading.Lock()  # its state is global, and ranks are threads here


class OneAtATime(TritonEngine):
    def _launch(self, *arguments, **options):
        with INTERPRETER:
            return super()._launch(*arguments, **options)


def shared(ranks: Ranks, name: str) -> list[np.ndarray]:
    """Train on two blocks an epoch with other ranks; return the weights."""
    plan, counts = a_plan(), np.arange(SIZE, 0, -1)
    model = SkipGram(SIZE, 7, u_range=2.0, v_range=2.0, seed=1)
    if name == "triton":
        model = model.to(DEVICE)
        engine: Engine = OneAtATime(model, read_block, plan, FALLING, in_flight=1)
    else:
        engine = AutogradEngine(
            model, read_block, plan, FALLING, batch_size=1, loader_workers=0
        )
    touches = expect_touches(counts, window=3, negatives=4, subsample=0.1)
    several = DistributedEngine(
        engine,
        ranks,
        Exchange(model, ranks, touches, frequent_rows=4),
        FALLING,
        lambda _: 24,
        round_words=24,
        threads=1,
    )
    refs = [BlockRef(epoch, block) for epoch in range(2) for block in range(2)]
    assert len(list(several.train(refs))) == len(refs)
    return [weight.detach().cpu().numpy() for weight in model.parameters()]


@pytest.mark.skipif(HAS_GPU, reason="two ranks need two GPUs with nccl")
def test_ranks_share_their_changes_as_with_the_autograd_engine() -> None:
    of_triton, of_autograd = (
        on_ranks(2, partial(shared, name=name)) for name in ("triton", "autograd")
    )
    for matrix, again in zip(*of_triton, strict=True):
        assert np.array_equal(matrix, again)
    for matrix, expected in zip(of_triton[0], of_autograd[0], strict=True):
        np.testing.assert_allclose(matrix, expected, atol=1e-5)


# --- as part of a run --------------------------------------------------------------


def on_device(**settings) -> Config:
    return Config().with_settings(
        {"training.engine": "triton", "training.device": DEVICE, **settings}
    )


def test_a_run_trains_with_it_and_learns_what_the_others_learn(text) -> None:
    small = {
        "corpus.paths": [str(text)],
        "vocabulary.min_count": 1,
        "model.dimension": 6,
        "training.epochs": 1,
        "training.batch_size": 1,
        "training.threads": 1,
        "sampling.window": 2,
    }
    losses = {}
    vectors = {}
    for engine in ("triton", "fused"):
        device = DEVICE if engine == "triton" else "cpu"
        chosen = {"training.engine": engine, "training.device": device}
        run = train(Config().with_settings({**small, **chosen}), engine)
        losses[engine], vectors[engine] = run.metrics["loss"], run.vectors.matrix
    np.testing.assert_allclose(losses["triton"], losses["fused"], rtol=1e-4)
    np.testing.assert_allclose(vectors["triton"], vectors["fused"], atol=1e-4)


def test_what_it_cannot_do_is_refused(monkeypatch) -> None:
    assert choose_engine(on_device()).name == "triton"
    for key, value, message in (
        ("sampling.window", 33, r"window=33: the triton engine takes at most 32"),
        ("sampling.negatives", 32, r"takes at most 31"),
        ("model.max_norm", 1.0, "does not measure rows"),
        ("model.scale_grad_by_freq", True, "has no batches"),
        ("model.ngrams", [3, 6], "each word's own row only"),
    ):
        with pytest.raises(SettingsError, match=message):
            choose_engine(on_device(**{key: value}))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(SettingsError, match=r"training\.device=cpu.*a CUDA device"):
        choose_engine(on_device(**{"training.device": "cpu"}))
    monkeypatch.setattr(triton_engine, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="Triton is not installed"):
        choose_engine(on_device(**{"training.device": "cuda"}))
    assert choose_engine(Config()).name == "fused"
    with_gpu = {"training.engine": "auto", "training.device": "cuda"}
    assert choose_engine(Config().with_settings(with_gpu)).name == "autograd"


def test_auto_takes_it_on_a_gpu() -> None:
    on_a_gpu = Config().with_settings({"training.device": "cuda:0"})
    assert choose_engine(on_a_gpu).name == "triton"
    thinned = on_a_gpu.with_settings({"model.max_norm": 1.0})
    assert choose_engine(thinned).name == "autograd"
    widest = {"sampling.window": 32, "sampling.negatives": 31}
    assert choose_engine(on_a_gpu.with_settings(widest)).name == "triton"


def test_what_triton_cannot_compile_is_one_line(monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify it.")

    engine = TritonEngine(make_model(), read_block, a_plan(), FALLING, in_flight=1)
    monkeypatch.setattr(engine, "_launch", fail)
    with pytest.raises(
        TrainingError,
        match=r"cannot compile for it \(Failed to find C compiler\.\); set "
        "training.engine=autograd$",
    ):
        engine.compile()


# --- on hardware -------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no GPU")
@pytest.mark.parametrize("in_flight", [16, 256, 1024])
def test_windows_in_flight_lose_little(in_flight: int) -> None:
    """With many words, few windows meet, so that stale rows are the exception."""
    size, dimension = 20_000, 100
    counts = np.maximum(1, 1_000_000 / np.arange(1, size + 1)).astype(np.int64)
    plan = make_plan(counts)
    generator = np.random.default_rng(1)
    ids = generator.choice(size, 50_000, p=counts / counts.sum()).astype(np.int32)
    block = Block(ids, np.append(np.arange(0, len(ids), 25), len(ids)))
    losses = []
    for number in (1, in_flight):
        model = SkipGram(size, dimension, seed=1).to(DEVICE)
        rates = Rates(lambda _: (0.025, 0.0))
        engine = TritonEngine(model, lambda _: block, plan, rates, in_flight=number)
        refs = (BlockRef(epoch, 0) for epoch in range(3))
        losses.append([result.loss / result.pairs for result in engine.train(refs)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


# --- compiled without hardware ------------------------------------------------------

COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sg_train.engines.triton import kernel

SIZES = {"SIZE": 1024, "REACH": 5, "DYNAMIC": True, "K": 5, "M": 16, "T": 16, "D": 32}
SIZES["DIMENSION"] = 20
TYPES = {"losses": "*fp64", "rate_start": "fp32", "rate_slope": "fp32"}
TYPES |= dict.fromkeys(("u", "v"), "*fp32")
TYPES |= dict.fromkeys(("free_u", "free_v"), "*i8")
TYPES |= dict.fromkeys(("keys", "limits", "table", "pairs"), "*i64")
TYPES |= dict.fromkeys(("first", "words", "size"), "i32")
for fn in (kernel.keep_words, kernel.close_up, kernel.train_windows):
    sizes = {name: SIZES.get(name, True) for name in fn.arg_names if name.isupper()}
    types = {name: TYPES.get(name, "*i32") for name in fn.arg_names}
    types |= dict.fromkeys(sizes, "constexpr")
    source = ASTSource(fn=fn, signature=types, constexprs=sizes)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    print(fn.__name__, len(compiled.asm["cubin"]), compiled.metadata.shared)
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_there(tmp_path) -> None:
    """Machine code for an H100 is made, whatever machine this is."""
    environment = {
        **untraced(),
        "TRITON_INTERPRET": "0",
        "TRITON_CACHE_DIR": str(tmp_path / "cache"),
    }
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILE],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert made.returncode == 0, made.stderr
    names, sizes, shared = zip(*map(str.split, made.stdout.splitlines()), strict=True)
    assert names == ("keep_words", "close_up", "train_windows")
    assert all(int(size) > 1000 for size in sizes)
    # At least eight programs share a multiprocessor, which has 227 kB.
    assert all(int(size) < 227_000 / 8 for size in shared)
