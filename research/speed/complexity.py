"""Parameters and multiply-adds of window models by part, beside MMPose's model frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.flop_counter import FlopCounterMode

from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation

Parts = Mapping[str, int]
"""Multiply-adds by part."""

PARTS = ('backbone', 'frame head', 'features', 'heatmaps', 'tokens', 'final decoder')
"""The encoding of a frame; its single-frame heatmaps; the neck's fusion of features (TFF) and
merging of heatmaps (TKS); the head's part before the decoder (DAM, STDA); the decoder."""

_DECODER = ('deconv_layers', 'conv_layers', 'final_layer', 'refine')

_CLASSIC = dict(deconv_out_channels=(256, 256), deconv_kernel_sizes=(4, 4))
"""ViTPose's classic decoder."""


@dataclass(frozen=True)
class Complexity:
    """Size and the work of a window model.

    Args:
        parameters: Number of parameters that prediction needs.
        training_parameters: Number of those that only training needs.
        frame_parts: Multiply-adds to encode a frame.
        window_parts: Multiply-adds of the remaining parts for a window of encoded frames.
        frames: Number of frames that are encoded for a window.
    """

    parameters: int
    training_parameters: int
    frame_parts: Parts
    window_parts: Parts
    frames: int

    @property
    def frame_macs(self) -> int:
        """Return the multiply-adds to encode a frame."""
        return sum(self.frame_parts.values())

    @property
    def window_macs(self) -> int:
        """Return the multiply-adds of the remaining parts for a window of encoded frames."""
        return sum(self.window_parts.values())

    @property
    def alone(self) -> int:
        """Return the multiply-adds for a pose that shares no frame with another one."""
        return self.frames * self.frame_macs + self.window_macs

    @property
    def in_video(self) -> int:
        """Return the multiply-adds for a pose of a person in every frame of a video."""
        return self.frame_macs + self.window_macs

    @property
    def parts_in_video(self) -> Parts:
        """Return :attr:`in_video` by part."""
        return {
            part: self.frame_parts.get(part, 0) + self.window_parts.get(part, 0) for part in PARTS
        }


def measure_complexity(cfg: Config) -> Complexity:
    """Count parameters and multiply-adds of a config's model; nothing is computed.

    The labels of the auxiliary frames are given to models that take them. A parameter is needed in
    prediction if the heatmaps depend on it.
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
        with _counted() as backbone:
            features = model.encode_frames(torch.empty(frames, 3, *size))
        heatmaps = None
        with _counted() as frame_head:
            if model.reads_frame_heatmaps:
                heatmaps = model.predict_frame_heatmaps(features[None])
        with _counted() as shared:
            projections = model.project_frames(features)
        with _counted() as neck:
            if model.with_neck:
                representation = model.fuse(
                    features[None],
                    heatmaps,
                    given,
                    None if projections is None else projections[None],
                )
            else:
                representation = SpatioTemporalRepresentation(features)
        with _counted() as head:
            output = model.head(representation)
    behind = _parameters_behind(output)
    if (pruning := getattr(model.backbone, 'pruning', None)) is not None:
        # The choice of tokens is none of the operations that autograd records.
        behind |= set(pruning.parameters())
    needed = sum(parameter.numel() for parameter in behind)
    merged = _of_modules(neck, model.neck, ['tks']) if model.with_neck else 0
    before_decoder = [name for name in _called(model.head) if name.split('.')[0] not in _DECODER]
    tokens = _of_modules(head, model.head, before_decoder)
    return Complexity(
        parameters=needed,
        training_parameters=sum(parameter.numel() for parameter in model.parameters()) - needed,
        frame_parts={
            'backbone': _total(backbone) // frames,
            'frame head': _total(frame_head) // frames,
            'features': _total(shared) // frames,
        },
        window_parts={
            'features': _total(neck) - merged,
            'heatmaps': merged,
            'tokens': tokens,
            'final decoder': _total(head) - tokens,
        },
        frames=frames,
    )


def mmpose_complexity(cfg: Config) -> Parts:
    """Count the multiply-adds of a pose by MMPose: our backbone, ViTPose's classic decoder.

    Raises:
        InputError: If the model of the config has no frame head.
    """
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    with torch.device('meta'):
        model = MODELS.build(per_frame_model(cfg.model, classic=True)).eval()
        with _counted() as backbone:
            feats = model.extract_feat(torch.empty(1, 3, *model.backbone.img_size))
        with _counted() as decoder:
            model.head.forward(feats)
    parts = {'backbone': _total(backbone), 'final decoder': _total(decoder)}
    return {part: parts.get(part, 0) for part in PARTS}


def per_frame_model(model: Mapping[str, Any], classic: bool = False) -> dict[str, Any]:
    """Write the config of MMPose's estimator with our backbone and our frame head's decoder.

    Its backbone computes all tokens. In place of the sub-pixel decoder, which MMPose has not, it
    has ViTPose's classic one.

    Args:
        model: Config of our model.
        classic: Take ViTPose's classic decoder whatever the frame head has.

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
            which MMPose's model is made of.
    """

    model: str
    parts: Parts
    to_mmpose: float | None

    @property
    def all(self) -> int:
        """Return the sum over the parts."""
        return sum(self.parts.values())


def pose_work(cfgs: Mapping[str, Config]) -> list[PoseWork]:
    """Count the multiply-adds of models, and of MMPose's before the first on the same backbone.

    Args:
        cfgs: Name -> config of the models.

    Raises:
        InputError: If a config describes no model that can be built.
    """
    rows: list[PoseWork] = []
    references: list[Parts] = []
    for name, cfg in cfgs.items():
        ratio = None
        with config_mistakes(name):
            complexity = measure_complexity(cfg)
            reference = mmpose_complexity(cfg) if cfg.model.get('frame_head') else None
        if reference is not None:
            if reference not in references:
                references.append(reference)
                rows.append(PoseWork(f'MMPose, backbone of {name}', reference, 1.0))
            ratio = complexity.in_video / sum(reference.values())
        rows.append(PoseWork(name, complexity.parts_in_video, ratio))
    return rows


def work_table(rows: Sequence[PoseWork]) -> str:
    """Write multiply-adds as Markdown, in G."""
    lines = [
        'Multiply-adds of a pose of a person in every frame of a video, in G; mirrored crops '
        'double them.',
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


def _parameters_behind(output: Tensor) -> set[Tensor]:
    """Find the parameters that a tensor was computed from, in the graph that autograd recorded."""
    found: set[Tensor] = set()
    seen: set[Node] = set()
    waiting = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        # Only a node that accumulates the gradient of a leaf has a variable.
        if (leaf := getattr(node, 'variable', None)) is not None:
            found.add(leaf)
        waiting += [before for before, _ in node.next_functions]
    return found


@contextmanager
def _counted() -> Iterator[FlopCounterMode]:
    """Count the operations that are computed within this context."""
    with FlopCounterMode(display=False) as counter:
        yield counter


def _total(counter: FlopCounterMode) -> int:
    # Two operations are one multiply-add.
    return counter.get_total_flops() // 2


def _called(root: nn.Module) -> Iterator[str]:
    """List the children of a module, and those of its lists of modules, which are never called."""
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
