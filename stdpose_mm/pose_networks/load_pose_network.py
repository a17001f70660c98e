"""Pose networks from the files that a user gives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import NoneType

from stdpose_mm.constants import POSE_NETWORK_SUFFIXES
from stdpose_mm.errors import InputError, require_packages, require_paths, require_type
from stdpose_mm.io.installed_configs import find_installed_config

from .network_description import PRESETS, NetworkDescription
from .pose_network import HeatmapSource
from .pose_results import PoseResults, files_behind, find_results, holds_one_video

INSTALLED_CONFIGS = (('mmpose', 'configs'),)
"""(package, folder) pairs in which configs are found by name."""

RESULTS = 'results'
"""In place of a preset: the file holds poses."""

_SUFFIXES = tuple(chain(*POSE_NETWORK_SUFFIXES.values()))


@dataclass(frozen=True)
class PoseNetworkFiles:
    """Name the files of a pose network, or of the poses it found, that are evidence for ``auto``.

    Args:
        file: Config of MMPose (a file, or the name of one that comes with MMPose), an ONNX file
            (``.onnx``), a frozen TensorFlow graph (``.pb``) or a TensorFlow Lite file
            (``.tflite``, or ``.task`` of MediaPipe); or, with ``results``, a file or folder of
            poses.
        checkpoint: Weights of a config.
        preset: Name of one of ``PRESETS``, for all files but configs; by default the file beside it
            with the suffix ``.json`` describes it.
        results: Whether the file holds poses that another program has estimated in the videos, in
            any format of label files, see :class:`~.pose_results.PoseResults`.
    """

    file: str
    checkpoint: str | None = None
    preset: str | None = None
    results: bool = False

    def __post_init__(self) -> None:
        require_type('file', self.file, (str, os.PathLike), 'a path')
        require_paths(checkpoint=self.checkpoint)
        require_type('preset', self.preset, (str, NoneType), 'the name of a preset')
        if self.results and (self.checkpoint, self.preset) != (None, None):
            raise InputError(
                f'the poses {self.file} need neither a checkpoint nor a preset, leave it out'
            )

    @classmethod
    def parse(cls, text: str) -> PoseNetworkFiles:
        """Read ``FILE``, ``FILE=PRESET``, ``CONFIG=CHECKPOINT`` or ``POSES=results``."""
        if Path(text).is_file():
            return cls(text)
        file, _, second = text.rpartition('=') if '=' in text else (text, '', '')
        if second == RESULTS:
            return cls(file, results=True)
        if Path(file).suffix in _SUFFIXES:
            return cls(file, preset=second or None)
        return cls(file, checkpoint=second or None)

    @property
    def is_config(self) -> bool:
        """Return whether the file is a config of MMPose."""
        return not self.results and Path(self.file).suffix not in _SUFFIXES

    @property
    def read(self) -> list[Path]:
        """List the files that the network's heatmaps depend on."""
        path = Path(self.file)
        if self.results:
            return [*files_behind(path).values()]
        if self.is_config and not path.is_file():
            path = find_installed_config(self.file, INSTALLED_CONFIGS) or path
        found = [path]
        if self.checkpoint is not None:
            found.append(Path(self.checkpoint))
        if not self.is_config and self.preset is None:
            found.append(self.sidecar)
        return found

    def read_of(self, video: str) -> list[Path]:
        """List the files that the heatmaps of a video depend on.

        Raises:
            InputError: If there are no poses of this video among the results.
        """
        if self.results:
            return [*files_behind(find_results(Path(self.file), video)).values()]
        return self.read

    @property
    def content(self) -> tuple[str | None, dict[str, Path]]:
        """Return what tells these files from others in fingerprints, whatever their folder is."""
        if self.results:
            return RESULTS, files_behind(Path(self.file))
        return self.preset, {str(number): path for number, path in enumerate(self.read)}

    @property
    def sidecar(self) -> Path:
        """Return the file that describes a file without a config."""
        return Path(self.file).with_suffix('.json')


def require_every_video(networks: Sequence[PoseNetworkFiles], num_videos: int) -> None:
    """Refuse results of one video where there are several: it would be taken for all of them.

    Raises:
        InputError: If there are such results, or they cannot be read.
    """
    for files in networks:
        if num_videos > 1 and files.results and holds_one_video(Path(files.file)):
            raise InputError(
                f'the poses {files.file} are of one video, but there are {num_videos}, give a '
                'folder that holds a file for each'
            )


def load_pose_network(files: PoseNetworkFiles, device: str = 'cpu') -> HeatmapSource:
    """Load a pose network, or the poses it found.

    Args:
        files: Its files.
        device: Where PyTorch runs; other files run on the CPU.

    Raises:
        InputError: If a file is missing or cannot be used.
    """
    path = Path(files.file)
    if files.results:
        return PoseResults(path)
    if files.is_config:
        if files.checkpoint is None:
            raise InputError(
                f'pose network {path} needs a checkpoint, give its weights, or an ONNX file '
                '(.onnx), a TensorFlow graph (.pb) or a TensorFlow Lite file (.tflite) in its place'
            )
        require_packages('a pose network of MMPose', 'torch', 'mmpose')
        from .mmpose_network import MMPoseNetwork

        return MMPoseNetwork(files.read[0], files.checkpoint, device)
    if not path.is_file():
        raise InputError(
            f'pose network {path} does not exist, give an ONNX file, a graph or a .tflite file'
        )
    description = _describe(files)
    if path.suffix in POSE_NETWORK_SUFFIXES['onnx']:
        from .onnx_pose_network import OnnxPoseNetwork

        return OnnxPoseNetwork(path, description)
    if path.suffix in POSE_NETWORK_SUFFIXES['tensorflow']:
        from .tensorflow_pose_network import TensorFlowPoseNetwork

        return TensorFlowPoseNetwork(path, description)
    from .tflite_pose_network import TFLitePoseNetwork

    return TFLitePoseNetwork(path, description)


def _describe(files: PoseNetworkFiles) -> NetworkDescription:
    if files.preset is not None:
        if files.preset not in PRESETS:
            raise InputError(
                f'there is no preset {files.preset!r} for {files.file}, choose one of '
                f'{", ".join(PRESETS)}'
            )
        return PRESETS[files.preset]
    if not files.sidecar.is_file():
        raise InputError(
            f'nothing says what {files.file} takes and gives, write {files.sidecar.name} beside it '
            f'or name a preset ({files.file}=PRESET): {", ".join(PRESETS)}'
        )
    return NetworkDescription.read(files.sidecar)
