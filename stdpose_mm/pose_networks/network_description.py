"""Inputs and outputs of networks whose files come without a config, and those that are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.labels.known_skeletons import COCO_17
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton

_COCO = COCO_17.keypoint_names
_SIDES = ('left', 'right')
_FEET = tuple(f'{side}_{part}' for side in _SIDES for part in ('big_toe', 'small_toe', 'heel'))
_FINGERS = tuple(
    f'{finger}{number}'
    for finger in ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')
    for number in range(1, 5)
)

JOINT_SETS: dict[str, tuple[str, ...]] = {
    'coco': _COCO,
    'posetrack': POSETRACK_SKELETON.keypoint_names,
    'mpii': (
        *('right_ankle', 'right_knee', 'right_hip', 'left_hip', 'left_knee', 'left_ankle'),
        *('pelvis', 'thorax', 'upper_neck', 'head_top'),
        *('right_wrist', 'right_elbow', 'right_shoulder'),
        *('left_shoulder', 'left_elbow', 'left_wrist'),
    ),
    'halpe26': (
        *(*_COCO, 'head', 'neck', 'hip'),
        *('left_big_toe', 'right_big_toe', 'left_small_toe', 'right_small_toe'),
        *('left_heel', 'right_heel'),
    ),
    'wholebody': (
        *(*_COCO, *_FEET, *(f'face-{number}' for number in range(68))),
        *(f'{side}_{joint}' for side in _SIDES for joint in ('hand_root', *_FINGERS)),
    ),
    'hand': ('wrist', *_FINGERS),
    'ap10k': (
        *('L_Eye', 'R_Eye', 'Nose', 'Neck', 'Root of tail'),
        *('L_Shoulder', 'L_Elbow', 'L_F_Paw', 'R_Shoulder', 'R_Elbow', 'R_F_Paw'),
        *('L_Hip', 'L_Knee', 'L_B_Paw', 'R_Hip', 'R_Knee', 'R_B_Paw'),
    ),
    'efficientpose': (
        *('head_top', 'upper_neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'thorax'),
        *('left_shoulder', 'left_elbow', 'left_wrist', 'pelvis', 'right_hip', 'right_knee'),
        *('right_ankle', 'left_hip', 'left_knee', 'left_ankle'),
    ),
    'blazepose': (
        'nose',
        *(f'{side}_eye{end}' for side in _SIDES for end in ('_inner', '', '_outer')),
        *(f'{side}_ear' for side in _SIDES),
        *('mouth_left', 'mouth_right'),
        *(
            f'{side}_{joint}'
            for joint in (
                *('shoulder', 'elbow', 'wrist', 'pinky', 'index', 'thumb'),
                *('hip', 'knee', 'ankle', 'heel', 'foot_index'),
            )
            for side in _SIDES
        ),
        # Points for MediaPipe's own use: no joints of anybody's labels.
        *(f'auxiliary-{number}' for number in range(6)),
    ),
}
"""The joints of well-known data sets, in the order of the networks that are trained on them."""

_CHOICES = {
    'output': ('heatmap', 'simcc'),
    'colours': ('rgb', 'bgr'),
    'geometry': ('mmpose', 'udp', 'centre'),
    'activation': ('none', 'sigmoid'),
}

_INF = float('inf')
_NUMBERS: dict[str, tuple[int, float, str]] = {
    'input_size': (2, 1, 'width and height in pixels'),
    'mean': (3, -_INF, 'three numbers'),
    'std': (3, 1e-9, 'three numbers above 0'),
    'padding': (1, 0.1, 'a number of at least 0.1'),
    'smooth': (1, 0, 'a number of at least 0'),
    'split_ratio': (1, 0.1, 'a number of at least 0.1'),
    'sharpness': (1, 1e-9, 'a number above 0'),
}
"""Field -> how many numbers it has, the least of them that is allowed, and both in words."""


@dataclass(frozen=True)
class NetworkDescription:
    """The inputs and outputs of a pose network.

    Args:
        joints: Names of its K joints.
        output: 'heatmap' [N, K, h, w], or 'simcc' [N, K, bins] for x and for y.
        input_size: (width, height) of the input in pixels; None if the file gives it.
        mean: Subtracted from each colour, 0..255, in the order of ``colours``.
        std: Each colour is then divided by it.
        colours: Order of the input's channels, 'rgb' or 'bgr'.
        padding: Factor by which the box is enlarged, after it has been given the aspect ratio of
            the input.
        geometry: How pixels of the crop and cells of the maps are aligned. 'mmpose': the crop is
            resized from edge to edge and cell (0, 0) lies on pixel (0, 0), as in MMPose without
            UDP; 'udp': centres of the corner pixels, and cells, lie on each other (Huang et al.,
            CVPR 2020); 'centre': edges lie on edges, for crops and maps alike.
        activation: Function of the values of heatmaps, before anything else: 'sigmoid' for a
            network that gives logits, or 'none'.
        smooth: Standard deviation in cells of a Gaussian over the maps.
        split_ratio: For 'simcc': bins per pixel.
        sharpness: For 'simcc': factor on the outputs before the softmax in training: 10 for
            RTMPose, 1 for plain SimCC.

    Raises:
        InputError: If a value is not one of these.
    """

    joints: tuple[str, ...]
    output: str = 'heatmap'
    input_size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    colours: str = 'rgb'
    padding: float = 1.25
    geometry: str = 'mmpose'
    activation: str = 'none'
    smooth: float = 0.0
    split_ratio: float = 2.0
    sharpness: float = 10.0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f'{name} must be one of {", ".join(choices)}, got {value!r}')
        for name, (count, least, expected) in _NUMBERS.items():
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            kinds = (int,) if name == 'input_size' else (int, float)
            fits = all(type(each) in kinds and least <= each < _INF for each in values)
            if not (fits and len(values) == count) and (name, value) != ('input_size', None):
                raise InputError(f'{name} must be {expected}, got {value!r}')
        try:
            Skeleton(self.joints)
        except ValueError as error:
            raise InputError(f'joints: {error}') from error

    @classmethod
    def read(cls, path: Path) -> NetworkDescription:
        """Read a JSON file with these fields; ``joints`` may name one of ``JOINT_SETS``.

        Raises:
            InputError: If the file cannot be read, or has other fields or values.
        """
        known = [field.name for field in fields(cls)]
        try:
            content = json.loads(path.read_text('utf-8'))
            if not isinstance(content, Mapping) or not {'joints'} <= {*content} <= {*known}:
                raise InputError(f'expected an object with {", ".join(known)}, at least joints')
            return cls.from_fields(content)
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f'network description {path} cannot be used ({one_line(error)}), correct it'
            ) from error

    @classmethod
    def from_fields(cls, content: Mapping[str, Any]) -> NetworkDescription:
        """Make a description from fields whose tuples may be lists, see :meth:`read`."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        joints = values['joints']
        if isinstance(joints, str):
            values['joints'] = JOINT_SETS.get(joints)
        if not isinstance(values['joints'], tuple):
            raise InputError(
                f'joints must be a list of names or one of {", ".join(JOINT_SETS)}, got {joints!r}'
            )
        return cls(**values)


