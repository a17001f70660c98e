"""A report on a propagated video in one HTML file: what was done, and what to look at."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_text
from stdpose_mm.io.file_names import path_from
from stdpose_mm.io.outputs import report_video
from stdpose_mm.io.video import FrameSource, presentation_times, write_video
from stdpose_mm.review import FrameCheck, JointCheck
from stdpose_mm.structures import SOURCES, PersonLabel, VideoLabels, count_sources, pose_extent
from stdpose_mm.text import counted, plural, ranges

from .colors import DARK_COLOR, DOUBT_COLOR, DOUBTFUL, GIVEN_COLOR, SIDE_COLORS, bgr
from .overlay import draw_people, overlay_frames
from .plots import confidence, printable, trajectories

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = 'report.html.j2'

MAX_VIDEO_BYTES = 10 * 2**20
"""A larger video is linked, not embedded; in base64 it takes a third more."""

MAX_VIDEO_SIDE = 720
"""Pixels; the overlay that the report makes itself is at most this large."""

MAX_PEOPLE, MAX_CHECKS, MAX_ROWS = 12, 24, 100
"""People with curves, thumbnails of frames to check, rows of the table of people."""

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
    video_path: str | os.PathLike[str] | None = None,
    outputs: ExitStack | None = None,
) -> None:
    """Write one self-contained HTML file about a propagated video, atomically.

    It has the overlay video, the frames to check with the pose drawn, the confidence over time, and
    every person's joints over time. It loads no other files. Content that would make it too large
    is left out with a note: it stays below 25 MB, not counting a linked video.

    Args:
        path: Path of the report.
        frames: Frames of the video.
        labels: Labels of all its frames, given and propagated, people with track ids.
        checks: Frames to check, the most urgent first.
        video: A video of the frames with poses drawn. By default the report makes one. It is
            embedded if it is H.264 in MP4 of up to ``MAX_VIDEO_BYTES``, else linked: a given one
            where it lies, one that the report made as ``<report>_overlay.mp4`` beside it.
        method: Name of the propagation method, for the head of the report.
        measured: What was measured on the labels, in sentences, for the same place.
        video_path: Path that ``video`` will have later, if it is another one.
        outputs: Where the files of the report get their names when it is closed without an error,
            together with other outputs; by default they get them at once.

    Raises:
        InputError: If nobody is labelled, a frame cannot be read, or a file cannot be written.
    """
    if not labels.track_ids:
        raise InputError(
            f'the labels of {labels.name} hold no {labels.skeleton.category} with a track id, a '
            'report needs at least one'
        )
    page = Path(path)
    colors: dict[str, str] = {'given': GIVEN_COLOR, 'doubt': DOUBT_COLOR}
    with ExitStack() if outputs is None else nullcontext(outputs) as files:
        content = {
            'name': labels.name,
            'facts': _facts(frames, labels, method, measured),
            'video': _video(page, frames, labels, video, video_path or video, files),
            'checks': _checks(frames, labels, checks[:MAX_CHECKS]),
            'num_checks': len(checks),
            'colors': colors | {str(side): color for side, color in SIDE_COLORS.items()},
            'doubtful': DOUBTFUL,
            'has_sides': 'left' in labels.skeleton.sides,
            'confidence': _encode_figure(confidence(labels)),
            **_people(labels),
        }
        write_text(files.enter_context(atomic_path(page)), _render(content))


def _render(content: dict[str, Any]) -> str:
    """Fill in the template; every text is escaped, unprintable characters are replaced."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader('stdpose_mm.visualization'),
        autoescape=True,
        # Markup is a subclass of str that comes from the template itself.
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # As a content security policy names a script.
    environment.filters['sha256'] = lambda script: base64.b64encode(
        hashlib.sha256(script.encode()).digest()
    ).decode()
    return environment.get_template(TEMPLATE).render(content)


def _facts(
    frames: FrameSource, labels: VideoLabels, method: str, measured: Sequence[str]
) -> list[tuple[str, str]]:
    """List terms and values for the head of the report; an empty value is not shown."""
    width, height = frames.size
    given = _given_frames(labels.persons)
    num_given, num_propagated, num_absent = _count_sources(labels.persons)
    poses = f'{num_given} given, {num_propagated} propagated'
    if num_absent:
        poses += f'; {counted(num_absent, "time")} someone is absent'
    mean = _mean_score(labels.persons)
    return [
        ('Method', method),
        ('Frames', f'{len(frames)} of {width} x {height} pixels'),
        (_title(plural(labels.skeleton.category)), str(len(labels.track_ids))),
        ('Poses', poses),
        ('Joints', ', '.join(labels.skeleton.keypoint_names)),
        ('Mean confidence', '' if np.isinf(mean) else f'{mean:.2f} (propagated joints)'),
        ('Measured', '; '.join(measured)),
        (f'Given frames ({len(given)})', ranges(given)),
    ]


