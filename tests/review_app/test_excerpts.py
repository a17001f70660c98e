"""Work on a part of a long video, and an end of writing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.review_app import shown_poses
from stdpose_mm.review_app.excerpts import clip_state
from stdpose_mm.structures import VideoLabels
from support.review_page import NUM_FRAMES, Page, label, labels_of
from support.slow_lines import JOINTS, SlowPropagator, wait_for

EXCERPT = {'first': 15, 'last': 24}


def set_excerpt(page: Page, first: int, last: int) -> None:
    answer = page.post('/excerpt', {'first': first, 'last': last})
    assert answer.status_code == 200, answer.text
    page.settle()


def test_no_place_beside_the_excerpt_is_suggested_before_its_poses_are_computed(slow):
    page, propagator = slow
    assert [place for place in page.get('/guidance')['suggestions'] if place['frame'] < 25]
    propagator.go.clear()
    page.post('/excerpt', {'first': 25, 'last': 30})
    suggestions = page.get('/guidance')['suggestions']
    propagator.go.set()
    assert not [place for place in suggestions if not 25 <= place['frame'] <= 30]


@pytest.fixture
def moving() -> VideoLabels:
    """Person 1 is 40 pixels further right in the middle; person 2 has no label there."""
    return labels_of(
        label(0, 1), label(20, 1, 40.0), label(39, 1), label(0, 2, 60.0), label(39, 2, 60.0)
    )


def head(page: Page, frame: int) -> float:
    return page.joint(frame, 1)[0]


def test_poses_of_an_excerpt_follow_from_its_labels(open_page: Callable, moving: VideoLabels):
    page = open_page(moving)
    whole = page.all_poses()
    assert head(page, 15) == 10 + 40 * 15 / 20
    set_excerpt(page, **EXCERPT)
    assert page.get()['excerpt'] == [15, 24]
    assert [head(page, frame) for frame in (15, 18, 24)] == 3 * [50]
    pending = [page.poses(frame)[1]['pending'] for frame in (14, 15, 24, 25)]
    assert pending == [True, False, False, True]
    # A label nearby bends the poses on its own side, and only those.
    page.edit('set_joints', person=1, frame=12, joints=JOINTS)
    assert [head(page, frame) for frame in (16, 20, 24)] == [40, 50, 50]
    page.edit('undo')
    # The labels of both sides are near enough.
    set_excerpt(page, 4, 30)
    assert [head(page, frame) for frame in (5, 20)] == [20, 50]
    set_excerpt(page, 0, NUM_FRAMES - 1)
    assert page.get()['excerpt'] is None
    assert page.all_poses() == whole


def test_advice_and_doubt_are_those_of_the_excerpt(open_page: Callable, moving: VideoLabels):
    page = open_page(moving)
    # The other joints of this frame, near the excerpt, are worth a label there, too.
    page.edit('set_joints', person=1, frame=13, joints={'head': [30, 4, 2]})
    set_excerpt(page, **EXCERPT)
    guidance = page.get('/guidance')
    places = [*guidance['suggestions'], *guidance['doubtful']]
    assert places
    assert {place['person'] for place in places} == {1}
    assert all(15 <= place['frame'] <= 24 for place in places)
    assert guidance['num_doubtful'] <= 10
    for frame in range(15, 25):
        page.edit('accept', person=1, frame=frame)
    guidance = page.get('/guidance')
    assert (guidance['expected_wrong'], guidance['labels_needed']) == (0, [0, 0])
    assert guidance['suggestions'] == []
    page.wait_until_good_enough()
    # Nothing is said about the rest of the video.
    assert page.client.get('/api/project').json()['videos'][0]['state'] == 'in work'


def test_writing_keeps_all_labels_and_only_the_poses_of_the_excerpt(
    open_page: Callable, moving: VideoLabels, tmp_path: Path
):
    page = open_page(moving)
    set_excerpt(page, **EXCERPT)
    answer = page.post('/save', {})
    # The file lacks what is shown outside.
    assert answer.json()['revision'] == -1
    written = read_labels(answer.json()['file'])
    frames = {
        source: [p.frame_index for p in written.persons if p.track_id == 1 and p.source == source]
        for source in ('given', 'propagated', 'absent')
    }
    assert frames == {
        'given': [0, 20, 39],
        'propagated': [n for n in range(15, 25) if n != 20],
        'absent': [],
    }
    assert [p.frame_index for p in written.persons if p.track_id == 2] == [0, 39]
    # An excerpt far from all labels has no poses.
    set_excerpt(page, 6, 9)
    written = read_labels(page.post('/save', {}).json()['file'])
    assert [(p.track_id, p.frame_index) for p in written.persons] == [
        (1, 0),
        (2, 0),
        (1, 20),
        (1, 39),
        (2, 39),
    ]
    assert open_page(moving).get()['saved'] == -1
    page = open_page(moving)
    page.post('/save', {})
    assert page.get()['saved'] == 0


@pytest.mark.parametrize(
    ('given', 'absent', 'life_span', 'ends'),
    [
        ([20], [], 'video', [15, 24]),
        ([15, 24], [], 'video', []),
        ([12, 20], [], 'video', [24]),
        ([20], [10], 'video', [24]),
        ([2, 20], [4], 'video', [24]),
        ([20], [22], 'video', [15]),
        ([20], [], 'labels', []),
        ([2, 20, 38], [], 'labels', [15, 24]),
        ([2, 38], [], 'video', None),
    ],
)
def test_who_is_there_at_the_ends_of_an_excerpt(given, absent, life_span, ends):
    """Somebody is present where an earlier label, or none, does not say absent."""
    propagator = VideoPosePropagator(method='linear')
    state = propagator.init_state(
        ArrayFrames(np.zeros((NUM_FRAMES, 40, 40, 3), np.uint8)), life_span=life_span
    )
    for frame in given:
        propagator.add_labels(state, frame, 1, label(frame, 1).keypoints)
    for frame in absent:
        propagator.mark_absent(state, frame, 1)
    tracks = clip_state(state, range(15, 25), open_ends=True).tracks
    if ends is None:
        assert tracks == {}
        return
    near = [frame for frame in (*given, *absent) if 5 <= frame < 35]
    assert sorted(tracks[1]) == sorted([*near, *ends])
    assert all(tracks[1][frame].propagated.all() for frame in ends)


@pytest.mark.parametrize(
    'body', [{}, {'first': 3}, {'first': True, 'last': 5}, {'first': 5, 'last': 3}]
)
def test_no_excerpt_without_frames(unedited_page: Page, body: dict):
    answer = unedited_page.post('/excerpt', body)
    assert answer.status_code == 422
    assert 'frames' in answer.json()['error']


def test_writing_can_be_stopped_and_leaves_no_file(
    slow: tuple[Page, SlowPropagator], tmp_path: Path
):
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    before = sorted(tmp_path.iterdir())
    answers = []
    writer = threading.Thread(target=lambda: answers.append(page.post('/save', {})))
    number = len(propagator.begun)
    writer.start()
    wait_for(lambda: len(propagator.begun) > number)
    while writer.is_alive():
        page.post('/save', {'do': 'stop'})
        writer.join(0.05)
    assert answers[0].status_code == 422
    assert 'stopped' in answers[0].json()['error']
    assert sorted(tmp_path.iterdir()) == before
    propagator.go.set()
    page.settle()
    assert page.post('/save', {}).status_code == 200


def test_long_gaps_wait_for_all_others(
    slow: tuple[Page, SlowPropagator], monkeypatch: pytest.MonkeyPatch
):
    """Of the gaps beside the edit of frame 34, one has 13 frames and the other one four."""
    monkeypatch.setattr(shown_poses, 'LONG_GAP', 12)
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=34, joints=JOINTS)
    page.try_edit('set_joints', person=2, frame=5, joints=JOINTS)
    page.try_edit('set_joints', person=2, frame=20, joints=JOINTS, revision=2)
    propagator.begun.clear()
    propagator.go.set()
    page.settle()
    lengths = [len(frames) for _, frames in propagator.finished]
    assert sorted(lengths[:2]) == [4, 4]
    assert max(lengths[:2]) < 12 < min(lengths[2:5])
