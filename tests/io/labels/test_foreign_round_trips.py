"""Formats that hold less than ours: what they hold comes back to the last digit, nothing is given
that nobody gave."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdpose_mm.constants import LABEL_FORMATS
from stdpose_mm.io.labels import read_all_labels, read_labels, write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels
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


# In files of estimates these places, and a score below 0, say that a joint was not found.
def _is_found(labels: VideoLabels, joint: tuple) -> bool:
    frame, track, number, x, y = joint
    (person,) = [p for p in labels[frame] if p.track_id == track]
    is_scored = person.scores is None or person.scores[number] >= 0
    return (x, y) not in ((0, 0), (-1, -1)) and is_scored


@pytest.mark.parametrize('format', ['mmpose', 'coco-results', 'openpose'])
@for_placed_labels
def test_files_of_estimates_hold_poses_tracks_scores_and_boxes(
    tmp_path_factory: pytest.TempPathFactory, format: str, labels: VideoLabels
):
    path = tmp_path_factory.mktemp('labels') / f'a{LABEL_FORMATS[format].suffixes[0]}'
    write_labels(labels, path, format)
    (back,) = read_all_labels(path, format)

    placed = {j for j in joints_of(labels) if _is_found(labels, j)}
    with_joint = {(frame, track) for frame, track, *_ in placed}
    before = {(p.frame_index, p.track_id): p for p in labels.persons if p.labelled.any()}
    has_boxes = format != 'openpose'
    assert joints_of(back) == placed
    assert {(p.frame_index, p.track_id) for p in back.persons} == {
        key for key, p in before.items() if key in with_joint or (p.has_box and has_boxes)
    }
    for person in back.persons:
        expected = before[person.frame_index, person.track_id]
        scores = np.ones(len(person.labelled)) if expected.scores is None else expected.scores
        # OpenPose's confidence of 0 says that a joint was not found.
        scores = scores if has_boxes else np.maximum(scores, 1e-6)
        assert person.scores[person.labelled].tolist() == scores[person.labelled].tolist()
        assert not person.given.any()
        if format == 'coco-results':
            assert content(person.bbox) == content(expected.bbox)
    if format != 'coco-results':
        assert [*back] == [*labels]
    if format == 'mmpose':
        assert back.skeleton.keypoint_names == labels.skeleton.keypoint_names
        assert back.skeleton.limbs == labels.skeleton.limbs


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
    for row in rows:
        # Against formulas in spreadsheets.
        row['joint'] = row['joint'].removeprefix("'")

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


def joints_by_name(person: PersonLabel, skeleton: Skeleton) -> dict[str, tuple]:
    """Name -> x, y, visibility of the joints with a place."""
    return {
        skeleton.keypoint_names[j]: (*person.keypoints[j].tolist(), float(person.visibility[j]))
        for j in person.labelled.nonzero()[0]
    }
