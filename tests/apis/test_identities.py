"""Labels that change hands, and labels that are put back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.structures import PersonLabel

POSE = np.array([[10.0, 10.0], [20.0, 10.0], [10.0, 30.0]])


@pytest.fixture
def propagator() -> VideoPosePropagator:
    return VideoPosePropagator(method='linear')


@pytest.fixture
def state(propagator: VideoPosePropagator) -> PropagationState:
    """Persons 1 and 2 with labels in frames 0, 4 and 8; 2 is 100 pixels to the right."""
    state = propagator.init_state(ArrayFrames(np.zeros((9, 40, 60, 3), np.uint8)))
    for frame in (0, 4, 8):
        propagator.add_labels(state, frame, 1, POSE)
        propagator.add_labels(state, frame, 2, POSE + np.array([100, 0]))
    return state


def named(state: PropagationState, **names: str) -> None:
    """Name the people as the label file of a format with names does."""
    for person, name in names.items():
        for label in state.tracks[int(person[1:])].values():
            label.extra['track_name'] = name


def names_of(state: PropagationState) -> dict[int, set[str | None]]:
    return {
        person: {label.extra.get('track_name') for label in track.values()}
        for person, track in state.tracks.items()
    }


@pytest.mark.parametrize('frame', [0, 4])
def test_swapped_labels_have_the_name_of_the_person_that_they_go_to(propagator, state, frame):
    named(state, p1='mouse1', p2='mouse2')
    propagator.swap_persons(state, frame, 1, 2)
    assert names_of(state) == {1: {'mouse1'}, 2: {'mouse2'}}
    assert state.tracks[1][8].keypoints[0, 0] == 110


@pytest.mark.parametrize(
    ('names', 'expected'),
    [({'p1': 'mouse1', 'p2': 'mouse2'}, 'mouse2'), ({'p1': 'mouse1'}, 'mouse1')],
)
def test_merged_labels_have_the_name_of_who_stays_or_else_of_who_ends(
    propagator, state, names, expected
):
    named(state, **names)
    state.tracks[1] = {2: dataclasses.replace(state.tracks[1][4], frame_index=2)}
    propagator.merge_persons(state, 1, into=2)
    assert state.tracks[2][2].extra == {'track_name': expected}


def test_a_person_who_is_split_off_has_no_name(propagator, state):
    named(state, p1='mouse1', p2='mouse2')
    new = propagator.split_person(state, 4, 1)
    assert {label.extra.get('track_name') for label in state.tracks[new].values()} == {None}


class TestBoxes:
    """Boxes that were given for unlabelled frames go to those who get the labels."""

    @pytest.fixture
    def state(self, propagator, label, video) -> PropagationState:
        """Persons 1 and 2 with labels in frames 0, 4, 8 and boxes 11 and 12 px wide between."""
        given = [
            label(frame, POSE + 100 * (person - 1), track_id=person)
            for frame in (0, 4, 8)
            for person in (1, 2)
        ]
        boxes = [box(label, frame, person) for frame in (2, 6) for person in (1, 2)]
        frames = ArrayFrames(np.zeros((9, 240, 260, 3), np.uint8))
        return propagator.init_state(frames, video(given, 9), boxes=video(boxes, 9))

    def test_swapped_people_exchange_them_from_the_frame_on(self, propagator, state):
        assert widths(propagator, state) == {1: {2: 11, 6: 11}, 2: {2: 12, 6: 12}}
        propagator.swap_persons(state, 6, 1, 2)
        assert widths(propagator, state) == {1: {2: 11, 6: 12}, 2: {2: 12, 6: 11}}

    def test_a_split_person_leaves_them_to_the_new_one(self, propagator, state):
        new = propagator.split_person(state, 4, 1)
        assert widths(propagator, state) == {1: {2: 11}, 2: {2: 12, 6: 12}, new: {6: 11}}

    def test_a_new_person_does_not_get_those_of_a_removed_one(self, propagator, state):
        propagator.remove_person(state, 2)
        new = propagator.split_person(state, 4, 1)
        assert widths(propagator, state) == {1: {2: 11}, new: {6: 11}}

    def test_merged_people_have_those_of_both(self, propagator, state):
        new = propagator.split_person(state, 4, 1)
        propagator.merge_persons(state, new, 1)
        assert widths(propagator, state) == {1: {2: 11, 6: 11}, 2: {2: 12, 6: 12}}

    @pytest.mark.parametrize('into', [1, 2])
    def test_of_two_boxes_in_a_frame_that_of_the_nearer_label_is_kept(
        self, propagator, state, into
    ):
        for person, frames in ((1, (4, 8)), (2, (0,))):
            for frame in frames:
                propagator.remove_labels(state, frame, person)
        propagator.remove_labels(state, 4, 2)
        # Person 1 has a label in frame 0, person 2 in frame 8.
        propagator.merge_persons(state, 3 - into, into)
        assert widths(propagator, state) == {into: {2: 11, 6: 12}}

    def test_of_two_boxes_in_a_frame_that_of_somebody_gone_is_left_out(self, propagator, state):
        for person, frames in ((1, (4, 8)), (2, (0, 4))):
            for frame in frames:
                propagator.remove_labels(state, frame, person)
        propagator.mark_absent(state, 1, 1)
        propagator.merge_persons(state, 2, 1)
        propagator.remove_labels(state, 1, 1)
        assert widths(propagator, state) == {1: {2: 12, 6: 12}}

    def test_a_run_that_has_begun_keeps_its_boxes(self, propagator, state):
        results = propagator.propagate_in_video(state)
        next(results)
        propagator.swap_persons(state, 1, 1, 2)
        assert [result.bboxes[0, 2] for result in results if result.frame_idx in (2, 6)] == [11, 11]


def box(label: Any, frame: int, person: int) -> PersonLabel:
    place = np.array([100.0 * (person - 1), 100.0 * (person - 1), 10 + person, 40])
    return label(frame, np.zeros((3, 2)), np.zeros(3), track_id=person, bbox=place)


def widths(propagator: VideoPosePropagator, state: PropagationState) -> dict[int, dict[int, float]]:
    """Person -> {frame: width of its box} in frames 2 and 6, as far as it is a given box."""
    given: dict[int, dict[int, float]] = {}
    for result in propagator.propagate_in_video(state):
        for person, (*_, width, _) in zip(result.person_ids.tolist(), result.bboxes, strict=True):
            if result.frame_idx in (2, 6) and width in (11, 12):
                given.setdefault(person, {})[result.frame_idx] = width
    return given


def test_somebody_unknown_is_named(propagator, state):
    for call in (
        lambda: propagator.swap_persons(state, 0, 1, 7),
        lambda: propagator.split_person(state, 4, 7),
        lambda: propagator.merge_persons(state, 7, 1),
        lambda: propagator.remove_person(state, 7),
    ):
        with pytest.raises(InputError, match='no person 7'):
            call()


def test_joints_are_left_out_by_name(propagator, state):
    state.skeleton = None
    state.tracks.clear()
    propagator.add_labels(state, 0, 1, POSE)
    propagator.add_labels(state, 8, 1, POSE)
    propagator.add_labels(state, 4, 1, np.full((3, 2), np.nan), left_out=['joint_1'])
    results = list(propagator.propagate_in_video(state))
    assert results[4].keypoint_sources[0].tolist() == ['propagated', 'absent', 'propagated']
    assert results[3].visibility[0].tolist() == [2, 2, 2]
    with pytest.raises(InputError, match='mark_absent'):
        propagator.add_labels(
            state, 0, 1, np.full((3, 2), np.nan), left_out=state.skeleton.keypoint_names
        )


def test_some_people_in_some_frames(propagator, state):
    results = list(propagator.propagate_in_video(state, person_ids=[2], within=range(5, 99)))
    assert [result.frame_idx for result in results] == [5, 6, 7, 8]
    assert all(result.person_ids.tolist() == [2] for result in results)


def test_what_a_listener_raises_ends_the_run(propagator, state):
    class TiredError(Exception):
        pass

    class Listener:
        def start(self, frames_done: int, num_poses: int) -> None:
            pass

        def advance(self, frames_done: float) -> None:
            raise TiredError

    with pytest.raises(TiredError):
        list(propagator.propagate_in_video(state, Listener()))
