"""A subject of three coloured dots that moves and turns over a noisy ground, with its labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import av
import cv2
import numpy as np

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

NAMES = ('head', 'left_hand', 'right_hand')
SKELETON = Skeleton(NAMES)
COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
SHAPE = np.array([[0, -14], [-16, 8], [16, 12]], float)


def pose_at(frame: int) -> np.ndarray:
    """Return [3, 2] pixels of the subject, which goes back and forth."""
    angle = 0.3 * np.sin(0.7 * frame)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return SHAPE @ turn.T + (80 + 30 * np.sin(0.35 * frame), 60 + 12 * np.cos(0.2 * frame))


def dots_video(num_frames: int) -> ArrayFrames:
    """Draw the subject in some frames of 160x120 pixels."""
    random = np.random.default_rng(0)
    pictures = []
    for frame in range(num_frames):
        picture = random.integers(90, 130, (120, 160, 3)).astype(np.uint8)
        for (x, y), colour in zip(pose_at(frame), COLOURS, strict=True):
            place = round(8 * x), round(8 * y)
            cv2.circle(picture, place, 3 * 8, colour, -1, cv2.LINE_AA, 3)
        pictures.append(picture)
    return ArrayFrames(np.array(pictures))


def write_losslessly(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures of 160x120 pixels to a video that has the same pictures.

    What FFmpeg writes as H.264 depends on what was in its memory before.
    """
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, 'bgr0'
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='bgr24')))
        container.mux(stream.encode(None))


def dots_label(frame: int, keypoints: np.ndarray | None = None) -> PersonLabel:
    """Label the subject in a frame, by default where it is."""
    return PersonLabel(frame, pose_at(frame) if keypoints is None else keypoints, [2, 2, 2], 0)


def dots_labels(frames: range, num_frames: int) -> VideoLabels:
    """Label the subject in some frames of a video."""
    listed = tuple(map(VideoFrame, range(num_frames)))
    return VideoLabels('dots', SKELETON, listed, tuple(map(dots_label, frames)))


def learn_dots(path: Path) -> None:
    """Let a network learn from every fourth of 64 frames, in a few seconds."""
    from stdpose_mm.labelling.learning import network_trainer
    from stdpose_mm.labelling.learning.learner import LabelledVideo, learn_network

    labels = {frame: dots_label(frame) for frame in range(0, 64, 4)}
    with patch.object(network_trainer, 'BATCH_SIZE', 8):
        learn_network([LabelledVideo(dots_video(64), {0: labels})], SKELETON, path, 10, steps=48)
