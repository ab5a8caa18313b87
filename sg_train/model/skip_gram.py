"""The model in PyTorch: two embeddings and the loss of a batch of windows.

B  windows in a batch            M  context words per window, at most
K  negatives per window          D  dimension        V  size of the vocabulary
U  rows of the input matrix: V, or V and the buckets of n-grams
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sg_train.config import ModelConfig
from sg_train.model.embeddings import Embeddings, Model
from sg_train.sampling.windows import NO_WORD
from sg_train.vectors.ngrams import WordRows

_DEFAULTS = ModelConfig()


class SkipGram(nn.Module):
    """Skip-gram with negative sampling (Mikolov et al. 2013, equation 4).

    A subclass with another `pair_losses` or `forward` is trained with
    `train(config, out, model=TheSubclass)`.

    Attributes:
        u_embeddings: input matrix, (U, D) float32; its first V rows are the exported
            vectors or, with n-grams, the words' own parts of them.
        v_embeddings: output vectors, (V, D) float32.
    """

    def __init__(  # noqa: PLR0913 (each is a setting)
        self,
        embed_size: int,
        embed_dimension: int,
        *,
        u_range: float = _DEFAULTS.u_range,
        v_range: float = _DEFAULTS.v_range,
        max_norm: float | None = None,
        scale_grad_by_freq: bool = False,
        seed: int = 1,
        word_rows: WordRows | None = None,
        embeddings: Embeddings | None = None,
    ) -> None:
        """Make the embeddings and initialise them.

        Args:
            embed_size: V.
            embed_dimension: D.
            u_range: u starts uniform in ±u_range / D.
            v_range: v starts uniform in ±v_range / D.
            max_norm: rows longer than this are scaled back when they are looked up.
            scale_grad_by_freq: whether `scale_gradients` divides the gradient of a row
                by how often it was looked up.
            seed: of the initial vectors.
            word_rows: the rows of u that input vectors are composed of; by default one
                per word.
            embeddings: weights to train in place, instead of initial vectors.
        """
        super().__init__()
        self.embed_size = embed_size
        self.embed_dimension = embed_dimension
        self.scale_grad_by_freq = scale_grad_by_freq
        if embeddings is None:
            embeddings = Embeddings.empty(embed_size, embed_dimension, word_rows)
            embeddings.draw(seed, u_range=u_range, v_range=v_range)
        self.word_rows = embeddings.word_rows
        self.u_embeddings, self.v_embeddings = (
            nn.Embedding(
                len(matrix),
                embed_dimension,
                max_norm=max_norm,
                sparse=True,
                _weight=torch.from_numpy(matrix),
            )
            for matrix in (embeddings.u, embeddings.v)
        )

    @classmethod
    def around(cls, model: Model) -> "SkipGram":
        """Return the model itself, or a module that shares its weights."""
        if isinstance(model, SkipGram):
            return model
        u, v = model.matrices["u"], model.matrices["v"]
        return cls(*v.shape, embeddings=Embeddings(u, v, model.word_rows))

    @property
    def matrices(self) -> dict[str, NDArray[np.float32]]:
        """`u`, (U, D), and `v`, (V, D), float32; on the CPU, views of the weights."""
        u, v = (
            embedding.weight.detach().cpu().numpy()
            for embedding in (self.u_embeddings, self.v_embeddings)
        )
        return {"u": u, "v": v}

    @torch.no_grad()
    def set_rows(
        self,
        matrix: str,
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> None:
        """Replace some rows of a matrix; see `Model.set_rows`."""
        embedding = self.u_embeddings if matrix == "u" else self.v_embeddings
        weight = embedding.weight
        weight[torch.from_numpy(rows)] = torch.from_numpy(values).to(weight.device)

    def forward(self, pos_u: Tensor, pos_v: Tensor, neg_v: Tensor) -> Tensor:
        """Return the loss of a batch, summed over its pairs.

        -(sum log sigmoid(u . v) + sum log sigmoid(-u . n)) over the context words u of
        each window, its centre v and its negatives n.

        Args:
            pos_u: (B, M) int32 or int64 context ids, or (B,) for one per window.
            pos_v: (B,) centre ids.
            neg_v: (B, K) negative ids, shared by the window's pairs.
                NO_WORD in `pos_u` or `neg_v` marks places to leave out.

        Returns:
            A scalar.
        """
        contexts = pos_u.unsqueeze(1) if pos_u.dim() == 1 else pos_u
        targets = torch.cat((pos_v.unsqueeze(1), neg_v), dim=1)
        u = self._input_vectors(contexts)  # (B, M, D)
        v = _look_up(self.v_embeddings, targets)  # (B, 1 + K, D)
        dots = u @ v.transpose(1, 2)  # (B, M, 1 + K)
        losses = self.pair_losses(dots)
        taking_part = (contexts != NO_WORD).unsqueeze(2) & (
            targets != NO_WORD
        ).unsqueeze(1)
        return (losses * taking_part).sum()

    def pair_losses(self, dots: Tensor) -> Tensor:
        """Return the loss of each pair; a subclass may define another one.

        Args:
            dots: (B, M, 1 + K), the products of each context word with the centre and
                with each negative.

        Returns:
            (B, M, 1 + K); places to leave out do not count.
        """
        signed = torch.cat((dots[..., :1], -dots[..., 1:]), dim=2)
        return -F.logsigmoid(signed)

    def _input_vectors(self, words: Tensor) -> Tensor:
        """Return the input vectors of `words`, with zeros for NO_WORD.

        With n-grams, a vector is the mean of its rows, but each row gets its whole
        gradient: the derivative, divided by their number, learns more slowly.
        """
        if self.word_rows is None:
            return _look_up(self.u_embeddings, words)
        distinct, places = words.unique(return_inverse=True)
        known = distinct[distinct != NO_WORD].cpu().numpy()
        starts = self.word_rows.starts
        counts = starts[known + 1] - starts[known]
        rows = np.concatenate(
            [self.word_rows.rows[starts[word] : starts[word + 1]] for word in known]
        )
        device = words.device
        firsts = torch.from_numpy(np.cumsum(counts) - counts).to(device)
        total = F.embedding_bag(
            torch.from_numpy(rows.astype(np.int64)).to(device),
            self.u_embeddings.weight,
            firsts,
            mode="sum",
            sparse=True,
        )
        mean = total.detach() / torch.from_numpy(counts).to(total).unsqueeze(1)
        vectors = mean + (total - total.detach())
        if len(known) < len(distinct):  # NO_WORD is the lowest
            vectors = F.pad(vectors, (0, 0, 1, 0))
        return vectors[places]

    @torch.no_grad()
    def scale_gradients(self) -> None:
        """Divide the gradient of each row by how often it was looked up in the batch.

        Does nothing unless `scale_grad_by_freq` is set. torch does not support that
        option of `nn.Embedding` with sparse gradients.
        """
        if not self.scale_grad_by_freq:
            return
        for embedding in (self.u_embeddings, self.v_embeddings):
            gradient = embedding.weight.grad
            if gradient is None:
                continue
            looked_up = gradient._indices()[0]
            counts = torch.bincount(looked_up, minlength=self.embed_size)
            summed = gradient.coalesce()
            rows = summed.indices()
            embedding.weight.grad = torch.sparse_coo_tensor(
                rows,
                summed.values() / counts[rows[0]].unsqueeze(1),
                gradient.shape,
                is_coalesced=True,
                check_invariants=False,
            )

    if TYPE_CHECKING:

        def __call__(self, pos_u: Tensor, pos_v: Tensor, neg_v: Tensor) -> Tensor:
            """Call `forward`; nn.Module's own signature would hide the types."""


def _look_up(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    """Return the rows of `ids`, with zeros for NO_WORD, which is not looked up.

    So these places get no gradient, are not renormalised and are not counted.
    """
    marked = ids == NO_WORD
    if not marked.any():
        rows: Tensor = embedding(ids)
        return rows
    places = (~marked).flatten().nonzero().squeeze(1)
    found = embedding(ids.flatten()[places])
    flat = found.new_zeros((ids.numel(), embedding.embedding_dim))
    rows = flat.index_copy(0, places, found)
    return rows.view(*ids.shape, -1)
