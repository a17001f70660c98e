"""CVAT's "CVAT for video 1.1" XML with skeleton tracks, or the zip that CVAT exports it in.

Read with ``xml.etree``: datumaro reads CVAT files, but no skeletons in this format; sleap-io and
movement do not read it. Documents with a DTD are refused.

CVAT keeps a separate track for every point of a skeleton. Like CVAT's importer, this reader uses
each point's own ``keyframe`` flag: a point at one of its key frames was given by a person or made
by this package (see :mod:`.cvat_tracks`); points that CVAT interpolates between key frames are not
given, whatever the flag of the enclosing skeleton says. A point that is ``outside`` stays outside
until its next key frame; CVAT omits it from the frames in between.

The format has no skeletons of single frames (shapes). CVAT exports each shape as a track of one
frame, followed (except at the end of the video) by a frame in which all points are outside.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path

from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_DEPTH, MAX_FRAME_INDEX
from stdpose_mm.structures import (
    FrameNumbering,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
    unused_track_ids,
)
from stdpose_mm.text import listed

from .cvat_tracks import FROM_FILE, CvatTrack, fields_of, find_loaded, read_track, whole_number
from .fields import Record, errors_of, quote, require_distinct
from .joints import choose_categories, classes_of, joint_order, note_unread
from .label_source import LabelSource

ANNOTATIONS = 'annotations.xml'

_MAX_LISTED = 10**6
"""Maximum number of listed frames without labels; a tiny file could claim many more."""

_OF_PICTURES = 'annotation'
"""Mode of a task of pictures, whose frame numbers count its pictures, not frames of a video."""

_MAY_ALL_BE_CORRECTED = 20
"""Number of key frames of joints up to which all of them may plausibly have been corrected."""


def is_cvat(source: LabelSource) -> bool:
    """Tell whether a file is XML or a zip with XML, as CVAT's exports are."""
    return source.head.startswith(b'<') or (source.is_zip and bool(_exports(source)))


def _exports(source: LabelSource) -> list[bytes]:
    """List the exports in a zip: one, even if it was unpacked and packed again with its folder."""
    return [data for name, data in source.zipped.items() if Path(name).name == ANNOTATIONS]


def read_cvat(
    path: PathLike, loaded_into_cvat: PathLike | None = None, category: str | None = None
) -> VideoLabels:
    """Read the skeleton tracks of one video from a "CVAT for video 1.1" file.

    Args:
        path: The XML file, or CVAT's zip with ``annotations.xml`` in it.
        loaded_into_cvat: The file of :func:`write_cvat` that was loaded into the task before it was
            corrected. Needed if the task does not have the attributes of
            :func:`write_cvat_labels`.
        category: The skeleton label to read, if skeletons of several are used.

    Returns:
        A label for every frame and person with a key frame. Joints that a person placed are
        'given', joints that a person made 'outside' are 'absent', joints that were exported as
        'propagated' stay 'propagated'. In a given label, joints that CVAT interpolates are
        'propagated' and have no coordinates. The video's name is the task's, else the file's.
        Frames are those of the task; in a task of pictures they are numbers of pictures, which
        :func:`~stdpose_mm.io.labels.match_frames` turns into frames. Track ids are those from
        before the export if known, else CVAT's. If all skeletons were drawn as shapes, they get no
        track ids, with a warning. Shapes next to tracks look like people who are visible in one
        frame; they are read as such people, and another warning lists them.
        Attributes other than ``source`` and ``score``, and other kinds of tracks, are in ``extra``.

    Raises:
        InputError: If the file is not as described, or does not tell which joints written by this
            package were corrected.
    """
    root = _parse(path)
    task = root.find('meta')
    meta = ET.Element('meta') if task is None else task
    _require_one_task(path, root)
    step = _frame_step(path, meta)
    tracks, skeleton = _read_tracks(path, root, category)
    before: Sequence[Sequence[CvatTrack] | None] = [None] * len(tracks)
    if loaded_into_cvat is not None:
        before = _read_loaded(path, tracks, loaded_into_cvat, category)
    cuts = _ends_of_job(path, meta) if any(track.is_from_file for track in tracks) else set()
    track_ids: Sequence[int | None] = _track_ids(tracks)
    if _warn_of_shapes(path, tracks, step):
        track_ids = [None] * len(tracks)
        for track in tracks:
            track.drop_finish()
    persons: list[PersonLabel] = []
    with errors_of(path):
        for track, loaded, track_id in zip(tracks, before, track_ids, strict=True):
            track.find_sources(loaded, cuts)
            persons += track.labels(track_id)
    # Sorted by frame, as in the other formats.
    persons.sort(key=lambda person: person.frame_index)
    frames = _read_frames(path, meta, step, (person.frame_index for person in persons))
    numbering = None
    if meta.findtext('.//mode') == _OF_PICTURES:
        # In a part of the task, such as a job, the numbers are not positions.
        is_whole = [frame.index for frame in frames] == [*range(len(frames))]
        text = 'the numbers of the pictures in their task'
        numbering = FrameNumbering('positions', text, len(frames) if is_whole else 0)

    unread = [e for e in root if e.tag not in ('meta', 'version') and e.find('skeleton') is None]
    note_unread(
        path, 'other elements', (e.tag if e.find('*') is None else e[0].tag for e in unread)
    )
    others = [ET.tostring(element, encoding='unicode') for element in unread]
    name = meta.findtext('task/name') or video_name(path)
    extra = {'cvat_elements': others} if others else {}
    with errors_of(path):
        return VideoLabels(name, skeleton, tuple(frames), tuple(persons), extra, numbering)


