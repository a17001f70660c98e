"""What each edit does to the poses; expected values follow from straight lines between labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from support.review_page import SKELETON, Page, label, labels_of

HEAD = [10.0, 4.0]


@pytest.fixture
def other(page: Page) -> Page:
    """A second page of the same video."""
    return Page(page.client.app, 'other')  # type: ignore[arg-type]


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


def places(page: Page) -> dict[int, dict[int, list[list[float]] | None]]:
    """Frame -> person -> x, y, v of each joint; None for an absent person."""
    return {
        int(frame): {pose['id']: pose['keypoints'] or None for pose in poses}
        for frame, poses in page.all_poses().items()
    }


def test_a_swap_exchanges_what_is_seen_in_its_frames_and_nothing_beside_them(page: Page):
    """Person 1 has a label in frame 20, person 2 has none there."""
    before = places(page)
    for frame, last in (
        *((30, 39), (25, 29), (10, 29), (20, 39)),
        *((20, 25), (10, 20), (0, 9), (0, 39)),
    ):
        page.edit('swap', a=1, b=2, frame=frame, last=last)
        exchanged = {
            n: {1: pair[2], 2: pair[1]} for n, pair in before.items() if frame <= n <= last
        }
        assert places(page) == {**before, **exchanged}, (frame, last)
        page.edit('undo')


@pytest.mark.parametrize(('wrong', 'last'), [([20], 20), ([20, 39], 39)])
def test_poses_that_were_drawn_to_labels_of_the_wrong_person_follow_a_swap_of_these(
    open_page: Callable, wrong: list[int], last: int
):
    page = open_page(
        labels_of(
            *(label(n, 1, 40.0 * (n in wrong)) for n in (0, 20, 39)),
            *(label(n, 2, 40.0 * (n not in wrong)) for n in (0, 20, 39)),
        )
    )
    page.edit('swap', a=1, b=2, frame=20, last=last)
    assert {people[1][0][0] for people in places(page).values()} == {HEAD[0]}


@pytest.mark.parametrize('frame', [10, 20])
def test_a_split_changes_nothing_that_is_seen_but_the_name(open_page: Callable, frame: int):
    page = open_page(labels_of(label(0, 1), label(20, 1, 40.0), label(39, 1, 40.0)))
    before = places(page)
    page.edit('split', person=1, frame=frame)
    for n, people in places(page).items():
        assert people == ({1: before[n][1], 2: None} if n < frame else {1: None, 2: before[n][1]})


EXCHANGES: tuple[tuple[dict[str, Any], Sequence[int]], ...] = (
    ({'frame': 20}, [20]),
    ({'frame': 20, 'joints': ['right_hand']}, [20]),
    ({'frame': 10, 'on': True}, range(10, 40)),
    ({'frame': 0, 'on': True}, range(40)),
    ({'frame': 20, 'on': True}, range(20, 40)),
)
"""Fields of an exchange of left and right, and its frames."""


def test_left_and_right_are_exchanged_in_a_frame_or_from_it_on_as_one_edit(page: Page):
    """Labels are in frames 0, 20, 39; poses beside a label that is exchanged follow it."""
    before = places(page)
    for fields, frames in EXCHANGES:
        page.edit('exchange_sides', person=1, **fields)
        after = places(page)
        for n in (0, 20, 39) if fields['frame'] == 20 else range(40):
            head, left, right = before[n][1]
            assert after[n] == {
                1: [head, right, left] if n in frames else [head, left, right],
                2: before[n][2],
            }, fields
        page.edit('undo')
        assert places(page) == before


def test_a_joint_without_a_position_is_exchanged_too(page: Page):
    page.edit('set_joints', person=1, frame=20, joints={'left_hand': [0, 0, 0]})
    page.edit('exchange_sides', person=1, frame=20)
    head, left, right = places(page)[20][1]
    assert (head, left, right[2]) == ([10, 4, 2], [18, 24, 2], 0)


def test_a_label_without_a_place_is_shown_as_such_once_there_is_another(open_page: Callable):
    """Meanwhile nobody is anywhere."""
    page = open_page(labels_of(label(0, 1)))
    page.edit('set_joints', person=1, frame=0, joints={'head': [0, 0, 0]})
    page.edit('forget', person=1, frame=0, joints=['left_hand', 'right_hand'])
    page.edit('mark_absent', person=1, frame=1)
    page.edit('set_joints', person=1, frame=6, joints={'head': [1, 1, 2]})
    assert page.poses(0)[1]['source'] == 'given'


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
        ({'type': 'exchange_sides', 'joints': ['head']}, 'no left and right'),
        ({'type': 'exchange_sides', 'joints': 5}, 'list'),
        ({'type': 'swap', 'a': 1, 'b': 1}, 'itself'),
        ({'type': 'swap', 'a': 1, 'b': 2, 'frame': 3, 'last': 2}, 'cannot end earlier'),
        ({'type': 'swap', 'a': 1, 'b': 2, 'frame': 3, 'last': 40}, 'no frame 40'),
        ({'type': 'merge', 'into': 1}, 'itself'),
        ({'type': 'merge', 'person': 2, 'into': 1}, 'both labelled in frame 0'),
        ({'type': 'split', 'frame': 0}, 'before frame 0'),
        ({'type': 'add_person', 'joints': {}}, 'at least one'),
        ({'type': 'set_skeleton', 'name': 'coco'}, 'but not all of them'),
        ({'type': 'set_skeleton', 'joints': ['head', 'left_hand']}, 'add right_hand'),
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


def test_a_page_that_does_not_know_of_an_edit_to_the_same_pose_is_told(page: Page, other: Page):
    page.edit('mark_absent', person=1, frame=10)
    stale = other.try_edit('set_joints', person=1, frame=10, joints={'head': [1, 1, 2]})
    assert stale.status_code == 409
    assert page.get()['revision'] == 1
    elsewhere = other.try_edit('set_joints', person=1, frame=30, joints={'head': [1, 1, 2]})
    assert elsewhere.status_code == 200
    somebody_else = other.try_edit('mark_absent', person=2, frame=10)
    assert somebody_else.status_code == 200


def test_edits_of_two_pages_are_joined_unless_they_touch(page: Page, other: Page):
    page.edit('set_joints', person=1, frame=10, joints={'head': [1, 1, 2]})
    page.edit('add_person', frame=10, joints={'head': [90, 1, 2]})
    assert other.try_edit('add_person', frame=10, joints={'head': [70, 1, 2]}).status_code == 200
    mine = {'person': 1, 'frame': 10, 'joints': {'left_hand': [2, 2, 2]}}
    assert other.try_edit('set_joints', **mine).status_code == 200
    assert [page.joint(10, 1, joint) for joint in ('head', 'left_hand')] == [[1, 1], [2, 2]]
    mine['joints']['head'] = [3, 3, 2]
    for type in ('set_joints', 'accept'):
        stale = other.try_edit(type, **mine)
        assert (stale.status_code, stale.json()['revision']) == (409, 4)
        (theirs,) = stale.json()['theirs']
        assert theirs == {
            'type': 'set_joints',
            'person': 1,
            'frame': 10,
            'joints': {'head': [1, 1, 2]},
        }
    assert other.try_edit('set_joints', revision=4, **mine).status_code == 200
    assert page.joint(10, 1) == [3, 3]


@pytest.mark.parametrize('late', [{'type': 'swap', 'a': 1, 'b': 2, 'frame': 30}, {'type': 'undo'}])
def test_identities_and_undo_of_a_stale_page_are_refused(page: Page, other: Page, late: dict):
    page.edit('mark_absent', person=1, frame=10)
    assert other.try_edit(**late).status_code == 409


def test_an_undo_is_an_edit_to_the_pose_that_it_takes_back(page: Page, other: Page):
    page.edit('mark_absent', person=1, frame=10)
    page.edit('undo')
    stale = other.try_edit('set_joints', revision=1, person=1, frame=10, joints={'head': [1, 1, 2]})
    assert stale.status_code == 409
    assert stale.json()['theirs'] == [{'type': 'undo'}]
    assert 'theirs' not in other.try_edit('undo', revision=1).json()


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


def test_the_answer_to_undo_and_redo_names_the_edit(page: Page):
    edit = {'type': 'mark_absent', 'person': 1, 'frame': 10}
    assert page.edit(**edit)['of'] is None
    page.edit('accept', person=2, frame=5)
    page.edit('undo')
    assert [page.edit(type)['of'] for type in ('undo', 'redo')] == [edit, edit]


def test_a_page_may_send_its_own_edits_without_waiting(page: Page):
    for x in (1, 2, 3):
        edit = page.try_edit(
            'set_joints', revision=0, person=1, frame=10, joints={'head': [x, 1, 2]}
        )
        assert edit.status_code == 200
    assert page.get()['revision'] == 3
