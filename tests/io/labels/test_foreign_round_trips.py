"""Formats that hold less than ours: what they hold comes back to the last digit, nothing is given
that nobody gave."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, read_labels, write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels, pose_extent
from support.label_samples import content, for_any_labels, for_placed_labels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning'),
]

examples = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2))


def joints_of(labels: VideoLabels, numbering: dict[int, int] | None = None) -> set[tuple]:
    """Every joint with a place: frame, track, number of the joint, x, y."""
    return {
        (p.frame_index, p.track_id if numbering is None else numbering[p.track_id], j, x, y)
        for p in labels.persons
        for j, (x, y) in enumerate(p.keypoints.tolist())
        if p.visibility[j]
    }


@for_placed_labels
def test_mmpose_holds_poses_tracks_and_scores(tmp_path: Path, labels: VideoLabels):
    write_labels(labels, tmp_path / 'a.json', 'mmpose')
    (back,) = read_all_labels(tmp_path / 'a.json', 'mmpose')

    placed = {j for j in joints_of(labels) if _is_found(labels, j)}
    found = {(frame, track) for frame, track, *_ in placed}
    written = [
        p
        for p in labels.persons
        if p.labelled.any() and ((p.frame_index, p.track_id) in found or p.has_box)
    ]
    assert joints_of(back) == placed
    assert [*back] == [*labels]
    assert back.skeleton.keypoint_names == labels.skeleton.keypoint_names
    assert back.skeleton.limbs == labels.skeleton.limbs
    assert len(back.persons) == len(written)
    assert not any(p.given.any() for p in back.persons)


# In files of estimates these places, and a score below 0, say that a joint was not found.
def _is_found(labels: VideoLabels, joint: tuple) -> bool:
    frame, track, number, x, y = joint
    (person,) = [p for p in labels[frame] if p.track_id == track]
    is_scored = person.scores is None or person.scores[number] >= 0
    return (x, y) not in ((0, 0), (-1, -1)) and is_scored


@for_placed_labels
def test_coco_results_hold_poses_tracks_and_boxes(tmp_path: Path, labels: VideoLabels):
    write_labels(labels, tmp_path / 'r.json', 'coco-results')
    (back,) = read_all_labels(tmp_path / 'r.json', 'coco-results')

    assert joints_of(back) == {j for j in joints_of(labels) if _is_found(labels, j)}
    boxes = {(p.frame_index, p.track_id): content(p.bbox) for p in labels.persons}
    for person in back.persons:
        assert content(person.bbox) == boxes[person.frame_index, person.track_id]
    assert not any(p.given.any() for p in back.persons)


@for_any_labels
def test_deeplabcut_holds_poses_and_tracks(tmp_path: Path, labels: VideoLabels):
    write_labels(labels, tmp_path / 'a.csv', 'deeplabcut')
    back = read_all_labels(tmp_path / 'a.csv', 'deeplabcut')

    tracks = sorted({p.track_id for p in labels.persons if p.labelled.any()})
    if not tracks:
        assert back == []
        return
    # Identities are columns, in the order of the track ids.
    numbering = {track: column for column, track in enumerate(tracks)}
    placed = labels.with_persons([p for p in labels.persons if p.labelled.any()])
    assert joints_of(back[0]) == joints_of(placed, numbering)
    assert back[0].skeleton.keypoint_names == labels.skeleton.keypoint_names
    all_given = all(not (p.labelled & p.propagated).any() for p in labels.persons)
    assert all(p.given.any() == all_given for p in back[0].persons)


@for_any_labels
def test_the_tidy_table_holds_every_joint_and_its_source(tmp_path: Path, labels: VideoLabels):
    write_labels(labels, tmp_path / 't.csv', 'tidy-csv')
    with (tmp_path / 't.csv').open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))

    names = labels.skeleton.keypoint_names
    found = {
        (int(r['frame']), int(r['person']), names.index(r['joint']), float(r['x']), float(r['y']))
        for r in rows
    }
    assert found == joints_of(labels)
    by_hand = [row for row in rows if row['source'] == 'given']
    assert {(int(r['frame']), int(r['person']), r['joint']) for r in by_hand} == {
        (p.frame_index, p.track_id, names[j]) for p in labels.persons for j in p.given.nonzero()[0]
    }


@given(
    people=st.lists(st.tuples(*[fractions] * 3), min_size=1, max_size=3, unique=True),
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
)
@examples
def test_yolo_fractions_come_in_at_their_pixels(tmp_path: Path, people: list, size: tuple):
    lines = [
        '0 0.5 0.5 1 1 ' + ' '.join(f'{x!r} {y!r} {v}' for x, y, v in points) for points in people
    ]
    (tmp_path / 'f_5.txt').write_text('\n'.join(lines))
    (tmp_path / 'data.yaml').write_text('kpt_shape: [3, 3]\nkpt_names: {0: [a, b, c]}')
    labels = read_labels(tmp_path / 'f_5.txt', size=size)

    assert [frame.index for frame in labels.frames] == [5]
    for person, points in zip(labels.persons, people, strict=True):
        assert person.visibility.tolist() == [v for _, _, v in points]
        expected = [[x * size[0], y * size[1]] if v else [0, 0] for x, y, v in points]
        assert person.keypoints.tolist() == expected
        assert person.given.tolist() == [v > 0 for _, _, v in points]


def named_joints(labels: VideoLabels) -> dict[tuple, tuple]:
    """Frame, track and name of every joint with a place, in formats with an order of their own."""
    return {
        (p.frame_index, p.track_id, name): values
        for p in labels.persons
        for name, values in joints_by_name(p, labels.skeleton).items()
    }


def assert_same(found: Mapping[Any, Any], expected: Mapping[Any, Any], **how: float):
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, **how, err_msg=str(key))


@for_placed_labels
def test_labelme_holds_places_tracks_boxes_and_occlusion(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
):
    folder = tmp_path_factory.mktemp('labelme')
    write_labels(labels, folder, 'labelme')
    back = read_labels(folder)

    assert_same(named_joints(back), named_joints(labels), rtol=0)
    for source in ('given', 'propagated'):
        before, after = (
            v.with_persons([p for p in v.persons if p.source == source and p.labelled.any()])
            for v in (labels, back)
        )
        assert named_joints(after).keys() == named_joints(before).keys()
    boxed = [p for p in labels.persons if p.bbox is not None]
    # The width is that between two corners, and may round to 0 in a box without joints.
    boxes, found = (
        {(p.frame_index, p.track_id): p.bbox for p in persons if p.labelled.any()}
        for persons in (boxed, [p for p in back.persons if p.bbox is not None])
    )
    assert_same(found, boxes, rtol=0, atol=1e-9)
    sizes = {f.index: (f.width, f.height) for f in labels.frames}
    assert {f.index: (f.width, f.height) for f in back.frames} == {
        frame: size if all(size) else (None, None) for frame, size in sizes.items()
    }
    assert back.skeleton.category == (labels.skeleton.category if boxed else 'person')


@st.composite
def clips(draw: Callable[..., Any]) -> VideoLabels:
    """People in and around pictures of one size: given, propagated, or partly either."""
    size = draw(st.tuples(st.integers(5, 4000), st.integers(5, 4000)))
    # Not (0, 0), which stands for no place in a prediction.
    fraction = st.floats(-0.25, -0.001) | st.floats(0.001, 1.25)
    frames = [
        VideoFrame(i, width=size[0], height=size[1], is_labeled=draw(st.none() | st.just(True)))
        for i in sorted(draw(st.sets(st.integers(0, 30), min_size=1, max_size=4)))
    ]
    people = []
    for frame in frames:
        for _ in range(draw(st.integers(0, 3))):
            visibility = draw(st.tuples(*[st.integers(0, 2)] * 3))
            source = draw(st.sampled_from(['given', 'propagated']))
            others = draw(st.sampled_from(['given', 'propagated'])) if visibility[0] else source
            sources = [source, *[others if source == 'given' else source] * 2]
            sources = [s if v else 'absent' for s, v in zip(sources, visibility, strict=True)]
            people.append(
                PersonLabel(
                    frame.index,
                    np.multiply(draw(st.tuples(*[st.tuples(fraction, fraction)] * 3)), size),
                    visibility,
                    scores=draw(st.none() | st.tuples(*[st.floats(0, 1)] * 3)),
                    bbox=draw(st.none() | st.just([1.0, 2.0, 30.0, 40.0])),
                    source=source,
                    keypoint_sources=sources,
                )
            )
    skeleton = Skeleton(('nose', 'left_hand', 'right_hand'), category='player')
    return VideoLabels('match', skeleton, tuple(frames), tuple(people))


def read_back(labels: VideoLabels, path: Path, format: str) -> VideoLabels | None:
    """What was written, with the frames as they are; None if there is nobody in it."""
    size = (labels.frames[0].width, labels.frames[0].height) if format == 'yolo-pose' else None
    write_labels(labels, path, format)
    with suppress(InputError):
        (back,) = read_all_labels(path, format, size=size)
        return back
    return None


@given(labels=clips())
@examples
def test_label_studio_holds_given_joints_and_predictions(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
):
    path = tmp_path_factory.mktemp('studio') / 'tasks.json'
    back = read_back(labels, path, 'label-studio')

    annotated = {f.index for f in labels.frames if f.is_labeled}
    annotated |= {p.frame_index for p in labels.persons if p.given.any()}
    # Where somebody gave a joint, predictions are there for the tool alone.
    written = [
        person.only_given()
        for person in labels.persons
        if person.frame_index not in annotated or person.given.any()
    ]
    made = [p for p in labels.persons if p.frame_index not in annotated]
    expected = [p for p in written if p.given.any()] + [p for p in made if p.labelled.any()]
    expected.sort(key=lambda p: p.frame_index)
    if back is None:
        assert not expected
        return
    assert [f.index for f in back.frames if f.is_labeled] == sorted(annotated)
    assert len(back.persons) == len(expected)
    for before, after in zip(expected, back.persons, strict=True):
        assert after.frame_index == before.frame_index
        assert after.source == before.source
        assert_same(
            joints_by_name(after, back.skeleton),
            {n: (*xy, 2.0) for n, (*xy, _) in joints_by_name(before, labels.skeleton).items()},
        )
        if before.bbox is not None:
            np.testing.assert_allclose(after.bbox, before.bbox)
        if before.source == 'propagated' and before.scores is not None:
            scores = dict(zip(back.skeleton.keypoint_names, after.scores, strict=True))
            for name, score in zip(labels.skeleton.keypoint_names, before.scores, strict=True):
                if name in joints_by_name(before, labels.skeleton):
                    assert scores[name] == score


@given(labels=clips())
@examples
def test_yolo_holds_what_is_in_the_picture(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
):
    folder = tmp_path_factory.mktemp('yolo')
    back = read_back(labels, folder, 'yolo-pose')

    size = np.array([labels.frames[0].width, labels.frames[0].height])
    expected, places = [], set()
    made = any((p.labelled & p.propagated).any() for p in labels.persons)
    source = 'propagated' if made else 'given'
    for person in labels.persons:
        inside = (
            person.labelled & (person.keypoints >= 0).all(1) & (person.keypoints <= size).all(1)
        )
        visibility = np.where(inside, person.visibility, 0)
        shown = replace(person, visibility=visibility, source=source, keypoint_sources=None)
        box = pose_extent(person.keypoints, inside) if person.bbox is None else person.bbox
        corners = np.clip([box[:2], box[:2] + box[2:]], 0, size)
        numbers = *visibility, *(person.keypoints * inside[:, None]).ravel(), *corners.ravel()
        place = person.frame_index, *np.round(numbers, 6).tolist()
        if place in places:
            # The same line again is the same person.
            continue
        places.add(place)
        if inside.any() or (person.bbox is not None and (size > person.bbox[:2]).all()):
            expected.append(shown)
    if back is None:
        assert not expected
        return
    assert back.skeleton == replace(labels.skeleton, limbs=())
    assert [frame.index for frame in back.frames] == [frame.index for frame in labels.frames]
    assert len(back.persons) == len(expected)
    for before, after in zip(expected, back.persons, strict=True):
        assert after.frame_index == before.frame_index
        assert (after.source, after.visibility.tolist()) == (source, before.visibility.tolist())
        np.testing.assert_allclose(after.keypoints, before.keypoints, rtol=0, atol=1e-6)
        if before.bbox is not None:
            low, high = np.clip([before.bbox[:2], before.bbox[:2] + before.bbox[2:]], 0, size)
            np.testing.assert_allclose(after.bbox, [*low, *(high - low)], rtol=0, atol=1e-6)
    for file in (folder / 'labels').iterdir():
        # What Ultralytics accepts.
        for line in file.read_text().splitlines():
            numbers = np.array(line.split(), dtype=float)
            assert len(numbers) == 1 + 4 + 3 * 3
            assert (numbers >= 0).all()
            assert (np.delete(numbers, [7, 10, 13]) <= 1).all()


def joints_by_name(person: PersonLabel, skeleton: Skeleton) -> dict[str, tuple]:
    """Name -> x, y, visibility of the joints with a place."""
    return {
        skeleton.keypoint_names[j]: (*person.keypoints[j].tolist(), float(person.visibility[j]))
        for j in person.labelled.nonzero()[0]
    }
