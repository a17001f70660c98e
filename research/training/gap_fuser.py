from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpose.registry import MODELS
from torch import Tensor, nn

from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, SCALARS, VECTORS

_VECTOR_GAIN = 10.0
"""Factor that scales offsets of a few per cent of the pose's size to the order of one."""

_GROSS_ERROR = 0.3
_SMOOTH = 0.02
_MIN_SCALE = 0.005
"""Minimum scale in pose sizes; labels are not more precise than this."""


class FusedGaps(NamedTuple):
    """Fused positions of the joints of a batch of gaps.

    Args:
        offsets: [B, F, K, 2] from the evidence's centre, in pose sizes.
        log_scale: [B, F, K] logarithm of the scale of a planar Laplace distribution of the error,
            in pose sizes; the expected distance to the truth is twice that scale.
    """

    offsets: Tensor
    log_scale: Tensor


@MODELS.register_module()
class GapFuser(BaseModel):
    """Fuser of flow tracks, interpolation, patch matches and heatmaps of a whole gap.

    A token is one joint in one frame of the gap, labelled ends included. Attention over time
    (per joint) and over the joints (per frame) lets every decision see the whole gap. Nothing
    depends on a skeleton: a joint is identified by its position relative to the others, so the same
    weights serve bodies, hands and animals.

    The position is a weighted mean of the candidates (straight line, forward and backward flow)
    and of one more per reach of the maps, the mean of a learned distribution over their cells, plus
    a small correction.

    Args:
        num_vectors, num_scalars, num_maps: Numbers of inputs of each kind
            (``propagation.auto.fusion_features``); the first vectors are the candidates.
        candidate_flags: For each of the C candidates, the index of the scalar that is 1 where the
            candidate can be used and 0 elsewhere (flow, for example, needs the label from which it
            starts); ``None`` for a candidate that can always be used.
        map_steps: For every reach of the maps, the distance between two cells in pose sizes.
        map_side: Side of the maps in cells, a multiple of three.
        end_maps: Indices of the maps that are also read at the gap's two ends, where the truth is
            known; this shows how far these maps can be trusted for this joint.
        embed_dims: Width of a token.
        num_heads: Attention heads.
        num_layers: Number of layers, each with attention over time, over joints, and an MLP.
    """

    def __init__(
        self,
        num_vectors: int,
        num_scalars: int,
        num_maps: int,
        candidate_flags: Sequence[int | None],
        map_steps: Sequence[float],
        map_side: int,
        end_maps: Sequence[int],
        embed_dims: int = 64,
        num_heads: int = 4,
        num_layers: int = 3,
    ) -> None:
        super().__init__()
        self.candidate_flags = [*candidate_flags]
        self.end_maps = [*end_maps]
        self.map_readers: Any = nn.ModuleList(
            _MapReader(num_maps + 2 * len(end_maps), map_side, step, embed_dims)
            for step in map_steps
        )
        self.token_embed = nn.Sequential(
            nn.Linear(3 * num_vectors + num_scalars, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, embed_dims),
        )
        self.layers = nn.ModuleList(_AxialLayer(embed_dims, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(embed_dims)
        # Outputs: weights of the candidates and of the maps' means, correction, log-scale, and how
        # sharply each reach of the maps is read.
        reaches = len(map_steps)
        self.output_sizes = (len(candidate_flags) + reaches, 2, 1, reaches)
        self.output = nn.Linear(embed_dims, sum(self.output_sizes))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        vectors: Tensor,
        scalars: Tensor,
        maps: Tensor,
        base_weights: Tensor,
        known: Tensor,
        present: Tensor,
        targets: Tensor | None = None,
        weights: Tensor | None = None,
        mode: str = 'tensor',
    ) -> FusedGaps | dict[str, Tensor]:
        """Fuse a batch of gaps, padded to the same numbers of frames and joints.

        Args:
            vectors: [B, F, K, V, 2] in pose sizes.
            scalars: [B, F, K, S].
            maps: [B, F, K, R, M, side, side], M maps of R reaches.
            base_weights: [B, F, K, C] candidates' weights before the evidence is weighed.
            known: [B, K] joints with evidence; False for padded joints.
            present: [B, F] whether the frame exists; padding comes last.
            targets: [B, F, K, 2] true offsets, for ``mode='loss'``.
            weights: [B, F, K] 1 where the true position is known and wanted, else 0.
            mode: 'tensor' for the result, 'loss' for the losses of MMEngine's training loop.
        """
        seen = torch.cat([vectors, vectors.norm(dim=-1, keepdim=True)], dim=-1)
        tokens = torch.cat([torch.asinh(seen * _VECTOR_GAIN).flatten(-2), scalars], dim=-1)
        tokens = self.token_embed(tokens)
        scores = []
        for reader, reach in zip(
            self.map_readers, self._with_ends(maps, present).unbind(3), strict=True
        ):
            score, summary = reader(reach)
            scores.append(score)
            tokens = tokens + summary
        for layer in self.layers:
            tokens = layer(tokens, known, present)
        out = self.output(self.norm(tokens))
        logits, correction, log_scale, sharpness = out.split(self.output_sizes, dim=-1)
        places = [
            reader.mean_place(score * sharp.exp()[..., None])[0]
            for reader, score, sharp in zip(
                self.map_readers, scores, sharpness.unbind(-1), strict=True
            )
        ]
        from_maps = base_weights.new_zeros((*base_weights.shape[:-1], len(places)))
        prior = torch.cat([base_weights, from_maps], dim=-1)
        # Candidates without a label to start from are excluded; all others may get weight.
        usable = torch.cat([self._usable(scalars), from_maps + 1], dim=-1)
        logits = logits + torch.log(prior + 0.05)
        shares = logits.masked_fill(usable == 0, float('-inf')).softmax(-1)
        positions = vectors[..., : len(self.candidate_flags), :]
        candidates = torch.cat([positions, torch.stack(places, dim=-2)], dim=-2)
        offsets = (shares[..., None] * candidates).sum(-2) + correction / _VECTOR_GAIN
        scale = _MIN_SCALE + F.softplus(log_scale[..., 0] - 3.5)
        fused = FusedGaps(offsets, scale.log())
        if mode == 'tensor':
            return fused
        assert targets is not None
        assert weights is not None
        return fusion_losses(fused, targets, weights)

    def fuse_gap(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Fuse one gap.

        Args:
            inputs: Arguments of :meth:`forward` without the batch axis.

        Returns:
            See :class:`FusedGaps`, without the batch axis.
        """
        device = self.output.weight.device
        with torch.inference_mode():
            batch = {name: torch.from_numpy(v)[None].to(device) for name, v in inputs.items()}
            offsets, log_scale = self(**batch)
        return offsets[0].cpu().numpy(), log_scale[0].cpu().numpy()

    def _usable(self, scalars: Tensor) -> Tensor:
        """Find usable candidates [B, F, K, C]: 1 if usable, else 0."""
        always = torch.ones_like(scalars[..., 0])
        flags = (always if each is None else scalars[..., each] for each in self.candidate_flags)
        return torch.stack([*flags], dim=-1)

    def _with_ends(self, maps: Tensor, present: Tensor) -> Tensor:
        """Append the maps ``end_maps`` at the gap's first and last frame to the maps."""
        last = present.sum(1).long() - 1
        chosen = maps[:, :, :, :, self.end_maps]
        first_maps = chosen[:, :1].expand_as(chosen)
        last_maps = chosen[torch.arange(len(last), device=last.device), last][:, None]
        return torch.cat([maps, first_maps, last_maps.expand_as(chosen)], dim=4)


def build_fuser() -> GapFuser:
    """Build a network for :class:`FusionFeatures`, with random weights."""
    # The straight line is always usable, a flow track only if its label has the joint.
    flags = [None, SCALARS.index('has_left'), SCALARS.index('has_right')]
    return GapFuser(
        num_vectors=len(VECTORS),
        num_scalars=len(SCALARS),
        num_maps=len(MAPS),
        candidate_flags=flags,
        map_steps=MAP_STEPS,
        map_side=MAP_SIDE,
        end_maps=[MAPS.index(name) for name in ('frame_heatmap', 'network_heatmap')],
    )


class _MapReader(nn.Module):
    """Compute a score for every cell and a summary for the token from the maps of one reach.

    Args:
        num_maps: Number of maps M.
        map_side: Side of the maps in cells, a multiple of three.
        map_step: Distance between two cells in pose sizes.
        embed_dims: Width of the summary.
    """

    places: Tensor

    def __init__(self, num_maps: int, map_side: int, map_step: float, embed_dims: int) -> None:
        super().__init__()
        channels = 16
        self.encoder = nn.Sequential(
            nn.Conv2d(num_maps, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
        )
        self.score = nn.Conv2d(channels, 1, 1)
        self.pool = nn.AvgPool2d(map_side // 3)
        self.embed = nn.Linear(channels * 9 + 3, embed_dims)
        places = (torch.arange(map_side) - map_side // 2) * map_step
        grid = torch.stack(torch.meshgrid(places, places, indexing='xy'), dim=-1)
        self.register_buffer('places', grid.flatten(0, 1), persistent=False)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Read [B, F, K, M, side, side]: scores of cells [B, F, K, P], summary [B, F, K, D]."""
        encoded = self.encoder(maps.flatten(0, 2))
        score = self.score(encoded).flatten(1).unflatten(0, maps.shape[:3])
        pooled = self.pool(encoded).flatten(1).unflatten(0, maps.shape[:3])
        mean, spread = self.mean_place(score)
        summary = torch.cat([pooled, mean * _VECTOR_GAIN, spread * _VECTOR_GAIN], dim=-1)
        return score, self.embed(summary)

    def mean_place(self, score: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean [..., 2] and spread [..., 1] of the distribution, in pose sizes."""
        probability = score.softmax(-1)
        mean = probability @ self.places
        square = probability @ self.places.square().sum(-1)
        spread = (square - mean.square().sum(-1)).clamp(min=1e-8).sqrt()
        return mean, spread[..., None]


def fusion_losses(fused: FusedGaps, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Compute the losses of fused positions and of the error that the fuser expects.

    The distance counts linearly up to ``_GROSS_ERROR`` and logarithmically beyond, since a gross
    error is wrong whatever its size; the scale is fitted by the likelihood of a Laplace
    distribution in the plane, whose density is ``exp(-distance / scale) / (2 pi scale^2)``.

    Args:
        fused: The fuser's result.
        targets: [B, F, K, 2] true offsets in pose sizes.
        weights: [B, F, K].
    """
    distance = ((fused.offsets - targets).square().sum(-1) + _SMOOTH**2).sqrt() - _SMOOTH
    beyond = (distance / _GROSS_ERROR - 1).clamp(min=0)
    robust = distance.clamp(max=_GROSS_ERROR) + _GROSS_ERROR * torch.log1p(beyond)
    # Joints that stand still would pull the scale to zero, and their gradients to infinity, so the
    # position learns from the distance only.
    likelihood = distance.detach() * torch.exp(-fused.log_scale) + 2 * fused.log_scale
    total = weights.sum().clamp(min=1)
    return {
        'loss_position': 10 * (robust * weights).sum() / total,
        'loss_scale': 0.1 * (likelihood * weights).sum() / total,
    }


class _AxialLayer(nn.Module):
    """Attention over the frames of a joint, over the joints of a frame, and an MLP."""

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))
        self.over_time = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.over_joints = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dims, 2 * embed_dims), nn.GELU(), nn.Linear(2 * embed_dims, embed_dims)
        )

    def forward(self, tokens: Tensor, known: Tensor, present: Tensor) -> Tensor:
        batch, num_frames, num_joints, _ = tokens.shape
        hidden_frames = ~present[:, None].expand(batch, num_joints, num_frames).flatten(0, 1)
        hidden_joints = ~known[:, None].expand(batch, num_frames, num_joints).flatten(0, 1)
        over_time = self.norms[0](tokens).transpose(1, 2).flatten(0, 1)
        over_time = _attend(self.over_time, over_time, hidden_frames)
        tokens = tokens + over_time.unflatten(0, (batch, num_joints)).transpose(1, 2)
        over_joints = _attend(self.over_joints, self.norms[1](tokens).flatten(0, 1), hidden_joints)
        tokens = tokens + over_joints.unflatten(0, (batch, num_frames))
        return tokens + self.mlp(self.norms[2](tokens))


def _attend(attention: nn.MultiheadAttention, tokens: Tensor, hidden: Tensor) -> Tensor:
    """Attend among tokens [N, L, D] that are not hidden [N, L].

    Attention is computed here from the parameters of PyTorch's module, because the module's own
    forward pass fixes the numbers of frames and joints when it is traced.
    """
    qkv = F.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    qkv = qkv.unflatten(-1, (3, attention.num_heads, -1))
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    visible = ~hidden[:, None, None]
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    return attention.out_proj(attended.transpose(1, 2).flatten(2))
