"""Skeleton tracks of CVAT's XML as given and propagated labels."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import (
    NOT_LABELLED,
    OCCLUDED,
    SOURCES,
    VISIBLE,
    PersonLabel,
    Skeleton,
    Source,
)

from .cvat_key_frames import FROM_FILE, NO_SCORE, UNMARKED, KeyFrame, LoadedKeyFrames, is_mark
from .fields import MAX_COORDINATE, shown
from .frame_numbers import MAX_FRAME_INDEX


@dataclass(frozen=True)
class Tag:
    """An XML element and its description for error messages."""

    file: PathLike
    where: str
    element: ET.Element

    def error(self, name: str, expected: str) -> InputError:
        value = self.element.get(name)
        if value is None:
            return InputError(f'{self.file}: {self.where} has no {name}, expected {expected}')
        return InputError(
            f'{self.file}: {name} of {self.where} must be {expected}, got {shown(value)}'
        )

    def text(self, name: str) -> str:
        value = self.element.get(name)
        if not value:
            raise self.error(name, 'a name')
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        expected = f'a whole number in {low}..{high}'
        value = whole_number(self.element.get(name))
        if value is None or not low <= value <= high:
            raise self.error(name, expected)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.element.get(name, '1' if default else '0')
        if value not in ('0', '1'):
            raise self.error(name, '0 or 1')
        return value == '1'

    def point(self, name: str) -> tuple[float, float]:
        parts = self.element.get(name, '').split(',')
        numbers = [_number(part) for part in parts]
        if len(numbers) != 2 or any(n is None or abs(n) > MAX_COORDINATE for n in numbers):
            raise self.error(name, 'one point "x,y" of numbers within +-1e7')
        return numbers[0] or 0.0, numbers[1] or 0.0

    def children(self, tag: str) -> Iterator[Tag]:
        for i, child in enumerate(self.element.findall(tag)):
            yield Tag(self.file, f'{self.where}.{tag}[{i}]', child)

    def attributes(self) -> dict[str, str]:
        """Read name -> text of its ``attribute`` elements."""
        return {
            Tag(self.file, f'an attribute of {self.where}', child).text('name'): child.text or ''
            for child in self.element.findall('attribute')
        }


def whole_number(text: str | None) -> int | None:
    """Read a whole number; None for any other text."""
    return int(text) if text is not None and re.fullmatch(r'-?[0-9]{1,19}', text) else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class _Point:
    """A joint at one of its key frames, as read from the file."""

    key_frame: KeyFrame
    mark: str | None
    score: float | None
    attributes: dict[str, str]


@dataclass
class Track:
    """A skeleton track.

    Args:
        file: The file of the track.
        id: Id of the track in the file.
        group: CVAT's group of tracks, 0 for none.
        skeleton: Its joints.
        points: For every joint, frame -> the joint at its key frames.
        attributes: Frame -> attributes of the whole skeleton.
        sources: Frame -> ``source`` among these attributes, in files of older versions.
    """

    file: PathLike
    id: int
    group: int
    skeleton: Skeleton
    points: list[dict[int, _Point]]
    attributes: dict[int, dict[str, str]] = field(default_factory=dict)
    sources: dict[int, Source] = field(default_factory=dict)

    @property
    def has_marks(self) -> bool:
        marks = {point.mark for points in self.points for point in points.values()}
        return not marks <= {None, UNMARKED}

    @property
    def is_from_file(self) -> bool:
        """Whether this package wrote the track, whether or not it was loaded into CVAT."""
        return self.group >= FROM_FILE - 1 or self.has_marks

    @property
    def frame_indices(self) -> list[int]:
        """The frames in which the file shows the skeleton, key frame or not."""
        return sorted(self.attributes)

    def is_as_of_shape(self, step: int) -> bool:
        """Tell whether CVAT may have written this track for a skeleton that was drawn as a shape.

        It has one frame with a placed point and, but at the end of the video, a finishing frame
        right after it, in which all points are outside where they were. A skeleton that was drawn
        as a track is held until it is made outside.

        Args:
            step: Number of frames from one frame of the task to the next.
        """
        first, *later = self.frame_indices
        if later not in ([], [first + step]):
            return False
        drawn = self._key_frames_at(first)
        finish = {
            joint: replace(key_frame, frame_index=first + step, visibility=NOT_LABELLED)
            for joint, key_frame in drawn.items()
        }
        is_placed = any(key_frame.visibility != NOT_LABELLED for key_frame in drawn.values())
        return is_placed and self._key_frames_at(first + step) == (finish if later else {})

    def _key_frames_at(self, frame_index: int) -> dict[int, KeyFrame]:
        """Map joint -> its key frame in a frame."""
        return {
            joint: points[frame_index].key_frame
            for joint, points in enumerate(self.points)
            if frame_index in points
        }

    def drop_finish(self) -> None:
        """Drop the frame by which CVAT ends the track of a shape."""
        first = self.frame_indices[0]
        self.points = [{i: at for i, at in points.items() if i == first} for points in self.points]

    def find_sources(self, loaded: LoadedKeyFrames | None, cuts: Collection[int]) -> None:
        """Find the source of every key frame by comparison with the export.

        Args:
            loaded: The key frames that were loaded into CVAT; by default their marks are used.
            cuts: Frames where CVAT may have cut the track and added key frames.

        Raises:
            InputError: If the sources cannot be determined.
        """
        if not self.is_from_file and loaded is None:
            for points in self.points:
                for frame_index, point in points.items():
                    source = self.sources.get(frame_index, 'given')
                    points[frame_index] = _with_source(point, source)
            return
        if loaded is None and not self.has_marks:
            raise InputError(
                f'{self.file}: track {self.id} was loaded into CVAT from a file that stdpose '
                'wrote, and the task has no attribute that tells its key frames from those that '
                'were corrected: name that file with --loaded-into-cvat'
            )
        for joint, points in enumerate(self.points):
            for frame_index, point in [*points.items()]:
                key_frame = point.key_frame
                if loaded is not None:
                    exported = loaded.find(joint, key_frame)
                else:
                    exported = key_frame.exported(point.mark or '')
                if exported is not None:
                    points[frame_index] = _Point(
                        exported, point.mark, point.score, point.attributes
                    )
                    continue
                if frame_index in cuts and point.mark != UNMARKED:
                    if loaded is None:
                        raise InputError(
                            f'{self.file}: {self.skeleton.keypoint_names[joint]!r} of track '
                            f'{self.id} has a key frame at frame {frame_index}, where the job '
                            'ends and CVAT makes key frames of its own: name the file that was '
                            'loaded into CVAT with --loaded-into-cvat'
                        )
                    if loaded.is_on_line(joint, key_frame):
                        del points[frame_index]
                        continue
                # CVAT copies the score of the previous key frame to this one.
                points[frame_index] = _Point(key_frame, point.mark, None, point.attributes)

    def key_frames(self) -> Iterator[tuple[int, list[KeyFrame]]]:
        """Yield every joint with its key frames in order."""
        for joint, points in enumerate(self.points):
            yield joint, [points[frame_index].key_frame for frame_index in sorted(points)]

    def labels(self, track_id: int | None) -> list[PersonLabel]:
        """Collect a label for every frame with a key frame of a joint."""
        # State of each joint between its key frames, as CVAT shows it.
        held: list[Source] = ['absent'] * len(self.points)
        labels = []
        for frame_index in sorted({index for points in self.points for index in points}):
            here = [points.get(frame_index) for points in self.points]
            for joint, point in enumerate(here):
                if point is not None:
                    held[joint] = _held_after(point.key_frame)
            label = self._label(frame_index, here, held, track_id)
            if label.source != 'propagated' or label.has_place:
                labels.append(label)
        return labels

    def _label(
        self,
        frame_index: int,
        here: list[_Point | None],
        held: list[Source],
        track_id: int | None,
    ) -> PersonLabel:
        keypoints = np.zeros((len(here), 2))
        visibility = np.full(len(here), NOT_LABELLED)
        sources = [*held]
        scores: list[float | None] = [None] * len(here)
        point_attributes = {}
        is_given = False
        for joint, point in enumerate(here):
            if point is None:
                continue
            key_frame = point.key_frame
            keypoints[joint] = key_frame.place
            visibility[joint] = key_frame.visibility
            if key_frame.visibility != NOT_LABELLED:
                sources[joint] = key_frame.source
            is_given |= key_frame.source == 'given'
            scores[joint] = point.score
            if point.attributes:
                point_attributes[self.skeleton.keypoint_names[joint]] = point.attributes
        if is_given:
            source: Source = 'given'
            if 'given' not in sources:
                # The label only states which joints are left out.
                visibility[:] = NOT_LABELLED
        else:
            source = 'propagated' if 'propagated' in sources else 'absent'
        extra: dict[str, Any] = {}
        if self.attributes.get(frame_index):
            extra['cvat_attributes'] = self.attributes[frame_index]
        if point_attributes:
            extra['cvat_point_attributes'] = point_attributes
        if any(score is not None for score in scores):
            known = np.asarray(
                [
                    float(source == 'given') if score is None else score
                    for score, source in zip(scores, sources, strict=True)
                ]
            )
        else:
            known = None
        return PersonLabel(
            frame_index=frame_index,
            keypoints=keypoints,
            visibility=visibility,
            track_id=track_id,
            scores=known,
            source=source,
            extra=extra,
            keypoint_sources=np.asarray(sources),
        )


def _with_source(point: _Point, source: Source) -> _Point:
    key_frame = point.key_frame
    changed = KeyFrame(key_frame.frame_index, key_frame.place, key_frame.visibility, source)
    return _Point(changed, point.mark, point.score, point.attributes)


def _held_after(key_frame: KeyFrame) -> Source:
    if key_frame.visibility != NOT_LABELLED or key_frame.source == 'propagated':
        return 'propagated'
    return 'absent'


def read_track(tag: Tag, skeleton: Skeleton, max_id: int) -> Track:
    """Read a track; every key frame counts as given.

    Raises:
        InputError: If something in it is not as CVAT writes it.
    """
    track = Track(
        file=tag.file,
        id=tag.integer('id', -max_id, max_id),
        group=tag.integer('group_id', 0, max_id) if tag.element.get('group_id') else 0,
        skeleton=skeleton,
        points=[{} for _ in skeleton.keypoint_names],
    )
    for shape in tag.children('skeleton'):
        frame_index = shape.integer('frame', 0, MAX_FRAME_INDEX)
        if frame_index in track.attributes:
            raise InputError(
                f'{tag.file}: track id {track.id} appears twice in frame {frame_index}, remove one '
                'of the two skeletons'
            )
        is_key = shape.flag('keyframe', default=True)
        attributes = track.attributes[frame_index] = shape.attributes()
        here = dict(_read_points(shape, frame_index, is_key, skeleton))
        for joint, point in here.items():
            track.points[joint][frame_index] = point
        for source in SOURCES:
            if attributes.get('source') == source:
                del attributes['source']
                outside = [p.key_frame.visibility == NOT_LABELLED for p in here.values()]
                # A person who is moved in or out of the picture in CVAT keeps the old attribute.
                if is_key and source != ('propagated' if all(outside) else 'absent'):
                    track.sources[frame_index] = source
                break
    return track


def _read_points(
    shape: Tag, frame_index: int, is_key: bool, skeleton: Skeleton
) -> Iterator[tuple[int, _Point]]:
    seen: set[int] = set()
    for element in shape.element.findall('points'):
        tag = Tag(shape.file, f'{shape.where}, frame {frame_index}, point', element)
        name = tag.text('label')
        if name not in skeleton.keypoint_names:
            raise tag.error(
                'label', f'one of the {skeleton.num_keypoints} points of {skeleton.category!r}'
            )
        joint = skeleton.index_of(name)
        if joint in seen:
            raise tag.error('label', 'another point than those before it')
        seen.add(joint)
        place = tag.point('points')
        visibility = OCCLUDED if tag.flag('occluded') else VISIBLE
        if tag.flag('outside'):
            visibility = NOT_LABELLED
        if not tag.flag('keyframe', default=is_key):
            continue
        attributes = tag.attributes()
        mark = attributes.pop('source') if is_mark(attributes.get('source', '')) else None
        score = None
        text = attributes.pop('score', NO_SCORE)
        if text not in ('', NO_SCORE):
            score = _number(text)
            if score is None or abs(score) > MAX_COORDINATE:
                raise tag.error('score', 'a number within +-1e7')
        yield joint, _Point(KeyFrame(frame_index, place, visibility), mark, score, attributes)
