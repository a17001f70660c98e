"""Several joints at once, one joint through the whole video, identities in a window of frames."""

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from support.review_browser import FRAMES, GIVEN, SKELETON, place_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('server')]

ALL = SKELETON.keypoint_names
HANDS = ('left_hand', 'right_hand')


def pick(page, person, *joints):
    """Pick joints of a person in frame 0 with Ctrl, one after another."""
    for joint in joints:
        x, y = place_of(person, 0, joint)
        page.pointer((x, y), held=Keys.CONTROL)
    page.wait(
        lambda: page.text('#joint-hint').startswith(f'{len(joints)} joints'), 'all are picked'
    )


def moved(page, person):
    """Return by how much each joint has moved in frame 0."""
    points = np.array(page.poses()[0][person]['keypoints'])[:, :2]
    return points - [place_of(person, 0, joint) for joint in ALL]


def drag_on_screen(page, start, end, held=''):
    """Drag over places of the screen that are given relative to the picture's corner."""
    box = page.box('#picture')[:2]
    actions = ActionChains(page.browser, duration=0)
    mouse = actions.w3c_actions.pointer_action
    mouse.move_to_location(*np.add(box, start).round().astype(int).tolist())
    mouse.pointer_down()
    for share in (0.5, 1):
        place = np.add(box, np.add(start, share * np.subtract(end, start)))
        mouse.move_to_location(*place.round().astype(int).tolist())
    mouse.pointer_up()
    actions.perform()


def on_screen(page, x, y):
    scale, left, top = map(
        float, page.run('return document.getElementById("picture").dataset.view').split()
    )
    return np.array([left + (x + 0.5) * scale, top + (y + 0.5) * scale])


def frame_of(page, *joints):
    """Return where the middle of joints of person 1 is, and half the size of their frame."""
    corners = np.array([on_screen(page, *place_of(1, 0, joint)) for joint in joints])
    return corners.mean(axis=0), np.ptp(corners, axis=0) / 2 + 14


def test_joints_that_are_picked_one_by_one_are_dragged_together(page):
    pick(page, 1, *HANDS)
    x, y = place_of(1, 0, 'right_hand')
    with page.one_edit():
        page.pointer((x, y), (x + 2, y), (x + 4, y - 3))
    expected = [[0, 0], [0, 0], [4, -3], [4, -3]]
    assert moved(page, 1) == pytest.approx(np.array(expected), abs=1 / page.scale)
    with page.one_edit():
        page.press_at_once(*2 * [{'key': 'ArrowDown'}])
    expected[2][1] = expected[3][1] = -1
    assert moved(page, 1) == pytest.approx(np.array(expected), abs=1 / page.scale)
    with page.one_edit():
        page.undo()
    with page.one_edit():
        page.undo()
    assert moved(page, 1) == pytest.approx(np.zeros((4, 2)))


def test_arrows_for_other_joints_are_another_edit(page):
    before = page.revision()
    pick(page, 1, 'head', 'left_hand')
    page.press(Keys.ARROW_DOWN, Keys.TAB, Keys.ARROW_DOWN)
    page.wait_until_settled(before + 2)
    assert moved(page, 1).tolist() == [[0, 2], [0, 0], [0, 1], [0, 0]]


def test_joints_are_picked_by_clicks_and_by_a_band_and_left_again(page):
    pick(page, 1, 'head', *HANDS)
    page.pointer(place_of(1, 0, 'head'), held=Keys.CONTROL)
    assert page.text('#joint-hint').startswith('2 joints'), 'what is picked again is left'
    page.press(Keys.ESCAPE)
    assert page.is_hidden('#joint-hint')
    page.press(Keys.ARROW_RIGHT)
    page.wait_for_frame(1)
    page.press(Keys.HOME)
    page.wait_for_frame(0)
    page.wait_for_poses()

    page.press('1')
    x, y = place_of(2, 0, 'neck')
    page.pointer((x - 10, y + 2), (x, y + 5), (x + 10, y + 9), held=Keys.CONTROL)
    page.wait(lambda: page.text('#joint-hint').startswith('2 joints'), 'the hands are picked')
    page.wait(lambda: page.text('#actions-title').startswith('Person 2'), 'the other one is chosen')
    with page.one_edit():
        page.press(Keys.ARROW_LEFT)
    assert moved(page, 2).tolist() == [[0, 0], [0, 0], [-1, 0], [-1, 0]]


