from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.models.structures import SpatioTemporalRepresentation, key_of
from stdpose_mm.registration import register

ESTIMATORS = ('variational', 'literal')
# Maximum absolute log-variance of the variational Gaussian.
MAX_LOG_VARIANCE = 3.0
# Divides the maps before the softmax of the literal estimator, in FAMI-Pose's code.
TEMPERATURE = 0.05


@register(MODELS)
class MutualInformationLoss(nn.Module):
    """Mutual information objective (Eq. 2 and 8 to 11).

    ``-alpha * [I(y; F~) - I(F~; F_t)] - beta * [I(y; H~) - I(H~; H_t)]``: the fused feature F~ and
    the merged heatmaps H~ keep the information about the pose y and drop what the key frame's F_t
    and H_t already contain.

    The ``variational`` estimator bounds every term from the right side:

    - I(y; .) from below (Barber and Agakov 2003): a small decoder turns the representation into a
      log-distribution of each joint's position. The loss is its KL divergence from the normalised
      target map (the cross-entropy less a constant), in nats, averaged over the labelled joints,
      never below 0.
    - I(.; .) from above (CLUB, Cheng et al. 2020): a variational network predicts the fused from
      the key frame's. The loss is the log-likelihood of the own window less that of a window of
      another sample in the batch, since windows of one sample show the same person and gap. F~ is
      normalised to unit variance (Gaussian with bounded variance, nats per channel); H~ is read as
      positions through the label decoder. Mutual information is never negative, so a negative
      estimate counts as 0 and has no gradient: the term is bounded. With one sample per batch it
      is 0.
    - The variational networks are trained by their own likelihood, on detached inputs. It has the
      weight of its term, so that clipping the gradient of all parameters together does not let
      these networks shrink the steps of the others.

    F_t and H_t get no gradient from the objective.

    ``literal`` estimates I(a; b) as the public code of FAMI-Pose (Liu et al. 2022) does, from which
    the paper has its objective: mean of ``q * (log q - p)``, where p and q are the softmax over
    positions of a / 0.05 and b / 0.05, and a is detached. This is a KL divergence with a
    probability in place of a log-probability; it is not a bound. In place of the label y it has the
    final heatmaps H-bar: I(y; F~) is that of F~, decoded by the frame head, and H-bar, and
    I(y; H~) that of H~ and H-bar. So the terms with y sharpen the peaks of H-bar, wherever these
    are, and the redundancies flatten F~ and H~.

    Args:
        num_joints: Number of joints K.
        feature_channels: Width D of F~ and F_t.
        estimator: 'variational' or 'literal'.
        alpha: Weight of the feature terms; 0 omits them.
        beta: Weight of the heatmap terms; 0 omits them.
        per_pixel: Whether to divide the nats by the number of pixels (with ``literal``, of the
            compared maps), as :class:`KeypointMSELoss` does with its squared error; the paper's
            weights are assumed to be made for that scale. Use ``False`` with a heatmap loss that
            sums over pixels.
        heatmap_gain: Factor of the identity that initialises the variational networks of the
            heatmap terms. Heatmaps are at most 1 high, and only logits several times as high locate
            a joint. ``None`` keeps PyTorch's small random weights, which pass almost no gradient
            until they have grown large.
        upsample: Size of the heatmaps relative to the features, a whole number. By default that of
            the model's head, or 4.

    Raises:
        InputError: If the estimator is unknown, or ``heatmap_gain`` is not positive.
    """

    def __init__(
        self,
        num_joints: int,
        feature_channels: int,
        estimator: str = 'variational',
        alpha: float = 0.1,
        beta: float = 0.01,
        per_pixel: bool = True,
        heatmap_gain: float | None = None,
        upsample: int = 4,
    ) -> None:
        super().__init__()
        if heatmap_gain is not None and heatmap_gain <= 0:
            raise InputError(f'heatmap_gain must be positive, got {heatmap_gain}')
        require_choice('estimator', estimator, ESTIMATORS)
        self.estimator = estimator
        self.alpha = alpha
        self.beta = beta
        self.per_pixel = per_pixel
        if estimator == 'literal':
            return
        if alpha:
            self.feature_decoder = nn.Sequential(
                nn.Conv2d(feature_channels, num_joints * upsample**2, kernel_size=1),
                nn.PixelShuffle(upsample),
            )
            self.feature_predictor = nn.Sequential(
                nn.Conv2d(feature_channels, feature_channels, kernel_size=1),
                nn.GELU(),
                nn.Conv2d(feature_channels, 2 * feature_channels, kernel_size=1),
            )
        if beta:
            # No biases, since the softmax over positions would cancel them.
            self.heatmap_decoder = nn.Conv2d(num_joints, num_joints, kernel_size=1, bias=False)
            self.heatmap_predictor = nn.Conv2d(num_joints, num_joints, kernel_size=1, bias=False)
            if heatmap_gain is not None:
                for network in (self.heatmap_decoder, self.heatmap_predictor):
                    identity = torch.eye(num_joints)[..., None, None]
                    network.weight = nn.Parameter(heatmap_gain * identity)

    def forward(
        self,
        representation: SpatioTemporalRepresentation,
        target: Tensor,
        target_weights: Tensor,
        windows_per_sample: int = 1,
        final_heatmaps: Tensor | None = None,
        fused_heatmaps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the terms of the objective.

        Args:
            representation: Output of the neck for N windows, with those of a sample next to each
                other.
            target: Target heatmaps of the key frame [N, K, h, w].
            target_weights: Weights of the joints [N, K]; a joint with weight 0 is omitted from the
                terms with y.
            windows_per_sample: Number of windows of each sample.
            final_heatmaps: H-bar [N, K, h, w], for ``literal``.
            fused_heatmaps: Heatmaps that the frame head reads from F~ [N, K, h, w], for
                ``literal``.

        Returns:
            Weighted scalar losses: ``loss_mi_label_feature``, ``loss_mi_redundant_feature``,
            ``loss_mi_label_heatmap``, ``loss_mi_redundant_heatmap``, and
            ``loss_mi_likelihood_feature`` and ``loss_mi_likelihood_heatmap`` of the variational
            networks.

        Raises:
            InputError: If the neck provides no F~ (H~) although ``alpha`` (``beta``) is set.
        """
        fused, merged = representation.fused_feature, representation.merged_heatmaps
        key_feature, frame_heatmaps = representation.frame_feature, representation.frame_heatmaps
        key_heatmaps = None if frame_heatmaps is None else key_of(frame_heatmaps)
        if self.alpha and fused is None:
            raise InputError('alpha > 0 needs a neck with tff')
        if self.beta and (merged is None or key_heatmaps is None):
            raise InputError('beta > 0 needs a neck with tks')
        if self.estimator == 'literal':
            pairs: dict[str, tuple[float, Any, Any]] = dict(
                label_feature=(-self.alpha, fused_heatmaps, final_heatmaps),
                redundant_feature=(self.alpha, key_feature, fused),
                label_heatmap=(-self.beta, merged, final_heatmaps),
                redundant_heatmap=(self.beta, key_heatmaps, merged),
            )
            return {
                f'loss_mi_{name}': weight * literal_information(first, second, self.per_pixel)
                for name, (weight, first, second) in pairs.items()
                if weight
            }
        scale = target[0, 0].numel() if self.per_pixel else 1
        label = target, target_weights
        losses: dict[str, Tensor] = {}
        if self.alpha and fused is not None:
            terms = self._feature_terms(fused, key_feature.detach(), label, windows_per_sample)
            losses |= {f'{name}_feature': self.alpha / scale * v for name, v in terms.items()}
        if self.beta and merged is not None and key_heatmaps is not None:
            terms = self._heatmap_terms(merged, key_heatmaps.detach(), label, windows_per_sample)
            losses |= {f'{name}_heatmap': self.beta / scale * v for name, v in terms.items()}
        return losses

    def _feature_terms(
        self, fused: Tensor, key_feature: Tensor, label: tuple[Tensor, Tensor], num_windows: int
    ) -> dict[str, Tensor]:
        value = normalize_channels(fused)
        moments = self.feature_predictor(normalize_channels(key_feature))
        mean, spread = moments.float().chunk(2, dim=1)
        log_variance = MAX_LOG_VARIANCE * torch.tanh(spread)
        # Normalised like the value it predicts; otherwise the estimate could grow with its length.
        mean = normalize_channels(mean)
        likelihood = gaussian_log_density(value.detach(), mean, log_variance)
        log_density = gaussian_log_density(value, mean.detach(), log_variance.detach())
        unrelated = value.roll(num_windows, 0)
        other = gaussian_log_density(unrelated, mean.detach(), log_variance.detach())
        return dict(
            loss_mi_label=position_divergence(self.feature_decoder(fused), *label),
            loss_mi_redundant=F.relu((log_density - other).mean()),
            loss_mi_likelihood=-likelihood.mean(),
        )

    def _heatmap_terms(
        self, merged: Tensor, key_heatmaps: Tensor, label: tuple[Tensor, Tensor], num_windows: int
    ) -> dict[str, Tensor]:
        # The redundancy term must train H~, not the decoder that reads it.
        positions = F.conv2d(merged, self.heatmap_decoder.weight.detach())
        positions = positions.float().flatten(2).softmax(-1)
        predicted = self.heatmap_predictor(key_heatmaps).float().flatten(2).log_softmax(-1)
        likelihood = (positions.detach() * predicted).sum(-1).mean()
        unrelated = positions.roll(num_windows, 0)
        advantage = ((positions - unrelated) * predicted.detach()).sum(-1).mean()
        return dict(
            loss_mi_label=position_divergence(self.heatmap_decoder(merged), *label),
            loss_mi_redundant=F.relu(advantage),
            loss_mi_likelihood=-likelihood,
        )


def normalize_channels(features: Tensor) -> Tensor:
    """Normalise the channels of every position to zero mean and unit variance: [N, D, h, w]."""
    channels_last = features.float().movedim(1, -1)
    return F.layer_norm(channels_last, channels_last.shape[-1:]).movedim(-1, 1)


def gaussian_log_density(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute the log-density of a diagonal Gaussian less its constant, elementwise."""
    return -0.5 * ((value - mean).square() * torch.exp(-log_variance) + log_variance)


def position_divergence(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Compute the KL divergence of predicted positions from target maps, read as distributions.

    Args:
        logits: Unnormalised log-probabilities of positions [N, K, h, w].
        target: Target heatmaps [N, K, h, w], not negative.
        weights: Weights of the joints [N, K]; joints with weight 0 or an empty map do not count.

    Returns:
        Mean over the counted joints in nats, at least 0; 0 if none counts.
    """
    target = target.float().flatten(2)
    mass = target.sum(-1, keepdim=True)
    counted = (weights > 0) & (mass[..., 0] > 0)
    positions = target / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    log_predicted = logits.float().flatten(2).log_softmax(-1)
    divergence = (torch.xlogy(positions, positions) - positions * log_predicted).sum(-1)
    return (divergence * counted).sum() / counted.sum().clamp(min=1)


def literal_information(first: Tensor, second: Tensor, per_pixel: bool = True) -> Tensor:
    """Compare maps [N, C, h, w] as FAMI-Pose's code does; only the second ones get a gradient.

    Returns:
        ``q * (log q - p)``, averaged over the N * C maps and over (or, without ``per_pixel``,
        summed over) their positions.
    """
    p = (first.detach().float() / TEMPERATURE).flatten(2).softmax(-1)
    log_q = (second.float() / TEMPERATURE).flatten(2).log_softmax(-1)
    divergence = log_q.exp() * (log_q - p)
    return divergence.mean() if per_pixel else divergence.sum(-1).mean()
