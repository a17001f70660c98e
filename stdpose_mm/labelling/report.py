"""Report on a propagated video in one HTML file: what was done and what to check."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_text
from stdpose_mm.io.disk.file_names import path_from
from stdpose_mm.io.disk.outputs import report_video
from stdpose_mm.io.video import FrameSource, presentation_times, write_video
from stdpose_mm.labelling.review import FrameCheck, JointCheck
from stdpose_mm.structures import PersonLabel, VideoLabels, count_sources, pose_extent
from stdpose_mm.text import counted, plural, ranges
from stdpose_mm.visualization.colors import (
    DARK_COLOR,
    DOUBT_COLOR,
    DOUBTFUL,
    GIVEN_COLOR,
    SIDE_COLORS,
    bgr,
)
from stdpose_mm.visualization.overlay import draw_people, overlay_frames
from stdpose_mm.visualization.plots import confidence, printable, trajectories

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = 'report.html.j2'

MAX_VIDEO_BYTES = 10 * 2**20
"""Size above which a video is linked, not embedded; base64 makes it a third larger."""

MAX_VIDEO_SIDE = 720
"""Largest side in pixels of the overlay video that the report makes."""

MAX_PEOPLE, MAX_CHECKS, MAX_ROWS = 12, 24, 100
"""Largest numbers of people with curves, thumbnails of frames to check, and rows of people."""

MAX_THUMBNAIL_SIDE = 480
JPEG_QUALITY = 80


def write_report(
    path: str | os.PathLike[str],
    frames: FrameSource,
    labels: VideoLabels,
    *,
    checks: Sequence[FrameCheck] = (),
    video: str | os.PathLike[str] | None = None,
    method: str = '',
    measured: Sequence[str] = (),
) -> Path | None:
    """Write one self-contained HTML file about a propagated video, atomically.

    It has the overlay video, the frames to check with the poses drawn, the confidence over time,
    and every person's joints over time. It loads no other files. It stays below 25 MB, without a
    linked video: content that would make it larger is left out with a note.

    Args:
        path: Path of the report.
        frames: Frames of the video.
        labels: Labels of all its frames, given and propagated, with track ids.
        checks: Frames to check, the most urgent first.
        video: A video of the frames with poses drawn; by default the report makes one. It is
            embedded if it is H.264 in MP4 of up to ``MAX_VIDEO_BYTES``, else linked: a given video
            at its own path, the report's video as ``<report>_overlay.mp4`` beside the report.
        method: Name of the propagation method, for the head of the report.
        measured: Sentences on the measured accuracy, for the head of the report.

    Returns:
        The linked video that the report has made; None if there is none.

    Raises:
        InputError: If nobody is labelled, a frame cannot be read, or a file cannot be written.
    """
    if not labels.track_ids:
        raise InputError(
            f'the labels of {labels.name} hold no {labels.skeleton.category} with a track id, but '
            'a report needs at least one'
        )
    page = Path(path)
    colors: dict[str, str] = {'given': GIVEN_COLOR, 'doubt': DOUBT_COLOR}
    with ExitStack() as files:
        video_html = _video(page, frames, labels, video, files)
        content = {
            'labels': labels,
            'frames': frames,
            'method': method,
            'measured': measured,
            'video': video_html,
            'checks': _checks(frames, labels, checks[:MAX_CHECKS]),
            'num_checks': len(checks),
            'colors': colors | {str(side): color for side, color in SIDE_COLORS.items()},
            'doubtful': DOUBTFUL,
            'confidence': _encode_figure(confidence(labels)),
            'people': _people(labels),
            'curves': lambda track_id: _encode_figure(trajectories(labels, track_id)),
            'max_people': MAX_PEOPLE,
            'max_rows': MAX_ROWS,
        }
        write_text(files.enter_context(atomic_path(page)), _render(content))
    return report_video(page) if video is None and video_html['source'] is None else None


def _render(content: dict[str, Any]) -> str:
    """Fill in the template; escape all text and replace unprintable characters."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader('stdpose_mm.labelling'),
        autoescape=True,
        # Markup is a subclass of str that comes from the template itself.
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        counted=counted,
        plural=plural,
        ranges=ranges,
        count_sources=count_sources,
        given_frames=_given_frames,
        mean_score=_mean_score,
        # Hash by which a content security policy names a script.
        sha256=lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode(),
    )
    return environment.get_template(TEMPLATE).render(content)


def _video(
    page: Path,
    frames: FrameSource,
    labels: VideoLabels,
    video: str | os.PathLike[str] | None,
    files: ExitStack,
) -> dict[str, str | None]:
    """Embed a video, or the overlay if none is given; ``source`` is None if it is linked."""
    if video is not None:
        path = Path(path_from(page.parent, video)).as_posix()
        return {'source': _embed(Path(video)), 'path': path}
    beside = report_video(page)
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / beside.name
        pictures = (_shrink(frame, MAX_VIDEO_SIDE) for frame in overlay_frames(frames, labels))
        write_video(overlay, pictures, like=frames)
        source = _embed(overlay)
        if source is None:
            files.enter_context(atomic_path(beside)).write_bytes(overlay.read_bytes())
    return {'source': source, 'path': beside.name}