def _require_one_task(path: PathLike, root: ET.Element) -> None:
    """Refuse the export of a project: each of its tasks is a video with its own frame numbers."""
    tasks = {element.get('task_id') for element in root} - {None}
    count = max(len(tasks), len(root.findall('meta/project/tasks/task')))
    if count > 1:
        what = f'the export of a CVAT project with {count} tasks, expected one video'
        raise InputError(f'{path} is {what}; open its task in CVAT and export the task')


def _read_tracks(
    path: PathLike, root: ET.Element, category: str | None
) -> tuple[list[CvatTrack], Skeleton]:
    with_skeleton = [t for t in root.findall('track') if t.find('skeleton') is not None]
    if root.find('image') is not None and (
        not with_skeleton or root.find('image/skeleton') is not None
    ):
        raise InputError(
            f'{path} is "CVAT for images", export it as "CVAT for video 1.1" or, for a task of '
            'selected pictures, as "COCO Keypoints 1.0", which names the pictures'
        )
    skeleton, names = _read_skeleton(path, root, with_skeleton, category)
    classes, tracks = classes_of([*names]), []
    for i, element in enumerate(with_skeleton):
        if element.get('label') in names:
            record = Record(path, f'track[{i}]', fields_of(element))
            label = record.text('label')
            tracks.append(read_track(record, skeleton, names[label], classes[label]))
    require_distinct(path, 'track id', [track.id for track in tracks])
    return tracks, skeleton


def _read_loaded(
    path: PathLike, tracks: Sequence[CvatTrack], loaded: PathLike, category: str | None
) -> list[list[CvatTrack]]:
    """Read the loaded tracks of every track's group; for an unknown group, all tracks.

    Raises:
        InputError: If ``loaded`` is not the file that was loaded.
    """
    exported, _ = _read_tracks(loaded, _parse(loaded), category)
    for track in exported:
        track.find_sources(None, ())
    number = sum(len(of_joint) for track in exported for of_joint in track.joints)
    if number > _MAY_ALL_BE_CORRECTED and not any(
        find_loaded(key_frame, (other.joints[joint] for other in exported))
        for track in tracks
        for joint, of_joint in enumerate(track.joints)
        for key_frame in of_joint.values()
    ):
        expected = 'the file that was loaded into CVAT before the labels were corrected'
        raise InputError(f'no key frame of {path} occurs in {loaded}, expected {expected}')
    return [
        [candidate for candidate in exported if candidate.group == t.group] or exported
        for t in tracks
    ]


