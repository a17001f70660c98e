"""Joints that are placed one after another: none is lost, and Ctrl+Z takes back the last."""

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from support.review_browser import GIVEN, SKELETON, make_clip, place_of, point_of, serve

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('server')]

FINGERS = ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')
PLACES = [(50, 10), (50, 15), (56, 20), (44, 20)]
ASKS = 'const e = new Event("beforeunload", { cancelable: true }); return !window.dispatchEvent(e)'
"""Whether the page asks before it is left."""


def place(page, count):
    page.press('i')
    for point in PLACES[:count]:
        page.pointer(point)


def asked(page):
    return page.text('#hint-what')


def new_pose(page, frame=0):
    (new,) = {*page.fetch()['persons']} - {1, 2}
    return page.poses()[frame][new]


def test_whatever_ends_placing_keeps_the_joints_as_one_edit(page):
    for ends in (Keys.ESCAPE, 'i', Keys.ENTER, '.'):
        with page.one_edit():
            place(page, 2)
            page.press(ends)
        assert new_pose(page)['sources'][:2] == 'gg', ends
        page.wait(lambda: '2 of 4 joints' in page.text('#messages'), 'the page says so')
        page.press(Keys.ESCAPE)
        with page.one_edit():
            page.undo()
        assert len(page.fetch()['persons']) == 2, ends


def test_a_person_that_is_placed_is_asked_for_and_undone_joint_by_joint(page):
    assert page.run(ASKS) is False
    page.press('i')
    page.pointer((50, 10), (50 + 10 / page.scale, 10 + 10 / page.scale))
    assert 'head (1 of 4)' in asked(page), 'a drag that is too small for a box places nothing'
    assert page.run(ASKS) is False
    page.pointer(PLACES[0])
    assert page.run(ASKS) is True, 'a page with unfinished joints asks before it is left'
    page.pointer(PLACES[1])
    page.undo()
    assert 'neck (2 of 4)' in asked(page)
    page.press('y', held=[Keys.CONTROL])
    assert 'left hand (3 of 4)' in asked(page)
    page.undo()
    page.undo()
    assert 'head (1 of 4)' in asked(page)
    page.undo()
    assert page.is_hidden('#hint')
    assert page.revision() == 0
    assert page.complaints() == []
    place(page, 1)
    with page.one_edit():
        page.press(Keys.ENTER)
    # The page also asks until it has the answer to its edit.
    page.wait(lambda: page.run(ASKS) is False, 'nothing is unfinished')


def test_undo_while_joints_are_placed_goes_back_to_the_joint(page):
    page.press('1', 'r')
    for point in PLACES[:2]:
        with page.one_edit():
            page.pointer(point)
    with page.one_edit():
        page.undo()
    assert 'neck (2 of 4)' in asked(page)
    head, neck = np.array(page.poses()[GIVEN[0]][1]['keypoints'])[:2, :2]
    assert head == pytest.approx(PLACES[0], abs=1 / page.scale)
    assert neck != pytest.approx(PLACES[1], abs=1)


def test_undo_while_joints_are_placed_spares_what_another_page_did(page):
    page.press('1', 'r')
    with page.one_edit():
        page.pointer(PLACES[0])
    page.edit_as_another_page({'type': 'mark_absent', 'person': 2, 'frame': 20})
    page.wait(lambda: 'Another page has edited' in page.text('#messages'), 'the page knows of it')
    page.wait_until_settled(page.revision())
    page.undo()
    page.wait(lambda: 'was left out' in page.text('#messages'), 'the undo is refused')
    assert page.poses()[20][2]['source'] == 'absent'
    assert page.poses()[0][1]['keypoints'][0][:2] == pytest.approx(PLACES[0], abs=1 / page.scale)


def test_a_drag_after_the_first_joint_pans_and_places_nothing(page):
    before = page.screen_place(56, 20)
    place(page, 2)
    page.pointer((56, 20), (60, 20), (64, 21))
    by = np.subtract(page.screen_place(56, 20), before)
    assert by == pytest.approx(page.scale * np.array([8, 1]), abs=2)
    assert 'left hand (3 of 4)' in asked(page)
    page.pointer((56, 20))
    with page.one_edit():
        page.pointer((44, 20))
    points = np.array(new_pose(page)['keypoints'])[:, :2]
    assert points == pytest.approx(np.array(PLACES, float), abs=1 / page.scale)
    page.wait(lambda: page.text('#actions-title').startswith('Person 3'), 'it is chosen')


def test_no_two_of_133_joints_in_a_box_lie_on_each_other(page, tmp_path):
    names = [
        *('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_wrist', 'right_wrist'),
        *(f'face-{n}' for n in range(68)),
        *(
            f'{side}_{finger}{n}'
            for side in ('left', 'right')
            for finger in FINGERS
            for n in range(4)
        ),
        *(f'point_{n}' for n in range(18)),
    ]
    video, _ = make_clip(tmp_path)
    with serve(video, '--project', tmp_path / 'new.review.jsonl') as server:
        page.open(server)
        page.edit_as_another_page({'type': 'set_skeleton', 'joints': names, 'limbs': []})
        page.open(server)
        page.press('i')
        with page.one_edit():
            page.pointer((30, 6), (40, 20), (50, 26))
        (pose,) = page.poses()[0].values()
        points = np.array(pose['keypoints'])[:, :2]
        assert len(points) == 133
        apart = np.linalg.norm(points[:, None] - points, axis=2) + 100 * np.eye(133)
        # A twentieth of the box's width; places are sent in hundredths of a pixel.
        assert apart.min() >= 20 / 20 - 0.02
        for name in ('face-67', 'right_thumb3'):
            x, y = points[names.index(name)]
            with page.one_edit():
                page.pointer((x, y), (x + 3, y), (x + 4, y))
            (pose,) = page.poses()[0].values()
            moved = np.array(pose['keypoints'])[:, :2] - points
            assert np.flatnonzero(moved.any(axis=1)).tolist() == [names.index(name)]
            with page.one_edit():
                page.undo()


def test_two_clicks_and_b_place_the_rest_as_in_the_most_similar_label(page):
    # Person 1 is 10 pixels to the left of these clicks, 4 above.
    place(page, 0)
    for joint in ('head', 'neck'):
        x, y = place_of(1, 0, joint)
        page.pointer((x + 10, y + 4))
    with page.one_edit():
        page.press('b')
    pose = new_pose(page)
    assert pose['sources'] == 'gggg'
    for joint in SKELETON.keypoint_names:
        x, y = place_of(1, 0, joint)
        assert point_of(page.poses(), 0, 3, joint) == pytest.approx((x + 10, y + 4), abs=3)
    # Of a person that is there, only the joints that were not placed by hand are placed.
    page.press('.')
    page.wait_for_frame(1)
    page.wait_for_poses()
    page.press('1', 'r')
    for joint in ('head', 'neck'):
        x, y = place_of(1, 1, joint)
        with page.one_edit():
            page.pointer((x + 2, y + 2))
    with page.one_edit():
        page.press('b')
    assert page.poses()[1][1]['sources'] == 'gggg'
    x, y = place_of(1, 1, 'head')
    assert point_of(page.poses(), 1, 1, 'head') == pytest.approx((x + 2, y + 2), abs=1 / page.scale)
