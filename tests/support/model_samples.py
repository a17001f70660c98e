"""Small models and hand-made batches in the form the pipeline packs them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.codecs import BoundedUDPHeatmap
from stdpose_mm.models.layers.blocks import KeyFrameBlock, TransformerBlock
from support.tiny_models import appearance_synthesis, stdpose_cfg

NUM_JOINTS = 15
INPUT_SIZE = (96, 128)
HEATMAP_SIZE = (24, 32)
SIGMA = 4 / 3
# nose, head_bottom, head_top, then left/right pairs, as in PoseTrack.
FLIP_INDICES = [0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13]


def codec_cfg(
    input_size: tuple[int, int] = INPUT_SIZE, heatmap_size: tuple[int, int] = HEATMAP_SIZE
) -> dict[str, Any]:
    return {
        'type': 'BoundedUDPHeatmap',
        'input_size': input_size,
        'heatmap_size': heatmap_size,
        'sigma': SIGMA,
    }


def copy_block(source: TransformerBlock, target: KeyFrameBlock) -> None:
    """Give a block of single frames the weights of one of all frames."""
    state = source.state_dict()
    for kind in ('weight', 'bias'):
        query, key, value = state.pop(f'attn.qkv.{kind}').chunk(3)
        state |= {f'attn.query.{kind}': query, f'attn.key_value.{kind}': torch.cat((key, value))}
    target.load_state_dict(state)


def maps_head(cfg: dict[str, Any]) -> dict[str, Any]:
    """Return a head for ``cfg`` whose maps are those of the neck, as in the window baselines."""
    return {
        'type': 'SingleSourceHead',
        'source': 'merged_heatmaps',
        'in_channels': NUM_JOINTS,
        'out_channels': NUM_JOINTS,
        'deconv_out_channels': None,
        'final_layer': None,
        'loss': cfg['head']['loss'],
        'decoder': cfg['head']['decoder'],
    }


def tiny_cfg(use_prior: bool = False, mi: bool = False, **overrides: Any) -> dict[str, Any]:
    """Return the small recipe: 128x96 crops, 32x24 heatmaps; all parts of the paper but MI."""
    cfg = stdpose_cfg(
        *(NUM_JOINTS, codec_cfg(), 128, 4, 2, (96, 64), {'type': 'ForegroundMSELoss'}),
        arch='tiny',
        patch_embed='conv_stem',
        pos_embed_init='sine_cosine',
    )
    cfg['neck']['tks']['use_prior'] = use_prior
    cfg['frame_head_loss_weight'] = 1.0
    if mi:
        cfg['mi_loss'] = {
            'type': 'MutualInformationLoss',
            'num_joints': NUM_JOINTS,
            'feature_channels': 128,
        }
    cfg.update(overrides)
    return cfg


def appearance_cfg(**overrides: Any) -> dict[str, Any]:
    """Return the small recipe with the parts beyond the paper."""
    cfg = tiny_cfg(**overrides)
    cfg['neck']['tff'].update(num_blocks=1, relative_time=True, residual=True)
    cfg['neck']['tks'] = appearance_synthesis(NUM_JOINTS, 128)
    cfg['head'].update(num_blocks=1, merged_channels=48)
    cfg['head']['mask']['normalization'] = 'mean'
    return cfg


def build(cfg: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    init_default_scope('mmpose')
    torch.manual_seed(seed)
    return MODELS.build(copy.deepcopy(cfg))


def let_every_input_show(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Replace the initial zeros of heads and residual branches by random weights."""
    torch.manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.xavier_normal_(parameter)
    return network


def encode(
    keypoints: np.ndarray, visible: np.ndarray, codec: BoundedUDPHeatmap
) -> tuple[Tensor, Tensor]:
    """Encode one pose [K, 2] in crop pixels as heatmaps [K, h, w] and weights [K]."""
    encoded = codec.encode(keypoints[None].astype(np.float32), visible[None].astype(np.float32))
    return (
        torch.from_numpy(encoded['heatmaps']),
        torch.from_numpy(encoded['keypoint_weights'][0]).float(),
    )