def _warn_of_shapes(path: PathLike, tracks: Sequence[CvatTrack], step: int) -> bool:
    """Warn of skeletons that may have been drawn as shapes, and tell whether all were.

    Next to tracks, shapes look like people who are visible in one frame, and are read as such.
    """
    alone = [track for track in tracks if track.may_be_shape(step)]
    # If each is in one frame only, such as the last one, all may be tracks.
    if not alone or all(len(track.frame_indices) == 1 for track in tracks):
        return False
    if len(alone) == len(tracks) > 1:
        note(
            f'{path}: the {len(tracks)} skeletons were drawn as shapes, which have no identities, '
            'so people are matched by position; draw them with "Track", which keeps identities'
        )
        return True
    places = listed([f'track {track.id} in frame {track.frame_indices[0]}' for track in alone], 5)
    note(
        f'{path}: tracks of one frame, like skeletons drawn as shapes, are read as separate people '
        f'({places}); draw people who stay longer or have another track with "Track"'
    )
    return False


def _track_ids(tracks: Sequence[CvatTrack]) -> list[int]:
    """Restore the ids of exported tracks; other tracks keep their ids if these are free."""
    of_id: dict[int, CvatTrack] = {}
    for track in tracks:
        if track.group >= FROM_FILE:
            of_id.setdefault(track.group - FROM_FILE, track)
    new_ids = unused_track_ids({*of_id, *(track.id for track in tracks)})
    ids = []
    for track in tracks:
        is_restored = of_id.get(track.group - FROM_FILE) is track
        track_id = track.group - FROM_FILE if is_restored else track.id
        ids.append(next(new_ids) if track_id in of_id and not is_restored else track_id)
    return ids


def _ends_of_job(path: PathLike, meta: ET.Element) -> set[int]:
    """Find the ends of the job, at which CVAT cuts tracks when they are loaded.

    Raises:
        InputError: If there are several jobs, because CVAT does not rejoin the cut skeletons.
    """
    if len(meta.findall('task/segments/segment')) > 1:
        raise InputError(
            f'{path} is a task of several jobs, and CVAT cut the loaded tracks at their ends: '
            'export its jobs one by one, or load the tracks into a task without a segment size'
        )
    ends = (whole_number(meta.findtext(f'job/{name}')) for name in ('start_frame', 'stop_frame'))
    return {end for end in ends if end is not None}


def _parse(path: PathLike) -> ET.Element:
    source = LabelSource.of(path)
    exports = _exports(source) if source.is_zip else [source.content]
    if len(exports) != 1:
        raise InputError(f'{path} is not a zip file with one {ANNOTATIONS} in it')
    try:
        root = ET.fromstring(exports[0], ET.XMLParser(target=_TreeBuilder()))
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f'{path} is not usable XML: {error}') from error
    if root.tag != 'annotations':
        raise InputError(f'{path} must be a CVAT file with <annotations>, got <{root.tag[:60]}>')
    # Whoever walks through the elements by recursion relies on this limit.
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
    if level:
        raise InputError(f'{path} is nested more than {MAX_DEPTH} elements deep')
    return root


