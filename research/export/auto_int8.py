"""The networks of ``auto`` in 8 bits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE, OnnxWindowBackend
from stdpose_mm.inference.window_backend import FrameFeatures, WindowLabels
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import propagate_subsampled
from stdpose_mm.labelling.propagation.auto import AutoPropagator
from stdpose_mm.labelling.propagation.auto.joint_matching import SHIPPED_MATCHER, TrainedMatcher
from stdpose_mm.structures import VideoLabels

from .static_int8 import quantise_layers

INTERVALS = 7, 15
"""Values of T, of which the labels of every T-th frame are kept: a dense and a sparse labelling."""


class _RememberingMatcher(TrainedMatcher):
    """Matcher that records its inputs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.seen: list[np.ndarray] = []

    def describe(self, crops: np.ndarray) -> np.ndarray:
        self.seen.append(crops)
        return super().describe(crops)


class _RememberingSTDPose(OnnxWindowBackend):
    """STDPose that records the inputs of its graphs of frames and of windows."""

    crops: list[dict[str, np.ndarray]]
    windows: list[dict[str, np.ndarray]]

    def encode(self, crops: np.ndarray, maps_of: np.ndarray | None = None) -> FrameFeatures:
        self.crops.append({'crops': np.ascontiguousarray(crops.transpose(0, 3, 1, 2))})
        return super().encode(crops, maps_of)

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, given: WindowLabels | None = None
    ) -> np.ndarray:
        self.windows += [each for (each,) in self.window_inputs(features, rows, given)]
        return super().fuse(features, rows, given)


def quantise_auto(
    videos: Iterable[tuple[FrameSource, VideoLabels]],
    matcher: Path | None,
    stdpose: Path,
    folder: Path,
) -> None:
    """Write a matcher and an STDPose with their convolutions in 8 bits.

    Activations are quantised over the range that they have while ``auto`` propagates every 7th and
    every 15th label of some videos.

    Args:
        videos: Pictures and dense labels of people; a dozen short clips are enough. All inputs of
            the networks are held in memory.
        matcher: File that :func:`~research.export.matcher_export.export_matcher` wrote; None if the
            package's matcher stays.
        stdpose: Folder that :func:`~research.export.stdpose_export.export_stdpose` wrote.
        folder: Folder for ``stdpose_frames.onnx`` and ``stdpose_windows.onnx``, and for
            ``joint_matcher.onnx`` if a matcher is given.

    Raises:
        InputError: If a file cannot be used or written, or is in 8 bits already, the videos show
            nobody, or ``folder`` is ``stdpose``.
    """
    if folder.resolve() == stdpose.resolve():
        raise InputError(f'{folder} holds the STDPose that is read, give another folder')
    seeing = _RememberingMatcher(matcher or SHIPPED_MATCHER)
    fusing: Any = _RememberingSTDPose.from_stdpose(stdpose)
    fusing.crops, fusing.windows = [], []
    propagator = AutoPropagator(stdposes=(fusing,), matcher=seeing)
    for frames, labels in videos:
        for interval in INTERVALS:
            propagate_subsampled(frames, labels, interval, propagator)
    if not fusing.windows:
        raise InputError(
            'STDPose sees nobody in these videos, give videos with labels of people in more than '
            'every 7th frame'
        )
    if matcher is not None:
        quantise_layers(
            matcher, folder / SHIPPED_MATCHER.name, (seeing.inputs(crops) for crops in seeing.seen)
        )
    quantise_layers(stdpose / FRAMES_FILE, folder / FRAMES_FILE, fusing.crops)
    quantise_layers(stdpose / WINDOWS_FILE, folder / WINDOWS_FILE, fusing.windows)
