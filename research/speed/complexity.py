"""Multiply-adds of window models by part, compared with MMPose's single-frame model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation

Parts = Mapping[str, int]
"""Multiply-adds by part."""

PARTS = ('backbone', 'frame head', 'features', 'heatmaps', 'tokens', 'final decoder')
"""Encoding of a frame; its single-frame heatmaps; the neck's fusion of features (TFF); its merging
of heatmaps (TKS); the head's part before the decoder (DAM, STDA); the decoder."""

_DECODER = ('deconv_layers', 'conv_layers', 'final_layer', 'refine')

_CLASSIC = dict(deconv_out_channels=(256, 256), deconv_kernel_sizes=(4, 4))
"""ViTPose's classic decoder."""


def measure_complexity(cfg: Config) -> Parts:
    """Count the multiply-adds of one pose, for a person in every frame of a video.

    Each frame is encoded once. Nothing is computed. Models that take the labels of the auxiliary
    frames get them.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    joints = cfg.model.head.out_channels
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        size = model.backbone.img_size
        map_size = tuple(reversed(model.head.decoder.heatmap_size))
        frames = model.num_frames if model.with_neck else 1
        given = None
        if model.takes_labels:
            given = AuxiliaryLabels(
                heatmaps=torch.empty(1, 2, joints, *map_size),
                mask=torch.ones(1, 2, joints, dtype=torch.bool),
                prior=torch.empty(1, joints, *map_size),
                position=torch.empty(1),
            )
        with FlopCounterMode(display=False) as backbone:
            features = model.encode_frames(torch.empty(frames, 3, *size))
        heatmaps = None
        with FlopCounterMode(display=False) as frame_head:
            if model.reads_frame_heatmaps:
                heatmaps = model.predict_frame_heatmaps(features[None])
        with FlopCounterMode(display=False) as shared:
            projections = model.project_frames(features)
        with FlopCounterMode(display=False) as neck:
            if model.with_neck:
                representation = model.fuse(
                    features[None],
                    heatmaps,
                    given,
                    None if projections is None else projections[None],
                )
            else:
                representation = SpatioTemporalRepresentation(features)
        with FlopCounterMode(display=False) as head:
            model.head(representation)
    merged = _of_modules(neck, model.neck, ['tks']) if model.with_neck else 0
    before_decoder = [name for name in _called(model.head) if name.split('.')[0] not in _DECODER]
    tokens = _of_modules(head, model.head, before_decoder)
    return {
        'backbone': _total(backbone) // frames,
        'frame head': _total(frame_head) // frames,
        'features': _total(shared) // frames + _total(neck) - merged,
        'heatmaps': merged,
        'tokens': tokens,
        'final decoder': _total(head) - tokens,
    }


def mmpose_complexity(cfg: Config) -> Parts:
    """Count the multiply-adds of a pose in MMPose, with our backbone and ViTPose's classic decoder.

    Raises:
        InputError: If the model of the config has no frame head.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    with torch.device('meta'):
        model = MODELS.build(per_frame_model(cfg.model, classic=True)).eval()
        with FlopCounterMode(display=False) as backbone:
            feats = model.extract_feat(torch.empty(1, 3, *model.backbone.img_size))
        with FlopCounterMode(display=False) as decoder:
            model.head.forward(feats)
    parts = {'backbone': _total(backbone), 'final decoder': _total(decoder)}
    return {part: parts.get(part, 0) for part in PARTS}