class _TreeBuilder(ET.TreeBuilder):
    """Builder that refuses a document type definition, which could expand to gigabytes."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError('it has a document type definition, expected a CVAT export')


def _read_skeleton(
    path: PathLike, root: ET.Element, tracks: Sequence[ET.Element], category: str | None
) -> tuple[Skeleton, dict[str, list[str]]]:
    """Read the skeleton, and the labels in CVAT that are read -> their names of its joints."""
    labels = root.findall('meta//label')
    skeletons = (label for label in labels if label.findtext('type') == 'skeleton')
    kinds = {label.findtext('name') or '': label for label in skeletons}
    joints_of = {
        name: [joint.findtext('name') or '' for joint in labels if joint.findtext('parent') == name]
        for name in kinds
    }
    if tracks and not kinds:
        name = tracks[0].get('label') or ''
        points = (point for track in tracks for point in track.iter('points'))
        joints_of = {name: [*dict.fromkeys(point.get('label') or '' for point in points)]}
    used = {track.get('label') for track in tracks}
    skeleton_names = listed([*map(quote, joints_of)], 5)
    if len(joints_of) > 1:
        joints_of = {name: joints for name, joints in joints_of.items() if name in used}
    if not joints_of:
        raise InputError(f'{path} holds no skeleton, expected a skeleton label or skeleton tracks')
    for i, label in enumerate(track.get('label') for track in tracks):
        if label not in joints_of:
            what = f'must be one of the skeletons ({skeleton_names}), got {quote(label)}'
            raise InputError(f'{path}: track[{i}].label {what}')
    names = choose_categories(path, joints_of, category)
    joints = joints_of[names[0]]
    spelled = {n: [joints_of[n][k] for k in joint_order(joints_of[n], joints) or ()] for n in names}
    drawing = kinds[names[0]].findtext('svg') or '' if names[0] in kinds else ''
    with errors_of(f'{path}: label {names[0]!r}'):
        name = names[0] if len(names) == 1 else 'person'
        return Skeleton(tuple(joints), _limbs(drawing, joints), name), spelled


def _limbs(svg: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Read the edges of CVAT's drawing of a skeleton as pairs of joint indices."""
    try:
        drawing = ET.fromstring(f'<svg>{svg}</svg>', ET.XMLParser(target=_TreeBuilder()))
    except (ET.ParseError, ValueError):
        # The labels are complete without the drawing, which only CVAT needs.
        return ()
    circles = (
        (c.get('data-node-id'), c.get('data-label-name', '')) for c in drawing.iter('circle')
    )
    joint_of = {node: names.index(name) for node, name in circles if name in names}
    ends = [(line.get('data-node-from'), line.get('data-node-to')) for line in drawing.iter('line')]
    return tuple((joint_of[a], joint_of[b]) for a, b in ends if a in joint_of and b in joint_of)


def _read_frames(
    path: PathLike, meta: ET.Element, step: int, labelled: Iterable[int]
) -> list[VideoFrame]:
    """Read the frames of the task (from its first, last and step), and those with labels.

    For a task of more than a million frames, only those with labels are listed.
    """
    names = ('start_frame', 'stop_frame', 'size', 'width', 'height')
    texts = {name: meta.findtext(f'.//{name}') or None for name in names}
    numbers = {name: whole_number(text) for name, text in texts.items()}
    values = {name: texts[name] if n is None else n for name, n in numbers.items()}
    record = Record(path, 'meta', values)
    start = record.integer('start_frame', 0, 0, MAX_FRAME_INDEX)
    last = start + (record.integer('size', 0, 0, MAX_FRAME_INDEX + 1) - 1) * step
    of_task = range(start, record.integer('stop_frame', last, 0, MAX_FRAME_INDEX) + 1, step)
    width, height = (length or None for length in record.size('width', 'height', low=0))
    indices = sorted({*(of_task if len(of_task) <= _MAX_LISTED else ()), *labelled})
    return [VideoFrame(index, width=width, height=height) for index in indices]


def _frame_step(path: PathLike, meta: ET.Element) -> int:
    """Read the step from one frame of the task to the next, in frames of the video."""
    text = meta.findtext('.//frame_filter')
    step = re.fullmatch(r'step=([1-9][0-9]{0,6})', text or 'step=1')
    if step is None:
        raise InputError(f'{path}: frame_filter must be like step=5, got {quote(text)}')
    return int(step.group(1))
