"""Descriptions of the inputs and outputs of networks without a config, and presets of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_sets import JOINT_SETS

from .load_pose_network import PoseNetworkFiles

KNOWN_NETWORKS: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name('known_networks.yaml').read_text(encoding='utf-8')
)
"""Tables of presets and published networks."""

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
"""Field -> how many numbers it has, their minimum, and both in words."""


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
            UDP; 'udp': the centres of corner pixels, and of corner cells, coincide (Huang et al.,
            CVPR 2020); 'centre': the outer edges of box, crop and map coincide.
        activation: Function that is applied to heatmaps first: 'sigmoid' for a network that gives
            logits, or 'none'.
        smooth: Standard deviation in cells of a Gaussian that blurs the maps.
        split_ratio: For 'simcc': bins per pixel.
        sharpness: For 'simcc': factor on the outputs before the softmax in training: 10 for
            RTMPose, 1 for plain SimCC.

    Raises:
        InputError: If a value is not allowed.
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
            fits = all(type(number) in kinds and least <= number < _INF for number in values)
            if not (fits and len(values) == count) and (name, value) != ('input_size', None):
                raise InputError(f'{name} must be {expected}, got {value!r}')
        try:
            Skeleton(self.joints)
        except ValueError as error:
            raise InputError(f'joints: {error}') from error

    @classmethod
    def of_network(cls, path: Path, preset: str | None) -> NetworkDescription:
        """Return the description of a network: a preset, or the JSON file beside the network.

        Raises:
            InputError: If there is none, or the network does not exist.
        """
        if not path.is_file():
            raise InputError(f'pose network {path} does not exist, give an ONNX or .tflite file')
        sidecar = path.with_suffix('.json')
        if preset is None and sidecar.is_file():
            return cls.read(sidecar)
        if preset not in PRESETS:
            unknown = '' if preset is None else f' and no preset {preset!r}'
            raise InputError(
                f'there is no {sidecar.name} that describes {path}{unknown}, write the file or '
                f'name a preset ({path}=PRESET): {", ".join(PRESETS)}'
            )
        return PRESETS[preset]

    @classmethod
    def read(cls, path: Path) -> NetworkDescription:
        """Read a JSON file with these fields; ``joints`` may name one of ``JOINT_SETS``.

        Raises:
            InputError: If the file cannot be read, or has other fields or values.
        """
        field_names = [field.name for field in fields(cls)]
        try:
            content = json.loads(path.read_text('utf-8'))
            if not isinstance(content, Mapping) or not {'joints'} <= {*content} <= {*field_names}:
                raise InputError(
                    f'expected an object with {", ".join(field_names)}, at least joints'
                )
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


PRESETS = {
    name: NetworkDescription.from_fields(content)
    for name, content in KNOWN_NETWORKS['presets'].items()
}
"""Descriptions of well-known networks by name."""


def described_files(files: PoseNetworkFiles, video: str | None) -> dict[str, Path]:
    """List the files of a network, see :meth:`PoseNetworkFiles.read_files`."""
    path = files.path
    sidecar = path.with_suffix('.json')
    is_described = files.companion is None and (sidecar.exists() or not path.exists())
    return {'0': path, '1': sidecar} if is_described else {'0': path}
