"""One joint over time: traces under the timeline, trails in the picture, labels by clicks alone."""

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from support.review_browser import FRAMES, SKELETON, place_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('server')]

COLOURS = {1: (86, 180, 233), 2: (230, 159, 0)}
HEIGHT, PAD = 84, 7


def place_in_trace(page, frame, x, first=0, last=FRAMES - 1):
    """Return where an x of the left hand is on the canvas, if all of both people is shown."""
    low, high = place_of(1, first, 'left_hand')[0], place_of(2, last, 'left_hand')[0]
    left = page.timeline_place('#traces', frame, first, last)[0] - page.box('#traces')[0]
    return left, PAD + (high - x) / (high - low) * (HEIGHT - 2 * PAD)


def is_drawn(page, person, canvas, left, top):
    """Tell whether a pixel beside a place of a canvas has the colour of a person."""
    data = page.run(
        'const [id, x, y] = arguments;'
        'const c = document.getElementById(id).getContext("2d");'
        'return [...c.getImageData(Math.round(x) - 1, Math.round(y) - 1, 3, 3).data]',
        canvas,
        left,
        top,
    )
    return np.abs(np.reshape(data, (9, 4))[:, :3] - COLOURS[person]).max(axis=1).min() < 60


def has_trace(page, person, *place, **shown):
    return is_drawn(page, person, 'traces', *place_in_trace(page, *place, **shown))


def click_trace(page, left, top):
    box = page.box('#traces')
    page.point_at(box[0] + left, box[1] + top, clicks=1)


def choose_left_hand(page):
    page.pointer(place_of(1, 0, 'left_hand'))
    page.wait(lambda: page.text('#joint-hint').startswith('left hand'), 'the hand is chosen')


def x_of(person, frame):
    return place_of(person, frame, 'left_hand')[0]


def test_a_joint_is_traced_in_the_zoom_of_the_timeline_and_a_click_on_a_label_goes_there(page):
    assert page.is_hidden('#traces')
    choose_left_hand(page)
    page.press('t', held=[Keys.SHIFT])
    page.wait(lambda: has_trace(page, 1, 5, x_of(1, 5)), 'the chosen one is traced')
    assert has_trace(page, 2, 5, x_of(2, 5))
    assert not has_trace(page, 1, 5, x_of(1, 25))
    click_trace(page, *place_in_trace(page, 20, x_of(1, 20)))
    page.wait_for_frame(20)
    # Half as many frames around frame 20: 21, of which it is as far from the left as before.
    page.press('>')
    zoomed = {'first': 10, 'last': 30}
    page.wait(lambda: has_trace(page, 1, 15, x_of(1, 15), **zoomed), 'the traces are zoomed')
    # A few pixels beside its label, where another frame is shown.
    left, top = place_in_trace(page, 30, x_of(2, 30), **zoomed)
    click_trace(page, left - 5, top)
    page.wait_for_frame(30)
    page.wait(lambda: page.text('#actions-title').startswith('Person 2'), 'its person is chosen')


def test_what_is_traced_is_remembered_and_interrupted_where_nobody_is(page):
    choose_left_hand(page)
    page.press('t', held=[Keys.SHIFT])
    page.wait(lambda: has_trace(page, 1, 15, x_of(1, 15)), 'the hand is traced')
    page.go_to(12)
    page.press('1')
    with page.one_edit():
        page.press('x')
    page.wait(lambda: not has_trace(page, 1, 15, x_of(1, 15)), 'the trace has a gap')
    assert has_trace(page, 1, 5, x_of(1, 5))
    assert has_trace(page, 1, 25, x_of(1, 25))
    page.browser.refresh()
    page.wait(lambda: not page.is_hidden('#traces'), 'the traces are shown again')
    shown = 'return document.getElementById("show-trace").value'
    for quantity in ('y', 'speed', 'off'):
        page.press('t', held=[Keys.SHIFT])
        page.wait(lambda: page.run(shown) == quantity, 'the next one is shown')  # noqa: B023
    assert page.is_hidden('#traces')


def test_a_trail_shows_where_the_joint_was_in_the_last_frames(page):
    choose_left_hand(page)
    page.go_to(40)
    scale, left, top = map(
        float, page.run('return document.getElementById("picture").dataset.view').split()
    )

    def is_on_trail(frame):
        x, y = place_of(1, frame, 'left_hand')
        place = left + (x + 0.5) * scale, top + (y + 0.5) * scale
        return is_drawn(page, 1, 'picture', *place)

    assert not is_on_trail(30)
    page.press('g', held=[Keys.SHIFT])
    page.wait(lambda: is_on_trail(30), 'the trail is drawn')
    assert is_on_trail(22)
    assert not is_on_trail(18)


def test_one_joint_is_labelled_through_the_video_by_clicks_alone(page):
    page.run('localStorage.setItem("step", "5")')
    page.browser.refresh()
    page.wait_for_frame(0)
    page.wait_for_poses()
    choose_left_hand(page)
    page.press('j')
    page.wait(lambda: '5 frames on' in page.text('#joint-hint'), 'the page says what a click does')
    before = page.revision()
    # Every tenth frame has a label already.
    for frame, then in ((0, 5), (5, 15), (15, 25), (25, 35)):
        x, y = place_of(1, frame, 'left_hand')
        page.pointer((x + 3, y - 2))
        page.wait_for_frame(then)
    x, y = place_of(1, 35, 'left_hand')
    # On the joint itself, which is not dragged.
    page.pointer((x, y))
    page.wait(lambda: 'No frame without a label' in page.text('#messages'), 'the page says so')
    page.wait_until_settled(before + 5)
    index = SKELETON.index_of('left_hand')
    for frame, shift in ((0, (3, -2)), (5, (3, -2)), (15, (3, -2)), (25, (3, -2)), (35, (0, 0))):
        pose = page.poses()[frame][1]
        expected = np.add(place_of(1, frame, 'left_hand'), shift)
        assert pose['keypoints'][index][:2] == pytest.approx(expected, abs=1 / page.scale)
        assert pose['sources'][index] == 'g'
        assert frame == 0 or pose['sources'].replace('g', '') == 'ppp'
