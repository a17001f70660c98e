from __future__ import annotations

import math

import pytest
import torch

from stdpose_mm.models.losses import MutualInformationLoss
from stdpose_mm.models.losses.mutual_information_loss import (
    gaussian_log_density,
    literal_information,
    position_divergence,
)
from stdpose_mm.models.structures import SpatioTemporalRepresentation

JOINTS, DIMS = 4, 8
TERMS = {
    'loss_mi_label_feature',
    'loss_mi_redundant_feature',
    'loss_mi_likelihood_feature',
    'loss_mi_label_heatmap',
    'loss_mi_redundant_heatmap',
    'loss_mi_likelihood_heatmap',
}


def representation(batch: int = 3, dependent: bool = True) -> SpatioTemporalRepresentation:
    """Leaf tensors; the fused feature and the merged heatmaps may depend on the key frame's."""
    torch.manual_seed(0)
    frame_feature = torch.randn(batch, DIMS, 4, 3)
    frame_heatmaps = torch.rand(batch, 3, JOINTS, 16, 12)
    noise = 0.1 if dependent else 0.0
    fused = frame_feature + noise * torch.randn_like(frame_feature)
    merged = 5 * frame_heatmaps[:, 1] + noise * torch.randn(batch, JOINTS, 16, 12)
    fields = (frame_feature, fused, frame_heatmaps, merged)
    return SpatioTemporalRepresentation(*(field.clone().requires_grad_() for field in fields))


def targets(batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.zeros(batch, JOINTS, 16, 12)
    target[..., 5:8, 4:7] = 0.5
    target[..., 6, 5] = 1
    return target, torch.ones(batch, JOINTS)


def fitted_loss(steps: int = 60, **kwargs) -> MutualInformationLoss:
    """A loss whose variational networks know the dependence."""
    torch.manual_seed(1)
    loss = MutualInformationLoss(JOINTS, DIMS, **kwargs)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.02)
    for _ in range(steps):
        terms = loss(representation(), *targets())
        optimizer.zero_grad()
        sum(value for name, value in terms.items() if 'likelihood' in name).backward()
        optimizer.step()
    return loss


@pytest.fixture(scope='module')
def fitted() -> MutualInformationLoss:
    return fitted_loss()


