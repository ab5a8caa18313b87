"""The reference engine: the step as plain PyTorch says it, on any device."""

from collections.abc import Callable, Iterable, Iterator

import torch

from sg_train.engines.base import BlockResult, Frozen
from sg_train.model import SkipGram
from sg_train.sampling.loader import Place, Sentences, WindowBlock, window_loader
from sg_train.sampling.windows import SamplingPlan


class AutogradEngine:
    """Trains by autograd and sparse SGD, a mini-batch of windows a step."""

    def __init__(
        self,
        model: SkipGram,
        read_block: Callable[[int], Sentences],
        plan: SamplingPlan,
        learning_rate: Callable[[Place, int], float],
        *,
        batch_size: int = 256,
        loader_workers: int = 0,
        frozen: Frozen | None = None,
    ) -> None:
        """Set up the optimizer on `model`, on whatever device that is.

        Args:
            model: whose weights are trained in place.
            read_block: returns a block's sentences by its number.
            plan: what decides the draws.
            learning_rate: the rate at a place in the run and a position in its block.
            batch_size: windows a step; their summed loss is one step.
            loader_workers: processes that draw windows ahead.
            frozen: rows that stay as they are; `max_norm` scales them all the same.
        """
        self._model = model
        self._read_block = read_block
        self._plan = plan
        self._learning_rate = learning_rate
        self._batch_size = batch_size
        self._loader_workers = loader_workers
        self._device = model.u_embeddings.weight.device
        self._optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        self._frozen = frozen
        self._free = [
            torch.from_numpy(~rows).to(self._device)
            for rows in ((frozen.u, frozen.v) if frozen else ())
        ]

    def compile(self) -> None:
        """Do nothing: it runs as it is."""

    def train(self, places: Iterable[Place]) -> Iterator[BlockResult]:
        """Train on blocks in the order of `places`; see `Engine.train`."""
        loader = window_loader(
            self._read_block,
            self._plan,
            places,
            workers=self._loader_workers,
            pin_memory=self._device.type == "cuda",
        )
        for block in loader:
            yield self._train_block(block)

    def _train_block(self, block: WindowBlock) -> BlockResult:
        rate = self._learning_rate(block.place, 0)
        if not block.pairs:
            return BlockResult(block.place, block.words, 0, 0.0, rate)
        contexts, centres, negatives = (
            ids.to(self._device, non_blocking=True).split(self._batch_size)
            for ids in (block.contexts, block.centres, block.negatives)
        )
        is_frozen = self._frozen is not None and self._frozen.during(block.place)
        first_positions = block.positions[:: self._batch_size].tolist()
        losses = []
        for pos_u, pos_v, neg_v, position in zip(
            contexts, centres, negatives, first_positions, strict=True
        ):
            rate = self._learning_rate(block.place, position)
            losses.append(self._step(pos_u, pos_v, neg_v, rate, frozen=is_frozen))
        # Fetched at once, so that a GPU need not wait for Python at every step.
        loss = torch.stack(losses).cpu().double().sum().item()
        return BlockResult(block.place, block.words, block.pairs, loss, rate)

    def _step(
        self,
        pos_u: torch.Tensor,
        pos_v: torch.Tensor,
        neg_v: torch.Tensor,
        rate: float,
        *,
        frozen: bool,
    ) -> torch.Tensor:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss = self._model(pos_u, pos_v, neg_v)
        loss.backward()
        self._model.scale_gradients()
        if frozen:
            self._drop_gradients()
        self._optimizer.step()
        return loss.detach()

    def _drop_gradients(self) -> None:
        """Set the gradients of rows that are frozen to zero."""
        for weight, is_free in zip(self._model.parameters(), self._free, strict=True):
            if weight.grad is not None:
                rows, values = weight.grad._indices()[0], weight.grad._values()
                values *= is_free[rows].unsqueeze(1)
