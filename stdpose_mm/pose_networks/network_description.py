"""Inputs and outputs of a network whose file comes without a config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.structures import Skeleton

from .joint_sets import JOINT_SETS

Output = Literal['heatmap', 'simcc']
Activation = Literal['none', 'sigmoid']
Geometry = Literal['mmpose', 'udp', 'centre']
Colours = Literal['rgb', 'bgr']

_IMAGENET_MEAN, _IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class NetworkDescription:
    """Describe the inputs and outputs of a pose network.

    Args:
        joints: Names of its K joints.
        output: 'heatmap' [N, K, h, w], or 'simcc' [N, K, bins] for x and for y.
        input_size: (width, height) of the input in pixels; None if the file gives it.
        mean: Subtracted from each colour, 0..255, in the order of ``colours``.
        std: Each colour is then divided by it.
        colours: Order of the input's channels.
        padding: Factor by which the box is enlarged, after it has been given the aspect ratio of
            the input.
        geometry: How pixels of the crop and cells of the maps are aligned. 'mmpose': the crop is
            resized from edge to edge and cell (0, 0) lies on pixel (0, 0), as in MMPose without
            UDP; 'udp': centres of the corner pixels, and cells, lie on each other (Huang et al.,
            CVPR 2020); 'centre': edges lie on edges, for crops and maps alike.
        activation: Function of the values of heatmaps, before anything else: 'sigmoid' for a
            network that gives logits.
        smooth: Standard deviation in cells of a Gaussian over the maps.
        split_ratio: For 'simcc': bins per pixel.
        sharpness: For 'simcc': factor on the outputs before the softmax in training: 10 for
            RTMPose, 1 for plain SimCC.

    Raises:
        InputError: If a value is not one of these.
    """

    joints: tuple[str, ...]
    output: Output = 'heatmap'
    input_size: tuple[int, int] | None = None
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    colours: Colours = 'rgb'
    padding: float = 1.25
    geometry: Geometry = 'mmpose'
    activation: Activation = 'none'
    smooth: float = 0.0
    split_ratio: float = 2.0
    sharpness: float = 10.0

    def __post_init__(self) -> None:
        for name, choices in (
            ('output', Output),
            ('geometry', Geometry),
            ('colours', Colours),
            ('activation', Activation),
        ):
            if getattr(self, name) not in get_args(choices):
                self._refuse(name, f'one of {", ".join(get_args(choices))}')
        if self.input_size is not None and not _are_numbers(self.input_size, 2, int, 1):
            self._refuse('input_size', 'width and height in pixels')
        if not _are_numbers(self.mean, 3, (int, float), -np.inf):
            self._refuse('mean', 'three numbers')
        if not _are_numbers(self.std, 3, (int, float), 1e-9):
            self._refuse('std', 'three numbers above 0')
        for name, least in (('padding', 0.1), ('smooth', 0.0), ('split_ratio', 0.1)):
            if not _are_numbers((getattr(self, name),), 1, (int, float), least):
                self._refuse(name, f'a number of at least {least:g}')
        if not _are_numbers((self.sharpness,), 1, (int, float), 1e-9):
            self._refuse('sharpness', 'a number above 0')
        try:
            Skeleton(self.joints)
        except ValueError as error:
            raise InputError(f'joints: {error}') from error

    def _refuse(self, name: str, expected: str) -> None:
        raise InputError(f'{name} must be {expected}, got {getattr(self, name)!r}')

    @classmethod
    def read(cls, path: Path) -> NetworkDescription:
        """Read a JSON file with these fields; ``joints`` may name one of ``JOINT_SETS``.

        Raises:
            InputError: If the file cannot be read, or has other fields or values.
        """
        try:
            content = json.loads(path.read_text('utf-8'))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f'network description {path} cannot be read ({one_line(error)}), give a JSON file '
                f'with {_fields()}'
            ) from error
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(f'network description {path}: {error}') from error

    @classmethod
    def from_dict(cls, content: Any) -> NetworkDescription:
        """Make a description from the values of a JSON file.

        Raises:
            InputError: See :meth:`read`.
        """
        known = [field.name for field in fields(cls)]
        if not isinstance(content, Mapping) or 'joints' not in content:
            raise InputError(f'expected an object with {_fields()}, add at least joints')
        unknown = [name for name in content if name not in known]
        if unknown:
            raise InputError(f'there is no field {unknown[0]!r}, expected {_fields()}')
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        joints = values['joints']
        if isinstance(joints, str):
            if joints not in JOINT_SETS:
                raise InputError(
                    f'there is no set of joints {joints!r}, give a list of names or one of '
                    f'{", ".join(JOINT_SETS)}'
                )
            values['joints'] = JOINT_SETS[joints]
        elif not isinstance(joints, tuple):
            raise InputError(f'joints must be a list of names, got {joints!r}')
        return cls(**values)


def _fields() -> str:
    return ', '.join(field.name for field in fields(NetworkDescription))


def _are_numbers(values: Any, count: int, kind: Any, least: float) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == count
        and all(
            isinstance(value, kind)
            and not isinstance(value, bool)
            and least <= value < float('inf')
            for value in values
        )
    )


def _rtmpose(joints: str) -> NetworkDescription:
    return NetworkDescription(joints=JOINT_SETS[joints], output='simcc')


_EFFICIENTPOSE = NetworkDescription(
    joints=JOINT_SETS['efficientpose'],
    input_size=(224, 224),
    padding=1.3,
    geometry='centre',
    smooth=1.0,
)

PRESETS: dict[str, NetworkDescription] = {
    'rtmpose-coco': _rtmpose('coco'),
    'rtmpose-halpe26': _rtmpose('halpe26'),
    'rtmpose-wholebody': _rtmpose('wholebody'),
    'rtmpose-hand': _rtmpose('hand'),
    'rtmpose-ap10k': _rtmpose('ap10k'),
    'vitpose-coco': NetworkDescription(joints=JOINT_SETS['coco'], geometry='udp'),
    'vitpose-ap10k': NetworkDescription(joints=JOINT_SETS['ap10k'], geometry='udp'),
    'hrnet-coco': NetworkDescription(joints=JOINT_SETS['coco']),
    'efficientpose-rt': _EFFICIENTPOSE,
    'efficientpose-i-lite': replace(
        _EFFICIENTPOSE,
        input_size=(256, 256),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
    ),
    'blazepose': NetworkDescription(
        joints=JOINT_SETS['blazepose'],
        input_size=(256, 256),
        mean=(0, 0, 0),
        std=(255, 255, 255),
        padding=1.8,
        geometry='centre',
        activation='sigmoid',
    ),
    'movenet': NetworkDescription(
        joints=JOINT_SETS['coco'],
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        geometry='centre',
    ),
}
"""Name -> networks of MMPose as MMDeploy exports them, EfficientPose, MediaPipe's BlazePose, and
MoveNet as ``tools/misc/export_movenet.py`` writes it."""
