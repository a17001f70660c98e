"""Skeleton tracks of CVAT's XML: key frames of joints, and the labels made from them.

CVAT keeps a separate track for every joint of a skeleton: key frames, with linear interpolation
between them, and flags that hold from a key frame until the next one. To find what a person changed
after the export, each key frame is written with a mark in the attribute ``source`` of its point,
which holds its frame, position and state at export. CVAT copies attributes to key frames that are
added later, so the mark alone proves nothing: a key frame that differs from its mark was placed or
changed by a person.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.structures import (
    CLASS_NAME,
    NOT_LABELLED,
    OCCLUDED,
    SOURCES,
    VISIBLE,
    PersonLabel,
    Skeleton,
    Source,
)

from .fields import Record, number_in, require_distinct

UNMARKED = 'given'
"""Default value of the attribute ``source``, which joints placed in CVAT have."""

NO_SCORE = '-'
"""Default value of the attribute ``score``; CVAT requires a non-empty text."""

FROM_FILE = 10**9
"""Offset of the groups of exported tracks. CVAT renumbers tracks but keeps their groups, so an
exported track has the group ``FROM_FILE`` plus its id (``FROM_FILE`` - 1 if the id is out of
range). This also tells exported tracks from those drawn in CVAT."""

# CVAT exports coordinates with two decimals.
_ROUNDING = 0.006

_STATES = {NOT_LABELLED: ' outside', OCCLUDED: ' occluded', VISIBLE: ''}
_NUMBER = r'-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?'
_MARK = re.compile(
    f'({"|".join(SOURCES)}) ([0-9]{{1,8}})(?: ({_NUMBER}),({_NUMBER}))?( outside| occluded|)'
)


@dataclass(frozen=True)
class KeyFrame:
    """A joint at one of its key frames; mark, score and attributes are not compared.

    Args:
        frame_index: Frame of the video.
        place: (x, y) in pixels; the last known position if the joint is outside.
        visibility: 0 (CVAT's ``outside``), 1 or 2.
        source: 'given' if a person placed or left out the joint here.
        mark: The mark in the file; None if it has none.
        score: The attribute ``score``; None if it has none.
        attributes: Its other attributes.
    """

    frame_index: int
    place: tuple[float, float]
    visibility: int
    source: Source = 'given'
    mark: str | None = field(default=None, compare=False)
    score: float | None = field(default=None, compare=False)
    attributes: Mapping[str, str] = field(default_factory=dict, compare=False)

    def format_mark(self) -> str:
        """Format source, frame, position and state as the mark that :meth:`exported` reads."""
        (x, y), place = self.place, ''
        is_rounded = self.source == 'given' and (x, y) == (round(x, 2), round(y, 2))
        if self.visibility != NOT_LABELLED and not is_rounded:
            place = f' {x!r},{y!r}'
        return f'{self.source} {self.frame_index}{place}{_STATES[self.visibility]}'

    def exported(self) -> KeyFrame | None:
        """Restore this key frame as it was exported, with its source and all its digits.

        Returns:
            The exported key frame; None if a person has placed or changed it since.
        """
        match = _MARK.fullmatch(self.mark or '')
        if match is None:
            return None
        source, frame_index, x, y, state = match.groups()
        place = self.place if x is None else (float(x), float(y))
        visibility = next(flag for flag, text in _STATES.items() if text == state)
        exported = KeyFrame(int(frame_index), place, visibility, cast(Source, source))
        return exported if self.is_as(exported) else None

    def is_as(self, exported: KeyFrame) -> bool:
        """Tell whether this key frame equals ``exported`` up to CVAT's rounding."""
        return (
            self.frame_index == exported.frame_index
            and self.visibility == exported.visibility
            and (self.visibility == NOT_LABELLED or _near(self.place, exported.place, _ROUNDING))
        )


KeyFrames = dict[int, KeyFrame]
"""Frame -> key frame of a joint in a track."""


def _near(first: tuple[float, float], second: tuple[float, float], distance: float) -> bool:
    return max(abs(first[0] - second[0]), abs(first[1] - second[1])) <= distance


def find_loaded(key_frame: KeyFrame, loaded: Iterable[KeyFrames]) -> KeyFrame | None:
    """Find the key frame that equals this one among those of the joint in a loaded file."""
    same = (of_track.get(key_frame.frame_index) for of_track in loaded)
    return next((other for other in same if other is not None and key_frame.is_as(other)), None)


def is_on_line(key_frame: KeyFrame, loaded: Iterable[KeyFrames]) -> bool:
    """Tell whether a key frame equals CVAT's interpolation between two loaded ones of the joint."""
    for of_track in loaded:
        frame_index = key_frame.frame_index
        start = max((i for i in of_track if i <= frame_index), default=None)
        if start is None or of_track[start].visibility != key_frame.visibility:
            continue
        stop = min((i for i in of_track if i > frame_index), default=start)
        left, right = of_track[start].place, of_track[stop].place
        weight = (frame_index - start) / max(stop - start, 1) if stop > start else 0.0
        x, y = (a + (b - a) * weight for a, b in zip(left, right, strict=True))
        if key_frame.visibility == NOT_LABELLED or _near(key_frame.place, (x, y), 2 * _ROUNDING):
            return True
    return False


@dataclass
class CvatTrack:
    """A skeleton track.

    Args:
        file: The file of the track.
        id: Id of the track in the file.
        group: CVAT's group of tracks, 0 for none.
        skeleton: Its joints.
        joints: For every joint, frame -> its key frame.
        class_name: Its label, if the file has skeletons of several labels.
        attributes: Frame -> attributes of the whole skeleton, for every frame in the file.
    """

    file: PathLike
    id: int
    group: int
    skeleton: Skeleton
    joints: list[KeyFrames]
    class_name: str = ''
    attributes: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def has_marks(self) -> bool:
        marks = {key_frame.mark for of_joint in self.joints for key_frame in of_joint.values()}
        return not marks <= {None, UNMARKED}

    @property
    def is_from_file(self) -> bool:
        """Whether this package wrote the track, even if CVAT has exported it since."""
        return self.group >= FROM_FILE - 1 or self.has_marks

    @property
    def frame_indices(self) -> list[int]:
        """The frames in which the file lists the skeleton, as a key frame or not."""
        return sorted(self.attributes)

    def may_be_shape(self, step: int) -> bool:
        """Tell whether CVAT may have written this track for a skeleton that was drawn as a shape.

        Such a track has one frame with a placed point and, except at the end of the video, a final
        frame right after it with all points outside at unchanged positions. A skeleton drawn as a
        track continues until it is made outside. In files of this package, also of older versions,
        such a track is a person visible in one frame.

        Args:
            step: Number of frames from one frame of the task to the next.
        """
        first, *later = self.frame_indices
        if self.is_from_file or later not in ([], [first + step]):
            return False
        drawn, finish = self._key_frames_at(first), self._key_frames_at(first + step)
        outside = {
            joint: replace(key_frame, frame_index=first + step, visibility=NOT_LABELLED)
            for joint, key_frame in drawn.items()
        }
        is_placed = any(key_frame.visibility != NOT_LABELLED for key_frame in drawn.values())
        return is_placed and finish == (outside if later else {})

    def _key_frames_at(self, frame_index: int) -> dict[int, KeyFrame]:
        """Map joint -> its key frame in a frame."""
        every = enumerate(self.joints)
        return {joint: of_it[frame_index] for joint, of_it in every if frame_index in of_it}

    def drop_finish(self) -> None:
        """Drop the final frame that CVAT adds to the track of a shape."""
        first = self.frame_indices[0]
        self.joints = [
            {i: key_frame for i, key_frame in joint.items() if i == first} for joint in self.joints
        ]

    def find_sources(self, loaded: Sequence[CvatTrack] | None, cuts: Collection[int]) -> None:
        """Find the source of every key frame by comparing it with what was exported.

        Args:
            loaded: The tracks that were loaded into CVAT; None to use the marks.
            cuts: Frames where CVAT may have cut the track and added key frames.

        Raises:
            InputError: If the sources cannot be determined.
        """
        if loaded is None and not self.is_from_file:
            return
        if loaded is None and not self.has_marks:
            raise InputError(
                f'{self.file}: track {self.id} was loaded into a task without the attribute that '
                'marks corrected key frames: give the loaded file with --loaded-into-cvat'
            )
        for joint, of_joint in enumerate(self.joints):
            before = [track.joints[joint] for track in loaded or ()]
            for i, key_frame in [*of_joint.items()]:
                is_cut = i in cuts and key_frame.mark != UNMARKED
                exported = find_loaded(key_frame, before) if loaded else key_frame.exported()
                if exported is not None:
                    of_joint[i] = replace(key_frame, place=exported.place, source=exported.source)
                elif is_cut and loaded is None:
                    raise InputError(
                        f'{self.file}: track {self.id} has a key frame at frame {i}, where the job '
                        'ends and CVAT adds some: give the loaded file with --loaded-into-cvat'
                    )
                elif is_cut and is_on_line(key_frame, before):
                    del of_joint[i]
                else:
                    # CVAT copies the score of the previous key frame to this one.
                    of_joint[i] = replace(key_frame, score=None)

    def labels(self, track_id: int | None) -> Iterator[PersonLabel]:
        """Yield a label for every frame with a key frame of a joint."""
        # State in which CVAT shows each joint between its key frames.
        held: list[Source] = ['absent'] * len(self.joints)
        for frame_index in sorted({i for of_joint in self.joints for i in of_joint}):
            for joint, key_frame in self._key_frames_at(frame_index).items():
                is_held = key_frame.visibility != NOT_LABELLED or key_frame.source == 'propagated'
                held[joint] = 'propagated' if is_held else 'absent'
            label = self._label(frame_index, held, track_id)
            if label.source != 'propagated' or label.is_located:
                yield label

    def _label(self, frame_index: int, held: Sequence[Source], track_id: int | None) -> PersonLabel:
        key_frames = self._key_frames_at(frame_index)
        keypoints = np.zeros((len(held), 2))
        visibility = np.full(len(held), NOT_LABELLED)
        sources = [*held]
        for joint, key_frame in key_frames.items():
            keypoints[joint], visibility[joint] = key_frame.place, key_frame.visibility
            if key_frame.visibility != NOT_LABELLED:
                sources[joint] = key_frame.source
        source: Source = 'propagated' if 'propagated' in sources else 'absent'
        if any(key_frame.source == 'given' for key_frame in key_frames.values()):
            source = 'given'
            if 'given' not in sources:
                # The label only tells which joints are left out.
                visibility[:] = NOT_LABELLED
        known = {
            joint: shape.score for joint, shape in key_frames.items() if shape.score is not None
        }
        scores = [known.get(joint, float(s == 'given')) for joint, s in enumerate(sources)]
        names = self.skeleton.keypoint_names
        attributes = {
            names[j]: shape.attributes for j, shape in key_frames.items() if shape.attributes
        }
        extra: dict[str, Any] = {
            'cvat_attributes': self.attributes.get(frame_index),
            'cvat_point_attributes': attributes,
            CLASS_NAME: self.class_name,
        }
        return PersonLabel(
            frame_index=frame_index,
            keypoints=keypoints,
            visibility=visibility,
            track_id=track_id,
            scores=np.asarray(scores) if known else None,
            source=source,
            extra={name: value for name, value in extra.items() if value},
            keypoint_sources=np.asarray(sources),
        )


def whole_number(text: str | None) -> int | None:
    """Read a whole number; None for any other text."""
    return int(text) if text is not None and re.fullmatch(r'-?[0-9]{1,19}', text) else None


def fields_of(element: ET.Element) -> dict[str, Any]:
    """Convert an element to a dictionary of its attributes, lists of children by tag, and its text.

    Attributes that hold a whole number become integers, except names; empty ones are left out.
    """
    fields: dict[str, Any] = {'text': element.text or ''}
    for name, text in element.items():
        number = None if name in ('label', 'name') else whole_number(text)
        if text:
            fields[name] = text if number is None else number
    children: dict[str, list[dict[str, Any]]] = {}
    for child in element:
        children.setdefault(child.tag, []).append(fields_of(child))
    return {**children, **fields}


def read_track(
    record: Record, skeleton: Skeleton, names: Sequence[str], class_name: str = ''
) -> CvatTrack:
    """Read a track, whose label has these names of the joints; every key frame counts as given.

    Raises:
        InputError: If it is not as CVAT writes tracks.
    """
    joints: list[KeyFrames] = [{} for _ in skeleton.keypoint_names]
    group = record.integer('group_id', 0, low=0)
    track = CvatTrack(record.file, record.integer('id'), group, skeleton, joints, class_name)
    for shape in record.records('skeleton'):
        frame_index = shape.integer('frame', low=0, high=MAX_FRAME_INDEX)
        if frame_index in track.attributes:
            what = f'track id {track.id} appears twice in frame {frame_index}'
            raise InputError(f'{record.file}: {what}, remove one of the two skeletons')
        track.attributes[frame_index] = _attributes(shape)
        for joint, key_frame in _read_points(shape, frame_index, names):
            joints[joint][frame_index] = key_frame
    return track


def _read_points(shape: Record, frame: int, names: Sequence[str]) -> Iterator[tuple[int, KeyFrame]]:
    is_key = shape.flag('keyframe', True)
    points = shape.records('points', [])
    require_distinct(shape.file, f'point of {shape.where}', [p.text('label') for p in points])
    for point in points:
        name = point.text('label')
        if name not in names:
            raise point.error('label', f'one of the {len(names)} points of its skeleton')
        place = [number_in(part) for part in str(point.raw('points')).split(',')]
        if len(place) != 2 or not all(abs(value) <= MAX_COORDINATE for value in place):
            raise point.error('points', 'one point "x,y" of numbers within +-1e7')
        visibility = OCCLUDED if point.flag('occluded', False) else VISIBLE
        if point.flag('outside', False):
            visibility = NOT_LABELLED
        if not point.flag('keyframe', is_key):
            continue
        attributes, mark, score = _attributes(point), None, None
        text = attributes.get('source', '')
        if text == UNMARKED or _MARK.fullmatch(text):
            mark = attributes.pop('source')
        text = attributes.pop('score', NO_SCORE)
        if text not in ('', NO_SCORE):
            score = number_in(text)
            if not abs(score) <= MAX_COORDINATE:
                raise point.error('attribute', 'a score that is a number within +-1e7')
        where = place[0], place[1]
        key_frame = KeyFrame(frame, where, visibility, 'given', mark, score, attributes)
        yield names.index(name), key_frame


def _attributes(record: Record) -> dict[str, str]:
    """Read the elements ``attribute`` as name -> text."""
    return {
        attribute.text('name'): attribute.text('text')
        for attribute in record.records('attribute', [])
    }
