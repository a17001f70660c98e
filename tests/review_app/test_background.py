"""What is computed behind the page, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import propagate_labels
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator, interpolate_track
from stdpose_mm.labelling.review import LabelAccuracy
from stdpose_mm.review_app import background, video_review
from stdpose_mm.review_app.background import BackgroundWorker
from stdpose_mm.review_app.guidance import Guidance
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.review_page import NUM_FRAMES, SKELETON, Page, access_to, label, labels_of
from support.slow_lines import JOINTS, SlowPropagator, wait_for


def test_only_the_gaps_around_an_edit_are_propagated_again(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    page.edit('set_joints', person=1, frame=10, joints=JOINTS)
    page.wait_for_measurement(2)
    edited, hidden = propagator.finished[:2], propagator.finished[2:]
    assert edited == [(1, range(1, 10)), (1, range(11, 20))]
    # Without the label of frame 10 the gap is that of before the edit, which is known.
    assert hidden == [(1, range(11, 39))]


def test_an_edit_is_answered_while_a_run_is_going_on(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: propagator.begun)
    assert page.poses(5)[1]['pending']
    assert page.poses(10)[1]['source'] == 'given'
    assert not page.poses(25)[1]['pending']
    propagator.go.set()
    page.settle()
    assert not page.poses(5)[1]['pending']


def test_straight_lines_stand_in_for_poses_that_were_never_computed(
    slow: tuple[Page, SlowPropagator],
):
    page, propagator = slow
    propagator.go.clear()
    person = page.try_edit('add_person', frame=10, joints=JOINTS).json()['person']
    page.revision += 1
    far = {name: [x + 20, y + 10, 1] for name, (x, y, _) in JOINTS.items()}
    page.try_edit('set_joints', person=person, frame=30, joints=far)

    def sketched(frame: int) -> tuple[bool, bool, list[float]]:
        pose = page.poses(frame)[person]
        return pose['sketched'], pose['pending'], pose['keypoints'][0]

    # A quarter of the way; the score halves every seven frames from the nearest label.
    assert sketched(15) == (True, True, [35, 6.5, 2, round(0.5 ** (5 / 7), 3)])
    assert sketched(27) == (True, True, [47, 12.5, 1, round(0.5 ** (3 / 7), 3)])
    assert [sketched(frame)[2][:2] for frame in (0, 39)] == [[30, 4], [50, 14]]
    # A label between bends the lines, absence ends them.
    page.revision += 1
    page.try_edit('set_joints', person=person, frame=20, joints=JOINTS)
    assert sketched(15)[2][:2] == [30, 4]
    page.revision += 1
    page.try_edit('mark_absent', person=person, frame=25)
    assert person not in page.poses(27)
    lane = page.get('/timeline', columns=NUM_FRAMES, person=person)['persons'][-1]
    # Nothing in the timeline says that they were computed.
    assert [run[0] for run in lane['runs']] == [10, 20, 25, 30]
    assert [frame for frame, score in enumerate(lane['heat']) if score is not None] == [10, 20, 30]
    propagator.go.set()
    page.settle()
    assert [page.poses(frame)[person]['sketched'] for frame in (5, 15, 27)] == 3 * [False]


def test_places_are_suggested_by_labels_alone_until_poses_are_computed(open_page: Callable):
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = lines = SlowPropagator()
    page = open_page(skeleton=SKELETON, propagator=propagator)
    lines.go.clear()
    page.revision = page.try_edit('add_person', frame=20, joints=JOINTS).json()['revision']
    (person,) = page.get()['persons']
    labelled = {20}
    for _ in range(8):
        wait_for(lambda: page.get('/guidance')['next'])
        guidance = page.get('/guidance')
        assert (guidance['expected_wrong'], guidance['computing']) == (None, True)
        place = guidance['next']
        assert (place['person'], place['frame'] in labelled) == (person, False)
        labelled.add(place['frame'])
        answer = page.try_edit('accept', person=person, frame=place['frame'])
        page.revision = answer.json()['revision']
    assert max(np.diff([-1, *sorted(labelled), NUM_FRAMES])) <= 9
    lines.go.set()
    page.settle()
    assert page.get('/guidance')['expected_wrong'] > 0


def test_straight_lines_are_those_of_the_method():
    """With labels of some joints, and joints that a label leaves out or nobody has labelled."""
    rng = np.random.default_rng(0)
    labels = {
        frame: PersonLabel(frame, rng.uniform(0, 90, (4, 2)), np.array(visible), 1)
        for frame, visible in ((3, [2, 1, 0, 0]), (9, [2, 2, 1, 0]), (16, [1, 0, 2, 0]))
    }
    dense = propagate_labels(
        ArrayFrames(np.zeros((NUM_FRAMES, 4, 4, 3), np.uint8)),
        VideoLabels(
            'clip', Skeleton(tuple('abcd')), tuple(map(VideoFrame, labels)), tuple(labels.values())
        ),
        LinearPropagator(),
    )
    filled = [person for person in dense.persons if person.frame_index not in labels]
    frames = np.array([person.frame_index for person in filled])
    lines = interpolate_track(frames, labels)
    for values, name in zip(lines, ('keypoints', 'visibility', 'scores'), strict=True):
        assert values == pytest.approx(np.stack([getattr(person, name) for person in filled]))


def test_a_newer_edit_ends_a_run_in_the_middle_of_a_gap(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: propagator.begun)
    page.try_edit('set_joints', person=1, frame=10, joints={'head': [20, 4, 2]})
    # The first run has not been let go on, and yet another one begins.
    wait_for(lambda: len(propagator.begun) >= 2)
    assert propagator.finished == []
    propagator.go.set()
    page.settle()
    assert propagator.finished[:2] == [(1, range(1, 10)), (1, range(11, 20))]
    assert page.joint(5, 1) == [15, 4]


def test_the_newest_edit_is_followed_first_and_older_ones_after_it(
    slow: tuple[Page, SlowPropagator],
):
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: propagator.begun)
    page.try_edit('set_joints', person=2, frame=20, joints=JOINTS)
    wait_for(lambda: propagator.begun[-1][0] == 2)
    propagator.go.set()
    page.settle()
    assert [person for person, _ in propagator.finished[:4]] == [2, 2, 1, 1]


def test_an_edit_of_another_video_comes_before_a_run_that_is_planned(
    start: Callable, two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
):
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = lines = SlowPropagator()
    project = start(two_people, num_videos=2, propagator=propagator)
    page, plan, late = Page(access_to(project)), propagator.propagate_in_video, [1]
    for video in (1, 0):
        wait_for(lambda video=video: project._reviews.get(video))
        wait_for(lambda video=video: page.get('/guidance', video=video)['measured'])

    def plan_late(state: Any, *arguments: Any) -> Any:
        results = plan(state, *arguments)
        if late and state is project[0].state:
            edit = {'type': 'set_joints', 'person': 1, 'frame': 10, 'joints': JOINTS}
            project[late.pop()].edit({'id': 'e', 'page': 'p', 'revision': 0, 'edit': edit})
        return results

    monkeypatch.setattr(propagator, 'propagate_in_video', plan_late)
    lines.finished.clear()
    page.try_edit('accept', person=2, frame=20)
    # The other video is the one that is viewed.
    wait_for(lambda: project[1].settled == 1)
    page.settle()
    computed = [gap for gap in lines.finished if gap[1].stop <= 20]
    assert computed == [(1, range(1, 10)), (1, range(11, 20)), (2, range(1, 20))]


def test_a_run_that_follows_an_edit_already_is_not_begun_again(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    review = page.project[0]
    # The thread of the edit calls so late that the worker has noticed the edit by itself.
    wake, review.on_change = review.on_change, lambda review: None
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    page.project.worker.wake()
    wait_for(lambda: propagator.begun)
    wake(review)
    propagator.go.set()
    page.settle()
    assert propagator.begun[:2] == [(1, range(1, 10)), (1, range(11, 20))]


def test_a_measurement_goes_on_after_the_poses_of_an_edit(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    page.edit('set_joints', person=1, frame=10, joints=JOINTS)
    page.wait_for_measurement(2)
    # Without the label of frame 10, that of frame 20 is at the end of a gap.
    hidden = propagator.stop_at = range(1, 20)
    page.edit('set_joints', person=1, frame=20, joints=JOINTS)
    wait_for(lambda: not propagator.go.is_set())
    assert (1, hidden) not in propagator.finished
    propagator.finished.clear()
    propagator.begun.clear()
    page.try_edit('accept', person=2, frame=20)
    wait_for(lambda: propagator.begun)
    assert not propagator.finished
    propagator.go.set()
    page.wait_for_measurement(3)
    edited = [(2, range(1, 20)), (2, range(21, 39))]
    # The hidden gap is not begun again.
    assert propagator.begun == edited
    assert propagator.finished == [*edited, (1, hidden)]


def test_frames_that_were_measured_wait_until_all_others_are(
    slow: tuple[Page, SlowPropagator], monkeypatch: pytest.MonkeyPatch
):
    page, _ = slow
    propagator, later = page.project[0].propagator, []
    measure = propagator.measure_in_video

    def note_order(*arguments: Any, **options: Any) -> Iterator[LabelAccuracy]:
        later.append(options['later'])
        return measure(*arguments, **options)

    monkeypatch.setattr(propagator, 'measure_in_video', note_order)
    page.edit('set_joints', person=1, frame=10, joints=JOINTS)
    page.wait_for_measurement(2)
    assert later == [[20]]


def test_the_verdict_is_renewed_while_poses_are_still_to_come(
    open_page: Callable, two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(background, 'RETRY_SECONDS', 0.2)
    monkeypatch.setattr(background, 'REPORT_SECONDS', 0.2)
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = lines = SlowPropagator()
    page = open_page(two_people, propagator=propagator)
    page.wait_for_measurement(1)
    lines.held = (2, range(1, 20))
    revision = page.try_edit('accept', person=2, frame=20).json()['revision']
    # Both people can now be hidden in frame 20.
    wait_for(lambda: (page.get('/guidance')['measured'] or {})['labels'] == 2)
    guidance = page.get('/guidance')
    assert (guidance['computing'], guidance['labels_judged']) == (True, 1)
    assert guidance['advised'] == revision
    assert (2, range(1, 20)) not in lines.finished
    lines.held = None
    page.settle()


def test_good_enough_waits_for_the_first_measurement_alone(open_page: Callable):
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = lines = SlowPropagator()
    # Seven frames with three joints can be hidden.
    labels = labels_of(*(label(n, 1) for n in (*range(0, 35, 5), 36, 39)))
    lines.stop_at = range(1, 10)
    page = open_page(labels, propagator=propagator)
    wait_for(lambda: not lines.go.is_set())
    guidance = page.get('/guidance', target=0)
    assert (guidance['good_enough'], guidance['measuring']) == (False, True)
    assert guidance['right'] is None
    lines.go.set()
    page.wait_until_good_enough(target=0)
    lines.stop_at = range(3, 10)
    page.edit('accept', person=1, frame=2)
    wait_for(lambda: not lines.go.is_set())
    assert page.get('/guidance', target=0)['good_enough'] is True
    lines.go.set()


def test_head_boxes_alone_show_nobody_and_are_no_failure(
    open_page: Callable, two_people: VideoLabels
):
    heads = two_people.with_persons(
        replace(person, visibility=np.zeros(3), bbox=None, head_box=np.array([1.0, 2, 3, 4]))
        for person in two_people.persons
    )
    page = open_page(heads)
    assert page.get()['failed'] is None


def test_a_failure_is_told_and_the_next_edit_tries_again(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    propagator.error = MemoryError()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: page.get()['failed'])
    assert page.get()['failed'].startswith('there is not enough memory')
    propagator.error = None
    page.edit('accept', person=2, frame=30)
    assert page.get()['failed'] is None
    assert page.joint(5, 1) == [20, 4]


def test_a_video_that_could_not_be_read_for_a_moment_is_computed_later(
    slow: tuple[Page, SlowPropagator], monkeypatch: pytest.MonkeyPatch
):
    page, propagator = slow
    monkeypatch.setattr(background, 'RETRY_SECONDS', 0.01)
    propagator.error = InputError('000.png cannot be read')
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: page.get()['failed'] == '000.png cannot be read')
    tries = len(propagator.begun)
    wait_for(lambda: len(propagator.begun) > tries)
    # It is not taken for computed meanwhile.
    assert page.get()['failed'] == '000.png cannot be read'
    propagator.error = None
    wait_for(lambda: page.get()['failed'] is None)
    page.settle()
    assert page.joint(5, 1) == [20, 4]


def test_what_cannot_be_written_for_a_frame_says_how_to_save_the_labels(
    slow: tuple[Page, SlowPropagator],
):
    page, propagator = slow
    propagator.error = InputError('frame 5 is damaged')
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: page.get()['failed'])
    sentence = page.post('/save', {}).json()['error']
    assert sentence.startswith('frame 5 is damaged, so nothing was written: mark an excerpt')


def test_a_stopped_server_ends_what_it_writes(slow: tuple[Page, SlowPropagator], tmp_path: Path):
    page, propagator = slow
    propagator.go.clear()
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: propagator.begun)
    begun = len(propagator.begun)
    review, sentences = page.project[0], []

    def save() -> None:
        try:
            review.save()
        except InputError as error:
            sentences.append(str(error))

    saving = threading.Thread(target=save)
    saving.start()
    wait_for(lambda: len(propagator.begun) > begun)
    page.project.stop()
    propagator.go.set()
    saving.join(30)
    assert sentences == ['writing was stopped, so nothing was written']
    assert not [path for path in tmp_path.iterdir() if 'reviewed' in path.name]


def test_after_a_failed_measurement_poses_follow_a_new_propagator(
    slow: tuple[Page, SlowPropagator],
):
    page, propagator = slow
    propagator.fail_at = range(1, 39)
    page.try_edit('set_joints', person=1, frame=0, joints=JOINTS)
    wait_for(lambda: page.get()['failed'])
    # What the project does when a network has learned.
    review = page.project[0]
    review.propagator.propagator = SlowPropagator()
    review.compute_again()
    page.wait_for_measurement(1)
    assert page.get()['failed'] is None


def test_places_are_suggested_while_nothing_can_interrupt_the_work(
    slow: tuple[Page, SlowPropagator],
):
    page, propagator = slow
    propagator.stop_at = propagator.fail_at = range(1, 39)
    page.edit('set_joints', person=1, frame=0, joints=JOINTS)
    wait_for(lambda: not propagator.go.is_set())
    places = page.get('/guidance')['suggestions']
    for place in places:
        page.try_edit('accept', person=place['person'], frame=place['frame'])
    more = page.get('/guidance')['suggestions']
    propagator.go.set()
    assert more
    assert not [place for place in more if place in places]


def test_an_edit_while_a_measurement_fails_is_followed(slow: tuple[Page, SlowPropagator]):
    page, propagator = slow
    propagator.stop_at = propagator.fail_at = range(1, 39)
    page.edit('set_joints', person=1, frame=0, joints=JOINTS)
    wait_for(lambda: not propagator.go.is_set())
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    propagator.go.set()
    page.settle()
    assert page.joint(15, 1) == [20, 4]


def test_poses_of_former_labels_do_not_fill_the_memory(
    start: Callable, two_people: VideoLabels, monkeypatch: pytest.MonkeyPatch
):
    """There are three gaps, of which every edit changes two, and one across the hidden label."""
    monkeypatch.setattr(video_review, 'EDITS_BEFORE_FORGETTING', 4)
    project = start(two_people)
    page = Page(access_to(project))
    page.wait_for_measurement(1)
    kept = []
    for x in range(8):
        page.edit('set_joints', person=1, frame=20, joints={'head': [x, 4, 1]})
        wait_for(lambda: project[0].guidance.measured_revision == project[0].revision)
        (of_skeletons,) = project[0].state.caches.values()
        (finished,) = of_skeletons.values()
        kept.append(len(finished))
    assert kept == 2 * [6, 8, 10, 4]


def test_the_thread_that_measures_does_not_take_the_failure_of_the_other_one(
    slow: tuple[Page, SlowPropagator], monkeypatch: pytest.MonkeyPatch
):
    """Whichever of them is slow, what could not be read is computed later."""
    page, propagator = slow
    review, worker, turns = page.project[0], page.project.worker, []
    measure = BackgroundWorker._measure_video

    def count(worker: BackgroundWorker, review: Any) -> bool:
        turns.append(review)
        return measure(worker, review)

    def end_late() -> Iterator[Any]:
        yield review
        if threading.current_thread().name == 'propagation' and review.failed:
            before = len(turns)
            wait_for(lambda: len(turns) > before + 1)

    monkeypatch.setattr(background, 'RETRY_SECONDS', 0.01)
    monkeypatch.setattr(BackgroundWorker, '_measure_video', count)
    monkeypatch.setattr(worker, '_reviews', end_late)
    propagator.error = InputError('000.png cannot be read')
    page.try_edit('set_joints', person=1, frame=10, joints=JOINTS)
    wait_for(lambda: page.get()['failed'] == '000.png cannot be read')
    tries = len(propagator.begun)
    wait_for(lambda: len(propagator.begun) > tries)
    propagator.error = None
    wait_for(lambda: page.get()['failed'] is None)


@pytest.fixture
def one_person(open_page: Callable) -> Callable[[], Page]:
    """Open a page of a person of whose two labels none can be hidden; again with all edits."""

    def open_() -> Page:
        propagator = VideoPosePropagator(method='linear')
        propagator.propagator = SlowPropagator()
        return open_page(labels_of(label(0, 1), label(39, 1)), propagator=propagator)

    return open_


def expected_wrong(page: Page) -> float:
    return page.get('/guidance')['expected_wrong']


def test_an_edit_just_before_the_report_is_in_the_next_one(
    one_person: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
):
    """The poses of the edit before it are computed, and nothing is pending when it comes."""
    page = one_person()
    report, late = BackgroundWorker._report, [20]

    def report_after_edit(worker: BackgroundWorker, review: Any, revision: int) -> bool:
        if late:
            page.revision = revision
            page.try_edit('mark_absent', person=1, frame=late.pop())
        return report(worker, review, revision)

    monkeypatch.setattr(BackgroundWorker, '_report', report_after_edit)
    page.try_edit('set_joints', person=1, frame=1, joints={'head': [10, 4, 2]})
    wait_for(lambda: page.get()['revision'] == 2)
    page.settle()
    assert expected_wrong(page) == expected_wrong(one_person())


def test_poses_that_come_during_a_report_are_in_the_next_one(
    one_person: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
):
    """A thread that reads pictures ahead may make a report while another one shows poses."""
    page = one_person()
    monkeypatch.setattr(background, 'REPORT_SECONDS', 1e9)
    review, lines = page.project[0], page.project[0].propagator.propagator
    update, settle, is_reported = Guidance.update, BackgroundWorker._settle, threading.Event()

    def update_meanwhile(*arguments: Any) -> bool:
        is_made = update(*arguments)
        lines.go.set()
        wait_for(lambda: not review.shown.of[1].pending.any())
        return is_made

    def settle_then(*arguments: Any) -> bool:
        # A run ends after the threads that read for it.
        assert is_reported.wait(120)
        return settle(*arguments)

    lines.go.clear()
    page.try_edit('mark_absent', person=1, frame=20)
    wait_for(lambda: lines.begun[-1] == (1, range(1, 20)))
    monkeypatch.setattr(BackgroundWorker, '_settle', settle_then)
    with monkeypatch.context() as slowly:
        slowly.setattr(Guidance, 'update', update_meanwhile)
        page.project.worker._report(review, review.revision)
    is_reported.set()
    page.settle()
    assert expected_wrong(page) == expected_wrong(one_person())
