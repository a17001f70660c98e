"""The STDPose that comes with the package, run by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.onnx_session import OnnxSession, open_network, start_session
from stdpose_mm.structures import Skeleton

SHIPPED_STDPOSE = Path(__file__).parent / 'weights'
"""Folder of the two files of the STDPose that comes with the package."""

FRAMES_FILE, WINDOWS_FILE = 'stdpose_frames.onnx', 'stdpose_windows.onnx'

ONNX_RECORD = 'stdpose_mm.stdpose'
"""Name of the entry of the files' metadata that holds :class:`STDPoseRecord` as JSON."""

FRAME_OUTPUTS = ('features', 'frame_heatmaps')
WINDOW_INPUTS = (*FRAME_OUTPUTS, 'given_heatmaps', 'given_mask', 'prior', 'position')

_EXPECTED = 'the folder that research/tools/export_stdpose.py of this version wrote'

_MAX_WINDOWS = 4
"""Windows in one pass: the maps of more do not stay in the processor's cache."""


@dataclass(frozen=True)
class STDPoseRecord:
    """Describe a network's crops, heatmaps and joints.

    Args:
        joints: Names of its K joints.
        trained: [K] whether it was trained on the joint.
        input_size: Width and height of the crops in pixels.
        heatmap_size: Width and height of the heatmaps.
        sigma: Standard deviation of a label's Gaussian in pixels of the heatmaps.
        padding: Factor by which a crop shows more than the person's box.
        trained_on: What it was trained on, in a few words.
    """

    joints: tuple[str, ...]
    trained: tuple[bool, ...]
    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float
    padding: float
    trained_on: str

    def to_json(self) -> str:
        """Write the entry of a file's metadata."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> STDPoseRecord:
        """Read what :meth:`to_json` wrote.

        Raises:
            LookupError: If an entry is missing.
            ValueError: If the text is no JSON.
        """
        values: dict[str, Any] = json.loads(text)
        found = {field.name: values[field.name] for field in fields(cls)}
        lists = {name: tuple(each) for name, each in found.items() if isinstance(each, list)}
        return cls(**{**found, **lists})


class EncodedFrames(NamedTuple):
    """Hold what windows read of M frames.

    Attributes:
        features: [M, D, h', w'].
        heatmaps: [M, K, h, w] of every frame by itself.
    """

    features: np.ndarray
    heatmaps: np.ndarray


class GivenLabels(NamedTuple):
    """Hold the labels of the auxiliary frames of N windows, as the network reads them.

    Attributes:
        heatmaps: [N, 2, K, h, w] of the left and right frame.
        mask: [N, 2, K] bool: joints that these frames give.
        prior: [N, K, h, w] of the pose interpolated to the key frame.
        position: [N] of the key frame between the left (0) and the right frame (1).
    """

    heatmaps: np.ndarray
    mask: np.ndarray
    prior: np.ndarray
    position: np.ndarray


class TrainedSTDPose:
    """Run a trained STDPose of three frames that sees the labels of its auxiliary frames.

    Args:
        folder: Folder of the files that :func:`~research.export.stdpose_export.export_stdpose`
            wrote.

    Raises:
        InputError: If onnxruntime is missing, a file cannot be read or run, or the two describe
            different networks.
    """

    def __init__(self, folder: Path = SHIPPED_STDPOSE) -> None:
        self._frames = _start(folder / FRAMES_FILE)
        self._windows = _start(folder / WINDOWS_FILE)
        self.record = _read_record(self._windows, folder / WINDOWS_FILE)
        if self.record != _read_record(self._frames, folder / FRAMES_FILE):
            raise InputError(
                f'{FRAMES_FILE} and {WINDOWS_FILE} in {folder} are of different networks, give '
                f'{_EXPECTED}'
            )

    @property
    def skeleton(self) -> Skeleton:
        """Return its joints."""
        return Skeleton(self.record.joints)

    @property
    def trained(self) -> np.ndarray:
        """Return [K] bool: joints that it was trained on."""
        return np.array(self.record.trained)

    def encode(self, crops: np.ndarray) -> EncodedFrames:
        """Encode crops [M, H, W, 3] uint8 BGR."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        return EncodedFrames(*self._frames.run(FRAME_OUTPUTS, {'crops': pictures}))

    def fuse(self, frames: EncodedFrames, rows: np.ndarray, given: GivenLabels) -> np.ndarray:
        """Estimate the heatmaps of the key frames of N windows.

        Args:
            frames: M encoded frames.
            rows: [N, 3] which of them are the left, key and right frame of each window.
            given: Labels of the windows.

        Returns:
            [N, K, h, w] float32.
        """
        inputs = self.window_inputs(frames, rows, given)
        return np.concatenate([self._windows.run(['heatmaps'], each)[0] for each in inputs])

    def window_inputs(
        self, frames: EncodedFrames, rows: np.ndarray, given: GivenLabels
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield what the network of the windows reads in each pass of :meth:`fuse`, by name."""
        # The graph of a network that does without some of them has no such inputs.
        read = {port.name for port in self._windows.inputs}
        for start in range(0, len(rows), _MAX_WINDOWS):
            part = slice(start, start + _MAX_WINDOWS)
            windows = (values[rows[part]] for values in frames)
            labels = (values[part] for values in given)
            named = zip(WINDOW_INPUTS, (*windows, *labels), strict=True)
            yield {name: values for name, values in named if name in read}


@lru_cache(maxsize=1)
def shipped_stdpose() -> TrainedSTDPose:
    """Load the STDPose that comes with the package, once."""
    return TrainedSTDPose()


def _start(path: Path) -> OnnxSession:
    try:
        with open_network(path) as file:
            return start_session(file, _EXPECTED)
    except OSError as error:
        raise InputError(f'{path} cannot be read ({one_line(error)}), give {_EXPECTED}') from error


def _read_record(session: OnnxSession, path: Path) -> STDPoseRecord:
    try:
        return STDPoseRecord.from_json(session.read_metadata(ONNX_RECORD))
    except (LookupError, ValueError) as error:
        raise InputError(
            f'{path} does not describe its joints ({one_line(error)}), give {_EXPECTED}'
        ) from error
