"""The rhythm of labelling: the page knows where to go next, whatever the server computes."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.slow


@pytest.fixture
def advised(page, server):
    """The page of a clip, and its advice, which stays as it is: later questions get no answer."""
    page.wait(lambda: 'hidden labels' in page.text('#measured'), 'the last advice is here')
    places = suggestions(page)
    page.run(
        'const answered = window.fetch; window.fetch = (url, ...more) =>'
        ' String(url).includes("/guidance") ? new Promise(() => {}) : answered(url, ...more)'
    )
    return page, places


def suggestions(page):
    return [(place['frame'], place['person']) for place in page.fetch('/guidance')['suggestions']]


def chosen(page):
    """Return the frame and the person where the page is, once the picture is there."""
    key = page.run(
        'return document.querySelector("#people [aria-pressed=true]")?.dataset.key ?? ""'
    )
    return page.shown, int(key.rpartition(' ')[2] or -1)


def wait_for_place(page, place):
    page.wait(lambda: chosen(page) == place, f'the page goes to {place}')
    page.wait(lambda: page.text('#people .source').strip() != '…', 'poses are here')


def test_n_goes_on_after_a_label_without_new_advice(advised):
    page, places = advised
    assert len(places) == len({*places}) >= 3
    for place in places[:3]:
        page.press('n')
        wait_for_place(page, place)
        page.press('a')
    # The rest is suggested once, too, and the labelled places never again.
    for place in [*places[3:], *places[3:]]:
        page.press('n')
        wait_for_place(page, place)


def test_n_goes_back_to_a_place_that_was_left_without_a_label(advised):
    page, (first, second, *_) = advised
    page.press('n')
    wait_for_place(page, first)
    page.press('.')
    wait_for_place(page, (first[0] + 1, first[1]))
    page.press('n')
    wait_for_place(page, first)
    # Where it is, without a label: somebody who does not want it goes on.
    page.press('n')
    wait_for_place(page, second)


def test_enter_accepts_and_goes_on(advised):
    page, (first, second, third, *_) = advised
    page.press('n')
    wait_for_place(page, first)
    before = page.revision()
    page.press(Keys.ENTER)
    wait_for_place(page, second)
    page.press(Keys.ENTER)
    wait_for_place(page, third)
    page.wait_until_settled(before + 2)
    poses = page.poses()
    assert [poses[frame][person]['source'] for frame, person in (first, second, third)] == [
        'given',
        'given',
        'propagated',
    ]


def test_enter_stays_where_there_is_no_pose_to_accept(page, unused_clips, late_answers):
    late_answers('/poses')
    server, video = next(unused_clips)
    page.open(server, video=video)
    page.wait(lambda: 'hidden labels' in page.text('#measured'), 'the advice is here')
    place = chosen(page)
    page.press(Keys.ENTER)
    page.wait(lambda: 'is not computed yet' in page.text('#messages'), 'the page says so')
    assert (chosen(page), page.written_frame) == (place, place[0])
    assert page.revision() == 0
    page.run('window.answerNow()')
