"""The autograd engine: the step in plain PyTorch, on any device."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F

from sg_train.blocks import Block, BlockRef
from sg_train.config import Config
from sg_train.engines.base import (
    BlockResult,
    Engine,
    EngineSpec,
    Frozen,
    Schedule,
    Task,
)
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.loader import WindowBlock, window_loader
from sg_train.sampling.windows import SamplingPlan

_LARGEST_BLOCK = 250_000  # words
_BATCH_SIZE = 256  # windows per step; docs/notebook.md compares sizes


class AutogradEngine:
    """Trains by autograd and sparse SGD, one mini-batch of windows per step.

    Attributes:
        optimizer: its learning rate is set before every step. It is not saved, so that
            one with a memory forgets when a run resumes.
    """

    def __init__(
        self,
        model: SkipGram,
        read_block: Callable[[int], Block],
        plan: SamplingPlan,
        schedule: Schedule,
        *,
        batch_size: int,
        loader_workers: int,
        frozen: Frozen | None = None,
    ) -> None:
        """Set up the optimizer on the device that holds `model`.

        Args:
            model: trained in place.
            read_block: returns a block by its number.
            plan: the settings and tables that decide the draws.
            schedule: how the learning rate falls.
            batch_size: windows per step, whose summed loss is minimised.
            loader_workers: processes that draw windows ahead.
            frozen: rows that stay fixed, except that `max_norm` still scales them.
        """
        self._model = model
        self._read_block = read_block
        self._plan = plan
        self._schedule = schedule
        self._batch_size = batch_size
        self._loader_workers = loader_workers
        self._device = model.u_embeddings.weight.device
        self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
            model.parameters(), lr=0.0
        )
        self._frozen = frozen
        self._free = [
            # The rows of buckets, which follow those of the words, are never frozen.
            F.pad(torch.from_numpy(~rows), (0, len(weight) - len(rows)), value=True).to(
                self._device
            )
            for rows, weight in zip(
                (frozen.u, frozen.v) if frozen else (), model.parameters(), strict=False
            )
        ]

    def compile(self) -> None:
        """Do nothing: there is nothing to compile."""

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        """Train on blocks in the order of `refs`; see `Engine.train`."""
        loader = window_loader(
            self._read_block,
            self._plan,
            refs,
            workers=self._loader_workers,
            pin_memory=self._device.type == "cuda",
        )
        for block in loader:
            yield self._train_block(block)

    def _train_block(self, block: WindowBlock) -> BlockResult:
        rate_at = self._schedule.line(block.ref)
        rate = rate_at(0)
        if not block.pairs:
            return BlockResult(block.ref, block.words, 0, 0.0, rate)
        contexts, centres, negatives = (
            ids.to(self._device, non_blocking=True).split(self._batch_size)
            for ids in (block.contexts, block.centres, block.negatives)
        )
        is_frozen = self._frozen is not None and self._frozen.during(block.ref)
        first_positions = block.positions[:: self._batch_size].tolist()
        losses = []
        for pos_u, pos_v, neg_v, position in zip(
            contexts, centres, negatives, first_positions, strict=True
        ):
            rate = rate_at(position)
            losses.append(self._step(pos_u, pos_v, neg_v, rate, frozen=is_frozen))
        # Fetched together, so that a GPU does not wait for Python at every step.
        loss = torch.stack(losses).cpu().double().sum().item()
        return BlockResult(block.ref, block.words, block.pairs, loss, rate)

    def _step(
        self,
        pos_u: torch.Tensor,
        pos_v: torch.Tensor,
        neg_v: torch.Tensor,
        rate: float,
        *,
        frozen: bool,
    ) -> torch.Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = self._model(pos_u, pos_v, neg_v)
        loss.backward()
        self._model.scale_gradients()
        if frozen:
            self._drop_gradients()
        self.optimizer.step()
        return loss.detach()

    def _drop_gradients(self) -> None:
        """Set the gradients of frozen rows to zero."""
        for weight, is_free in zip(self._model.parameters(), self._free, strict=True):
            if weight.grad is not None:
                rows, values = weight.grad._indices()[0], weight.grad._values()
                values *= is_free[rows].unsqueeze(1)


def _memory(config: Config, vocabulary_size: int) -> dict[str, float]:
    columns = 2 * config.sampling.window + config.sampling.negatives + 8
    rows = vocabulary_size + config.model.input_rows(vocabulary_size)
    return {
        "u and v": 4.0 * rows * config.model.dimension,
        "a block of windows": 4 * 4.0 * _LARGEST_BLOCK * columns,
    }


def build(
    task: Task,
    *,
    model_class: type[SkipGram] = SkipGram,
    engine_class: type[AutogradEngine] = AutogradEngine,
) -> tuple[SkipGram, Engine]:
    """Return a model with initial weights and the engine that trains it."""
    torch.set_num_threads(task.threads)
    config = task.config.model
    model = model_class(
        len(task.counts),
        config.dimension,
        u_range=config.u_range,
        v_range=config.v_range,
        max_norm=config.max_norm,
        scale_grad_by_freq=config.scale_grad_by_freq,
        seed=task.config.training.seed,
        word_rows=task.word_rows,
    ).to(task.device)
    return model, engine_class(
        model,
        task.read_block,
        task.plan,
        task.schedule,
        batch_size=_batch_size(task.config),
        loader_workers=task.config.training.loader_workers,
        frozen=task.frozen,
    )


def _batch_size(config: Config) -> int:
    return config.training.batch_size or _BATCH_SIZE


SPEC = EngineSpec(
    name="autograd",
    why_not=lambda _: None,
    windows_per_step=_batch_size,
    threads=lambda _: 1,
    memory=_memory,
    build=build,
)
