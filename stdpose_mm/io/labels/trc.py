"""TRC, the marker files of OpenSim, Pose2Sim and Sports2D.

Written with the standard library; the libraries for these files only read them. Video labels are
two-dimensional and not in metres, so the files follow Sports2D's pixel form: x to the right and y
down in pixels, z = 0. Sports2D converts such a file to metres by the height of the person.
"""

from __future__ import annotations

from collections.abc import Callable

from stdpose_mm.errors import InputError
from stdpose_mm.io import write_text
from stdpose_mm.io.atomic import PathLike, finished_name
from stdpose_mm.structures import PersonLabel, VideoLabels

from .fields import shown

_FEW_FRAMES, _MAX_EMPTY = 100_000, 100
"""Above the first number of rows, there may be at most the second number of rows per listed
frame."""

_UNIT = 'px'
_FIELDS = (
    *('DataRate', 'CameraRate', 'NumFrames', 'NumMarkers', 'Units'),
    *('OrigDataRate', 'OrigDataStartFrame', 'OrigNumFrames'),
)


TIMES_NEEDED = (
    'TRC needs the time of every frame, but the frame rate is not known; give a video file, or '
    'write another format and convert it with `stdpose convert --fps`'
)


def write_trc(
    labels: VideoLabels, path: PathLike, time_of: Callable[[int], float | None] | None = None
) -> None:
    """Write the joints of a video as markers, atomically.

    There is a row for every frame from the first to the last of the labels, counted from 1 as the
    format requires. With several people markers are called ``<track id>_<joint>``. A joint without
    a place is empty. Scores, sources, boxes and occlusion are not written.

    Args:
        labels: The labels; people need track ids.
        path: The ``.trc`` file to write.
        time_of: Seconds of a frame from the first one.

    Raises:
        InputError: If the times are not known, a person has no track id, the labels list few of
            very many frames, or the name of a joint holds a tab or a line break.
    """
    placed = [person for person in labels.persons if person.labelled.any()]
    if any(person.track_id is None for person in placed):
        raise InputError(f'{path}: TRC needs identities, {labels.name} has people without track id')
    people = sorted({person.track_id for person in placed if person.track_id is not None})
    frames = range(min(labels), max(labels) + 1) if len(labels) else range(0)
    if not 2 <= len(frames) <= max(_FEW_FRAMES, _MAX_EMPTY * len(labels)):
        raise InputError(
            f'{path}: TRC has a row for every frame and needs two or more, but {labels.name} lists '
            f'{len(labels)} of {len(frames)}, propagate the labels first'
        )
    times = [None if time_of is None else time_of(frame) for frame in frames]
    if None in times:
        raise InputError(f'{path}: {TIMES_NEEDED}')
    seconds = [float(time) for time in times if time is not None]
    markers = [
        joint if len(people) == 1 else f'{track_id}_{joint}'
        for track_id in people
        for joint in labels.skeleton.keypoint_names
    ]
    bad = [name for name in markers if {*name} & {*'\t\n\r'}]
    if bad:
        raise InputError(f'{path}: TRC has no room for {shown(bad[0])}, rename the joint')
    rate = round((len(seconds) - 1) / (seconds[-1] - seconds[0]), 6)
    values = (rate, rate, len(frames), len(markers), _UNIT, rate, frames[0] + 1, len(frames))
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{finished_name(path)}',
        '\t'.join(_FIELDS),
        '\t'.join(map(str, values)),
        'Frame#\tTime\t' + '\t\t\t'.join(markers) + '\t\t',
        '\t\t' + '\t'.join(f'X{i}\tY{i}\tZ{i}' for i in range(1, len(markers) + 1)),
    ]
    place = {(person.frame_index, person.track_id): person for person in placed}
    count = labels.skeleton.num_keypoints
    for frame, time in zip(frames, seconds, strict=True):
        cells = [str(frame + 1), repr(round(time, 6))]
        for track_id in people:
            cells += _cells(place.get((frame, track_id)), count)
        lines.append('\t'.join(cells))
    write_text(path, '\n'.join(lines) + '\n')


def _cells(person: PersonLabel | None, count: int) -> list[str]:
    if person is None:
        return [''] * (3 * count)
    cells = []
    for (x, y), labelled in zip(person.keypoints.tolist(), person.labelled, strict=True):
        cells += [repr(x), repr(y), '0.0'] if labelled else ['', '', '']
    return cells