_HALF_RANGE: dict[str, Any] = {'mean': [127.5] * 3, 'std': [127.5] * 3}
_EFFICIENTPOSE: dict[str, Any] = {
    'joints': 'efficientpose',
    'padding': 1.3,
    'geometry': 'centre',
    'smooth': 1.0,
}

_PRESET_FIELDS: dict[str, dict[str, Any]] = {
    'rtmpose-coco': {'joints': 'coco', 'output': 'simcc'},
    'rtmpose-halpe26': {'joints': 'halpe26', 'output': 'simcc'},
    'rtmpose-wholebody': {'joints': 'wholebody', 'output': 'simcc'},
    'rtmpose-hand': {'joints': 'hand', 'output': 'simcc'},
    'rtmpose-ap10k': {'joints': 'ap10k', 'output': 'simcc'},
    'vitpose-coco': {'joints': 'coco', 'geometry': 'udp'},
    'vitpose-ap10k': {'joints': 'ap10k', 'geometry': 'udp'},
    'hrnet-coco': {'joints': 'coco'},
    'efficientpose-rt': {**_EFFICIENTPOSE, 'input_size': [224, 224]},
    'efficientpose-i-lite': {**_EFFICIENTPOSE, **_HALF_RANGE, 'input_size': [256, 256]},
    'blazepose': {
        'joints': 'blazepose',
        'input_size': [256, 256],
        'padding': 1.8,
        'mean': [0] * 3,
        'std': [255] * 3,
        'geometry': 'centre',
        'activation': 'sigmoid',
    },
    'movenet': {'joints': 'coco', 'geometry': 'centre', **_HALF_RANGE},
}

PRESETS = {
    name: NetworkDescription.from_fields(content) for name, content in _PRESET_FIELDS.items()
}
"""Name -> networks of MMPose as MMDeploy exports them, EfficientPose, MediaPipe's BlazePose, and
MoveNet as ``research/tools/export_movenet.py`` writes it."""
