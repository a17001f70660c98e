"""Camera and storage settings of a clip: plain, or with the defects of real videos."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import av
import cv2
import numpy as np

from stdpose_mm.constants import FootageKind
from stdpose_mm.io.video.video_writer import X264_OPTIONS

from .motion import FRAMES_PER_SECOND

Encoder = Literal['libx264', 'mpeg4']

_FRAME_RATES = (12.0, 50.0)
_PEOPLE_SCALES = (0.6, 1.5)
_MPEG4_BITS = (0.06, 0.5)
"""Bits per pixel; the lower end gives blocky pictures."""
_H264_FACTORS = (18, 38)
"""Constant rate factors; the upper end gives smeared pictures."""


@dataclass(frozen=True)
class Coding:
    """A video encoder and its settings.

    Args:
        encoder: Name of FFmpeg's encoder.
        quality: Constant rate factor of H.264, bits per pixel of MPEG-4 part 2.
        group: Number of frames from one key frame to the next.
    """

    encoder: Encoder
    quality: float
    group: int

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """Encode and decode pictures [F, H, W, 3] uint8 BGR; 4:2:0 makes the colours coarser.

        If the installed FFmpeg has no H.264 encoder, the pictures are returned unchanged.
        """
        if self.encoder not in av.codec.codecs_available:
            return frames
        height, width = frames.shape[1:3]
        even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        file = io.BytesIO()
        with av.open(file, 'w', format='matroska') as container:
            stream = container.add_stream(self.encoder, rate=round(FRAMES_PER_SECOND))
            stream.height, stream.width = even.shape[1:3]
            stream.pix_fmt = 'yuv420p'
            # With several threads FFmpeg's rate control depends on how they are scheduled.
            stream.codec_context.thread_count = 1
            stream.codec_context.gop_size = self.group
            if self.encoder == 'libx264':
                quality = {'crf': str(round(self.quality)), 'preset': 'fast'}
                stream.codec_context.options = {**quality, **X264_OPTIONS}
            else:
                pixels = even.shape[1] * even.shape[2]
                stream.bit_rate = int(self.quality * pixels * FRAMES_PER_SECOND)
            for picture in even:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='bgr24')))
            container.mux(stream.encode(None))
        file.seek(0)
        with av.open(file) as container:
            # One thread, as in VideoFrames: clips are generated in forked processes.
            frames = container.decode(video=0)
            decoded = [frame.to_ndarray(format='bgr24', threads=1) for frame in frames]
        return np.stack(decoded)[:, :height, :width]


@dataclass(frozen=True)
class Footage:
    """Settings of how a clip is filmed and stored; the default is plain.

    Args:
        frames_per_second: Frame rate. At a higher rate everything moves less from frame to frame.
        unsteadiness: Factor on the amplitude of the camera's pans and shakes.
        bursts: From 0 for actions at a constant tempo to 1 for actions that stop and go.
        people_scale: Factor on the size of people.
        clutter: Number of objects behind the people, most of them moving.
        light: Factor on the brightness of everything.
        contrast: Factor on the contrast of the pictures.
        reduction: Factor on the resolution of the sensor; pictures are enlarged again.
        interlaced: Whether odd lines are taken half a frame after even ones.
        coding: Video encoder; None for pictures that are not encoded as video.
        jpeg_quality: Lowest and highest quality of the stored pictures.
    """

    frames_per_second: float = FRAMES_PER_SECOND
    unsteadiness: float = 1.0
    bursts: float = 0.0
    people_scale: float = 1.0
    clutter: int = 0
    light: float = 1.0
    contrast: float = 1.0
    reduction: float = 1.0
    interlaced: bool = False
    coding: Coding | None = None
    jpeg_quality: tuple[int, int] = (55, 95)

    @classmethod
    def sample(cls, rng: np.random.Generator, kind: FootageKind) -> Footage:
        """Draw the settings of a clip; for 'plain' nothing is drawn."""
        if kind == 'plain' or (kind == 'mixed' and rng.random() < 0.5):
            return cls()
        low, high = np.log(_FRAME_RATES)
        return cls(
            frames_per_second=float(np.exp(rng.uniform(low, high))),
            unsteadiness=float(rng.uniform(2, 6)) if rng.random() < 0.35 else 1.0,
            bursts=float(rng.uniform(0.3, 1)) if rng.random() < 0.7 else 0.0,
            people_scale=float(rng.uniform(*_PEOPLE_SCALES)),
            clutter=int(rng.integers(0, 4)),
            light=float(rng.uniform(0.6, 1.15)),
            contrast=float(rng.uniform(0.7, 1.15)),
            reduction=float(rng.uniform(0.45, 1)) if rng.random() < 0.4 else 1.0,
            interlaced=bool(rng.random() < 0.08),
            coding=_sample_coding(rng) if rng.random() < 0.85 else None,
            jpeg_quality=(80, 97),
        )

    @property
    def exposures_per_frame(self) -> int:
        """Number of exposures in a frame: two fields, or one."""
        return 2 if self.interlaced else 1

    def sense(self, exposures: np.ndarray) -> np.ndarray:
        """Combine exposures [N, H, W, 3] into a frame [H, W, 3] at the sensor's resolution."""
        picture = exposures[0]
        if self.interlaced:
            picture = picture.copy()
            picture[1::2] = exposures[1][1::2]
        if self.reduction == 1:
            return picture
        height, width = picture.shape[:2]
        small = max(round(width * self.reduction), 1), max(round(height * self.reduction), 1)
        reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)


def _sample_coding(rng: np.random.Generator) -> Coding:
    group = int(rng.choice([12, 30, 250]))
    if rng.random() < 0.5:
        return Coding('libx264', float(rng.uniform(*_H264_FACTORS)), group)
    low, high = np.log(_MPEG4_BITS)
    return Coding('mpeg4', float(np.exp(rng.uniform(low, high))), group)