def _video(
    page: Path,
    frames: FrameSource,
    labels: VideoLabels,
    video: str | os.PathLike[str] | None,
    video_path: str | os.PathLike[str] | None,
    files: ExitStack,
) -> dict[str, str | None]:
    """Embed a video, or the overlay if there is none; ``source`` is ``None`` if it is linked."""
    if video is not None and video_path is not None:
        path = Path(path_from(page.parent, video_path)).as_posix()
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
    """Encode a video as a data URI; ``None`` if it is too large or browsers would not play it."""
    try:
        # FFmpeg takes a relative name such as 10:30.mp4 for an address.
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
) -> list[dict[str, Any]]:
    """Describe the frames to check, each with a thumbnail and its time in the video in seconds."""
    people = {index: labels[index] for index in labels}
    times = [float(time) for time in presentation_times(frames)]
    # The duration of the last frame is unknown: that of the one before is assumed.
    times.append(2 * times[-1] - times[-2] if len(times) > 1 else 0.0)
    described = {}
    # Read in the order of the video, shown in the order of urgency.
    for check in sorted(checks, key=lambda check: check.frame_index):
        index = check.frame_index
        described[index] = {
            'frame': index,
            'picture': _thumbnail(frames[index], people.get(index, ()), labels, check.joints),
            # At which the frame is shown for sure: halfway to the next one.
            'time': (times[index] + times[index + 1]) / 2,
            'expected_wrong': check.expected_wrong,
            'worst': '; '.join(
                f'{joint.joint} of {labels.skeleton.category} {joint.track_id}: {joint.score:.2f}'
                for joint in check.joints
            ),
        }
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
    pose_of = {person.track_id: person for person in people if person.labelled.any()}
    for check in joints:
        if check.track_id in pose_of and check.joint in labels.skeleton.keypoint_names:
            joint = labels.skeleton.index_of(check.joint)
            x, y = pose_of[check.track_id].keypoints[joint].round().astype(int).tolist()
            radius, thickness = round(11 * unit), round(2 * unit)
            for color, width in ((DARK_COLOR, 2 * thickness), (DOUBT_COLOR, thickness)):
                cv2.circle(drawn, (x, y), radius, bgr(color), width, cv2.LINE_AA)
    if joints and joints[0].track_id in pose_of:
        # Twice the size of the first joint's person, and no less than a thumbnail shows.
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


def _people(labels: VideoLabels) -> dict[str, Any]:
    """Describe the people of the table and those with curves, the least certain first."""
    tracks = labels.tracks()
    mean = {track_id: _mean_score(tracks[track_id].values()) for track_id in tracks}
    who = labels.skeleton.category
    order = sorted(tracks, key=lambda track_id: (mean[track_id], track_id))
    return {
        'who': who,
        'who_title': _title(who),
        'many': plural(who),
        'many_title': _title(plural(who)),
        'num_people': len(order),
        'people': [
            {
                'track_id': track_id,
                'counts': _count_sources(tracks[track_id].values()),
                'score': '-' if np.isinf(mean[track_id]) else f'{mean[track_id]:.2f}',
            }
            for track_id in order[:MAX_ROWS]
        ],
        'curves': [
            {
                'track_id': track_id,
                'given': ranges(_given_frames(tracks[track_id].values())),
                'picture': _encode_figure(trajectories(labels, track_id)),
            }
            for track_id in order[:MAX_PEOPLE]
        ],
    }


def _encode_figure(figure: Figure) -> str:
    """Encode a figure as a data URI."""
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=100)
    return _data_uri('image/png', data.getvalue())


def _count_sources(people: Iterable[PersonLabel]) -> list[int]:
    """Count the given, propagated and absent poses."""
    counts = count_sources(people)
    return [counts[source] for source in SOURCES]


def _mean_score(people: Iterable[PersonLabel]) -> float:
    """Average the scores of the propagated joints; infinite if there is none."""
    scores = [
        person.scores[person.labelled & person.propagated]
        for person in people
        if person.scores is not None
    ]
    joints = np.concatenate(scores) if scores else np.zeros(0)
    return float(joints.mean()) if len(joints) else float('inf')


def _given_frames(people: Iterable[PersonLabel]) -> list[int]:
    return sorted({person.frame_index for person in people if person.source == 'given'})


def _title(words: str) -> str:
    """Capitalise the first letter; leave the rest unchanged."""
    return words[:1].upper() + words[1:]


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