def test_the_knob_turns_and_a_corner_scales_what_is_picked(page):
    pick(page, 1, 'neck', 'left_hand')
    middle, half = frame_of(page, 'neck', 'left_hand')
    knob = middle - [0, half[1] + 24]
    with page.one_edit():
        # A quarter clockwise; the hand is 7 to the right of the neck, and 5 below it.
        drag_on_screen(page, knob, middle + np.array([half[1] + 24, 0]))
    assert moved(page, 1)[1:3] == pytest.approx(np.array([[6, -1], [-6, 1]]), abs=0.15)
    with page.one_edit():
        page.undo()
    page.wait(lambda: page.is_joint_at(*place_of(1, 0, 'left_hand')), 'the hand is back')
    with page.one_edit():
        drag_on_screen(page, middle + half, middle + 0.5 * half)
    halved = np.array([[1.75, 1.25], [-1.75, -1.25]])
    assert moved(page, 1)[1:3] == pytest.approx(halved, abs=0.15)


def test_one_joint_alone_has_its_own_labels_and_doubts(page):
    # Without the labels between, the hands are in doubt; each has one label of its own.
    for frame in GIVEN[1:-1]:
        page.go_to(frame)
        page.press('1')
        with page.one_edit():
            page.press(Keys.DELETE)
    for frame, hand in ((22, 'left_hand'), (12, 'right_hand')):
        page.go_to(frame)
        x, y = place_of(1, frame, hand)
        with page.one_edit():
            page.pointer((x, y), (x + 4, y))
    page.go_to(0)
    page.pointer(place_of(1, 0, 'left_hand'))
    page.press('j')
    page.wait(lambda: 'left hand alone' in page.text('#joint-hint'), 'the page says so')
    page.press(']')
    page.wait_for_frame(22)
    scores = page.fetch(f'/timeline?columns={FRAMES}&person=1')['persons'][0]['joints']['left_hand']
    # The score halves in seven frames: the middles of both gaps are the worst.
    doubtful = [frame for frame, score in enumerate(scores) if score < 0.5]
    runs = [[f for f in doubtful if f < 22], [f for f in doubtful if f > 22]]
    worst = [min(run, key=lambda f: (scores[f], f)) for run in runs]
    for frame in (worst[1], worst[0], worst[1]):
        page.press(' ')
        page.wait_for_frame(frame)
        page.wait_for_poses()
    # No other joint is taken by accident.
    page.press(Keys.HOME, '0')
    page.wait_for_frame(0)
    assert not page.is_joint_at(*place_of(1, 0, 'head'))
    assert page.is_joint_at(*place_of(1, 0, 'left_hand'))
    page.press('j', Keys.ESCAPE, ']')
    page.wait_for_frame(12)


def test_two_fingers_zoom_and_move_nothing(page):
    def touch(type, *places):
        points = [{'x': x, 'y': y, 'id': n} for n, (x, y) in enumerate(places)]
        page.browser.execute_cdp_cmd(
            'Input.dispatchTouchEvent', {'type': f'touch{type}', 'touchPoints': points}
        )

    before = page.scale
    x, y = page.screen_place(*place_of(1, 0, 'head'))
    touch('Start', (x, y))
    touch('Start', (x, y), (x + 100, y))
    touch('Move', (x - 20, y), (x + 130, y))
    touch('End')
    page.wait(lambda: page.scale == pytest.approx(1.5 * before, rel=0.02), 'it is larger')
    assert page.revision() == 0


def test_colours_tell_sides_apart_and_names_of_joints_do_not_cover_each_other(page):
    def colours():
        return [page.colour_at(*place_of(1, 0, joint)) for joint in ('left_hand', 'right_hand')]

    left, right = colours()
    assert left == right
    page.run(
        'const list = document.getElementById("show-colours"); list.value = "side";'
        'list.dispatchEvent(new Event("change"))'
    )
    page.wait(lambda: colours()[0] != colours()[1], 'the sides differ')

    page.press('1', 't')
    page.run("""
        window.words = [];
        const draw = CanvasRenderingContext2D.prototype.roundRect;
        CanvasRenderingContext2D.prototype.roundRect = function (x, y, width, height, ...more) {
            window.words.push([x, y, x + width, y + height]);
            return draw.call(this, x, y, width, height, ...more);
        };
        // So small that the names would lie on each other.
        for (let n = 0; n < 8; n++) document.getElementById('zoom-out').click();
    """)
    boxes = page.wait(lambda: page.run('return window.words.length > 5 && window.words'), 'drawn')
    # The names of the four joints of person 1, who is drawn last, and its number.
    for n, (left, top, right, bottom) in enumerate(boxes[-5:-1]):
        for start, high, end, low in boxes[-5:-1][:n]:
            assert left >= end or right <= start or top >= low or bottom <= high
