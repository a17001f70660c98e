"""What can be opened, and what comes out of it."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.review_app import project as project_module
from stdpose_mm.review_app import video_review as video_review_module
from stdpose_mm.review_app.journal import Journal
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from stdpose_mm.review_app.shown_poses import GIVEN, PersonPoses
from stdpose_mm.review_app.video_review import VideoReview
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.review_page import HERE, NUM_FRAMES, Page, access_to, label, labels_of
from support.video_files import make_video


def test_a_project_is_described(unedited_page: Page):
    project = unedited_page.client.get('/api/project').json()
    (described,) = project['videos']
    assert described.pop('state') in ('in work', 'good enough')
    counts = {'frames': NUM_FRAMES, 'people': 2, 'labels': 5}
    assert described == {'id': 0, 'name': 'clip', **counts, 'error': None}
    video = unedited_page.get()
    assert (video['width'], video['height'], video['frames']) == (128, 32, NUM_FRAMES)
    assert video['skeleton']['limbs'] == [[0, 1], [0, 2]]
    assert video['persons'] == [1, 2]


def test_an_export_is_what_the_command_line_writes(page: Page, video: Path, tmp_path: Path):
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 1]})
    page.edit('mark_absent', person=2, frame=30)
    answer = page.post('/export', {'format': 'posetrack18'})
    assert answer.headers['content-disposition'].endswith("''labels_reviewed.posetrack18.json")
    (tmp_path / 'exported.json').write_bytes(answer.content)
    exported = read_labels(tmp_path / 'exported.json')

    propagator = VideoPosePropagator(method='linear')
    state = propagator.init_state(open_frames(video), read_labels(tmp_path / 'labels.json'))
    propagator.add_labels(state, 10, 1, [[30, 4, 1], [0, 0, 0], [0, 0, 0]])
    propagator.mark_absent(state, 30, 2)
    expected = propagator.collect_labels(state, propagator.propagate_in_video(state))
    write_labels(expected, tmp_path / 'expected.json')
    expected = read_labels(tmp_path / 'expected.json')
    np.testing.assert_array_equal(exported.to_array(), expected.to_array())
    assert [p.source for p in exported.persons] == [p.source for p in expected.persons]


def test_of_two_saves_at_once_the_later_has_the_last_word(
    open_page: Callable, two_people: VideoLabels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    review = open_page(two_people).project[0]
    first_is_writing, first_may_go_on = threading.Event(), threading.Event()

    def write_slowly(*arguments: Any) -> None:
        if not first_is_writing.is_set():
            first_is_writing.set()
            assert first_may_go_on.wait(30)
        write_labels(*arguments)

    monkeypatch.setattr(video_review_module, 'write_labels', write_slowly)
    saves = [threading.Thread(target=review.save) for _ in range(2)]
    saves[0].start()
    assert first_is_writing.wait(30)
    edit = {'type': 'set_joints', 'person': 1, 'frame': 10, 'joints': {'head': [30, 4, 1]}}
    review.edit({'id': 'an-edit', 'page': 'page', 'revision': 0, 'edit': edit})
    saves[1].start()
    # Time in which a second save that did not wait would be done.
    saves[1].join(0.3)
    first_may_go_on.set()
    for save in saves:
        save.join(30)
    saved = read_labels(tmp_path / 'labels_reviewed.json')[10]
    assert [tuple(p.keypoints[0]) for p in saved if p.track_id == 1] == [(30, 4)]


def test_poses_of_a_former_propagator_do_not_count_as_saved(
    page: Page, monkeypatch: pytest.MonkeyPatch
):
    review = page.project[0]

    def write_meanwhile(*arguments: Any) -> None:
        write_labels(*arguments)
        # What the project does when a network has learned.
        review.propagator.propagator = LinearPropagator()
        review.compute_again()

    with monkeypatch.context() as patch:
        patch.setattr(video_review_module, 'write_labels', write_meanwhile)
        assert page.post('/save', {}).json()['revision'] == -1
    assert page.get()['saved'] == -1
    assert page.post('/save', {}).json()['revision'] == 0
    assert page.get()['saved'] == 0


def test_what_was_saved_is_known_at_the_next_start(
    page: Page, reopen: Callable[[], Page], tmp_path: Path
):
    page.post('/save', {})
    again = reopen()
    assert (again.get()['saved'], again.get()['revision']) == (0, 0)
    again.edit('mark_absent', person=1, frame=10)
    again.post('/save', {})
    again.edit('mark_absent', person=2, frame=10)
    again = reopen()
    assert (again.get()['saved'], again.get()['revision']) == (1, 2)
    (tmp_path / 'labels_reviewed.json').unlink()
    assert reopen().get()['saved'] is None


def test_labels_are_saved_under_a_name_without_a_suffix(
    open_page: Callable, two_people: VideoLabels, tmp_path: Path
):
    page = open_page(two_people)
    page.project[0].out = tmp_path / 'mended'
    for _ in range(2):
        answer = page.post('/save', {})
        assert answer.status_code == 200, answer.text
    assert len(read_labels(tmp_path / 'mended').frames) == NUM_FRAMES


def test_a_file_that_another_program_has_changed_is_not_replaced(
    page: Page, reopen: Callable[[], Page], tmp_path: Path
):
    saved = tmp_path / 'labels_reviewed.json'
    page.edit('mark_absent', person=1, frame=10)
    assert page.post('/save', {}).status_code == 200
    assert page.post('/save', {}).status_code == 200
    theirs = saved.read_text() + ' '
    saved.write_text(theirs)
    answer = page.post('/save', {})
    assert answer.status_code == 422
    assert f'{saved} exists and is not the file that was saved from' in answer.json()['error']
    with pytest.raises(InputError, match='move it away'):
        reopen()
    assert saved.read_text() == theirs
    saved.rename(tmp_path / 'theirs.json')
    assert reopen().post('/save', {}).status_code == 200


def test_labels_that_the_journal_could_not_note_are_saved_again(
    open_page: Callable, two_people: VideoLabels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    review = open_page(two_people).project[0]

    def refuse(*_: Any) -> None:
        raise InputError('no space left')

    with monkeypatch.context() as full:
        full.setattr(Journal, '_write', refuse)
        with pytest.raises(InputError, match='no space left'):
            review.save()
    assert not (tmp_path / 'labels_reviewed.json').exists()
    assert review.save() == 0


@pytest.mark.parametrize(('owner', 'step'), [(Journal, 'add_save'), (os, 'replace')])
def test_a_server_that_is_killed_while_it_saves_knows_its_own_file(
    open_page: Callable,
    two_people: VideoLabels,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    step: str,
):
    review = open_page(two_people).project[0]
    with monkeypatch.context() as killed:
        killed.setattr(owner, step, Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            review.save()
    assert open_page(two_people).project[0].save() == 0


def test_an_export_keeps_the_dots_of_the_name(open_page: Callable, two_people: VideoLabels):
    page = open_page(two_people)
    page.project[0].out = Path('2024.05.01 run_reviewed.json.gz')
    answer = page.post('/export', {'format': 'cvat'})
    assert answer.headers['content-disposition'].endswith("''2024.05.01%20run_reviewed.xml")


def test_an_unknown_format_is_refused(unedited_page: Page):
    assert unedited_page.post('/export', {'format': '../../etc/passwd'}).status_code == 422
    assert unedited_page.post('/export', {'format': None}).status_code == 422


def test_every_format_that_is_offered_is_written(unedited_page: Page):
    formats = unedited_page.client.get('/api/project').json()['formats']
    assert list(formats) == list(WRITE_FORMATS)
    endings = [offer['ending'] for offer in formats.values()]
    assert len(set(endings)) == len(endings)
    for format, offer in formats.items():
        answer = unedited_page.post('/export', {'format': format})
        is_missing = find_spec(LABEL_FORMATS[format].package or 'numpy') is None
        assert (offer['needs'] is not None) == is_missing
        assert answer.status_code == (422 if is_missing else 200), (format, answer.text)
        if not is_missing:
            assert len(answer.content) > 100
            name = f"''labels_reviewed{offer['ending']}"
            assert answer.headers['content-disposition'].endswith(name)


@pytest.mark.parametrize('format', [name for name in READ_FORMATS if name in WRITE_FORMATS])
def test_given_labels_alone_are_exported(
    page: Page, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
):
    """Poses are not computed for it; one joint of another frame is given, too."""
    offer = page.client.get('/api/project').json()['formats'][format]
    if offer['needs']:
        pytest.skip(offer['needs'])
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2]})
    monkeypatch.setattr(LinearPropagator, 'propagate', Mock(side_effect=MemoryError))
    answer = page.post('/export', {'format': format, 'given_only': True})
    assert answer.status_code == 200, answer.text
    path = tmp_path / f'exported{offer["ending"]}'
    path.write_bytes(answer.content)
    if offer['ending'].endswith('.zip'):
        shutil.unpack_archive(path, tmp_path)
        path = tmp_path / f'labels_reviewed{offer["ending"].removesuffix(".zip")}'
    labels = read_labels(path, format, size=(128, 32))
    located = {(p.frame_index, p.labelled.sum()) for p in labels.persons if p.is_located}
    assert located == {(0, 3), (10, 1), (20, 3), (39, 3)}


def test_an_error_of_an_export_names_the_file_that_was_to_be_downloaded(
    open_page: Callable, two_people: VideoLabels
):
    page = open_page(two_people)
    page.project[0].collect = lambda given_only: (labels_of(label(0, 1), label(1, 1)), None)
    answer = page.post('/export', {'format': 'trc'})
    assert answer.json()['error'].startswith('labels_reviewed.trc: TRC ')
    timed = page.post('/export', {'format': 'trc', 'rate': 50})
    # The second frame comes after a fiftieth of a second.
    assert b'\n2\t0.02' in timed.content
    assert 'rate must be' in page.post('/export', {'format': 'trc', 'rate': 0}).json()['error']


def test_an_export_says_what_the_format_lacks(unedited_page: Page):
    answer = unedited_page.post('/export', {'format': 'lightning-pose'})
    assert unquote(answer.headers['x-notes']) == (
        'labels_reviewed.lightning-pose.csv holds 2 animals, but Lightning Pose reads only one per '
        'file'
    )


def test_an_unlabelled_video_gets_a_skeleton_and_then_people(open_page: Callable):
    page = open_page()
    assert page.get()['skeleton'] is None
    assert page.client.get('/api/project').json()['videos'][0]['state'] == 'unlabelled'
    assert 'no skeleton yet' in page.refused('add_person', frame=0, joints={'nose': [1, 2, 2]})
    page.edit('set_skeleton', name='hand')
    assert len(page.get()['skeleton']['joints']) == 21
    page.edit('set_skeleton', joints=['head', 'tail'], limbs=[[0, 1]])
    page.edit('add_person', frame=4, joints={'head': [1, 2, 2], 'tail': [5, 2, 2]})
    assert page.poses(9)[1]['keypoints'][0][:2] == [1, 2]
    assert page.post('/export', {'format': 'coco'}).status_code == 200
    for _ in range(3):
        page.edit('undo')
    assert page.get()['skeleton'] is None


@pytest.mark.parametrize(
    'skeleton',
    [
        {'name': 'octopus'},
        {'joints': []},
        {'joints': ['a', 'a']},
        {'joints': ['a', 1]},
        {'joints': ['a', ''], 'limbs': []},
        {'joints': ['a', 'b'], 'limbs': [[0, 2]]},
        {'joints': ['a', 'b'], 'limbs': [[0, -1]]},
        {'joints': ['a', 'b'], 'limbs': [[0.0, 1]]},
        {'joints': ['a', 'b'], 'limbs': 'all'},
        {'joints': 'ab'},
        {'joints': ['x'] * 2000},
        {},
    ],
)
def test_what_is_no_skeleton_is_refused(unlabelled_page: Page, skeleton: dict):
    unlabelled_page.refused('set_skeleton', **skeleton)


def test_joints_that_are_only_renamed_keep_their_labels_in_order(page: Page):
    before = page.poses(20)[1]['keypoints']
    page.edit('set_skeleton', joints=['paw', 'head', 'claw'])
    assert page.poses(20)[1]['keypoints'] == [before[1], before[0], before[2]]


def test_joints_are_renamed_added_and_reordered_with_their_labels(
    page: Page, reopen: Callable[[], Page]
):
    before = {joint: page.joint(20, 1, joint) for joint in ('head', 'left_hand', 'right_hand')}
    names, limbs = ['left_hand', 'tail', 'skull', 'right_hand'], [[2, 0], [2, 1]]
    changed = {'joints': names, 'limbs': limbs, 'category': 'ape'}
    assert 'which of tail, skull have the labels of head' in page.refused('set_skeleton', **changed)
    for wrong in ('head', {'skull': 'foot'}, {'left_hand': 'head'}):
        assert 'origins must map' in page.refused('set_skeleton', **changed, origins=wrong)
    page.edit('set_skeleton', **changed, origins={'skull': 'head'})
    assert page.get()['labels_made'] == 0
    for frame, x in ((0, 50), (39, 89)):
        page.edit('set_joints', person=1, frame=frame, joints={'tail': [x, 9, 2]})
    moved = [before['left_hand'], [70, 9], before['head'], before['right_hand']]
    for shown in (page, reopen()):
        assert shown.get()['skeleton']['joints'] == names
        pose = shown.poses(20)[1]
        assert [keypoint[:2] for keypoint in pose['keypoints']] == moved
        assert pose['sources'] == 'gpgg'
        exported = shown.post('/export', {'format': 'coco'}).json()
        (category,) = exported['categories']
        assert (category['name'], category['keypoints']) == ('ape', names)
    shown.revision = shown.get()['revision']
    refused = shown.refused('set_skeleton', joints=names[:3])
    assert 'no joint can be left out: add right_hand' in refused
    for _ in range(3):
        shown.edit('undo')
    assert shown.get()['skeleton']['joints'] == [*before]
    assert [keypoint[:2] for keypoint in shown.poses(20)[1]['keypoints']] == [*before.values()]


def test_the_joints_of_one_video_are_offered_for_the_others(start: Callable):
    page = Page(access_to(start(num_videos=2)))
    wait_until_opened(page)
    assert page.get(video=1)['project_skeleton'] is None
    page.edit('set_skeleton', joints=['head', 'tail'], limbs=[[0, 1]], category='fish')
    offered = page.get(video=1)['project_skeleton']
    assert (offered['joints'], offered['category']) == (['head', 'tail'], 'fish')


def test_an_unlabelled_video_without_labels_has_nothing_to_export(unlabelled_page: Page):
    answer = unlabelled_page.post('/export', {'format': 'coco'})
    assert answer.status_code == 422
    assert 'no given labels' in answer.json()['error']


def test_estimates_become_labels_where_they_are_certain(open_page: Callable):
    certain, doubtful = np.array([0.9, 0.9, 0.9]), np.array([0.9, 0.1, 0.9])
    estimates = labels_of(
        label(0, 1, scores=certain, source='propagated'),
        label(5, 1, 10.0, scores=doubtful, source='propagated'),
        label(10, 1, scores=certain, source='propagated'),
    )
    page = open_page(estimates)
    assert page.poses(5)[1]['sources'] == 'gpg'
    assert page.joint(5, 1, 'left_hand') == [14, 20]
    assert page.joint(5, 1, 'head') == [20, 4]
    assert any('estimated poses' in sentence for sentence in open_page.notes)  # type: ignore[attr-defined]


def test_poses_of_the_file_are_shown_until_they_are_computed(start: Callable, two_people):
    """A propagated pose that lies elsewhere is shown at first, and a straight line without one."""
    moved = label(10, 1, 7.0, source='propagated', scores=np.full(3, 0.5))
    propagator = VideoPosePropagator(method='linear')
    review = start(labels_of(*two_people.persons, moved), propagator=propagator)[0]
    fresh = VideoReview(propagator, review.state, labels_of(moved), review.journal, review.out)
    shown = fresh.describe_poses(10, 10)['frames']['10']
    fields = [(p['id'], p['keypoints'][0][0], p['pending'], p['sketched']) for p in shown]
    assert fields == [(1, 17, True, False), (2, 50, True, True)]


def wait_until_opened(page: Page) -> list[dict[str, Any]]:
    until = time.monotonic() + 120
    videos: list[dict[str, Any]] = [{'state': 'loading'}]
    while any(video['state'] == 'loading' for video in videos):
        assert time.monotonic() < until
        videos = page.client.get('/api/project').json()['videos']
    return videos


def test_several_videos_are_opened_but_for_one_that_cannot_be(
    start: Callable, two_people, tmp_path: Path
):
    (tmp_path / 'labels1.json').write_text('{}')
    page = Page(access_to(start(two_people, num_videos=3)))
    videos = wait_until_opened(page)
    assert [video['id'] for video in videos] == [0, 1, 2]
    assert [video['error'] is None for video in videos] == [True, False, True]
    assert videos[1]['state'] == 'unavailable'
    assert 'labels1.json' in videos[1]['error']
    assert page.client.get('/api/videos/1').status_code == 422
    body = {'id': 'e', 'page': 'p', 'revision': 0}
    edit = {'type': 'mark_absent', 'person': 1, 'frame': 5}
    assert page.post('/edits', {**body, 'edit': edit}, video=2).status_code == 200
    assert [page.get(video=video)['revision'] for video in (0, 2)] == [0, 1]


@pytest.mark.parametrize(
    ('times', 'described'), [([0, 1, 6, 7], [0, 0.04, 0.24, 0.28]), ([0, 1, 2, 3], None)]
)
def test_a_video_whose_frames_last_unequally_tells_their_times(tmp_path: Path, times, described):
    video = VideoFiles(make_video(tmp_path / 'clip.mp4', times))
    inputs = ReviewInputs(video, tmp_path / 'clip.jsonl', tmp_path / 'clip.json')
    propagator = VideoPosePropagator(method='linear')
    with closing(ReviewProject([inputs], propagator, ReviewOptions())) as project:
        project.open()
        assert project[0].describe()['times'] == described


def test_a_video_that_was_added_is_opened_when_videos_are_looked_for(
    start: Callable, two_people, tmp_path: Path, video: Path
):
    known: list[set[Path]] = []
    other = ReviewInputs(VideoFiles(video), tmp_path / 'other.jsonl', tmp_path / 'other.json')

    def list_more(projects: set[Path]) -> list[ReviewInputs]:
        known.append(projects)
        if len(known) == 1:
            raise InputError('clip9.mp4 has no labels')
        return [] if other.project in projects else [other]

    page = Page(access_to(start(two_people, list_more=list_more)))
    key = page.client.get('/api/project').json()['key']
    answers = [page.client.post('/api/project', headers={'Origin': HERE}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 200, 200]
    assert answers[0].json()['error'] == 'clip9.mp4 has no labels'
    assert [len(answer.json()['videos']) for answer in answers[1:]] == [2, 2]
    assert [video['state'] for video in wait_until_opened(page)] == ['in work', 'unlabelled']
    assert page.get(video=1)['frames'] == NUM_FRAMES
    # What the page keeps unsent is of the same project.
    assert page.client.get('/api/project').json()['key'] == key
    assert known[0] == {tmp_path / 'labels.review.jsonl'}


def test_a_project_that_is_closed_waits_for_the_video_that_is_being_opened(
    start: Callable, two_people, monkeypatch: pytest.MonkeyPatch
):
    opened: list[VideoReview] = []
    begun, open_review = threading.Event(), project_module.open_review

    def open_slowly(*arguments: Any) -> VideoReview:
        begun.set()
        time.sleep(0.2)
        opened.append(open_review(*arguments))
        return opened[-1]

    monkeypatch.setattr(project_module, 'open_review', open_slowly)
    project = start(two_people, num_videos=3)
    assert begun.wait(60)
    project.close()
    assert opened
    assert all(review.pictures._closed for review in opened)
    assert 'opening' not in {thread.name for thread in threading.enumerate()}


def test_one_video_that_cannot_be_opened_ends_the_command(start: Callable, tmp_path: Path):
    (tmp_path / 'labels.json').write_text('{}')
    with pytest.raises(InputError, match=r'labels\.json'):
        start(labels_of(label(0, 1)))


def test_the_timeline_has_lanes_and_lowest_scores_in_columns(page: Page):
    page.edit('mark_absent', person=2, frame=30)
    timeline = page.get('/timeline', columns=4, person=1)
    first, second = timeline['persons']
    assert first['runs'] == [
        [0, 0, 'given'],
        [1, 19, 'propagated'],
        [20, 20, 'given'],
        [21, 38, 'propagated'],
        [39, 39, 'given'],
    ]
    assert second['runs'][-2:] == [[30, 38, 'absent'], [39, 39, 'given']]
    scores = [page.poses(n)[1]['keypoints'][1][3] for n in range(NUM_FRAMES)]
    lowest = [min(scores[n : n + 10]) for n in range(0, NUM_FRAMES, 10)]
    assert first['heat'] == pytest.approx(lowest)
    assert first['joints']['left_hand'] == pytest.approx(lowest)
    assert second['joints'] is None
    lane = page.get('/timeline', columns=6, first=29, last=31)['persons'][1]
    assert [value is None for value in lane['heat']] == [False, False, True, True, True, True]


def test_the_timeline_tells_the_labels_of_single_joints(page: Page):
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2]})
    first, second = page.get('/timeline', person=1)['persons']
    given = {
        joint: [start for start, _, source in runs if source == 'given']
        for joint, runs in first['joint_runs'].items()
    }
    assert given == {'head': [0, 10, 20, 39], 'left_hand': [0, 20, 39], 'right_hand': [0, 20, 39]}
    assert second['joint_runs'] == {}


def test_a_trace_has_the_extremes_of_each_column_and_the_given_frames(open_page: Callable):
    """The head goes 2 pixels a frame from x 10 on; nobody is there after frame 19."""
    page = open_page(labels_of(label(0, 1), label(20, 1, 40.0), label(0, 2), label(39, 2)))
    page.edit('mark_absent', person=1, frame=20)
    page.edit('set_joints', person=1, frame=19, joints={'head': [48, 4, 2]})
    walker, _ = (lane['trace'] for lane in page.get('/timeline', columns=4, joint=0)['persons'])
    assert walker == {
        'low': [10, 30, None, None],
        'high': [28, 48, None, None],
        'labels': [[0, 10], [19, 48]],
    }
    shown = {'columns': 2, 'first': 18, 'last': 21, 'joint': 0, 'quantity': 'speed'}
    walker, still = (lane['trace'] for lane in page.get('/timeline', **shown)['persons'])
    assert walker == {'low': [2, None], 'high': [2, None], 'labels': [[19, 2]]}
    assert still == {'low': [0, 0], 'high': [0, 0], 'labels': []}
    shown = {'columns': 4, 'first': 0, 'last': 1, 'joint': 1, 'quantity': 'y'}
    walker, _ = (lane['trace'] for lane in page.get('/timeline', **shown)['persons'])
    assert walker == {'low': 4 * [20], 'high': 4 * [20], 'labels': [[0, 20]]}
    assert page.get('/timeline')['persons'][0]['trace'] is None


def test_a_trace_of_a_long_labelled_video_has_one_label_for_each_column():
    poses = PersonPoses(54_000, 1)
    poses.visibility[:] = 2
    poses.joint_sources[:] = GIVEN
    trace = poses.describe_lane(1, range(54_000), 500, (), (0, 'x'))['trace']
    assert trace is not None
    assert [len(trace[key]) for key in ('low', 'high', 'labels')] == 3 * [500]


def test_guidance_names_the_longest_gap_until_all_is_labelled(open_page: Callable):
    page = open_page(labels_of(label(0, 1), label(4, 1, 9.0), label(39, 1, 60.0)))
    guidance = page.get('/guidance')
    assert guidance['good_enough'] is False
    assert 0 < guidance['expected_wrong'] < 1
    assert 10 < guidance['next']['frame'] < 33
    # Three labels of three joints: two further ones can be hidden, but 20 joints are needed.
    assert (guidance['right'], guidance['labels_needed']) == (None, None)
    assert guidance['labels_to_measure'] >= 2
    assert guidance['next']['person'] == 1
    # Frames are in doubt that are more likely wrong than right.
    assert 0 < len(guidance['doubtful']) <= guidance['num_doubtful'] < 39 - 4
    assert all(check['score'] < 0.5 for check in guidance['doubtful'])
    assert all(
        (check['person'], 4 < check['frame'] < 39) == (1, True) for check in guidance['doubtful']
    )
    for frame in range(5, 39, 3):
        page.try_edit('accept', person=1, frame=frame)
    page.settle()
    guidance = page.get('/guidance')
    assert (guidance['doubtful'], guidance['num_doubtful']) == ([], 0)
    assert guidance['expected_wrong'] > 0
    for frame in range(NUM_FRAMES):
        if page.poses(frame)[1]['source'] != 'given':
            page.try_edit('accept', person=1, frame=frame)
    guidance = page.wait_until_good_enough()
    assert guidance['expected_wrong'] == 0
    assert guidance['labels_needed'] == [0, 0]
    assert guidance['next'] is None
    assert page.client.get('/api/project').json()['videos'][0]['state'] == 'good enough'


def test_without_labels_nothing_is_judged(open_page: Callable):
    page = open_page(skeleton=labels_of(label(0, 1)).skeleton)
    guidance = page.get('/guidance', target=0)
    assert guidance['expected_wrong'] is None
    assert guidance['good_enough'] is False


def test_the_page_and_its_files_are_served(unedited_page: Page):
    answer = unedited_page.client.get('/')
    assert answer.headers['content-type'].startswith('text/html')
    for name in ('index.html', *re.findall(r'/static/([\w.]+)', answer.text)):
        assert unedited_page.client.get(f'/static/{name}').status_code == 200, name
    assert unedited_page.client.get('/nothing', headers={'Origin': HERE}).status_code == 404


def test_a_person_who_is_labelled_twice_is_said(start: Callable):
    skeleton = Skeleton(('head', 'tail', 'paw', 'nose'))
    places = np.array([[10.0, 10], [30, 10], [10, 30], [30, 30]])
    twice = tuple(PersonLabel(0, places, np.full(4, 2), number) for number in (0, 1))
    start(VideoLabels('clip', skeleton, (VideoFrame(0),), twice))
    (note,) = start.notes
    assert 'person 0 and person 1 in frame 0 lie on each other' in note
