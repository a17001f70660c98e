"""Loading of pose networks, estimated poses and tracks from the user's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.constants import POSE_NETWORK_SUFFIXES
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.file_names import find_installed_config
from stdpose_mm.onnx_session import start_session

from .described_network import OnnxPoseNetwork
from .learned_network import ONNX_RECORD, LearnedNetwork
from .network_description import PRESETS, NetworkDescription
from .pose_network import HeatmapSource
from .pose_results import PoseResults, files_behind, find_results
from .tflite_pose_network import TFLitePoseNetwork
from .track_results import TrackResults, track_files

RESULTS = 'results'
"""Word in place of a preset that says that the file holds poses."""

TRACKS = 'tracks'
"""Word in place of a preset that says that the file holds tracks."""

_SUFFIXES = [suffix for suffixes in POSE_NETWORK_SUFFIXES.values() for suffix in suffixes]


@dataclass(frozen=True)
class PoseNetworkFiles:
    """Files of a pose network, of estimated poses or of tracks, as evidence for ``auto``.

    Args:
        file: Name or alias in MMPose's model zoo, such as ``human``, whose weights are fetched
            once; with ``checkpoint``, an MMPose config (a file, or the name of one that comes with
            MMPose); an ONNX file (``.onnx``) or a TensorFlow Lite file (``.tflite``, or ``.task``
            of MediaPipe); with ``results`` or ``tracks``, a file or folder of these.
        checkpoint: Weights for the config.
        preset: Name of the one of ``PRESETS`` that describes an ONNX or TensorFlow Lite file; by
            default, the ``.json`` file of the same name beside it describes it.
        results: Whether the file holds poses that another program has estimated in the videos, in
            any label format, see :class:`~.pose_results.PoseResults`.
        tracks: Whether the file holds tracks that a point tracker has returned, see
            :class:`~.track_results.TrackResults`.
        queries: File of the tracks' queries, if the file of the tracks does not hold them.
    """

    file: str
    checkpoint: str | None = None
    preset: str | None = None
    results: bool = False
    tracks: bool = False
    queries: str | None = None

    @classmethod
    def parse_tracks(cls, text: str) -> PoseNetworkFiles:
        """Read ``TRACKS`` or ``TRACKS=QUERIES``."""
        file, equals, queries = text.rpartition('=')
        if not equals or Path(text).exists():
            return cls(text, tracks=True)
        return cls(file, tracks=True, queries=queries)

    @classmethod
    def parse(cls, text: str) -> PoseNetworkFiles:
        """Read ``NAME``, ``FILE[=PRESET]``, ``CONFIG=CHECKPOINT``, ``POSES=results``, ``T=tracks``.

        The last is ``TRACKS=tracks`` or ``TRACKS=QUERIES=tracks``.
        """
        if Path(text).is_file():
            return cls(text)
        file, _, second = text.rpartition('=') if '=' in text else (text, '', '')
        if second == RESULTS:
            return cls(file, results=True)
        if second == TRACKS:
            return cls.parse_tracks(file)
        if Path(file).suffix in _SUFFIXES:
            return cls(file, preset=second or None)
        return cls(file, checkpoint=second or None)

    @property
    def kind(self) -> str:
        """Return what the file holds, in words."""
        return 'the poses' if self.results else 'the tracks' if self.tracks else 'pose network'

    @property
    def is_config(self) -> bool:
        """Return whether the file is an MMPose config, or a name in its model zoo."""
        return self.kind == 'pose network' and Path(self.file).suffix not in _SUFFIXES

    def read_files(self, video: str | None = None) -> dict[str, Path]:
        """Map names that do not depend on the folder to the files that the heatmaps depend on.

        Weights of MMPose's model zoo are fetched if they are not cached.

        Args:
            video: Name of a video; by default, poses and tracks of all videos are listed.

        Raises:
            InputError: If the video has no poses or tracks here, the model zoo does not have the
                name, or its weights cannot be fetched.
        """
        path = Path(self.file)
        if self.tracks:
            queries = Path(self.queries or path)
            if video is not None:
                return track_files(path, queries, video)
            read = enumerate(map(files_behind, dict.fromkeys((path, queries))))
            return {f'{at}/{name}': file for at, each in read for name, file in each.items()}
        if self.results:
            return files_behind(path if video is None else find_results(path, video))
        if self.is_config and self.checkpoint is None:
            require_packages(f'pose network {self.file}', 'torch', 'mmpose')
            from .model_zoo import find_zoo_model

            model = find_zoo_model(self.file)
            return {'0': model.config, '1': model.fetch()}
        if self.is_config and not path.is_file():
            path = find_installed_config(self.file, (('mmpose', 'configs'),)) or path
        found = [path]
        if self.checkpoint is not None:
            found.append(Path(self.checkpoint))
        if not self.is_config and self.preset is None:
            sidecar = path.with_suffix('.json')
            found += [sidecar] if sidecar.exists() or not path.exists() else []
        return {str(number): each for number, each in enumerate(found)}


def load_pose_network(files: PoseNetworkFiles, device: str = 'cpu') -> HeatmapSource:
    """Load a pose network, estimated poses or tracks.

    Args:
        files: Its files.
        device: Device of PyTorch; other networks run on the CPU.

    Raises:
        InputError: If a file is missing or cannot be used.
    """
    if files.results:
        return PoseResults(Path(files.file))
    if files.tracks:
        return TrackResults(Path(files.file), Path(files.queries) if files.queries else None)
    path, *others = files.read_files().values()
    if files.is_config:
        require_packages('a pose network of MMPose', 'torch', 'mmpose')
        from .mmpose_network import MMPoseNetwork

        return MMPoseNetwork(path, others[0], device)
    if not path.is_file():
        raise InputError(f'pose network {path} does not exist, give an ONNX or .tflite file')
    if path.suffix not in POSE_NETWORK_SUFFIXES['onnx']:
        return TFLitePoseNetwork(path, _describe(path, files.preset))
    expected = 'another pose network'
    if files.preset is None and ONNX_RECORD in start_session(path, expected).metadata:
        return LearnedNetwork(path)
    return OnnxPoseNetwork(path, _describe(path, files.preset))


def _describe(path: Path, preset: str | None) -> NetworkDescription:
    sidecar = path.with_suffix('.json')
    if preset is None and sidecar.is_file():
        return NetworkDescription.read(sidecar)
    if preset not in PRESETS:
        raise InputError(
            f'there is no {sidecar.name} that describes {path} and no preset {preset!r}, write the '
            f'file or name a preset ({path}=PRESET): {", ".join(PRESETS)}'
        )
    return PRESETS[preset]
