"""The loss of a model on text that it is not trained on."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from sg_train.blocks import Block, BlockRef
from sg_train.model.embeddings import Model
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.loader import window_loader
from sg_train.sampling.windows import NO_WORD, SamplingPlan

_MOST_WINDOWS = 50_000  # more would cost time and change the mean by less than .005
_BATCH = 1024


class HeldOutLoss:
    """Computes the mean loss per pair of some windows, always the same ones.

    They are drawn once, as for training, but with a seed of their own. So the loss can
    be compared across epochs, and across all runs on the same corpus whose settings for
    sampling are the same.
    """

    def __init__(
        self,
        read_block: Callable[[int], Block],
        blocks: Sequence[int],
        plan: SamplingPlan,
    ) -> None:
        """Draw the windows: up to 50,000, evenly from all of the text.

        Args:
            read_block: returns a block by its number.
            blocks: the numbers of the blocks that are held out.
            plan: the settings and tables that decide the draws.
        """
        refs = [BlockRef(0, block) for block in blocks]
        share = _MOST_WINDOWS // len(refs)
        some = []
        for block in window_loader(read_block, plan, refs):
            count = len(block.centres)
            chosen = (
                torch.arange(min(count, share)) * count // max(1, min(count, share))
            )
            some.append(
                [
                    ids[chosen]
                    for ids in (block.contexts, block.centres, block.negatives)
                ]
            )
        self._contexts, self._centres, self._negatives = (
            torch.cat(parts) for parts in zip(*some, strict=True)
        )
        self.pairs = int(np.count_nonzero(self._contexts.numpy() != NO_WORD))

    def __call__(self, model: Model) -> float:
        """Return the mean loss per pair, over its positive and its negatives."""
        return self._mean(model, 0, len(self._centres))

    def by_half(self, model: Model) -> tuple[float, float]:
        """Return the mean loss per pair of the first and of the second half."""
        middle, end = len(self._centres) // 2, len(self._centres)
        return self._mean(model, 0, middle), self._mean(model, middle, end)

    @torch.no_grad()
    def _mean(self, model: Model, first: int, last: int) -> float:
        """Return the mean loss per pair of the windows from `first` up to `last`."""
        module = SkipGram.around(model)
        device = module.v_embeddings.weight.device
        loss, pairs = 0.0, 0
        for start in range(first, last, _BATCH):
            some = slice(start, min(start + _BATCH, last))
            contexts = self._contexts[some]
            batch = contexts, self._centres[some], self._negatives[some]
            loss += module(*(ids.to(device) for ids in batch)).item()
            pairs += int((contexts != NO_WORD).sum())
        return loss / pairs