def _embed(video: Path) -> str | None:
    """Encode a video as a data URI; None if it is too large or browsers cannot play it."""
    try:
        # FFmpeg reads a relative name such as 10:30.mp4 as a URL.
        with av.open(os.path.abspath(video)) as container:
            codecs = [stream.codec_context.name for stream in container.streams.video[:1]]
            playable = 'mp4' in container.format.name and codecs in (['h264'], ['libx264'])
        if playable and video.stat().st_size <= MAX_VIDEO_BYTES:
            return _data_uri('video/mp4', video.read_bytes())
    except (OSError, av.FFmpegError) as error:
        raise InputError(f'the video {video} cannot be read for the report: {error}') from error
    return None


def _checks(
    frames: FrameSource, labels: VideoLabels, checks: Sequence[FrameCheck]
) -> list[tuple[FrameCheck, str, float]]:
    """Return the frames to check, their thumbnails and their times in the video in seconds."""
    people = {index: labels[index] for index in labels}
    times = [float(time) for time in presentation_times(frames)]
    # The duration of the last frame is unknown; it is assumed to equal the previous one.
    times.append(2 * times[-1] - times[-2] if len(times) > 1 else 0.0)
    described = {}
    # Frames are read in the order of the video and shown in the order of urgency.
    for check in sorted(checks, key=lambda check: check.frame_index):
        index = check.frame_index
        picture = _thumbnail(frames[index], people.get(index, ()), labels, check.joints)
        # Halfway to the next frame, a player certainly shows this one.
        described[index] = check, picture, (times[index] + times[index + 1]) / 2
    return [described[check.frame_index] for check in checks]


def _thumbnail(
    picture: np.ndarray,
    people: Sequence[PersonLabel],
    labels: VideoLabels,
    joints: Sequence[JointCheck],
) -> str:
    """Draw poses and rings around joints; crop a large frame to the first joint's person."""
    drawn = draw_people(picture, people, labels.skeleton)
    unit = max(1.0, max(drawn.shape[:2]) / MAX_THUMBNAIL_SIDE)
    pose_of = {person.track_id: person for person in people if person.has_joint}
    for check in joints:
        if check.track_id in pose_of and check.joint in labels.skeleton.keypoint_names:
            joint = labels.skeleton.index_of(check.joint)
            x, y = pose_of[check.track_id].keypoints[joint].round().astype(int).tolist()
            radius, thickness = round(11 * unit), round(2 * unit)
            for color, width in ((DARK_COLOR, 2 * thickness), (DOUBT_COLOR, thickness)):
                cv2.circle(drawn, (x, y), radius, bgr(color), width, cv2.LINE_AA)
    if joints and joints[0].track_id in pose_of:
        # The crop is twice the size of the first joint's person, and at least a thumbnail large.
        person = pose_of[joints[0].track_id]
        extent = pose_extent(person.keypoints, person.labelled)
        size = np.array(drawn.shape[1::-1])
        side = np.minimum(size, max(MAX_THUMBNAIL_SIDE, round(2 * extent[2:].max())))
        centre = extent[:2] + extent[2:] / 2
        left, top = np.clip((centre - side / 2).round(), 0, size - side).astype(int)
        drawn = drawn[top : top + side[1], left : left + side[0]]
    small = _shrink(drawn, MAX_THUMBNAIL_SIDE)
    _, data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _data_uri('image/jpeg', data.tobytes())


def _people(labels: VideoLabels) -> list[tuple[int, list[PersonLabel]]]:
    """List the track id and the poses of everyone, the least certain first."""
    tracks = {track_id: [*track.values()] for track_id, track in labels.tracks().items()}
    means = {track_id: _mean_score(poses) for track_id, poses in tracks.items()}
    # People without a propagated joint come last.
    order = sorted(tracks, key=lambda person: (means[person] is None, means[person] or 0, person))
    return [(track_id, tracks[track_id]) for track_id in order]


def _mean_score(people: Iterable[PersonLabel]) -> float | None:
    """Average the scores of the propagated joints; None if there are none."""
    scores = [p.scores[p.labelled & p.propagated] for p in people if p.scores is not None]
    joints = np.concatenate([np.zeros(0), *scores])
    return float(joints.mean()) if len(joints) else None


def _given_frames(people: Iterable[PersonLabel]) -> list[int]:
    return sorted({person.frame_index for person in people if person.is_given})


def _encode_figure(figure: Figure) -> str:
    """Encode a figure as a data URI."""
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=100)
    return _data_uri('image/png', data.getvalue())


def _shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Reduce a picture so that its longer side is at most ``side`` pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _data_uri(kind: str, data: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'
