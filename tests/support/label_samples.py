"""Labels for tests: a plain sample, and a hypothesis strategy for any labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.structures import PersonLabel, PolygonRegion, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('nose', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))


def person(frame_index: int, track_id: int | None = 0, **fields: Any) -> PersonLabel:
    values = {
        'keypoints': np.asarray([[10.5, 20], [0, 0], [30, 40.25]]),
        'visibility': np.asarray([2, 0, 1]),
        'bbox': np.asarray([5, 6, 70, 80.5]),
        **fields,
    }
    return PersonLabel(frame_index=frame_index, track_id=track_id, **values)


def tracks_of(*labels: PersonLabel) -> Mapping[int, Mapping[int, PersonLabel]]:
    """Group labels: track id -> {frame index: label}."""
    tracks: dict[int, dict[int, PersonLabel]] = {}
    for label in labels:
        assert label.track_id is not None
        tracks.setdefault(label.track_id, {})[label.frame_index] = label
    return tracks


def sample(**fields: Any) -> VideoLabels:
    """Return three frames, two people in the first, one of them in the last."""
    frames = tuple(
        VideoFrame(i, file_name=f'images/clip/{i:06d}.jpg', image_id=100 + i, width=640, height=480)
        for i in range(3)
    )
    people = (person(0, 0), person(0, 1), person(2, 0))
    return VideoLabels(
        **{'name': 'clip', 'skeleton': SKELETON, 'frames': frames, 'persons': people, **fields}
    )


# No surrogates and controls: neither UTF-8 nor XML holds them.
names = st.text(st.characters(categories=('L', 'N', 'P', 'S')), min_size=1, max_size=12)
# Joints that are all within -1..1 are refused as fractions of a picture.
pixels = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: not 0 < abs(x) < 1)
numbers = pixels | st.integers(-5000, 5000).map(float)


@st.composite
def skeletons(draw: Callable[..., Any]) -> Skeleton:
    joints = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    ends = st.integers(0, len(joints) - 1)
    limbs = draw(st.lists(st.tuples(ends, ends), max_size=4))
    return Skeleton(tuple(joints), tuple(limbs), draw(names))


@st.composite
def people(draw: Callable[..., Any], frame_index: int, track_id: int, count: int) -> PersonLabel:
    sizes = st.floats(0, 1e4)
    boxes = st.none() | st.tuples(numbers, numbers, sizes, sizes).map(np.asarray)
    scores = st.lists(st.floats(0, 1), min_size=count, max_size=count).map(np.asarray)
    if draw(st.integers(0, 4)) == 0:
        return PersonLabel(
            frame_index=frame_index,
            keypoints=np.zeros((count, 2)),
            visibility=np.zeros(count),
            track_id=track_id,
            scores=draw(st.none() | scores),
            source=draw(st.sampled_from(['given', 'absent'])),
        )
    return PersonLabel(
        frame_index=frame_index,
        keypoints=np.asarray(
            draw(st.lists(st.tuples(numbers, numbers), min_size=count, max_size=count))
        ),
        visibility=np.asarray(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))),
        track_id=track_id,
        scores=draw(st.none() | scores),
        bbox=draw(boxes),
        head_box=draw(boxes),
        source=draw(st.sampled_from(['given', 'propagated'])),
    )


@st.composite
def videos(draw: Callable[..., Any]) -> VideoLabels:
    """Draw labels: gaps between frames, people who leave, return or are absent, empty frames."""
    skeleton = draw(skeletons())
    indices = sorted(draw(st.sets(st.integers(0, 400), max_size=8)))
    polygons = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5)
    regions = st.lists(polygons.map(lambda p: PolygonRegion(np.asarray(p))), max_size=2)
    folders = names.filter(lambda name: '/' not in name and name not in ('.', '..'))
    frames, persons = [], []
    for index in indices:
        frames.append(
            VideoFrame(
                index,
                file_name=f'{draw(folders)}/{index}.png',
                width=draw(st.none() | st.integers(1, 9999)),
                height=draw(st.none() | st.integers(1, 9999)),
                is_labeled=draw(st.none() | st.booleans()),
                ignore_regions=tuple(draw(regions)),
            )
        )
        for track_id in sorted(draw(st.sets(st.integers(0, 3), max_size=3))):
            persons.append(draw(people(index, track_id, skeleton.num_keypoints)))
    return VideoLabels(draw(names), skeleton, tuple(frames), tuple(persons))


def content(value: Any) -> Any:
    """Convert labels to plain values that can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [content(item) for item in value]
    if hasattr(value, '__dataclass_fields__'):
        return {name: content(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def for_any_labels(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for many drawn ``labels``; fixtures are shared by all of them."""
    return _for_drawn(videos(), test)


def for_placed_labels(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for many drawn ``labels`` with at least one joint outside the first pixel."""
    return _for_drawn(videos().map(_with_a_placed_joint), test)


# Drawn labels without a place get one more pose: to discard them would leave few, by chance none.
def _with_a_placed_joint(labels: VideoLabels) -> VideoLabels:
    if any((np.abs(p.keypoints[p.labelled]) > 1).any() for p in labels.persons):
        return labels
    index = 1 + max((frame.index for frame in labels.frames), default=-1)
    count = labels.skeleton.num_keypoints
    pose = person(index, keypoints=np.full((count, 2), 40.5), visibility=np.full(count, 2))
    frame = VideoFrame(index, file_name=f'{index}.png')
    return replace(labels, frames=(*labels.frames, frame), persons=(*labels.persons, pose))


def _for_drawn(
    labels: st.SearchStrategy[VideoLabels], test: Callable[..., None]
) -> Callable[..., None]:
    return pytest.mark.slow(given(labels=labels)(test))