def per_frame_model(model: Mapping[str, Any], classic: bool = False) -> dict[str, Any]:
    """Make the config of MMPose's estimator with our backbone and our frame head's decoder.

    Its backbone computes all tokens. ViTPose's classic decoder replaces the sub-pixel decoder,
    which MMPose does not have.

    Args:
        model: Config of our model.
        classic: Whether to use ViTPose's classic decoder in any case.

    Raises:
        InputError: If the model has no frame head.
    """
    if not model.get('frame_head'):
        raise InputError(
            'the model of the config has no frame_head, give one that MMPose can run frame by frame'
        )
    head = deepcopy(dict(model['frame_head']))
    upsample, shuffle_channels = head.pop('upsample', None), head.pop('shuffle_channels', None)
    neck = None
    if upsample is not None and (classic or shuffle_channels is not None):
        head.update(_CLASSIC)
    elif upsample is not None:
        neck = dict(type='FeatureMapProcessor', scale_factor=float(upsample), apply_relu=True)
        head.setdefault('final_layer', dict(kernel_size=3, padding=1))
    head.update(type='HeatmapHead', loss=dict(type='KeypointMSELoss'), decoder=None)
    return dict(
        type='TopdownPoseEstimator',
        data_preprocessor={**model['data_preprocessor'], 'type': 'PoseDataPreprocessor'},
        backbone={**deepcopy(dict(model['backbone'])), 'pruning': None, 'init_cfg': None},
        **({} if neck is None else {'neck': neck}),
        head=head,
    )


@dataclass(frozen=True)
class PoseWork:
    """Multiply-adds of one pose of a person in every frame of a video.

    Args:
        model: Name of the model.
        parts: Multiply-adds by part.
        to_mmpose: Ratio of the sum to MMPose's on the same backbone; ``None`` without a frame head,
            from which MMPose's model is made.
    """

    model: str
    parts: Parts
    to_mmpose: float | None

    @property
    def all(self) -> int:
        """Return the sum over the parts."""
        return sum(self.parts.values())


def pose_work(cfgs: Mapping[str, Config]) -> list[PoseWork]:
    """Count the multiply-adds of models, and of MMPose's model before the first on each backbone.

    Args:
        cfgs: Name -> config of the models.

    Raises:
        InputError: If the model of a config cannot be built.
    """
    rows: list[PoseWork] = []
    references: list[Parts] = []
    for name, cfg in cfgs.items():
        ratio = None
        with config_mistakes(name):
            parts = measure_complexity(cfg)
            reference = mmpose_complexity(cfg) if cfg.model.get('frame_head') else None
        if reference is not None:
            if reference not in references:
                references.append(reference)
                rows.append(PoseWork(f'MMPose, backbone of {name}', reference, 1.0))
            ratio = sum(parts.values()) / sum(reference.values())
        rows.append(PoseWork(name, parts, ratio))
    return rows


def work_table(rows: Sequence[PoseWork]) -> str:
    """Write multiply-adds as Markdown, in G."""
    lines = [
        'Multiply-adds of one pose, for a person in every frame of a video, in G; flip testing '
        'doubles them.',
        '',
        f'| model | {" | ".join(PARTS)} | all | to MMPose |',
        '|---' + '|--:' * (len(PARTS) + 2) + '|',
    ]
    for row in rows:
        macs = [*(row.parts[part] for part in PARTS), row.all]
        ratio = '' if row.to_mmpose is None else f'{row.to_mmpose:.2f}'
        cells = [row.model, *(f'{number / 1e9:.3f}' for number in macs), ratio]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def _total(counter: FlopCounterMode) -> int:
    # Two operations are one multiply-add.
    return counter.get_total_flops() // 2


def _called(root: nn.Module) -> Iterator[str]:
    """List the children of a module; lists of modules, which are never called, give theirs."""
    for name, child in root.named_children():
        if isinstance(child, nn.ModuleList):
            yield from (f'{name}.{index}' for index in range(len(child)))
        else:
            yield name


def _of_modules(counter: FlopCounterMode, root: nn.Module, names: Sequence[str]) -> int:
    """Sum the multiply-adds of submodules of a module that was called."""
    counts = counter.get_flop_counts()
    keys = [f'{type(root).__name__}.{name}' for name in names]
    return sum(sum(counts.get(key, {}).values()) for key in keys) // 2
