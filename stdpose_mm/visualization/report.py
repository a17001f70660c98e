"""A report on a propagated video in one HTML file: what was done, and what to look at."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import av
import cv2
import numpy as np
from matplotlib.figure import Figure

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path, write_text
from stdpose_mm.io.video import FrameSource, write_video
from stdpose_mm.structures import PersonLabel, VideoLabels, pose_extent

from .overlay import draw_people, overlay_frames
from .plots import confidence, trajectories

MAX_VIDEO_BYTES = 10 * 2**20
"""A larger video is linked, not embedded; in base64 it takes a third more."""

MAX_VIDEO_SIDE = 720
"""Pixels; the overlay that the report makes itself is at most this large."""

MAX_PEOPLE, MAX_CHECKS, MAX_ROWS = 12, 24, 100
"""People with curves, thumbnails of frames to check, rows of the table of people."""

MAX_THUMBNAIL_SIDE = 480
JPEG_QUALITY = 80
MARK_COLOR = (60, 60, 255)

DEFAULT_FPS = 25.0


class JointToCheck(Protocol):
    """A joint that may be wrong."""

    @property
    def track_id(self) -> int:
        """The person."""

    @property
    def joint(self) -> str:
        """Name of the joint."""

    @property
    def score(self) -> float:
        """Its score."""


class FrameToCheck(Protocol):
    """A frame that somebody should look at, such as ``apis.frames_to_check`` names."""

    @property
    def frame_index(self) -> int:
        """0-based frame."""

    @property
    def expected_wrong(self) -> float:
        """How many of its joints are expected to be wrong."""

    @property
    def joints(self) -> Sequence[JointToCheck]:
        """Those that are most likely wrong, worst first."""


def write_report(
    path: str | os.PathLike[str],
    frames: FrameSource,
    labels: VideoLabels,
    *,
    checks: Sequence[FrameToCheck] = (),
    video: str | os.PathLike[str] | None = None,
    method: str = '',
) -> None:
    """Write one self-contained HTML file about a propagated video, atomically.

    It has the overlay video, the frames to check with the pose drawn, the confidence over time,
    and every person's joints over time. It loads nothing from elsewhere. What would make it too
    large is left out and said so: it stays below 25 MB, but for a video that is linked.

    Args:
        path: The report.
        frames: The video's pictures.
        labels: Labels of all its frames, given and propagated, people with track ids.
        checks: The frames to check, the most urgent first.
        video: A video of the frames with poses drawn. By default the report makes one. It is
            embedded if it is H.264 in MP4 of up to ``MAX_VIDEO_BYTES``, else linked: a given one
            where it lies, one that the report made as ``<report>_overlay.mp4`` beside it.
        method: How the labels were propagated, to be named in the head.

    Raises:
        InputError: If nobody is labelled, a frame cannot be read, or a file cannot be written.
    """
    if not labels.track_ids:
        raise InputError(
            f'the labels of {labels.name} hold no person with a track id, a report needs at least '
            'one'
        )
    page = Path(path)
    fps = frames.fps or DEFAULT_FPS
    body = [
        _head(frames, labels, method),
        _video_section(page, frames, labels, video),
        _checks_section(frames, labels, checks, fps),
        _confidence_section(labels),
        _people_section(labels),
    ]
    title = f'Poses of {labels.name}'
    write_text(
        page,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        f'<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        + '\n'.join(body)
        + f'\n</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n',
    )


_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 70rem; margin: auto; padding: 1rem; }
h1 { overflow-wrap: anywhere; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
video { width: 100%; max-height: 80vh; background: #000; }
.wide { overflow-x: auto; }
.wide img { min-width: 40rem; width: 100%; background: #fff; border-radius: .3rem; }
.grid { display: grid; gap: 1rem; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; background: var(--soft); border-radius: .3rem; overflow: hidden; }
figure img { width: 100%; display: block; }
figcaption { padding: .5rem .8rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
button { font: inherit; cursor: pointer; }
"""

_SCRIPT = """
const player = document.querySelector('video');
for (const button of document.querySelectorAll('button[data-time]')) {
  if (!player) { button.remove(); continue; }
  button.addEventListener('click', () => {
    player.pause(); player.currentTime = Number(button.dataset.time);
    player.scrollIntoView({block: 'center'});
  });
}
"""


