"""Video files from pictures."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np

from stdpose_mm.choices import VIDEO_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.outputs import require_suffix


def write_video(path: PathLike, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write pictures as an H.264 video (4:2:0), atomically.

    Where FFmpeg was built without an H.264 encoder, MPEG-4 part 2 is written. 4:2:0 needs an even
    width and height: odd ones are padded by repeating the last column or row.

    Args:
        path: The video file; its suffix, one of ``VIDEO_SUFFIXES``, tells the container.
        frames: BGR uint8 arrays [H, W, 3] of one size; taken one at a time.
        fps: Frames per second.

    Raises:
        InputError: If ``path`` cannot be written, has no known suffix, or there are no frames.
        ValueError: If a frame has another shape than the first one or is not uint8.
    """
    if not 0 < fps <= 1000:
        raise InputError(f'frames per second must be in 0..1000, got {fps}')
    require_suffix(str(path), path, 'a video', VIDEO_SUFFIXES)
    # MPEG-4 part 2 has 16 bits for the denominator.
    rate = Fraction(fps).limit_denominator(65535)
    shape = None
    with atomic_path(path) as temporary, av.open(str(temporary), 'w') as container:
        for frame in frames:
            if shape is None:
                shape = frame.shape
                stream = container.add_stream(_encoder(), rate=rate)
                stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
                stream.pix_fmt = 'yuv420p'
            if frame.shape != shape or frame.ndim != 3 or frame.dtype != np.uint8:
                raise ValueError(
                    f'a frame must be uint8 with shape {list(shape)}, got {frame.dtype} with '
                    f'{list(frame.shape)}'
                )
            padded = np.pad(frame, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode='edge')
            container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format='bgr24')))
        if shape is None:
            raise InputError(f'{path} needs at least one frame to write, got none')
        container.mux(stream.encode(None))


def _encoder() -> str:
    return 'libx264' if 'libx264' in av.codec.codecs_available else 'mpeg4'
