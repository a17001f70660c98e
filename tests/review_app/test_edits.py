"""What each edit does to the poses; expected values follow from straight lines between labels."""

from __future__ import annotations

from collections.abc import Callable

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
