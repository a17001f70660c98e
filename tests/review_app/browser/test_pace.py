"""The rhythm of labelling: the page knows where to go next, whatever the server computes."""

from __future__ import annotations

from functools import partial

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from support.endless_lines import never_finish
from support.review_browser import FRAMES, make_clip, make_clips, place_of, serve

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
    page.wait_for_poses()


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
    # After a click the key acts on the picture, not on the row.
    page.click('#people .chosen .row-main')
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


@pytest.fixture
def computing(page, tmp_path, request):
    """A clip of which some poses are never computed, open at a frame between two labels."""
    prepare = partial(never_finish, *getattr(request, 'param', ()))
    with serve(*make_clip(tmp_path), prepare=prepare) as server:
        page.open(server, 5, settles=False)
        yield page


def test_straight_lines_can_be_accepted_before_poses_are_computed(computing):
    page = computing
    page.wait(lambda: 'straight line so far' in page.text('#people'), 'the page says what it shows')
    page.press('a')
    page.wait(lambda: page.revision() == 1, 'the line is accepted')
    pose = page.poses()[5][1]
    assert (pose['source'], pose['keypoints'][0][:2]) == ('given', [*place_of(1, 5, 'head')])


def test_advice_comes_from_the_labels_while_no_pose_is_computed(computing):
    page = computing
    visited = set()
    whole = page.scale
    # More places than are suggested at once: labels bring new advice.
    for number in range(1, 13):
        page.wait_for_poses()
        before = chosen(page)
        page.press('n')
        page.wait(lambda before=before: chosen(page) not in (before, (-1, -1)), 'N goes on')
        page.wait(lambda: page.shown == page.written_frame, 'the picture is here')
        page.wait_for_poses()
        assert chosen(page) not in visited
        # Where somebody is supposed on a straight line, the whole picture stays in view.
        assert page.scale == whole
        visited.add(chosen(page))
        page.press('a')
        page.wait(lambda number=number: page.revision() == number, 'it is labelled')
    guidance = page.fetch('/guidance')
    assert guidance['expected_wrong'] is None
    assert guidance['good_enough'] is False
    assert page.text('#verdict') == 'Judging…'


@pytest.mark.parametrize('computing', [(20,)], indirect=True)
def test_space_goes_to_what_is_in_doubt_so_far(computing):
    """Without the label of frame 10, frame 10 is ten frames from both labels: the worst."""
    page = computing
    page.press('1')
    page.go_to(10)
    page.press(Keys.DELETE)
    page.go_to(0)
    page.wait(
        lambda: page.fetch(f'/timeline?columns={FRAMES}')['persons'][0]['heat'][10] < 0.5,
        'it is computed',
    )
    page.press(' ')
    page.wait_for_frame(10)
    assert page.fetch('/guidance')['computing'] is True


@pytest.mark.parametrize('computing', [(0, 5)], indirect=True)
def test_the_last_verdict_stays_with_its_age_while_poses_are_computed(computing):
    page = computing
    page.wait(lambda: '% right' in page.text('#verdict'), 'the labels of the file are judged')
    assert 'as of' not in page.text('#verdict')
    page.press('1', 'a')
    page.wait(lambda: page.text('#verdict').endswith('· as of 0 labels'), 'it tells the age')
    assert '% right' in page.text('#verdict')


def is_in_bar(page, frame):
    """Return whether the ruler has the excerpt's bar at a frame, which the page does not show."""
    script = """
        const context = document.getElementById('ruler').getContext('2d');
        const at = (x, y) => [x, y].map((place) => place * devicePixelRatio);
        const [inside, corner] = [at(arguments[0], 17), at(2, 2)].map(
            (place) => String(context.getImageData(...place, 1, 1).data));
        return inside !== corner;
    """
    x, _ = page.timeline_place('#ruler', frame)
    return page.run(script, round(x - page.box('#ruler')[0]) + 4)


def wait_for_excerpt(page, excerpt):
    page.wait(lambda: page.fetch()['excerpt'] == excerpt, f'the excerpt is {excerpt}')
    first, last = excerpt or (FRAMES, FRAMES)
    page.wait(
        lambda: all(
            is_in_bar(page, frame) == (first <= frame <= last) for frame in (4, 12, 18, 25)
        ),
        'the bar shows it',
    )
    page.wait_until_settled()


def test_an_excerpt_is_marked_by_keys_or_clicks_and_advice_is_for_it(page, server):
    page.go_to(11)
    page.press('e', held=[Keys.SHIFT])
    page.go_to(19)
    page.press('e', held=[Keys.SHIFT])
    wait_for_excerpt(page, [11, 19])
    page.wait(lambda: suggestions(page), 'places are suggested')
    assert all(11 <= frame <= 19 for frame, _ in suggestions(page))
    page.open(server, video=page.video)
    wait_for_excerpt(page, [11, 19])
    page.wait(lambda: 'frame' in page.text('#next-what'), 'N goes')
    page.press('n')
    page.wait(lambda: 11 <= page.shown <= 19, 'N stays inside')
    page.go_to(0)
    page.press('e', held=[Keys.SHIFT])
    wait_for_excerpt(page, None)
    # The later end may be marked first.
    actions = ActionChains(page.browser, duration=0).key_down(Keys.SHIFT)
    for frame in (20, 8):
        x, top = page.timeline_place('#ruler', frame)
        actions.w3c_actions.pointer_action.move_to_location(round(x), round(top + 17))
        actions.w3c_actions.pointer_action.click()
        for _ in range(3):
            actions.w3c_actions.key_action.pause()
    actions.key_up(Keys.SHIFT).perform()
    wait_for_excerpt(page, [8, 20])


def test_writing_and_exporting_say_how_far_they_are_and_can_be_stopped(
    computing, tmp_path, late_answers
):
    page = computing
    late_answers('/export')
    page.browser.refresh()
    page.wait_for_frame(5)
    page.wait_for_poses()
    before = sorted(tmp_path.rglob('*'))
    page.press('s', held=[Keys.CONTROL])
    page.wait(lambda: page.text('#save-button').endswith('%'), 'the share is shown')
    page.press(Keys.ESCAPE)
    page.wait(lambda: 'was stopped' in page.text('#messages'), 'the page says so')
    page.wait(lambda: page.text('#save-button').startswith('Write labels'), 'it can be written')
    page.press('e', held=[Keys.CONTROL])
    page.click('.format')
    page.wait(lambda: 'Esc stops it' in page.text('#export-result'), 'the page says how')
    page.press(Keys.ESCAPE)
    # The request to stop comes first.
    page.wait(lambda: page.is_hidden('#export'), 'the dialog is closed')
    page.run('answerNow()')
    page.wait(lambda: 'was stopped' in page.text('#export-result'), 'the export is stopped')
    assert sorted(tmp_path.rglob('*')) == before


def test_the_writing_of_a_video_is_stopped_though_another_one_is_open(page, tmp_path):
    with serve(*make_clips(tmp_path, 2), prepare=never_finish) as server:
        page.open(server, settles=False)
        page.press('s', held=[Keys.CONTROL])
        page.wait(lambda: page.text('#save-button').startswith('Writing'), 'it is written')
        page.press(Keys.PAGE_DOWN)
        page.wait(lambda: page.text('#video-name') == 'clip_01', 'the next video is open')
        page.press(Keys.ESCAPE)
        page.wait(lambda: 'was stopped' in page.text('#messages'), 'the page says so')