def gradients(loss: MutualInformationLoss, term: str) -> dict[str, bool]:
    """Which inputs and parameters a term gives a gradient other than zero."""
    inputs = representation()
    loss.zero_grad(set_to_none=True)
    loss(inputs, *targets())[term].backward()
    fields = {name: field for name, field in inputs._asdict().items() if field is not None}
    tensors = {**fields, **dict(loss.named_parameters())}
    return {
        name: tensor.grad is not None and bool(tensor.grad.abs().max() > 0)
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize(
    ('term', 'trained'),
    [
        ('loss_mi_label_feature', {'fused_feature', 'feature_decoder'}),
        ('loss_mi_redundant_feature', {'fused_feature'}),
        ('loss_mi_likelihood_feature', {'feature_predictor'}),
        ('loss_mi_label_heatmap', {'merged_heatmaps', 'heatmap_decoder'}),
        ('loss_mi_redundant_heatmap', {'merged_heatmaps'}),
        ('loss_mi_likelihood_heatmap', {'heatmap_predictor'}),
    ],
)
def test_each_term_trains_what_it_should_and_nothing_else(fitted, term, trained):
    reached = gradients(fitted, term)
    assert {name.split('.')[0] for name, touched in reached.items() if touched} == trained
    assert all(touched for name, touched in reached.items() if name.split('.')[0] in trained)


def test_all_terms_are_there_and_weighted(fitted):
    terms = fitted(representation(), *targets())
    assert set(terms) == TERMS
    doubled = MutualInformationLoss(JOINTS, DIMS, alpha=0.2, beta=0.02)
    doubled.load_state_dict(fitted.state_dict())
    for name, value in doubled(representation(), *targets()).items():
        torch.testing.assert_close(value, 2 * terms[name])


def test_terms_may_be_per_pixel_or_in_nats(fitted):
    nats = MutualInformationLoss(JOINTS, DIMS, per_pixel=False)
    nats.load_state_dict(fitted.state_dict())
    terms = fitted(representation(), *targets())
    for name, value in nats(representation(), *targets()).items():
        torch.testing.assert_close(value, 16 * 12 * terms[name])


def test_the_gain_lets_every_heatmap_term_reach_the_merged_heatmaps_at_once():
    def norms(**kwargs) -> list[float]:
        torch.manual_seed(2)
        loss = MutualInformationLoss(JOINTS, DIMS, **kwargs)
        found = []
        for name in ('loss_mi_label_heatmap', 'loss_mi_redundant_heatmap'):
            inputs = representation()
            loss(inputs, *targets())[name].backward()
            found.append(float(inputs.merged_heatmaps.grad.norm()))
        return found

    plain, amplified = norms(), norms(heatmap_gain=8.0)
    assert all(after > 5 * before for before, after in zip(plain, amplified, strict=True))


def test_gain_must_be_positive():
    with pytest.raises(ValueError, match='heatmap_gain must be positive, got 0'):
        MutualInformationLoss(JOINTS, DIMS, heatmap_gain=0)


@pytest.mark.parametrize(('frame', 'matters'), [(0, False), (1, True), (2, False)])
def test_redundancy_is_with_the_key_frame(fitted, frame, matters):
    inputs = representation()
    maps = inputs.frame_heatmaps.detach().clone()
    maps[:, frame] = maps[:, frame].roll(1, 0)
    before = fitted(inputs, *targets())['loss_mi_redundant_heatmap']
    after = fitted(inputs._replace(frame_heatmaps=maps), *targets())['loss_mi_redundant_heatmap']
    assert bool(before != after) == matters


def test_redundancy_is_positive_for_a_copy_and_zero_for_a_single_sample(fitted):
    terms = fitted(representation(), *targets())
    single = fitted(representation(batch=1), *targets(batch=1))
    for name in ('loss_mi_redundant_feature', 'loss_mi_redundant_heatmap'):
        assert terms[name] > 0
        assert single[name] == 0
    assert all(torch.isfinite(value) for value in single.values())


@pytest.mark.parametrize(('scale', 'mixed_up'), [(1e-4, True), (1.0, True), (1e4, False)])
def test_no_representation_makes_a_bound_negative_or_infinite(fitted, scale, mixed_up):
    inputs = representation()
    fused, merged = inputs.fused_feature, inputs.merged_heatmaps
    if mixed_up:
        fused, merged = fused.roll(1, 0), merged.roll(1, 0)
    moved = inputs._replace(fused_feature=scale * fused, merged_heatmaps=scale * merged)
    for name, value in fitted(moved, *targets()).items():
        assert torch.isfinite(value)
        assert value >= 0 or 'likelihood' in name


def test_label_divergence_by_hand():
    # Uniform over 4 positions against a target of (3/4, 1/4): log 4 less the target's entropy.
    target = torch.tensor([3.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    value = position_divergence(torch.zeros(1, 1, 2, 2), target, torch.ones(1, 1))
    assert float(value) == pytest.approx(math.log(4) - entropy, rel=1e-6)


@pytest.mark.parametrize('hide', ['weight', 'map'])
def test_unlabelled_joints_do_not_count(hide):
    torch.manual_seed(0)
    logits, (target, weights) = torch.randn(3, JOINTS, 16, 12), targets()
    weights = weights.clone()
    if hide == 'weight':
        weights[:, 1:] = 0
    else:
        target[:, 1:] = 0
    value = position_divergence(logits, target, weights)
    alone = position_divergence(logits[:, :1], target[:, :1], weights[:, :1])
    torch.testing.assert_close(value, alone)
    nothing = position_divergence(logits, torch.zeros_like(target), weights)
    assert float(nothing) == 0


def test_gaussian_log_density_is_the_normal_distribution():
    value, mean, log_variance = torch.randn(3, 5).unbind()
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = normal.log_prob(value) + 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(gaussian_log_density(value, mean, log_variance), expected)


# The softmax of 0.05 log(w) is w over its sum, so these maps of 2x2 are the distributions
# p = (4, 2, 1, 1) / 8 and q = (3, 1, 1, 3) / 8.
P, Q = (0.05 * torch.tensor(w).log().view(1, 1, 2, 2) for w in ((4.0, 2, 1, 1), (3.0, 1, 1, 3)))
# 3/4 log(3/8) + 1/4 log(1/8) = -1.255482, less 12/64 + 2/64 + 1/64 + 3/64 = 0.28125.
Q_OF_P = -1.536732
# 1/2 log(1/2) + 1/4 log(1/4) + 1/4 log(1/8) = -1.213008, less the same.
P_OF_Q = -1.494258


def test_literal_estimator_by_hand():
    """As public code: with a temperature of 0.05, and a probability for the log-probability."""
    assert float(literal_information(P, Q)) == pytest.approx(Q_OF_P / 4, abs=1e-6)
    assert float(literal_information(P, Q, per_pixel=False)) == pytest.approx(Q_OF_P, abs=1e-6)


@pytest.mark.parametrize(('per_pixel', 'positions'), [(True, 4), (False, 1)])
def test_literal_terms_of_eq_11_by_hand(per_pixel, positions):
    """H-bar is q; F_t, H_t and what the frame head reads from F~ are p; F~ is q and H~ is p."""
    loss = MutualInformationLoss(1, 1, estimator='literal', per_pixel=per_pixel)
    frames = torch.stack((Q, P, Q), dim=1)
    inputs = SpatioTemporalRepresentation(P, Q, frames, P)
    terms = loss(inputs, Q, torch.ones(1, 1), final_heatmaps=Q, fused_heatmaps=P)
    p_of_p = P_OF_Q + 0.28125 - (16 + 4 + 1 + 1) / 64
    expected = {
        'loss_mi_label_feature': -0.1 * Q_OF_P,
        'loss_mi_redundant_feature': 0.1 * Q_OF_P,
        'loss_mi_label_heatmap': -0.01 * Q_OF_P,
        'loss_mi_redundant_heatmap': 0.01 * p_of_p,
    }
    values = {name: float(value) * positions for name, value in terms.items()}
    assert values == pytest.approx(expected, abs=1e-6)


LITERAL_GRADIENTS = {
    'loss_mi_label_feature': {'final'},
    'loss_mi_redundant_feature': {'fused_feature'},
    'loss_mi_label_heatmap': {'final'},
    'loss_mi_redundant_heatmap': {'merged_heatmaps'},
}


@pytest.mark.parametrize('term', LITERAL_GRADIENTS)
def test_a_literal_term_reaches_its_second_maps_alone(term):
    loss = MutualInformationLoss(JOINTS, DIMS, estimator='literal')
    inputs, (target, weights) = representation(), targets()
    final = torch.rand_like(target).requires_grad_()
    fused = torch.rand_like(target).requires_grad_()
    loss(inputs, target, weights, final_heatmaps=final, fused_heatmaps=fused)[term].backward()
    tensors = {'final': final, 'fused heatmaps': fused}
    tensors |= {name: field for name, field in inputs._asdict().items() if field is not None}
    reached = {name for name, tensor in tensors.items() if tensor.grad is not None}
    assert reached == LITERAL_GRADIENTS[term]


def test_a_weight_of_zero_leaves_the_terms_out():
    features_only = MutualInformationLoss(JOINTS, DIMS, beta=0.0)
    inputs = representation()._replace(merged_heatmaps=None)
    assert {name.split('_')[-1] for name in features_only(inputs, *targets())} == {'feature'}


@pytest.mark.parametrize(
    ('field', 'message'),
    [('fused_feature', 'needs a neck with tff'), ('merged_heatmaps', 'needs a neck with tks')],
)
def test_a_missing_part_is_an_error(field, message):
    with pytest.raises(ValueError, match=message):
        MutualInformationLoss(JOINTS, DIMS)(representation()._replace(**{field: None}), *targets())


def test_unknown_estimator_is_an_error():
    with pytest.raises(ValueError, match=r"estimator must be one of .* got 'mine'"):
        MutualInformationLoss(JOINTS, DIMS, estimator='mine')


def test_heatmap_terms_are_expectations_over_the_positions_of_a_joint(fitted):
    """Worked out joint by joint, pixel by pixel."""
    inputs = representation()
    terms = fitted(inputs, *targets())
    with torch.no_grad():
        read = fitted.heatmap_decoder(inputs.merged_heatmaps)
        expected = fitted.heatmap_predictor(inputs.frame_heatmaps[:, 1])
        batch, joints = read.shape[:2]
        likelihood, advantage = 0.0, 0.0
        for n in range(batch):
            for k in range(joints):
                place = torch.softmax(read[n, k].ravel(), 0)
                other = torch.softmax(read[n - 1, k].ravel(), 0)
                log = torch.log_softmax(expected[n, k].ravel(), 0)
                likelihood += float((place * log).sum()) / (batch * joints)
                advantage += float(((place - other) * log).sum()) / (batch * joints)
    weight = 0.01 / (16 * 12)
    assert advantage > 0
    assert terms['loss_mi_likelihood_heatmap'].item() == pytest.approx(-weight * likelihood, 1e-4)
    assert terms['loss_mi_redundant_heatmap'].item() == pytest.approx(weight * advantage, 1e-3)


def test_windows_of_one_sample_are_not_told_from_each_other(fitted):
    """Two samples of two windows each: those of a sample are the same, so only the other counts."""
    single = representation(batch=2)
    doubled = SpatioTemporalRepresentation(
        *(None if field is None else field.repeat_interleave(2, 0) for field in single)
    )
    expected = fitted(single, *targets(batch=2))
    found = fitted(doubled, *targets(batch=4), 2)
    for name in ('loss_mi_redundant_feature', 'loss_mi_redundant_heatmap'):
        assert expected[name] > 0
        # The terms are far smaller than the default tolerance.
        torch.testing.assert_close(found[name], expected[name], atol=0, rtol=1e-3)
