import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sg_train.model.embeddings import Embeddings
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import NO_WORD


def random_model(size: int = 9, dimension: int = 5, **settings) -> SkipGram:
    torch.manual_seed(3)
    model = SkipGram(size, dimension, **settings)
    for embedding in (model.u_embeddings, model.v_embeddings):
        nn.init.normal_(embedding.weight)
    return model


def document_loss(model: SkipGram, pos_u, pos_v, neg_v) -> torch.Tensor:
    """Compute the loss as the document that defines the model writes it."""
    u = model.u_embeddings(pos_u)
    v = model.v_embeddings(pos_v)
    n = model.v_embeddings(neg_v)
    positive = F.logsigmoid((u * v).sum(dim=1)).sum()
    negative = F.logsigmoid(-torch.bmm(n, u.unsqueeze(2)).squeeze(2)).sum()
    return -(positive + negative)


def numpy_loss(u: np.ndarray, v: np.ndarray, pos_u, pos_v, neg_v) -> float:
    """Add the loss up pair by pair in float64."""
    loss = 0.0
    for contexts, centre, negatives in zip(pos_u, pos_v, neg_v, strict=True):
        for context in contexts:
            if context == NO_WORD:
                continue
            loss += np.log1p(np.exp(-u[context] @ v[centre]))
            for negative in negatives:
                if negative != NO_WORD:
                    loss += np.log1p(np.exp(u[context] @ v[negative]))
    return loss


@pytest.mark.parametrize("batch", [1, 4])
def test_single_pairs_give_the_documents_loss_and_gradients(batch: int) -> None:
    generator = torch.Generator().manual_seed(batch)
    pos_u = torch.randint(9, (batch,), generator=generator)
    pos_v = torch.randint(9, (batch,), generator=generator)
    neg_v = torch.randint(9, (batch, 3), generator=generator)
    ours, theirs = random_model(), random_model()
    loss, expected = (
        ours(pos_u, pos_v, neg_v),
        document_loss(theirs, pos_u, pos_v, neg_v),
    )
    assert loss.shape == ()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad is not None
        assert one.grad.is_sparse
        torch.testing.assert_close(one.grad.to_dense(), other.grad.to_dense())


ids = st.integers(0, 8)
places = st.integers(NO_WORD, 8)


@given(st.data(), st.integers(1, 4), st.integers(1, 6), st.integers(1, 4))
def test_windows_give_the_sum_over_their_pairs(data, batch, width, negatives) -> None:
    def table(element, columns: int) -> list[list[int]]:
        row = st.lists(element, min_size=columns, max_size=columns)
        return data.draw(st.lists(row, min_size=batch, max_size=batch))

    pos_u, neg_v = table(places, width), table(places, negatives)
    pos_v = [row[0] for row in table(ids, 1)]
    model = random_model()
    u, v = (w.detach().numpy().astype(np.float64) for w in model.parameters())
    loss = model(torch.tensor(pos_u), torch.tensor(pos_v), torch.tensor(neg_v))
    assert loss.item() == pytest.approx(numpy_loss(u, v, pos_u, pos_v, neg_v), rel=1e-5)


def test_marked_places_touch_no_row() -> None:
    model = random_model(max_norm=0.1)
    before = model.u_embeddings.weight.detach().clone()
    model(torch.tensor([[3, NO_WORD]]), torch.tensor([4]), torch.tensor([[NO_WORD]]))
    moved = (model.u_embeddings.weight.detach() != before).any(dim=1)
    assert moved.nonzero().flatten().tolist() == [3]
    loss = model(torch.tensor([[3, NO_WORD]]), torch.tensor([4]), torch.tensor([[5]]))
    loss.backward()
    assert model.u_embeddings.weight.grad.coalesce().indices().tolist() == [[3]]
    assert model.v_embeddings.weight.grad.coalesce().indices().tolist() == [[4, 5]]


def test_a_module_trains_the_memory_that_it_is_given() -> None:
    given = Embeddings.empty(4, 3)
    given.draw(2, u_range=1.0, v_range=1.0)
    model = SkipGram.around(given)
    assert SkipGram.around(model) is model
    before = given.u.copy()
    assert np.array_equal(model.matrices["u"], before)
    with torch.no_grad():
        model.u_embeddings.weight[1] += 1
    assert np.array_equal(given.u[1], before[1] + 1)
    model.set_rows("v", np.array([3, 0]), np.ones((2, 3), np.float32))
    assert (given.v[[0, 3]] == 1).all()
    assert (given.v[[1, 2]] != 1).all()


def test_max_norm_scales_looked_up_rows_back() -> None:
    model = random_model(max_norm=0.5)
    model(torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor([[5], [5]]))
    u, v = (w.detach().norm(dim=1) for w in model.parameters())
    assert (u[[1, 2]] <= 0.5 + 1e-6).all()
    assert (v[[3, 4, 5]] <= 0.5 + 1e-6).all()
    assert (u[[0, 3, 4, 5]] > 0.5).all()


def test_scaled_gradients_are_those_of_dense_embeddings() -> None:
    model = random_model(scale_grad_by_freq=True)
    dense = [
        nn.Embedding(9, 5, scale_grad_by_freq=True, _weight=weight.detach().clone())
        for weight in model.parameters()
    ]
    pos_u = torch.tensor([[1, 1, 2, NO_WORD], [1, 3, NO_WORD, NO_WORD]])
    pos_v = torch.tensor([4, 4])
    neg_v = torch.tensor([[5, 5], [4, 6]])
    model(pos_u, pos_v, neg_v).backward()
    model.scale_gradients()
    # Dense embeddings look the same rows up once each, without marked places.
    u = dense[0](torch.tensor([1, 1, 2, 1, 3]))
    v = dense[1](torch.tensor([[4, 5, 5], [4, 4, 6]]))
    dots = torch.cat((u[:3] @ v[0].T, u[3:] @ v[1].T))
    loss = -(F.logsigmoid(dots[:, 0]).sum() + F.logsigmoid(-dots[:, 1:]).sum())
    loss.backward()
    for weight, embedding in zip(model.parameters(), dense, strict=True):
        torch.testing.assert_close(weight.grad.to_dense(), embedding.weight.grad)


def test_gradients_are_not_scaled_unless_told() -> None:
    model = random_model()
    model.scale_gradients()
    model(
        torch.tensor([1, 1]), torch.tensor([2, 2]), torch.tensor([[3], [3]])
    ).backward()
    before = model.u_embeddings.weight.grad
    model.scale_gradients()
    assert model.u_embeddings.weight.grad is before
    untrained = random_model(scale_grad_by_freq=True)
    untrained.scale_gradients()
    assert untrained.u_embeddings.weight.grad is None
