"""Labels that are loaded into CVAT, corrected there and read again.

``support.cvat_task`` stands for CVAT; it says what it does, and where CVAT's own source says so.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels.cvat import read_cvat
from stdpose_mm.io.labels.cvat_writer import write_cvat, write_cvat_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids
from support.cvat_task import CvatTask

JOINTS = ('nose', 'left_wrist', 'right_wrist')
SKELETON = Skeleton(JOINTS, limbs=((0, 1), (0, 2)))
FRAMES = 41
WITH, WITHOUT = ('source', 'score'), ()


def path_of(joint: int, frame: int) -> tuple[float, float]:
    """A smooth path with more digits than CVAT keeps."""
    return (
        100.123456 * (joint + 1) + 30 * np.sin(frame / 7 + joint),
        80.654321 + 40 * np.cos(frame / 9),
    )


def dense(given_frames: tuple[int, ...] = (0, 20, 40), track_ids: tuple[int, ...] = (3,)):
    """Propagated labels of all frames, as the command writes them."""
    persons = []
    for frame in range(FRAMES):
        for track_id in track_ids:
            points = np.asarray([path_of(j, frame) for j in range(3)]) + 50 * track_id
            persons.append(
                PersonLabel(
                    frame,
                    points,
                    np.full(3, 2),
                    track_id=track_id,
                    scores=np.full(3, 1.0 if frame in given_frames else 0.75),
                    source='given' if frame in given_frames else 'propagated',
                )
            )
    frames = tuple(VideoFrame(i, width=640, height=480) for i in range(FRAMES))
    return VideoLabels('clip', SKELETON, frames, tuple(persons))


Joint = tuple[int, int, str]


def given_joints(labels: VideoLabels) -> dict[Joint, tuple[float, float]]:
    """(frame, track, joint) -> place of what was given."""
    return {
        (p.frame_index, p.track_id, JOINTS[j]): tuple(p.keypoints[j].tolist())
        for p in labels.persons
        for j in np.flatnonzero(p.given)
    }


def at(labels: VideoLabels, frame: int, track_id: int) -> PersonLabel:
    (found,) = [p for p in labels.persons if (p.frame_index, p.track_id) == (frame, track_id)]
    return found


@pytest.fixture(params=[WITH, WITHOUT], ids=['attributes', 'no attributes'])
def through(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., VideoLabels]:
    """Load labels into CVAT, let a person work on them, and read them again."""

    def work(labels: VideoLabels, correct: Callable[[CvatTask], None], **options: Any):
        loaded = tmp_path / 'loaded.xml'
        write_cvat(labels, loaded, **options)
        task = CvatTask(loaded, FRAMES, request.param)
        correct(task)
        export = task.export(tmp_path / 'annotations.xml')
        return read_cvat(export, None if request.param else loaded)

    return work


def test_untouched_labels_come_back_as_they_were(through: Callable):
    labels = dense(track_ids=(7, 2))
    back = through(labels, lambda task: None)

    # To the last digit, though CVAT keeps two decimals; and it numbers tracks anew.
    assert given_joints(back) == given_joints(labels)
    assert back.track_ids == (2, 7)


def test_all_corrections_at_once(through: Callable):
    def correct(task: CvatTask) -> None:
        task.drag(0, 'left_wrist', 10, 11, 22)
        task.set(0, 'right_wrist', 12, occluded=True)
        task.set(0, 'nose', 14, outside=True)
        task.press_key(0, 31)

    labels = dense()
    back = through(labels, correct)

    added = {key for key in given_joints(back) if key not in given_joints(labels)}
    assert added == {
        (10, 3, 'left_wrist'),
        (12, 3, 'right_wrist'),
        *((31, 3, joint) for joint in JOINTS),
    }
    assert given_joints(labels).items() <= given_joints(back).items()
    assert at(back, 12, 3).visibility[2] == 1
    hidden = at(back, 14, 3)
    assert hidden.source == 'given'
    assert hidden.keypoint_sources.tolist() == ['absent', 'propagated', 'propagated']
    assert not hidden.is_absent


def test_a_propagated_joint_that_is_moved_at_its_own_key_frame_is_given(through: Callable):
    labels = dense()
    back = through(labels, lambda task: task.drag(0, 'nose', 7, 1.5, 2.5), tolerance=None)

    added = {key for key in given_joints(back) if key not in given_joints(labels)}
    assert added == {(7, 3, 'nose')}
    # The score is not that of before.
    scores = at(back, 7, 3).scores
    assert scores is None or scores[0] == 1


def test_people_leave_and_others_are_drawn(through: Callable):
    def correct(task: CvatTask) -> None:
        task.leave(0, 25)
        task.draw(8, dict.fromkeys(JOINTS, (5.0, 6.0)))

    back = through(dense(given_frames=(0, 20), track_ids=(1,)), correct)

    assert (at(back, 25, 1).source, at(back, 25, 1).is_absent) == ('given', True)
    (new,) = [p for p in back.persons if p.track_id != 1]
    assert new.frame_index == 8
    assert new.given.all()


def test_without_the_attribute_the_reader_asks_for_the_loaded_file(tmp_path: Path):
    write_cvat(dense(), tmp_path / 'loaded.xml')
    export = CvatTask(tmp_path / 'loaded.xml', FRAMES, WITHOUT).export(tmp_path / 'export.xml')
    write_cvat(dense(track_ids=(5,)), tmp_path / 'other.xml')

    with pytest.raises(InputError, match='--loaded-into-cvat'):
        read_cvat(export)
    with pytest.raises(InputError, match=r'no key frame of .* occurs in'):
        read_cvat(export, tmp_path / 'other.xml')
    segment = '<segment><id>2</id></segment></segments>'
    export.write_text(export.read_text().replace('</segments>', segment))
    with pytest.raises(InputError, match='several jobs'):
        read_cvat(export)


def test_what_was_drawn_in_cvat_needs_no_other_file(tmp_path: Path):
    write_cvat(dense(), tmp_path / 'a.xml')
    task = CvatTask(tmp_path / 'a.xml', FRAMES, WITHOUT)
    task.tracks.clear()
    task.draw(3, dict.fromkeys(JOINTS, (5.0, 6.0)))

    assert at(read_cvat(task.export(tmp_path / 'b.xml')), 3, 0).given.all()


@pytest.fixture
def empty_task(tmp_path: Path) -> CvatTask:
    write_cvat(dense().with_persons([]), tmp_path / 'empty.xml')
    return CvatTask(tmp_path / 'empty.xml', FRAMES)


def places_at(x: float) -> dict[str, tuple[float, float]]:
    return {'nose': (x, 10.0), 'left_wrist': (x + 20, 40.0), 'right_wrist': (x, 80.25)}


def test_one_person_drawn_as_shapes_is_one_person(empty_task: CvatTask, tmp_path: Path):
    for frame, x in ((0, 50), (7, 52), (12, 54), (39, 56)):
        empty_task.draw_shape(frame, places_at(x))
    with pytest.warns(
        InputWarning, match='the 4 skeletons were drawn as shapes, .* by position; .*'
    ):
        labels = read_cvat(empty_task.export(tmp_path / 'a.xml'))

    expected = [(frame, None) for frame in (0, 7, 12, 39)]
    assert [(p.frame_index, p.track_id) for p in labels.persons] == expected
    assert all(p.given.all() for p in labels.persons)
    assert labels.persons[1].keypoints.tolist() == [[52, 10], [72, 40], [52, 80.25]]
    assert len(assign_track_ids(labels).track_ids) == 1


@pytest.mark.parametrize('frame', [7, FRAMES - 2, FRAMES - 1])
def test_shapes_beside_tracks_stay_people_of_their_own(
    empty_task: CvatTask, tmp_path: Path, frame: int
):
    empty_task.draw(0, places_at(50))
    empty_task.draw_shape(frame, places_at(450))
    told = f'tracks of one frame, .* people .track 1 in frame {frame}.; draw .* with "Track"'
    with pytest.warns(InputWarning, match=told):
        labels = read_cvat(empty_task.export(tmp_path / 'a.xml'))

    # At the end of the video CVAT writes no frame that ends it.
    end = [(8, 1, True)] if frame == 7 else []
    found = [(p.frame_index, p.track_id, p.is_absent) for p in labels.persons]
    assert found == [(0, 0, False), (frame, 1, False), *end]


def test_tracks_that_stay_are_not_named(
    empty_task: CvatTask, tmp_path: Path, recwarn: pytest.WarningsRecorder
):
    empty_task.draw(0, places_at(50))
    empty_task.draw(7, places_at(450))
    empty_task.leave(1, 12)
    read_cvat(empty_task.export(tmp_path / 'a.xml'))

    assert not recwarn.list


def test_people_who_leave_in_the_next_frame_stay_tracks_in_files_of_this_package(tmp_path: Path):
    persons = [
        PersonLabel(frame, np.full((3, 2), 5.0), np.full(3, 2), track_id=track_id)
        for frame, track_id in ((0, 1), (1, 2), (2, 4))
    ]
    write_cvat(dense().with_persons(persons), tmp_path / 'a.xml')

    assert read_cvat(tmp_path / 'a.xml').track_ids == (1, 2, 4)


def test_key_frames_that_cvat_makes_at_the_ends_of_a_job_are_not_given(tmp_path: Path):
    labels = dense()
    write_cvat(labels, tmp_path / 'loaded.xml')
    task = CvatTask(tmp_path / 'loaded.xml', FRAMES, WITH, job=(5, 25))
    task.drag(0, 'nose', 5, 1, 2)
    export = task.export(tmp_path / 'export.xml')

    with pytest.raises(InputError, match='frame 5, where the job ends'):
        read_cvat(export)
    inside = {key: place for key, place in given_joints(labels).items() if 5 <= key[0] <= 25}
    assert given_joints(read_cvat(export, tmp_path / 'loaded.xml')) == {
        **inside,
        (5, 3, 'nose'): (1, 2),
    }


def test_a_still_person_has_key_frames_where_given_and_nowhere_else(tmp_path: Path):
    labels = dense(given_frames=(0, 20))
    still = [replace(person, keypoints=np.full((3, 2), 50.0)) for person in labels.persons]
    write_cvat(labels.with_persons(still), tmp_path / 'a.xml')

    points = CvatTask(tmp_path / 'a.xml', FRAMES).tracks[0].points
    assert [[*points[name]] for name in JOINTS] == [[0, 20, 40]] * 3


def test_a_joint_that_is_yet_to_be_propagated_is_no_key_frame(tmp_path: Path):
    def label(frame: int, given: list[bool]) -> PersonLabel:
        return PersonLabel(
            frame,
            np.full((3, 2), float(frame)),
            np.where(given, 2, 0),
            track_id=0,
            keypoint_sources=np.where(given, 'given', 'propagated'),
        )

    everything, nose = [True] * 3, [True, False, False]
    labels = dense().with_persons([label(0, everything), label(10, nose), label(20, everything)])
    write_cvat(labels, tmp_path / 'a.xml')

    points = CvatTask(tmp_path / 'a.xml', FRAMES).tracks[0].points
    assert [*points['nose']] == [0, 10, 20]
    assert [*points['left_wrist']] == [0, 20]
    write_cvat(dense(), tmp_path / 'b.xml', tolerance=None)
    points = CvatTask(tmp_path / 'b.xml', FRAMES).tracks[0].points
    assert [*points['nose']] == list(range(FRAMES))
    back = read_cvat(tmp_path / 'a.xml')
    assert at(back, 10, 0).keypoint_sources.tolist() == ['given', 'propagated', 'propagated']


def test_the_label_for_the_raw_tab(tmp_path: Path):
    """CVAT's form wants: name, type, attributes with a list of distinct texts as values, the points
    as sublabels, and a drawing without ``<svg>`` around it that names them."""
    write_cvat_labels(dense(), tmp_path / 'label.json')
    (label,) = json.loads((tmp_path / 'label.json').read_text())

    assert (label['name'], label['type'], label['attributes']) == ('person', 'skeleton', [])
    assert [(p['name'], p['type']) for p in label['sublabels']] == [(j, 'points') for j in JOINTS]
    for point in label['sublabels']:
        assert [a['name'] for a in point['attributes']] == ['source', 'score']
        for a in point['attributes']:
            assert (a['mutable'], a['input_type']) == (True, 'text')
            assert a['values'] == [a['default_value']]
    assert re.findall('data-label-name="([^"]*)"', label['svg']) == [*JOINTS]
    assert re.findall('data-node-from="(.)" data-node-to="(.)"', label['svg']) == [
        ('1', '2'),
        ('1', '3'),
    ]
    assert not label['svg'].startswith('<svg')


places = st.tuples(st.integers(0, 64000), st.integers(0, 48000)).map(
    lambda p: (p[0] / 100, p[1] / 100)
)
STATES = ('given', 'occluded', 'left out', 'propagated', 'unknown')
SOURCE_OF = {'given': 'given', 'occluded': 'given', 'left out': 'absent'}


@st.composite
def mixed(draw: Callable[..., Any]) -> VideoLabels:
    """Sparse or dense labels of which every joint says for itself where it comes from."""
    persons = []
    for track_id in draw(st.sets(st.integers(0, 9), min_size=1, max_size=2)):
        for frame in sorted(draw(st.sets(st.integers(0, FRAMES - 1), min_size=1, max_size=12))):
            states = draw(st.lists(st.sampled_from(STATES), min_size=3, max_size=3))
            given = any(state in ('given', 'occluded') for state in states)
            visibility = [{'left out': 0, 'unknown': 0, 'occluded': 1}.get(s, 2) for s in states]
            if not given:
                # Then nothing was left out by a person either.
                states = ['unknown' if s == 'left out' else s for s in states]
            persons.append(
                PersonLabel(
                    frame,
                    np.asarray([draw(places) for _ in states]),
                    np.asarray(visibility),
                    track_id=track_id,
                    source='given' if given else 'propagated',
                    keypoint_sources=np.asarray([SOURCE_OF.get(s, 'propagated') for s in states]),
                )
            )
    return dense().with_persons(persons)


@pytest.mark.slow
@given(labels=mixed(), has_attributes=st.booleans(), data=st.data())
def test_what_is_given_is_what_was_given_and_what_was_corrected(
    tmp_path: Path, labels: VideoLabels, has_attributes: bool, data: st.DataObject
):
    """Every given joint is unchanged to the last digit, and no joint is given that nobody gave."""
    loaded = tmp_path / 'loaded.xml'
    write_cvat(labels, loaded)
    assert given_joints(read_cvat(loaded)) == given_joints(labels)

    task = CvatTask(loaded, FRAMES, WITH if has_attributes else WITHOUT)
    expected = given_joints(labels)
    for _ in range(data.draw(st.integers(0, 4)) if task.tracks else 0):
        track = data.draw(st.integers(0, len(task.tracks) - 1))
        joint = data.draw(st.sampled_from(JOINTS))
        frame = data.draw(st.integers(0, FRAMES - 1))
        now = task.tracks[track].at(joint, frame)
        if now is None or now.outside:
            continue
        x, y = data.draw(places)
        if abs(x - now.x) > 0.02:
            task.drag(track, joint, frame, x, y)
            expected[frame, task.tracks[track].file_id, joint] = (x, y)
    back = read_cvat(task.export(tmp_path / 'export.xml'), None if has_attributes else loaded)

    assert given_joints(back) == expected


@pytest.mark.slow
@given(
    steps=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=FRAMES),
    tolerance=st.floats(0.1, 20),
)
def test_lines_are_within_the_tolerance_in_every_frame(
    tmp_path: Path, steps: list[tuple[float, float]], tolerance: float
):
    walk = np.cumsum(steps, axis=0)
    persons = [
        PersonLabel(frame, np.tile(place, (3, 1)), np.full(3, 2), track_id=0, source='propagated')
        for frame, place in enumerate(walk)
    ]
    write_cvat(dense().with_persons(persons), tmp_path / 'a.xml', tolerance)
    task = CvatTask(tmp_path / 'a.xml', FRAMES)

    for frame, (x, y) in enumerate(walk):
        drawn = task.tracks[0].at('nose', frame)
        assert np.hypot(drawn.x - x, drawn.y - y) <= tolerance
