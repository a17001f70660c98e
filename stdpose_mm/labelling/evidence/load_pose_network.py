"""Files that the user gives as evidence for ``auto``, and their loading."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stdpose_mm.constants import EVIDENCE_KINDS
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.text import either

from .pose_network import HeatmapSource


@dataclass(frozen=True)
class PoseNetworkFiles:
    """Files of a pose network, of estimated poses or of tracks, as evidence for ``auto``.

    Args:
        file: Name or alias in MMPose's model zoo, such as ``human``, whose weights are fetched
            once; with a companion, an MMPose config (a file, or the name of one that comes with
            MMPose); an ONNX file (``.onnx``) or a TensorFlow Lite file (``.tflite``, or ``.task``
            of MediaPipe); with the kind ``results`` or ``tracks``, a file or folder of these.
        companion: Weights for a config; name of the one of ``PRESETS`` that describes an ONNX or
            TensorFlow Lite file, by default the ``.json`` file of the same name beside it; the file
            of the queries of tracks, if the file of the tracks does not hold them.
        kind: One of ``EVIDENCE_KINDS``; '' for a network, whose kind follows from the other fields.

    Raises:
        InputError: If the kind is unknown, or its files have another suffix.
    """

    file: str
    companion: str | None = None
    kind: str = ''

    def __post_init__(self) -> None:
        suffix = self.path.suffix
        if not self.kind:
            kinds = (name for name, kind in EVIDENCE_KINDS.items() if suffix in kind.suffixes)
            kind = next(kinds, 'config' if self.companion else 'zoo')
            object.__setattr__(self, 'kind', kind)
        require_choice('kind', self.kind, EVIDENCE_KINDS)
        suffixes = EVIDENCE_KINDS[self.kind].suffixes
        if suffixes and suffix not in suffixes:
            option = EVIDENCE_KINDS[self.kind].option.replace('_', '-')
            raise InputError(
                f'--{option} takes files that end in {either(suffixes)}, got {self.file}'
            )

    @classmethod
    def parse(cls, text: str, kind: str = '') -> PoseNetworkFiles:
        """Read ``FILE``, ``FILE=COMPANION`` or, without a kind, also either with ``=KIND``."""
        if Path(text).exists():
            return cls(text, kind=kind)
        file, equals, word = text.rpartition('=')
        if not kind and equals and word in EVIDENCE_KINDS:
            return cls.parse(file, word)
        if not equals or (kind and '=' not in EVIDENCE_KINDS[kind].form):
            return cls(text, kind=kind)
        return cls(file, word or None, kind)

    @property
    def path(self) -> Path:
        """The file as a path."""
        return Path(self.file)

    def read_files(self, video: str | None = None) -> dict[str, Path]:
        """Map names that do not depend on the folder to the files that the heatmaps depend on.

        Weights of MMPose's model zoo are fetched if they are not cached.

        Args:
            video: Name of a video; by default, poses and tracks of all videos are listed.

        Raises:
            InputError: If the video has no poses or tracks here, the model zoo does not have the
                name, or its weights cannot be fetched.
        """
        files: dict[str, Path] = _resolve(EVIDENCE_KINDS[self.kind].files)(self, video)
        return files


def load_pose_network(files: PoseNetworkFiles, device: str = 'cpu') -> HeatmapSource:
    """Load a pose network, estimated poses or tracks.

    Args:
        files: Its files.
        device: Device of PyTorch; other networks run on the CPU.

    Raises:
        InputError: If a file is missing or cannot be used.
    """
    source: HeatmapSource = _resolve(EVIDENCE_KINDS[files.kind].load)(files, device)
    return source


def _resolve(name: str) -> Any:
    return pkgutil.resolve_name(f'{__package__}.{name}')
