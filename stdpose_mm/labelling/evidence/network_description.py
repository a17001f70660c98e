"""Descriptions of the inputs and outputs of networks without a config, and presets of them."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.onnx_session import OnnxSession
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_sets import JOINT_SETS

from .load_pose_network import PoseNetworkFiles

KNOWN_NETWORKS: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name('known_networks.yaml').read_text(encoding='utf-8')
)
"""Tables of presets and published networks."""

ONE_STAGE: dict[str, dict[str, Any]] = KNOWN_NETWORKS['one_stage']
"""Output of networks that find people and their joints in one pass -> other fields."""

_CHOICES = {
    'output': ('heatmap', 'simcc', *ONE_STAGE),
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
        output: 'heatmap' [N, K, h, w], or 'simcc' [N, K, bins] for x and for y; 'yolo', 'rtmo' or
            'rfdetr' for a network that finds people, too: of the other fields, only ``input_size``,
            ``mean``, ``std`` and ``colours`` then count.
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
    def of_network(
        cls, path: Path, preset: str | None, session: OnnxSession | None = None
    ) -> NetworkDescription:
        """Return the description of a network.

        It is a preset, or the JSON file beside the network, which adds to what an ONNX file says
        itself and may be missing if that is enough.

        Args:
            path: File of the network.
            preset: Name of a preset; None without one.
            session: The file, if it is an ONNX file.

        Raises:
            InputError: If there is none, or the network does not exist.
        """
        if not path.is_file():
            raise InputError(f'pose network {path} does not exist, give an ONNX or .tflite file')
        sidecar = path.with_suffix('.json')
        in_file = {} if session is None else _recognise_one_stage(path, session)
        if preset is None and sidecar.is_file():
            return cls.read(sidecar, in_file)
        if preset is None and 'joints' in in_file:
            return cls.from_fields(in_file)
        if preset is None and in_file:
            raise InputError(
                f'{path} does not name its joints, name all in their order in a file '
                f'{sidecar.name} beside it: {{"joints": ["nose", ...]}}'
            )
        if preset not in PRESETS:
            unknown = '' if preset is None else f' and no preset {preset!r}'
            raise InputError(
                f'there is no {sidecar.name} that describes {path}{unknown}, write the file or '
                f'name a preset ({path}=PRESET): {", ".join(PRESETS)}'
            )
        return PRESETS[preset]

    @classmethod
    def read(cls, path: Path, in_file: Mapping[str, Any] | None = None) -> NetworkDescription:
        """Read a JSON file with these fields; ``joints`` may name one of ``JOINT_SETS``.

        Args:
            path: The JSON file.
            in_file: Fields that the network's own file states, and the JSON file may correct.

        Raises:
            InputError: If the file cannot be read, or has other fields or values.
        """
        field_names = [field.name for field in fields(cls)]
        try:
            content = json.loads(path.read_text('utf-8'))
            if isinstance(content, Mapping):
                content = {**(in_file or {}), **content}
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
        output = content.get('output')
        of_form = ONE_STAGE.get(output, {}) if isinstance(output, str) else {}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in {**of_form, **content}.items()
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


def _recognise_one_stage(path: Path, session: OnnxSession) -> dict[str, Any]:
    """Return the fields that the file of a one-stage network states; {} for any other network.

    Raises:
        InputError: If its metadata cannot be read.
    """
    outputs, metadata = {*session.outputs}, session.metadata
    if outputs in ({'dets', 'keypoints'}, {'dets', 'labels', 'keypoints'}):
        # MMDeploy's names and RF-DETR's. All published networks of theirs find COCO's joints.
        return {'joints': 'coco', 'output': 'rfdetr' if 'labels' in outputs else 'rtmo'}
    if metadata.get('task') != 'pose' or 'kpt_shape' not in metadata:
        return {}
    values: dict[str, Any] = {'output': 'yolo'}
    if 'imgsz' in metadata:
        values['input_size'] = read_metadata(path, metadata, 'imgsz', ())[::-1]
    names = [*read_metadata(path, metadata, 'kpt_names', {}).values()]
    num_joints, _ = read_metadata(path, metadata, 'kpt_shape', ())
    # Without names, Ultralytics writes numbers.
    if names and not all(name.isdecimal() for name in names[0]):
        values['joints'] = names[0]
    elif num_joints == len(JOINT_SETS['coco']) and "'person'" in metadata.get('names', ''):
        values['joints'] = 'coco'
    return values


def read_metadata(path: Path, metadata: Mapping[str, str], key: str, default: Any) -> Any:
    """Read a Python literal in the metadata of a network.

    Args:
        path: The file, for the error.
        metadata: Its metadata.
        key: The entry.
        default: Its value if there is none; the value has the type of its items.

    Raises:
        InputError: If it is no literal.
    """
    try:
        return literal_eval(metadata[key]) if key in metadata else default
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f'the entry {key} of {path} cannot be read ({one_line(error)}), export it again'
        ) from error