def window_sample(
    rng: np.random.Generator, give: bool | tuple[bool, bool] = True
) -> tuple[Tensor, PoseDataSample]:
    """Make one window: noise pictures, a random pose that moves in a straight line.

    Args:
        rng: Source of the pictures and the pose.
        give: Whether the labels of (left, right) are given.
    """
    given = np.array([give, give] if isinstance(give, bool) else give)
    width, height = INPUT_SIZE
    codec = BoundedUDPHeatmap(INPUT_SIZE, HEATMAP_SIZE, sigma=SIGMA)
    start = rng.uniform((12, 12), (width - 12, height - 12), (NUM_JOINTS, 2))
    end = np.clip(start + rng.normal(0, 8, start.shape), 4, (width - 5, height - 5))
    visible = np.ones(NUM_JOINTS)
    left, left_weight = encode(start, visible, codec)
    right, right_weight = encode(end, visible, codec)
    key, key_weight = encode((start + end) / 2, visible, codec)
    given_mask = torch.from_numpy(np.repeat(given[:, None], NUM_JOINTS, 1))
    aux = torch.stack((left, right))

    sample = PoseDataSample(
        metainfo={
            'input_size': INPUT_SIZE,
            'input_center': np.array([(width - 1) / 2, (height - 1) / 2], dtype=np.float32),
            'input_scale': np.array([width - 1, height - 1], dtype=np.float32),
            'flip_indices': FLIP_INDICES,
            'video_name': 'clip',
            'frame_index': 3,
            'frame_indices': (0, 3, 6),
            'track_id': 0,
            'window_position': 0.5,
        }
    )
    sample.gt_instances = InstanceData(
        bboxes=np.array([[0, 0, width - 1, height - 1]], dtype=np.float32),
        bbox_scores=np.ones(1, dtype=np.float32),
        keypoints=((start + end) / 2)[None].astype(np.float32),
    )
    sample.gt_fields = PixelData(
        heatmaps=key,
        aux_heatmaps=aux.flatten(0, 1),
        given_heatmaps=(aux * given_mask[..., None, None]).flatten(0, 1),
        prior_heatmaps=key * float(given.all()),
    )
    sample.gt_instance_labels = InstanceData(
        keypoint_weights=key_weight[None],
        aux_keypoint_weights=torch.stack((left_weight, right_weight))[None],
        given_mask=given_mask.float()[None],
    )
    picture = torch.from_numpy(rng.integers(0, 256, (3, 3, height, width), dtype=np.uint8))
    return picture, sample


def window_batch(
    size: int = 2, seed: int = 0, give: bool | tuple[bool, bool] = True
) -> dict[str, Any]:
    """Return a batch as MMEngine's ``pseudo_collate`` makes it: lists of pictures and samples."""
    rng = np.random.default_rng(seed)
    pictures, samples = zip(*(window_sample(rng, give) for _ in range(size)), strict=True)
    return {'inputs': list(pictures), 'data_samples': list(samples)}


def segment_batch(size: int = 2, num_keys: int = 3, seed: int = 0) -> dict[str, Any]:
    """Make a batch of training samples, each with several key frames between two auxiliary ones."""
    batch = window_batch(size * num_keys, seed)
    pictures, samples = [], []
    for first in range(0, size * num_keys, num_keys):
        windows = batch['data_samples'][first : first + num_keys]
        crops = batch['inputs'][first : first + num_keys]
        left, *_, right = crops[0]
        keys = [crop[1] for crop in crops]
        pictures.append(torch.stack((left, *keys, right)))
        sample = PoseDataSample(metainfo=windows[0].metainfo)
        positions = tuple((n + 1) / (num_keys + 1) for n in range(num_keys))
        sample.set_metainfo({'window_position': positions})
        ends = windows[0].gt_fields
        sample.gt_fields = PixelData(
            heatmaps=torch.cat([window.gt_fields.heatmaps for window in windows]),
            aux_heatmaps=ends.aux_heatmaps,
            given_heatmaps=ends.given_heatmaps,
            prior_heatmaps=torch.cat([window.gt_fields.prior_heatmaps for window in windows]),
        )
        sample.gt_instance_labels = InstanceData(
            keypoint_weights=torch.cat(
                [window.gt_instance_labels.keypoint_weights for window in windows]
            ),
            **{
                name: windows[0].gt_instance_labels[name].repeat(num_keys, 1, 1)
                for name in ('aux_keypoint_weights', 'given_mask')
            },
        )
        samples.append(sample)
    return {'inputs': pictures, 'data_samples': samples}


def estimation_sample(sample: PoseDataSample) -> PoseDataSample:
    """Return the same sample without any label, as an inferencer makes it."""
    bare = PoseDataSample(metainfo=sample.metainfo)
    bare.gt_instances = sample.gt_instances
    return bare
