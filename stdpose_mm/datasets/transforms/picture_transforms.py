"""Transforms of MMPose and MMCV that know one picture only, and what to use for windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mmcv.transforms
from mmcv.transforms import TransformBroadcaster
from mmpose.datasets import transforms as mmpose_transforms

from stdpose_mm.errors import InputError

_COLOURS = (
    "WindowPhotometric, or MMCV's TransformBroadcaster(transforms=[...], mapping=dict(img='img'), "
    'auto_remap=True) around it'
)
_CONVERTER = (
    'it in the pipeline of a dataset of pictures, or label files with the joints of the model '
    '(stdpose convert)'
)
_ONE_PERSON = 'a pipeline of one person per sample, as in configs/_base_/pipelines'
_FLIP_TEST = 'model.test_cfg.flip_test'

REPLACEMENTS = {
    'Albumentation': _COLOURS,
    'BottomupGetHeatmapMask': _ONE_PERSON,
    'BottomupRandomAffine': _ONE_PERSON,
    'BottomupRandomChoiceResize': _ONE_PERSON,
    'BottomupRandomCrop': _ONE_PERSON,
    'BottomupResize': _ONE_PERSON,
    'CenterCrop': 'WindowTopdownAffine',
    'FilterAnnotations': _ONE_PERSON,
    'GenerateTarget': 'GenerateWindowTarget',
    'HandRandomFlip': 'WindowRandomFlip',
    'ImageToTensor': 'PackWindowInputs',
    'KeypointConverter': _CONVERTER,
    'LoadAnnotations': 'a dataset class that gives bbox, keypoints and keypoints_visible',
    'LoadImage': 'LoadWindow',
    'LoadImageFromFile': 'LoadWindow',
    'Mosaic': _ONE_PERSON,
    'MultiScaleFlipAug': _FLIP_TEST,
    'Normalize': 'mean and std of WindowDataPreprocessor',
    'PackPoseInputs': 'PackWindowInputs',
    'Pad': 'WindowTopdownAffine',
    'PhotometricDistortion': _COLOURS,
    'RandomChoiceResize': 'WindowRandomBBoxTransform',
    'RandomFlip': 'WindowRandomFlip',
    'RandomFlipAroundRoot': 'WindowRandomFlip',
    'RandomGrayscale': _COLOURS,
    'RandomResize': 'WindowRandomBBoxTransform',
    'Resize': 'WindowTopdownAffine',
    'SingleHandConverter': _CONVERTER,
    'TestTimeAug': _FLIP_TEST,
    'ToTensor': 'PackWindowInputs',
    'TopdownAffine': 'WindowTopdownAffine',
    'YOLOXHSVRandomAug': _COLOURS,
    'YOLOXMixUp': _ONE_PERSON,
}
"""Transform of MMPose or MMCV -> what to use for windows."""

_PACKAGES = (mmpose_transforms, mmcv.transforms)


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
        classes = [getattr(package, name, None) for package in _PACKAGES]
        if name in REPLACEMENTS and type(transform) in classes:
            raise InputError(
                f'the transform {name} is for single pictures and would change only a part of a '
                f'window of frames, use {REPLACEMENTS[name]}'
            )


def _transforms_in(node: Any) -> Iterator[Any]:
    """Yield the transforms of a pipeline, also those in transforms that apply others."""
    # This one applies its transforms to each frame.
    if isinstance(node, TransformBroadcaster):
        return
    inner = getattr(node, 'transforms', None)
    for transform in inner if isinstance(inner, list | tuple) else [inner]:
        if callable(transform):
            yield transform
        yield from () if transform is None else _transforms_in(transform)
