"""Transforms of MMPose that know one picture only, and what takes their place for windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmcv.transforms import TransformBroadcaster
from mmpose.datasets import transforms as mmpose_transforms

from stdpose_mm.errors import InputError

_PER_FRAME = (
    "WindowPhotometric, or MMCV's TransformBroadcaster(transforms=[...], mapping=dict(img='img')) "
    'around it'
)
_CONVERTER = (
    'it in the pipeline of a dataset of pictures, or label files with the joints of the model '
    '(stdpose convert)'
)
_NOT_TOP_DOWN = 'a pipeline of one person per sample, as in configs/_base_/pipelines'

REPLACEMENTS = {
    'Albumentation': _PER_FRAME,
    'BottomupGetHeatmapMask': _NOT_TOP_DOWN,
    'BottomupRandomAffine': _NOT_TOP_DOWN,
    'BottomupRandomChoiceResize': _NOT_TOP_DOWN,
    'BottomupRandomCrop': _NOT_TOP_DOWN,
    'BottomupResize': _NOT_TOP_DOWN,
    'FilterAnnotations': _NOT_TOP_DOWN,
    'GenerateTarget': 'GenerateWindowTarget',
    'HandRandomFlip': 'WindowRandomFlip',
    'KeypointConverter': _CONVERTER,
    'LoadImage': 'LoadWindow',
    'Mosaic': _NOT_TOP_DOWN,
    'PackPoseInputs': 'PackWindowInputs',
    'PhotometricDistortion': _PER_FRAME,
    'RandomFlip': 'WindowRandomFlip',
    'RandomFlipAroundRoot': 'WindowRandomFlip',
    'SingleHandConverter': _CONVERTER,
    'TopdownAffine': 'WindowTopdownAffine',
    'YOLOXHSVRandomAug': _PER_FRAME,
    'YOLOXMixUp': _NOT_TOP_DOWN,
}
"""Transform of MMPose -> what to use for windows."""


def refuse_picture_transforms(pipeline: Any, after: Any = None) -> None:
    """Refuse a pipeline of windows with a transform that would change only a part of a window.

    Args:
        pipeline: A pipeline as datasets hold it, with ``transforms``; other objects pass.
        after: The transform from which on samples are windows; None if they are from the start.

    Raises:
        InputError: If it holds one of ``REPLACEMENTS``. Subclasses of these pass, since they may be
            made for windows.
    """
    transforms = [*_transforms_in(pipeline)]
    if after in transforms:
        del transforms[: transforms.index(after)]
    for transform in transforms:
        name = type(transform).__name__
        if type(transform) is getattr(mmpose_transforms, name, None) and name in REPLACEMENTS:
            raise InputError(
                f"MMPose's {name} is for single pictures and cannot change a window of frames with "
                f'their labels, use {REPLACEMENTS[name]}'
            )


def _transforms_in(node: Any) -> Iterator[Any]:
    """Yield the transforms of a pipeline, also those in transforms that apply others."""
    inner = getattr(node, 'transforms', None)
    # This one applies its transforms to each frame.
    if isinstance(inner, list | tuple) and not isinstance(node, TransformBroadcaster):
        for transform in inner:
            yield transform
            yield from _transforms_in(transform)
    elif inner is not None and hasattr(inner, 'transforms'):
        yield from _transforms_in(inner)
