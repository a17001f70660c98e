"""Joints that are placed one after another: none is lost, and Ctrl+Z takes back the last."""

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from support.review_browser import GIVEN, SKELETON

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('server')]

PLACES = [(50, 10), (50, 15), (56, 20), (44, 20)]


def undo(page):
    page.press('z', held=[Keys.CONTROL])


def place(page, count):
    page.press('i')
    for point in PLACES[:count]:
        page.pointer(point)


def asked(page):
    return page.text('#hint-what')


def new_pose(page, frame=0):
    (new,) = {*page.fetch()['persons']} - {1, 2}
    return page.poses()[frame][new]


@pytest.mark.parametrize('ends', ['.', Keys.ESCAPE, 'i', Keys.ENTER])
def test_whatever_ends_placing_keeps_the_joints_as_one_edit(page, ends):
    with page.one_edit():
        place(page, 2)
        page.press(ends)
    assert new_pose(page)['sources'][:2] == 'gg'
    page.wait(lambda: '2 of 4 joints' in page.text('#messages'), 'the page says so')
    page.press(Keys.ESCAPE)
    with page.one_edit():
        undo(page)
    assert len(page.fetch()['persons']) == 2


def test_undo_while_a_person_is_placed_takes_back_its_last_joint(page):
    place(page, 2)
    undo(page)
    assert 'neck (2 of 4)' in asked(page)
    page.press('y', held=[Keys.CONTROL])
    assert 'left hand (3 of 4)' in asked(page)
    undo(page)
    undo(page)
    assert 'head (1 of 4)' in asked(page)
    undo(page)
    assert page.is_hidden('#hint')
    assert page.revision() == 0
    assert page.complaints() == []


def test_undo_while_joints_are_placed_goes_back_to_the_joint(page):
    page.press('1', 'r')
    for point in PLACES[:2]:
        with page.one_edit():
            page.pointer(point)
    with page.one_edit():
        undo(page)
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
    undo(page)
    page.wait(lambda: 'was left out' in page.text('#messages'), 'the undo is refused')
    assert page.poses()[20][2]['source'] == 'absent'
    assert page.poses()[0][1]['keypoints'][0][:2] == pytest.approx(PLACES[0], abs=1 / page.scale)


def test_a_click_that_slips_places_a_joint_and_no_skeleton_after_the_first(page):
    by = 40 / page.scale
    place(page, 2)
    page.pointer((56, 20), (56 + by, 20 + by))
    assert 'right hand (4 of 4)' in asked(page)
    with page.one_edit():
        page.pointer((44, 20))
    points = np.array(new_pose(page)['keypoints'])[:, :2]
    assert points == pytest.approx(np.array(PLACES, float), abs=1 / page.scale)
    assert len(points) == SKELETON.num_keypoints


def test_a_page_with_unfinished_joints_asks_before_it_is_left(page):
    asks = (
        'const e = new Event("beforeunload", { cancelable: true });return !window.dispatchEvent(e)'
    )
    page.press('i')
    assert page.run(asks) is False
    page.pointer(PLACES[0])
    assert page.run(asks) is True
    with page.one_edit():
        page.press(Keys.ENTER)
    # The page also asks until it has the answer to its edit.
    page.wait(lambda: page.run(asks) is False, 'nothing is unfinished')
