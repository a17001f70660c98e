"""Formats that hold less than ours: what they hold comes back to the last digit, nothing is given
that nobody gave."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdpose_mm.io.labels import read_all_labels, read_labels, write_labels
from stdpose_mm.structures import VideoLabels
from support.foreign_labels import labelme, labelme_shape, studio_region, studio_task, write_json
from support.label_samples import videos

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning'),
]

examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
pixels = st.floats(-1e6, 1e6, allow_nan=False)
points = st.lists(st.tuples(pixels, pixels), min_size=1, max_size=4)
poses = st.lists(points, min_size=1, max_size=3)
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2))


def through(labels: VideoLabels, folder: Path, target: str) -> list[VideoLabels]:
    path = folder / f'labels.{"csv" if target == "deeplabcut" else "json"}'
    write_labels(labels, path, target)
    return read_all_labels(path, target)


def joints_of(labels: VideoLabels, numbering: dict[int, int] | None = None) -> set[tuple]:
    """Every joint with a place: frame, track, number of the joint, x, y."""
    return {
        (p.frame_index, p.track_id if numbering is None else numbering[p.track_id], j, x, y)
        for p in labels.persons
        for j, (x, y) in enumerate(p.keypoints.tolist())
        if p.visibility[j]
    }


@given(labels=videos())
@examples
def test_mmpose_holds_poses_tracks_and_scores(tmp_path: Path, labels: VideoLabels):
    if not labels.frames:
        return
    (back,) = through(labels, tmp_path, 'mmpose')

    placed = {j for j in joints_of(labels) if _is_found(labels, j)}
    found = {(frame, track) for frame, track, *_ in placed}
    written = [
        p
        for p in labels.persons
        if p.labelled.any() and ((p.frame_index, p.track_id) in found or p.has_box)
    ]
    assert joints_of(back) == placed
    assert [frame.index for frame in back.frames] == [frame.index for frame in labels.frames]
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


@given(labels=videos())
@examples
def test_coco_results_hold_poses_tracks_and_boxes(tmp_path: Path, labels: VideoLabels):
    write_labels(labels, tmp_path / 'r.json', 'coco-results')
    if not json.loads((tmp_path / 'r.json').read_text()):
        return
    (back,) = read_all_labels(tmp_path / 'r.json', 'coco-results')

    assert joints_of(back) == {j for j in joints_of(labels) if _is_found(labels, j)}
    boxes = {
        (p.frame_index, p.track_id): None if p.bbox is None else p.bbox.tolist()
        for p in labels.persons
    }
    for person in back.persons:
        expected = boxes[person.frame_index, person.track_id]
        assert (None if person.bbox is None else person.bbox.tolist()) == expected
    assert not any(p.given.any() for p in back.persons)


@given(labels=videos())
@examples
def test_deeplabcut_holds_poses_and_tracks(tmp_path: Path, labels: VideoLabels):
    back = through(labels, tmp_path, 'deeplabcut')

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


@given(labels=videos())
@examples
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


@given(people=poses)
@examples
def test_labelme_points_come_in_unchanged(tmp_path: Path, people: list):
    shapes = [
        labelme_shape(f'j{j}', [[x, y]], group_id=g)
        for g, points in enumerate(people)
        for j, (x, y) in enumerate(points)
    ]
    write_json(tmp_path / 'img_5.json', labelme('img_5.jpg', *shapes))
    labels = read_labels(tmp_path / 'img_5.json')

    assert joints_of(labels) == {
        (5, g, j, x, y) for g, points in enumerate(people) for j, (x, y) in enumerate(points)
    }


@given(people=poses)
@examples
def test_label_studio_points_come_in_at_their_pixels(tmp_path: Path, people: list):
    regions = [
        studio_region(
            f'{g}-{j}', 'keypointlabels', f'j{j}', x=x / 6.4, y=y / 4.8, parentID=f'box{g}'
        )
        for g, points in enumerate(people)
        for j, (x, y) in enumerate(points)
    ]
    boxes = [
        studio_region(f'box{g}', 'rectanglelabels', 'person', x=0, y=0, width=9, height=9)
        for g in range(len(people))
    ]
    write_json(tmp_path / 'p.json', [studio_task('a/f_5.jpg', *regions, *boxes)])
    labels = read_labels(tmp_path / 'p.json')

    for person, points in zip(labels.persons, people, strict=True):
        np.testing.assert_allclose(person.keypoints[: len(points)], points, rtol=1e-12, atol=1e-9)


@given(
    people=st.lists(st.lists(fractions, min_size=3, max_size=3), min_size=1, max_size=3),
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
