"""What each edit does to the poses; expected values follow from straight lines between labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stdpose_mm.apis import VideoPosePropagator
from support.review_page import NUM_FRAMES, SKELETON, Page, label, labels_of
from support.shy_propagator import STEP_ASIDE, ShyPropagator

HEAD = [10.0, 4.0]


@pytest.fixture
def other(page: Page) -> Page:
    """A second page of the same video."""
    return Page(page.client.app, 'other')  # type: ignore[arg-type]


def changed_frames(page: Page, before: dict, person: int = 1) -> list[int]:
    """The frames in which a person is another one than before."""

    def of(frames: dict, frame: int) -> dict | None:
        return next((p for p in frames[str(frame)] if p['id'] == person), None)

    after = page.all_poses()
    return [n for n in range(NUM_FRAMES) if of(after, n) != of(before, n)]


def test_a_dragged_joint_bends_the_line_between_the_labels_around_it_and_nothing_else(page: Page):
    before = page.all_poses()
    answer = page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2]})
    assert page.joint(10, 1) == [30, 4]
    assert page.joint(5, 1) == [20, 4]
    assert page.joint(15, 1) == [20, 4]
    assert page.joint(5, 1, 'left_hand') == [14, 20]
    assert page.poses(10)[1]['sources'] == 'gpp'
    assert changed_frames(page, before) == list(range(1, 20))
    assert changed_frames(page, before, person=2) == []
    assert answer['touched'] == [[1, 19]]


def test_the_answer_shows_the_edit_before_poses_are_computed_and_then_the_ghost(page: Page):
    answer = page.try_edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 1]}).json()
    shown = {person['id']: person for person in answer['frames']['10']}
    assert shown[1]['keypoints'][0] == [30, 4, 1, 1]
    assert shown[1]['before'] == [[10, 4], [14, 20], [18, 24]]
    page.settle()
    assert page.poses(5)[1]['before'] == [[10, 4], [14, 20], [18, 24]]
    assert not page.poses(5)[1]['pending']


def test_a_joint_of_visibility_0_is_left_out_there_alone(page: Page):
    page.edit('set_joints', person=1, frame=10, joints={'head': [0, 0, 0]})
    assert page.poses(10)[1]['keypoints'][0][2] == 0
    assert page.poses(10)[1]['sources'] == 'app'
    assert page.poses(9)[1]['keypoints'][0][2] == 2


def test_a_correction_of_a_label_keeps_its_other_joints(page: Page):
    page.edit('set_joints', person=1, frame=20, joints={'head': [12, 4, 2]})
    assert page.poses(20)[1]['sources'] == 'ggg'
    assert page.joint(20, 1, 'right_hand') == [18, 24]


@pytest.mark.parametrize('edit', ['set_joints', 'accept'])
def test_a_pose_that_is_moved_takes_its_box_along(open_page: Callable, edit: str):
    page = open_page(labels_of(*(label(frame, 1, bbox=[8, 2, 12, 24]) for frame in (0, 20))))
    shown = page.poses(20)[1]['keypoints']
    names = SKELETON.keypoint_names
    joints = {name: [x + 50, y, 2] for name, (x, y, *_) in zip(names, shown, strict=True)}
    page.edit(edit, person=1, frame=20, joints=joints)
    # The extent of the joints, 8 by 20 pixels, and 15 % of it on each side.
    boxes = page.project[0].shown.of[1].boxes
    assert boxes[20] == pytest.approx([58.8, 1, 10.4, 26])
    assert boxes[10] == pytest.approx([33.4, 1.5, 11.2, 25])
    assert boxes[0].tolist() == [8, 2, 12, 24]


def test_an_accepted_pose_is_given_as_it_was_shown(page: Page):
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2]})
    page.edit('accept', person=1, frame=5)
    assert page.poses(5)[1]['source'] == 'given'
    assert page.poses(5)[1]['sources'] == 'ggg'
    assert page.joint(5, 1) == [20, 4]


def test_a_page_may_say_what_it_showed_when_it_accepts(page: Page):
    page.edit('accept', person=1, frame=5, joints={'head': [11, 5, 2], 'left_hand': [1, 1, 1]})
    assert page.joint(5, 1) == [11, 5]
    assert page.poses(5)[1]['sources'] == 'gga'


@pytest.mark.parametrize('edit', ['set_joints', 'accept'])
def test_what_the_page_does_not_change_keeps_its_digits(open_page: Callable, edit: str):
    """The page shows two decimals, and sends them when only the visibility is changed."""
    exact = label(0, 1)
    exact.keypoints[0] = [10.123456, 20.987654]
    page = open_page(labels_of(exact, label(20, 1)))
    review = page.project[0]
    x, y, *_ = page.poses(0)[1]['keypoints'][0]
    assert [x, y] == [10.12, 20.99]
    page.edit(edit, person=1, frame=0, joints={'head': [x, y, 1]})
    assert review.state.tracks[1][0].keypoints[0].tolist() == [10.123456, 20.987654]
    page.edit(edit, person=1, frame=0, joints={'head': [x + 1, y, 1]})
    assert review.state.tracks[1][0].keypoints[0].tolist() == [x + 1, 20.987654]


def test_a_label_is_taken_back_wholly_or_in_joints(page: Page):
    page.edit('set_joints', person=1, frame=20, joints={'head': [30, 4, 2]})
    page.edit('forget', person=1, frame=20, joints=['head'])
    assert page.joint(20, 1) == HEAD
    assert page.poses(20)[1]['sources'] == 'pgg'
    page.edit('forget', person=1, frame=20)
    assert page.poses(20)[1]['source'] == 'propagated'


def test_a_joint_that_is_taken_back_counts_as_propagated_at_once(page: Page):
    page.edit('set_joints', person=1, frame=20, joints={'head': [0, 0, 0]})
    for joint, sources in (('left_hand', 'apg'), ('right_hand', 'app')):
        answer = page.try_edit('forget', person=1, frame=20, joints=[joint]).json()
        shown = {person['id']: person for person in answer['frames']['20']}
        assert shown[1]['sources'] == sources
        page.revision = answer['revision']
        page.settle()


def test_an_absent_person_is_gone_until_its_next_label(page: Page):
    page.edit('mark_absent', person=1, frame=10)
    sources = [page.poses(n)[1]['source'] for n in (9, 10, 19, 20)]
    assert sources == ['propagated', 'absent', 'absent', 'given']
    assert page.poses(15)[1]['keypoints'] is None
    page.edit('mark_present', person=1, frame=15)
    assert [page.poses(n)[1]['source'] for n in (14, 15, 16)] == ['absent', 'given', 'propagated']
    assert page.joint(15, 1) == HEAD


def test_the_nearest_label_is_copied(page: Page):
    page.edit('set_joints', person=1, frame=20, joints={'head': [30, 4, 2]})
    page.edit('copy_nearest', person=1, frame=14)
    assert page.joint(14, 1) == [30, 4]
    assert page.poses(14)[1]['source'] == 'given'


def test_a_new_person_is_everywhere_and_counts_its_joints(page: Page):
    answer = page.edit('add_person', frame=7, joints={'head': [1, 2, 2], 'left_hand': [3, 4, 1]})
    assert answer['person'] == 3
    assert answer['clicks'] == 2
    assert answer['persons'] == [1, 2, 3]
    assert page.joint(30, 3) == [1, 2]
    assert page.poses(30)[3]['keypoints'][2][2] == 0


def test_two_people_are_exchanged_from_a_frame_on(page: Page):
    page.edit('swap', a=1, b=2, frame=30)
    assert page.joint(39, 1) == [50, 4]
    assert page.joint(39, 2) == [10, 4]
    assert page.joint(20, 1) == [10, 4]
    assert page.joint(0, 2) == [50, 4]


@pytest.mark.parametrize(
    ('frame', 'last', 'labelled'),
    [
        # Person 1 alone has a label in there, at 20; then nobody has.
        (15, 25, {1: {20}, 2: {20}}),
        (5, 9, {1: {4, 5, 9, 10, 20}, 2: {4, 5, 9, 10}}),
        (0, 3, {1: {20}, 2: set()}),
    ],
)
def test_two_people_are_exchanged_in_a_window(page: Page, frame: int, last: int, labelled: dict):
    before = page.all_poses()
    page.edit('swap', a=1, b=2, frame=frame, last=last)
    labels = [f for f in labelled[1] | labelled[2] | {0, 39} if frame <= f <= last]
    assert labels
    for at in labels:
        assert (page.joint(at, 1), page.joint(at, 2)) == ([50, 4], [10, 4])
    for person, frames in labelled.items():
        given = {f for f in range(NUM_FRAMES) if page.poses(f)[person]['source'] == 'given'}
        assert given == frames | {0, 39}
    assert (page.joint(39, 1), page.joint(39, 2)) == ([10, 4], [50, 4])
    page.edit('undo')
    assert page.all_poses() == before


def test_poses_beside_a_window_without_labels_stay(page: Page):
    page.edit('swap', a=1, b=2, frame=5, last=9)
    places = [page.joint(frame, 1)[0] for frame in range(NUM_FRAMES)]
    assert places == [50 if 5 <= frame <= 9 else 10 for frame in range(NUM_FRAMES)]


def test_a_split_person_is_two_and_merges_into_one_again(page: Page):
    before = page.all_poses()
    answer = page.edit('split', person=1, frame=10)
    assert answer['person'] == 3
    assert [page.poses(9)[n]['source'] for n in (1, 3)] == ['propagated', 'absent']
    assert [page.poses(10)[n]['source'] for n in (1, 3)] == ['absent', 'given']
    page.edit('merge', person=3, into=1)
    after = page.all_poses()
    assert [person['id'] for person in after['10']] == [1, 2]
    assert after['10'][0]['source'] == 'given', 'the pose became a label'

    def places(frames: dict) -> list:
        return [[p['keypoints'][0][:2] for p in people] for people in frames.values()]

    assert places(after) == places(before)


def test_everything_is_undone_and_done_again(page: Page):
    states = [page.all_poses()]
    for edit in (
        {'type': 'set_joints', 'person': 1, 'frame': 10, 'joints': {'head': [30, 4, 2]}},
        {'type': 'mark_absent', 'person': 2, 'frame': 15},
        {'type': 'swap', 'a': 1, 'b': 2, 'frame': 18},
        {'type': 'split', 'person': 1, 'frame': 12},
        {'type': 'merge', 'person': 3, 'into': 1},
        {'type': 'forget', 'person': 1, 'frame': 0},
        {'type': 'remove_person', 'person': 1},
    ):
        page.edit(**edit)
        states.append(page.all_poses())
    for state in states[-2::-1]:
        page.edit('undo')
        assert page.all_poses() == state
    assert 'nothing to undo' in page.refused('undo')
    for state in states[1:]:
        page.edit('redo')
        assert page.all_poses() == state
    assert 'nothing to redo' in page.refused('redo')


def test_an_edit_ends_what_could_be_done_again(page: Page):
    page.edit('mark_absent', person=1, frame=10)
    page.edit('undo')
    page.edit('mark_absent', person=2, frame=10)
    assert not page.get()['can_redo']


def test_a_removed_person_is_gone_also_the_last_one(page: Page):
    answer = page.edit('remove_person', person=2)
    assert answer['persons'] == [1]
    assert set(page.poses(5)) == {1}
    page.edit('remove_person', person=1)
    assert page.poses(5) == {}
    assert page.get('/guidance')['good_enough'] is False
    page.edit('undo')
    assert set(page.poses(5)) == {1}


def test_a_person_of_whom_only_absence_is_left_is_absent(page: Page):
    page.edit('remove_person', person=2)
    page.edit('mark_absent', person=1, frame=5)
    for frame in (39, 20, 0):
        page.edit('forget', person=1, frame=frame)
    assert {page.poses(n)[1]['source'] for n in (0, 4, 5, 39)} == {'absent'}
    assert 'no pose in frame 4' in page.refused('accept', person=1, frame=4)


NO_JOINT = {name: [0, 0, 0] for name in SKELETON.keypoint_names}


@pytest.mark.parametrize(
    ('fields', 'part'),
    [
        ({'type': 'paint'}, 'type'),
        ({'type': ['undo']}, 'type'),
        ({'person': 9}, 'no person'),
        ({'person': True}, 'whole'),
        ({'frame': 40}, 'no frame'),
        ({'frame': -1}, 'no frame'),
        ({'frame': 10**30}, 'no frame'),
        ({'frame': 1.0}, 'whole'),
        ({'joints': {'tail': [1, 1, 2]}}, 'no joint'),
        ({'joints': {'head': [1, 1, 3]}}, '[x, y, v]'),
        ({'joints': {'head': [1e9, 1, 2]}}, '[x, y, v]'),
        ({'joints': {'head': [1, 1]}}, '[x, y, v]'),
        ({'joints': {}}, 'at least one'),
        ({'joints': None}, 'object'),
        ({'frame': 20, 'joints': NO_JOINT}, 'mark_absent'),
        ({'type': 'forget', 'joints': None, 'frame': 3}, 'no label in frame 3'),
        ({'type': 'forget', 'joints': 'head', 'frame': 0}, 'list'),
        ({'type': 'forget', 'joints': ['tail'], 'frame': 0}, 'no joint'),
        ({'type': 'swap', 'a': 1, 'b': 1}, 'itself'),
        ({'type': 'swap', 'a': 1, 'b': 2, 'frame': 3, 'last': 2}, 'cannot end earlier'),
        ({'type': 'swap', 'a': 1, 'b': 2, 'frame': 3, 'last': 40}, 'no frame 40'),
        ({'type': 'merge', 'into': 1}, 'itself'),
        ({'type': 'merge', 'person': 2, 'into': 1}, 'both labelled in frame 0'),
        ({'type': 'split', 'frame': 0}, 'before frame 0'),
        ({'type': 'add_person', 'joints': {}}, 'at least one'),
        ({'type': 'set_skeleton', 'name': 'coco'}, 'cannot be changed'),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    unedited_page: Page, fields: dict, part: str
):
    edit = {'type': 'set_joints', 'person': 1, 'frame': 1, 'joints': {'head': [1, 1, 2]}}
    assert part in unedited_page.refused(**{**edit, **fields})


@pytest.mark.parametrize(
    'fields',
    [
        *({'id': None}, {'id': ''}, {'id': 'x' * 101}, {'page': 1}),
        *({'revision': '0'}, {'revision': -1}, {'revision': None}, {'edit': None}),
    ],
)
def test_an_edit_names_itself_its_page_and_what_the_page_knows(unedited_page: Page, fields: dict):
    body = {'id': '1', 'page': 'p', 'revision': 0, 'edit': {'type': 'undo'}}
    assert unedited_page.post('/edits', {**body, **fields}).status_code == 422


def test_an_edit_that_is_sent_again_is_done_once(page: Page):
    edit = {'person': 1, 'frame': 10, 'joints': {'head': [30, 4, 2]}}
    first = page.try_edit('set_joints', id='one', **edit)
    again = page.try_edit('set_joints', id='one', **edit)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()['revision'] == first.json()['revision'] == 1
    assert again.json()['clicks'] == 1


def test_a_page_that_does_not_know_of_an_edit_to_the_same_pose_is_told(page: Page, other: Page):
    page.edit('mark_absent', person=1, frame=10)
    stale = other.try_edit('set_joints', person=1, frame=10, joints={'head': [1, 1, 2]})
    assert stale.status_code == 409
    assert page.get()['revision'] == 1
    elsewhere = other.try_edit('set_joints', person=1, frame=30, joints={'head': [1, 1, 2]})
    assert elsewhere.status_code == 200
    somebody_else = other.try_edit('mark_absent', person=2, frame=10)
    assert somebody_else.status_code == 200


@pytest.mark.parametrize('late', [{'type': 'swap', 'a': 1, 'b': 2, 'frame': 30}, {'type': 'undo'}])
def test_identities_and_undo_of_a_stale_page_are_refused(page: Page, other: Page, late: dict):
    page.edit('mark_absent', person=1, frame=10)
    assert other.try_edit(**late).status_code == 409


def test_an_undo_is_an_edit_to_the_pose_that_it_takes_back(page: Page, other: Page):
    page.edit('mark_absent', person=1, frame=10)
    page.edit('undo')
    stale = other.try_edit('set_joints', revision=1, person=1, frame=10, joints={'head': [1, 1, 2]})
    assert stale.status_code == 409


def test_an_edit_that_is_named_is_undone_and_done_again_only_while_it_is_the_newest(
    page: Page, other: Page
):
    joints = {'head': [1, 1, 2]}
    page.edit('set_joints', id='mine', person=1, frame=10, joints=joints)
    other.revision = page.revision
    other.edit('mark_absent', id='theirs', person=2, frame=10)
    page.revision = other.revision
    before = page.state()
    for type in ('undo', 'redo'):
        assert page.try_edit(type, of='mine').status_code == 409
    assert page.state() == before
    page.edit('undo', of='theirs')
    page.edit('undo', of='mine')
    assert page.joint(10, 1) != [1, 1]
    assert page.try_edit('redo', of='theirs').status_code == 409
    page.edit('redo', of='mine')
    assert page.joint(10, 1) == [1, 1]


def test_a_page_may_send_its_own_edits_without_waiting(page: Page):
    for x in (1, 2, 3):
        edit = page.try_edit(
            'set_joints', revision=0, person=1, frame=10, joints={'head': [x, 1, 2]}
        )
        assert edit.status_code == 200
    assert page.get()['revision'] == 3


def test_labels_made_and_clicks_are_counted(page: Page):
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2], 'left_hand': [1, 1, 2]})
    page.edit('set_joints', person=1, frame=10, joints={'right_hand': [3, 4, 2]})
    page.edit('accept', person=2, frame=10)
    answer = page.edit('undo')
    assert (answer['labels_made'], answer['clicks']) == (1, 4)


def test_labels_of_single_joints_reach_as_far_as_the_joint_is_not_labelled(
    open_page: Callable,
):
    """The head has labels at both ends only: what is said of it in between moves it all along."""
    middle = labels_of(
        label(0, 1), label(39, 1), label(20, 1, keypoint_sources=['propagated', 'given', 'given'])
    )
    page = open_page(middle)
    page.edit('set_joints', person=1, frame=10, joints={'head': [30, 4, 2]})
    assert page.joint(25, 1)[0] == pytest.approx(30 - 20 * 15 / 29, abs=0.01)


def test_a_pose_that_depends_on_labels_further_away_follows_too(open_page: Callable, two_people):
    """PCHIP's slope at a label depends on the label behind it."""
    page = open_page(two_people, method='spline')
    before = page.all_poses()
    page.edit('set_joints', person=1, frame=30, joints={'head': [30, 4, 2]})
    page.edit('set_joints', person=1, frame=39, joints={'head': [90, 4, 2]})
    assert page.all_poses()['25'] != before['25']
    dense, _ = page.project[0].collect()
    for frame in (5, 15, 25, 35):
        shown = page.joint(frame, 1)
        expected = next(p for p in dense[frame] if p.track_id == 1).keypoints[0]
        assert shown == pytest.approx(expected.tolist(), abs=0.01)


def test_who_steps_in_front_of_another_changes_that_ones_poses_too(open_page: Callable, two_people):
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = ShyPropagator()
    page = open_page(two_people, propagator=propagator)
    assert page.joint(30, 2) == [50, 4]
    there = {'head': [50, 4, 2], 'left_hand': [54, 20, 2], 'right_hand': [58, 24, 2]}
    page.edit('set_joints', person=1, frame=10, joints=there)
    assert page.joint(30, 2) == [50 + STEP_ASIDE, 4 + STEP_ASIDE]
    page.edit('undo')
    assert page.joint(30, 2) == [50, 4]
