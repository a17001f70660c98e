"""``VideoLabels``: the pose labels of one video, independent of the file format.

Conventions, everywhere in this package:

- frame indices are 0-based;
- pixels are 0-based with the centre of the top-left pixel at (0, 0);
- visibility is COCO's: 0 = not labelled, 1 = occluded, 2 = visible;
- every joint has a source: 'given', 'propagated' or 'absent';
- boxes are ``[x, y, width, height]`` in pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import count
from typing import Any, Literal, get_args

import numpy as np

from .frame_numbering import FrameNumbering
from .skeleton import Skeleton

Source = Literal['given', 'propagated', 'absent']
SOURCES: tuple[Source, ...] = get_args(Source)

NOT_LABELLED, OCCLUDED, VISIBLE = 0, 1, 2

TRACK_NAME, CLASS_NAME = 'track_name', 'identity_class'
"""Keys of ``PersonLabel.extra`` for the name of the person's track, in formats that have names, and
for the person's class, in a file of several classes. Two classes are never one person."""

MAX_BEYOND = 0.15
"""Share of a box's size by which the joints of its person may lie outside it."""

_HIGH_ID = 2**62

_SOURCE_TYPE = f'<U{max(map(len, SOURCES))}'


@dataclass(frozen=True)
class PolygonRegion:
    """A region that evaluation ignores: a polygon, [P, 2] in pixels."""

    points: np.ndarray


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame of a video.

    Args:
        index: 0-based position in the video (or in the sorted frame folder).
        file_name: Name of the frame's picture as written in the label file; '' for video files.
        image_id: Id of the frame in the label file.
        width, height: Size in pixels; None if unknown.
        is_labeled: Whether an annotator looked at this frame; None if the file does not say.
        ignore_regions: Regions that evaluation ignores.
        extra: Fields of the file that this package does not interpret; kept for writing.
    """

    index: int
    file_name: str = ''
    image_id: int | str | None = None
    width: int | None = None
    height: int | None = None
    is_labeled: bool | None = None
    ignore_regions: tuple[PolygonRegion, ...] = field(default=(), repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PersonLabel:
    """The pose of one subject in one frame.

    Args:
        frame_index: ``VideoFrame.index`` of its frame.
        keypoints: [K, 2] pixels; (0, 0) where ``visibility`` is 0.
        visibility: [K] of 0, 1, 2.
        track_id: Identity within the video; None if unknown.
        scores: [K] confidence in 0..1 (any finite value in foreign files); None if unknown.
        bbox: [4] person box; None if unknown.
        head_box: [4] head box (PoseTrack's ``bbox_head``); None if unknown.
        source: 'given' if an annotator or a file gave a joint, the box or the statement that the
            person is absent; 'propagated' if this package or a network made the whole label;
            'absent' if the person is not in the picture.
        extra: Fields of the file that this package does not interpret; kept for writing.
        keypoint_sources: [K] source of each joint. 'given': by an annotator or a file.
            'propagated': by this package or a network; in a given label, an unlabelled joint with
            this source is yet to be propagated. 'absent': left out, presumably on purpose. By
            default labelled joints have the value of ``source``, and unlabelled joints are
            'absent'. A given joint that loses its label (``replace(label, visibility=...)``)
            becomes 'absent'.

    Raises:
        ValueError: If a shape or value is not as described, or the sources contradict each other:
            a labelled joint that is 'absent', a given joint in a label that is not given, or a
            given label whose labelled joints are all propagated.
    """

    frame_index: int
    keypoints: np.ndarray
    visibility: np.ndarray
    track_id: int | None = None
    scores: np.ndarray | None = None
    bbox: np.ndarray | None = None
    head_box: np.ndarray | None = None
    source: Source = 'given'
    extra: dict[str, Any] = field(default_factory=dict)
    # None only until __post_init__ has run.
    keypoint_sources: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        keypoints = np.asarray(self.keypoints, dtype=np.float64)
        visibility = np.asarray(self.visibility)
        if keypoints.ndim != 2 or keypoints.shape[1] != 2:
            raise ValueError(f'keypoints must have shape [K, 2], got {list(keypoints.shape)}')
        if visibility.shape != keypoints.shape[:1]:
            raise ValueError(
                f'visibility must have shape [{len(keypoints)}], got {list(visibility.shape)}'
            )
        is_valid = (visibility == NOT_LABELLED) | (visibility == OCCLUDED) | (visibility == VISIBLE)
        if not is_valid.all():
            raise ValueError(f'visibility must be 0, 1 or 2, got {visibility[~is_valid][0]}')
        if not np.isfinite(keypoints).all():
            raise ValueError('keypoints must be finite numbers, got NaN or infinity')
        visibility = _shared_visibility(visibility.astype(np.int8).tobytes())
        object.__setattr__(self, 'visibility', visibility)
        object.__setattr__(
            self, 'keypoints', np.where(visibility[:, None] > NOT_LABELLED, keypoints, 0.0)
        )
        if self.scores is not None:
            scores = np.asarray(self.scores, dtype=np.float64)
            if scores.shape != visibility.shape or not np.isfinite(scores).all():
                raise ValueError(
                    f'scores must be {len(keypoints)} finite numbers, got {self.scores!r}'
                )
            object.__setattr__(self, 'scores', scores)
        for name in ('bbox', 'head_box'):
            box = getattr(self, name)
            if box is not None:
                box = np.asarray(box, dtype=np.float64)
                if box.shape != (4,) or not np.isfinite(box).all():
                    raise ValueError(f'{name} must be 4 finite numbers, got {box.tolist()}')
                if (box[2:] < 0).any():
                    raise ValueError(f'{name} has a negative size: {box.tolist()}')
                object.__setattr__(self, name, box)
        if self.source not in SOURCES:
            raise ValueError(f'source must be one of {SOURCES}, got {self.source!r}')
        if self.source == 'absent' and self.is_located:
            raise ValueError("a label with source 'absent' must have neither a joint nor a box")
        object.__setattr__(self, 'keypoint_sources', self._checked_sources())

    def _checked_sources(self) -> np.ndarray:
        if self.keypoint_sources is None:
            return _shared_sources(tuple(np.where(self.labelled, self.source, 'absent').tolist()))
        sources = np.asarray(self.keypoint_sources)
        if sources.shape != self.visibility.shape or not {*sources.tolist()} <= {*SOURCES}:
            raise ValueError(
                f'keypoint_sources must be {len(self.visibility)} of {SOURCES}, got '
                f'{sources.tolist()}'
            )
        sources = np.where(~self.labelled & (sources == 'given'), 'absent', sources)
        if (self.labelled & (sources == 'absent')).any():
            raise ValueError("a labelled joint must be 'given' or 'propagated', got 'absent'")
        is_given_joint = sources == 'given'
        if is_given_joint.any() and self.source != 'given':
            raise ValueError(f'a label with a given joint must be given, got {self.source!r}')
        if self.is_given and self.has_joint and not is_given_joint.any():
            raise ValueError('a given label must have a given joint, got propagated ones only')
        return _shared_sources(tuple(sources.tolist()))

    def __repr__(self) -> str:
        return (
            f'PersonLabel(frame_index={self.frame_index}, track_id={self.track_id}, '
            f'source={self.source!r}, {self.labelled.sum()} of {len(self.visibility)} joints)'
        )

    @property
    def labelled(self) -> np.ndarray:
        """[K] bool: which joints carry a label."""
        return self.visibility > NOT_LABELLED

    @property
    def given(self) -> np.ndarray:
        """[K] bool: which joints were given by an annotator or a file."""
        return self.keypoint_sources == 'given'

    @property
    def propagated(self) -> np.ndarray:
        """[K] bool: which joints were propagated or, in a given label, are yet to be propagated."""
        return self.keypoint_sources == 'propagated'

    @property
    def is_given(self) -> bool:
        """Whether an annotator or a file gave the label: a joint, the box or the absence."""
        return self.source == 'given'

    @property
    def has_joint(self) -> bool:
        """Whether any joint carries a label."""
        return bool(self.labelled.any())

    @property
    def has_given_joint(self) -> bool:
        """Whether any joint was given; what is learned from and measured by has one."""
        return bool(self.given.any())

    @property
    def has_propagated_joint(self) -> bool:
        """Whether any labelled joint was propagated."""
        return bool((self.labelled & self.propagated).any())

    @property
    def is_absent(self) -> bool:
        """Whether the label states that the person is absent: no joint or box, now or later.

        If given, the label holds from its frame until the next label that has a joint or a box.
        """
        return not self.is_located and not self.propagated.any()

    def only_given(self) -> PersonLabel:
        """Unlabel the propagated joints; they stay marked as propagated."""
        if not self.has_propagated_joint:
            return self
        return replace(self, visibility=np.where(self.propagated, NOT_LABELLED, self.visibility))

    def with_joint(self) -> PersonLabel:
        """Append a joint that is to be propagated."""
        return replace(
            self,
            keypoints=np.vstack([self.keypoints, np.zeros(2)]),
            visibility=np.append(self.visibility, NOT_LABELLED),
            scores=None if self.scores is None else np.append(self.scores, 0),
            keypoint_sources=np.append(self.keypoint_sources, 'propagated'),
        )

    def reordered(self, order: Sequence[int]) -> PersonLabel:
        """Return the label with the joints at the positions ``order`` [K], in this order."""
        joints = np.asarray(order)
        return replace(
            self,
            keypoints=self.keypoints[joints],
            visibility=self.visibility[joints],
            scores=None if self.scores is None else self.scores[joints],
            keypoint_sources=self.keypoint_sources[joints],
        )

    def with_source(self, source: Source) -> PersonLabel:
        """Set the source of the label and of all its labelled joints."""
        return replace(self, source=source, keypoint_sources=None)  # type: ignore[arg-type]

    @property
    def has_box(self) -> bool:
        """Whether there is a person box of non-zero size."""
        return self.bbox is not None and bool((self.bbox[2:] > 0).all())

    @property
    def has_joint_or_box(self) -> bool:
        """Whether poses can be propagated from the label; a head box alone is not enough."""
        return self.has_joint or self.has_box

    @property
    def is_located(self) -> bool:
        """Whether the label locates the person, by a joint, a person box or a head box."""
        return self.has_joint_or_box or self.head_box is not None


@dataclass(frozen=True)
class VideoLabels:
    """The labels of one video: its frames, and the people in them, both in the order of the file.

    ``labels[frame_index]`` are the people of a frame, ``len(labels)`` is the number of frames, and
    iteration yields the frame indices.

    Args:
        name: Name of the video.
        skeleton: Its joints.
        frames: The frames that the labels list, with distinct indices.
        persons: Labels, each on one of the frames.
        extra: Fields of the file that this package does not interpret; kept for writing.
        numbering: How the frame indices were read from a file; None if they are certain.

    Raises:
        ValueError: If a frame index or a (frame, track id) pair is repeated, a label is on an
            unlisted frame, or a label has another number of joints than the skeleton.
    """

    name: str
    skeleton: Skeleton
    frames: tuple[VideoFrame, ...]
    persons: tuple[PersonLabel, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    numbering: FrameNumbering | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'frames', tuple(self.frames))
        object.__setattr__(self, 'persons', tuple(self.persons))
        indices = set()
        for frame in self.frames:
            if frame.index < 0:
                raise ValueError(f'video {self.name!r}: frame index {frame.index} is negative')
            if frame.index in indices:
                raise ValueError(f'video {self.name!r}: frame {frame.index} appears twice')
            indices.add(frame.index)
        seen: set[tuple[int, int]] = set()
        for person in self.persons:
            if person.frame_index not in indices:
                raise ValueError(
                    f'video {self.name!r}: a label is on frame {person.frame_index}, '
                    'which is not among its frames'
                )
            if len(person.keypoints) != self.skeleton.num_keypoints:
                raise ValueError(
                    f'video {self.name!r}, frame {person.frame_index}: a label has '
                    f'{len(person.keypoints)} keypoints, the skeleton has '
                    f'{self.skeleton.num_keypoints}'
                )
            if person.track_id is not None:
                key = (person.frame_index, person.track_id)
                if key in seen:
                    raise ValueError(
                        f'video {self.name!r}: track id {person.track_id} appears twice '
                        f'in frame {person.frame_index}, give each person of a frame another one'
                    )
                seen.add(key)

    def __repr__(self) -> str:
        return (
            f'VideoLabels({self.name!r}, {len(self)} frames, {len(self.labelled_frame_indices)} '
            f'labelled, {len(self.track_ids)} tracks, {len(self.persons)} poses)'
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[int]:
        return (frame.index for frame in self.frames)

    def __getitem__(self, frame_index: int) -> tuple[PersonLabel, ...]:
        """Get the people of a frame, in file order.

        Raises:
            KeyError: If the video has no such frame.
        """
        return self._people[frame_index]

    @cached_property
    def _people(self) -> dict[int, tuple[PersonLabel, ...]]:
        by_frame: dict[int, list[PersonLabel]] = {index: [] for index in self}
        for person in self.persons:
            by_frame[person.frame_index].append(person)
        return {index: tuple(people) for index, people in by_frame.items()}

    @property
    def labelled_frame_indices(self) -> tuple[int, ...]:
        """Sorted indices of the frames with at least one person."""
        return tuple(sorted({person.frame_index for person in self.persons}))

    @property
    def given_frame_indices(self) -> tuple[int, ...]:
        """Sorted indices of the frames with a given label."""
        return tuple(sorted({person.frame_index for person in self.persons if person.is_given}))

    @property
    def track_ids(self) -> tuple[int, ...]:
        """Sorted distinct track ids."""
        return tuple(sorted({p.track_id for p in self.persons if p.track_id is not None}))

    def tracks(self) -> dict[int, dict[int, PersonLabel]]:
        """Group labels as track id -> {frame index: label}, both ascending.

        People without a track id are left out.
        """
        tracks: dict[int, dict[int, PersonLabel]] = {track: {} for track in self.track_ids}
        for person in sorted(self.persons, key=lambda p: p.frame_index):
            if person.track_id is not None:
                tracks[person.track_id][person.frame_index] = person
        return tracks

    def keep_frames(self, frame_indices: Iterable[int]) -> VideoLabels:
        """Keep only the labels on ``frame_indices``; all frames stay listed."""
        indices = set(frame_indices)
        return replace(self, persons=tuple(p for p in self.persons if p.frame_index in indices))

    def only_given(self) -> VideoLabels:
        """Return the given labels with their given joints, and the frames that have any."""
        persons = [person.only_given() for person in self.persons if person.is_given]
        labelled = {person.frame_index for person in persons}
        frames = tuple(frame for frame in self.frames if frame.index in labelled)
        return replace(self.with_persons(persons), frames=frames)

    def with_persons(self, persons: Sequence[PersonLabel]) -> VideoLabels:
        """Replace the labels; the video and its frames stay."""
        return replace(self, persons=tuple(persons))

    def to_array(self) -> np.ndarray:
        """Collect the keypoints of all tracks in one array.

        Returns:
            [F, N, K, 2] float64 pixels, NaN where a joint is not labelled: F frames in the order
            of ``frames``, N tracks in the order of ``track_ids``, K joints in the order of the
            skeleton. People without a track id are left out.
        """
        shape = (len(self), len(self.track_ids), self.skeleton.num_keypoints, 2)
        row = {index: i for i, index in enumerate(self)}
        column = {track_id: i for i, track_id in enumerate(self.track_ids)}
        array = np.full(shape, np.nan)
        for person in self.persons:
            if person.track_id is not None:
                array[row[person.frame_index], column[person.track_id]] = np.where(
                    person.labelled[:, None], person.keypoints, np.nan
                )
        return array


def count_sources(persons: Iterable[PersonLabel]) -> Counter[Source]:
    """Count poses by their source; a label without joint and box counts as absent."""
    return Counter(person.source if person.is_located else 'absent' for person in persons)


def unused_track_ids(taken: Collection[int]) -> Iterator[int]:
    """Yield ids for new tracks, starting after the highest one that is taken.

    Near the end of the 64-bit integers, yield the unused ids from 0 on instead.
    """
    highest = max(taken, default=-1)
    start = max(highest, -1) + 1 if highest < _HIGH_ID else 0
    return (track_id for track_id in count(start) if track_id not in taken)


def correct_label(earlier: PersonLabel, correction: PersonLabel) -> PersonLabel:
    """Correct the joints of a label by another label of the same person and frame.

    Args:
        earlier: The label to correct; its other joints and fields stay, unless it states that the
            person is absent.
        correction: The correction. If it has a box, this replaces the earlier box; otherwise
            :func:`kept_box` decides whether the earlier box stays.
    """
    if earlier.is_absent:
        return correction
    corrected = ~correction.propagated
    scores = earlier.scores
    visibility = np.where(corrected, correction.visibility, earlier.visibility)
    sources = np.where(corrected, correction.keypoint_sources, earlier.keypoint_sources)
    are_estimates = (visibility > NOT_LABELLED).any() and not (sources == 'given').any()
    return replace(
        earlier,
        source='propagated' if are_estimates else 'given',
        keypoints=np.where(corrected[:, None], correction.keypoints, earlier.keypoints),
        scores=None if scores is None else np.where(corrected, correction.labelled, scores),
        bbox=kept_box(earlier, correction.keypoints, correction.labelled)
        if correction.bbox is None
        else correction.bbox,
        visibility=visibility,
        keypoint_sources=sources,
    )


def kept_box(
    earlier: PersonLabel, keypoints: np.ndarray, labelled: np.ndarray
) -> np.ndarray | None:
    """Return the box of a label whose joints are corrected; None if a joint is moved out of it.

    If a joint has left the box, the box belongs to another position or pose, and the joints give a
    better one. Joints up to ``MAX_BEYOND`` of the box's size beyond a side count as inside, because
    boxes drawn by hand are not more accurate.

    Args:
        earlier: The label.
        keypoints: [K, 2] pixels of its joints after the correction.
        labelled: [K] bool: the joints that the correction gives.
    """
    box = earlier.bbox
    if box is None:
        return None
    is_same = earlier.labelled & (earlier.keypoints == keypoints).all(axis=1)
    moved = keypoints[labelled & ~is_same]
    beyond = np.maximum(box[:2] - moved, moved - box[:2] - box[2:])
    return None if (beyond > MAX_BEYOND * box[2:]).any() else box


def forget_joints(label: PersonLabel, joints: Sequence[int]) -> PersonLabel:
    """Unlabel some joints of a given label and mark them as yet to be propagated."""
    sources, visibility = label.keypoint_sources.copy(), label.visibility.copy()
    sources[joints] = 'propagated'
    visibility[joints] = NOT_LABELLED
    return replace(label, visibility=visibility, keypoint_sources=sources)


def open_left_out(label: PersonLabel) -> PersonLabel:
    """Mark left-out joints as yet to be propagated, unless the label states an absence."""
    if label.is_absent:
        return label
    return forget_joints(label, np.flatnonzero(label.keypoint_sources == 'absent').tolist())


def pose_extent(keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Enclose the labelled joints in a tight box ``[x, y, w, h]``; all zeros without any.

    Args:
        keypoints: [..., K, 2] pixels.
        labelled: [..., K] bool.

    Returns:
        [..., 4].
    """
    has_place = labelled[..., None]
    low = np.where(has_place, keypoints, np.inf).min(axis=-2)
    high = np.where(has_place, keypoints, -np.inf).max(axis=-2)
    box = np.concatenate([low, high - low], axis=-1)
    return np.where(labelled.any(axis=-1)[..., None], box, 0.0)


@lru_cache(maxsize=4096)
def _shared_sources(sources: tuple[str, ...]) -> np.ndarray:
    """Return a read-only array [K] of ``sources``, shared by all labels with equal sources."""
    # A long video has many labels but few distinct arrays of sources, and separate arrays would
    # take most of a label's memory.
    array = np.array(sources, dtype=_SOURCE_TYPE)
    array.flags.writeable = False
    return array


@lru_cache(maxsize=4096)
def _shared_visibility(visibility: bytes) -> np.ndarray:
    """Return a read-only int8 array [K] of these bytes, shared by all labels with equal bytes."""
    return np.frombuffer(visibility, dtype=np.int8)
