from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.models.backbones.token_pruning import TokenPruning


@pytest.fixture
def pruning() -> TokenPruning:
    torch.manual_seed(0)
    return TokenPruning(embed_dims=4, grid=(2, 3), after=1, keep=0.5)


def test_the_highest_scores_are_kept(pruning):
    scores = torch.tensor([[0.1, 0.9, -2.0, 0.8, 0.0, 0.7], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]])
    places = pruning.places(scores).sort(dim=1).values
    assert places.tolist() == [[1, 3, 5], [0, 1, 2]]


def test_scores_are_a_linear_layer_of_normalised_tokens(pruning):
    with torch.no_grad():
        pruning.weight.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        pruning.bias.fill_(0.5)
    # Mean 2.5, variance 1.25.
    tokens = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 6, 4)
    expected = 0.5 - 1.5 / math.sqrt(1.25)
    torch.testing.assert_close(pruning(tokens), torch.full((1, 6), expected))


def test_scores_of_bfloat16_tokens_are_float32(pruning):
    assert pruning(torch.zeros(1, 6, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_the_loss_by_hand(pruning):
    targets = torch.zeros(1, 2, 4, 6)
    targets[0, 0, 3, 2] = 1.0  # the patch in row 1, column 1
    targets[0, 1, 0, 5] = 0.25  # the patch in row 0, column 2
    scores = torch.zeros(1, 6)
    scores[0, 4] = 3.0
    found = pruning.losses(scores, targets, torch.ones(1, 2))['loss_tokens']
    # At a score of 0 the cross-entropy is log 2, whatever is wanted.
    assert found.item() == pytest.approx((5 * math.log(2) + math.log1p(math.exp(-3))) / 6)


def test_joints_and_crops_without_a_label_do_not_count(pruning):
    scores = torch.randn(3, 6)
    targets = torch.rand(3, 2, 4, 6)
    weights = torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    first = pruning.losses(scores[:1], targets[:1, 1:], torch.ones(1, 1))['loss_tokens']
    last = pruning.losses(scores[2:], targets[2:], torch.ones(1, 2))['loss_tokens']
    torch.testing.assert_close(
        pruning.losses(scores, targets, weights)['loss_tokens'], (first + last) / 2
    )
    assert pruning.losses(scores, targets, torch.zeros(3, 2))['loss_tokens'] == 0


def test_kept_joints_by_hand(pruning):
    scores = torch.tensor([[0.1, 0.9, -2.0, 0.8, 0.0, 0.7]])  # tokens 1, 3 and 5 are kept
    targets = torch.zeros(1, 4, 4, 6)
    for joint, (row, column) in enumerate(((0, 2), (3, 5), (0, 0), (3, 0))):
        targets[0, joint, row, column] = 1.0  # tokens 1, 5, 0 and 3
    weights = torch.tensor([[1.0, 0.5, 1.0, 0.0]])
    assert pruning.losses(scores, targets, weights)['kept_joints'].item() == pytest.approx(2 / 3)
    assert pruning.losses(scores, targets, 0 * weights)['kept_joints'] == 0


def test_nothing_but_the_scores_learns_from_the_loss(pruning):
    tokens = torch.randn(2, 6, 4, requires_grad=True)
    pruning.losses(pruning(tokens), torch.rand(2, 1, 4, 6), torch.ones(2, 1))[
        'loss_tokens'
    ].backward()
    assert tokens.grad is None
    assert all(parameter.grad.abs().max() > 0 for parameter in pruning.parameters())


@pytest.mark.parametrize('keep', [0.05, 0.99, 1.5, -1])
def test_a_share_that_keeps_none_or_all_is_refused(keep):
    with pytest.raises(InputError, match='keep of the pruning must keep some of the 6 tokens'):
        TokenPruning(4, (2, 3), 1, keep)