def _policy() -> str:
    """The browser itself sees to it that nothing is loaded, and no other script is run."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; media-src data: file: 'self'; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def _head(frames: FrameSource, labels: VideoLabels, method: str) -> str:
    width, height = frames.size
    given = _given_frames(labels.persons)
    count = {
        source: sum(person.source == source for person in labels.persons)
        for source in ('given', 'propagated', 'absent')
    }
    poses = f'{count["given"]} given, {count["propagated"]} propagated'
    if count['absent']:
        poses += f'; {count["absent"]} times someone is absent'
    scores = _scores([person for person in labels.persons if person.source == 'propagated'])
    facts = [
        ('Method', method),
        ('Frames', f'{len(frames)} of {width} x {height} pixels'),
        ('People', str(len(labels.track_ids))),
        ('Poses', poses),
        ('Joints', ', '.join(labels.skeleton.keypoint_names)),
        ('Mean confidence', f'{scores.mean():.2f} (propagated joints)' if len(scores) else ''),
        (f'Given frames ({len(given)})', _ranges(given)),
    ]
    return _lines(
        f'<h1>Poses of {_text(labels.name)}</h1>',
        '<dl>',
        *(f'<dt>{_text(term)}</dt><dd>{_text(value)}</dd>' for term, value in facts if value),
        '</dl>',
    )


def _video_section(
    page: Path, frames: FrameSource, labels: VideoLabels, video: str | os.PathLike[str] | None
) -> str:
    if video is not None:
        made, name = Path(video), Path(os.path.relpath(video, page.parent)).as_posix()
        source = _embedded(made)
    else:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / 'overlay.mp4'
            write_video(made, _small_overlay(frames, labels), frames.fps or DEFAULT_FPS)
            name = f'{page.stem}_overlay.mp4'
            source = _embedded(made)
            if source is None:
                with atomic_path(page.with_name(name)) as temporary:
                    temporary.write_bytes(made.read_bytes())
    heading = '<h2>Overlay</h2>'
    legend = (
        '<p>A green border and filled joints mark given labels. Propagated poses have hollow '
        'joints, and fade where they are uncertain.</p>'
    )
    if source is not None:
        label = f'Video of {labels.name} with poses drawn'
        shown = f'<video controls playsinline src="{source}" aria-label="{_text(label)}"></video>'
        return _lines(heading, shown, legend)
    link = f'<a href="{quote(name)}">{_text(name)}</a>'
    return _lines(
        heading,
        f'<p>The video is not part of this file: {link} (browsers play H.264 in MP4).</p>',
        legend,
    )


def _small_overlay(frames: FrameSource, labels: VideoLabels) -> Iterator[np.ndarray]:
    for picture in overlay_frames(frames, labels):
        yield _shrunk(picture, MAX_VIDEO_SIDE)


def _embedded(video: Path) -> str | None:
    """A video as a data URI; None if it is too large or browsers would not play it."""
    try:
        size = video.stat().st_size
        with av.open(str(video)) as container:
            streams = container.streams.video
            playable = (
                'mp4' in container.format.name
                and len(streams) > 0
                and streams[0].codec_context.name in ('h264', 'libx264')
            )
    except (OSError, av.FFmpegError) as error:
        raise InputError(f'the video {video} cannot be read for the report: {error}') from error
    if size > MAX_VIDEO_BYTES or not playable:
        return None
    return _data_uri('video/mp4', video.read_bytes())


def _checks_section(
    frames: FrameSource, labels: VideoLabels, checks: Sequence[FrameToCheck], fps: float
) -> str:
    heading = '<h2>Please check</h2>'
    if not checks:
        return _lines(heading, '<p>No frame stands out.</p>')
    shown = checks[:MAX_CHECKS]
    people = labels.persons_by_frame()
    # Read in the order of the video, shown in the order of urgency.
    thumbnails = {
        check.frame_index: _thumbnail(
            frames[check.frame_index], people.get(check.frame_index, []), labels, check.joints
        )
        for check in sorted(shown, key=lambda check: check.frame_index)
    }
    cards = []
    for check in shown:
        worst = '; '.join(f'{j.joint} of person {j.track_id}: {j.score:.2f}' for j in check.joints)
        alternative = f'Frame {check.frame_index} with poses drawn, rings around {worst}'
        time = (check.frame_index + 0.5) / fps
        cards.append(
            f'<li><figure><img src="{thumbnails[check.frame_index]}" '
            f'alt="{_text(alternative)}"><figcaption><strong>Frame {check.frame_index}</strong> '
            f'<button type="button" data-time="{time:.3f}">Show in the video</button><br>'
            f'{check.expected_wrong:.1f} joints expected to be wrong<br>'
            f'Least certain (red rings): {_text(worst)}</figcaption></figure></li>'
        )
    return _lines(
        heading,
        f'<p>The frames whose joints are most likely wrong{_showing(len(shown), len(checks))}.</p>',
        '<ol class="grid">',
        *cards,
        '</ol>',
    )


def _thumbnail(
    picture: np.ndarray,
    people: Sequence[PersonLabel],
    labels: VideoLabels,
    joints: Sequence[JointToCheck],
) -> str:
    """The frame with poses and rings around joints; a large one is cut to the first's person."""
    drawn = draw_people(picture, people, labels.skeleton)
    unit = max(1.0, max(drawn.shape[:2]) / MAX_THUMBNAIL_SIDE)
    pose_of = {person.track_id: person for person in people if person.labelled.any()}
    for check in joints:
        if check.track_id in pose_of and check.joint in labels.skeleton.keypoint_names:
            joint = labels.skeleton.index_of(check.joint)
            x, y = pose_of[check.track_id].keypoints[joint].round().astype(int).tolist()
            radius, thickness = round(10 * unit), round(2 * unit)
            cv2.circle(drawn, (x, y), radius, MARK_COLOR, thickness, cv2.LINE_AA)
    if joints and joints[0].track_id in pose_of:
        person = pose_of[joints[0].track_id]
        drawn = _around(drawn, pose_extent(person.keypoints, person.labelled))
    _, data = cv2.imencode(
        '.jpg', _shrunk(drawn, MAX_THUMBNAIL_SIDE), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return _data_uri('image/jpeg', data.tobytes())


def _around(picture: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """The part of a picture around a pose: twice its size, and no less than a thumbnail shows.

    Args:
        picture: [H, W, 3].
        extent: [4] ``[x, y, w, h]`` of the pose.
    """
    size = np.array(picture.shape[1::-1])
    side = np.minimum(size, max(MAX_THUMBNAIL_SIDE, round(2 * extent[2:].max())))
    centre = extent[:2] + extent[2:] / 2
    left, top = np.clip((centre - side / 2).round(), 0, size - side).astype(int)
    return picture[top : top + side[1], left : left + side[0]]


def _confidence_section(labels: VideoLabels) -> str:
    return _lines(
        '<h2>Confidence over time</h2>',
        _chart(confidence(labels), 'Mean and lowest score of the joints of every frame'),
    )


def _people_section(labels: VideoLabels) -> str:
    tracks = labels.tracks()
    mean = {track_id: _mean_score(tracks[track_id].values()) for track_id in tracks}
    # Who is least certain needs a look most.
    order = sorted(tracks, key=lambda track_id: (mean[track_id], track_id))
    rows = []
    for track_id in order[:MAX_ROWS]:
        people = list(tracks[track_id].values())
        count = [sum(p.source == s for p in people) for s in ('given', 'propagated', 'absent')]
        cells = ''.join(f'<td>{number}</td>' for number in count)
        certain = '-' if np.isinf(mean[track_id]) else f'{mean[track_id]:.2f}'
        rows.append(f'<tr><th scope="row">{track_id}</th>{cells}<td>{certain}</td></tr>')
    curves = []
    for track_id in order[:MAX_PEOPLE]:
        given = _ranges(_given_frames(tracks[track_id].values()))
        curves += [
            f'<h3>Person {track_id}</h3>',
            _chart(
                trajectories(labels, track_id),
                f'x and y of every joint of person {track_id} over the frames; dots mark the '
                f'given labels, frames {given or "none"}',
            ),
        ]
    return _lines(
        '<h2>People</h2>',
        f'<p>The least certain first{_showing(len(rows), len(order))}.</p>',
        '<div class="wide"><table><thead><tr><th scope="col">Person</th>'
        '<th scope="col">Given</th><th scope="col">Propagated</th><th scope="col">Absent</th>'
        '<th scope="col">Mean score</th></tr></thead>',
        '<tbody>',
        *rows,
        '</tbody></table></div>',
        '<h2>Joints over time</h2>',
        f'<p>Dots are given labels{_showing(min(len(order), MAX_PEOPLE), len(order), "people")}.'
        '</p>',
        *curves,
    )


def _chart(figure: Figure, alternative: str) -> str:
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=100)
    uri = _data_uri('image/png', data.getvalue())
    return f'<div class="wide"><img src="{uri}" alt="{_text(alternative)}"></div>'


def _showing(shown: int, there: int, what: str = '') -> str:
    return '' if shown == there else f' (showing {shown} of {there}{" " + what if what else ""})'


def _scores(people: Iterable[PersonLabel]) -> np.ndarray:
    """[N] the scores of all labelled joints."""
    scores = [p.scores[p.labelled] for p in people if p.scores is not None]
    return np.concatenate(scores) if scores else np.zeros(0)


def _mean_score(people: Iterable[PersonLabel]) -> float:
    """Of the propagated joints; infinite if there is none."""
    scores = _scores(person for person in people if person.source == 'propagated')
    return float(scores.mean()) if len(scores) else float('inf')


def _given_frames(people: Iterable[PersonLabel]) -> list[int]:
    return sorted({person.frame_index for person in people if person.source == 'given'})


def _ranges(frames: Sequence[int]) -> str:
    """Ascending frame numbers as text: ``0, 7, 14-16``."""
    starts = [f for i, f in enumerate(frames) if i == 0 or frames[i - 1] + 1 != f]
    ends = [a for a, b in pairwise(frames) if a + 1 != b] + list(frames[-1:])
    return ', '.join(str(a) if a == b else f'{a}-{b}' for a, b in zip(starts, ends, strict=True))


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture, made smaller if a side exceeds ``side`` pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _data_uri(kind: str, data: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def _text(value: str) -> str:
    """Text from a file, harmless in HTML: escaped, and without what no page can hold."""
    shown = ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in value)
    return html.escape(shown)


def _lines(*lines: str) -> str:
    return '\n'.join(lines)
