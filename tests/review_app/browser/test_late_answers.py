"""What the page does while an answer of the server is late."""

from functools import partial

import pytest
from selenium.webdriver.common.keys import Keys

from support.fake_drafts import Network, sources
from support.review_browser import FRAMES, POSE, SKELETON, make_clips, serve

pytestmark = pytest.mark.slow

ANSWER_LATE = """
const [path, change] = arguments;
const answered = window.fetch;
const now = new Promise((wake) => { window.answerNow = wake; });
Object.assign(window, { asked: 0, isHeld: false, wasRead: false, isNewerRead: false });
window.fetch = async (url, ...more) => {
    const answer = await answered(url, ...more);
    if (!new RegExp(path).test(url) || !answer.ok) return answer;
    const body = await answer.json();
    if (++asked > 1) return { ok: true, json: async () => {
        isNewerRead = true;
        return body;
    } };
    isHeld = true;
    await now;
    return { ok: true, json: async () => {
        wasRead = true;
        return { ...body, ...change };
    } };
};
"""
"""Hold the first answer to a path, perhaps with other values, until ``answerNow()`` is called."""


def answer_late(page, path, **change):
    page.run(ANSWER_LATE, path, change)


def wait_until_held(page):
    page.wait(lambda: page.run('return isHeld'), 'the server has answered')


def read_now(page):
    """Let the page read the answer that is held, and do all that follows from it."""
    page.run('answerNow()')
    page.wait(lambda: page.run('return wasRead'), 'the page has read the answer')


def test_the_page_says_that_it_has_no_advice_yet(page, unopened, late_answers):
    late_answers('/guidance')
    page.open(unopened, video=page.video)
    for pressed, looked_for in ((' ', 'frames in doubt'), ('n', 'a frame to label')):
        page.press(pressed)
        said = f'Still looking for {looked_for}'
        page.wait(lambda said=said: said in page.text('#messages'), 'it says so')
    page.run('answerNow()')
    page.wait(lambda: 'right' in page.text('#verdict'), 'advice is here')
    assert page.text('#messages') == ''


@pytest.mark.parametrize(('pressed', 'frame'), [(']]', 20), ('m', 5)])
def test_a_step_along_the_timeline_waits_for_it(page, unopened, late_answers, pressed, frame):
    late_answers('/timeline')
    page.open(unopened, frame=3, video=page.video)
    page.press(*pressed)
    assert page.text('#messages') == ''
    assert page.shown == 3
    page.run('answerNow()')
    page.wait_for_frame(frame)


def test_a_timeline_is_shown_though_a_later_one_was_asked_for(page, unopened, on_new_pages):
    on_new_pages(
        """
        const answered = window.fetch;
        const now = new Promise((wake) => { window.answerNow = wake; });
        window.asked = 0;
        window.fetch = async (url, ...more) => {
            if (!String(url).includes('/timeline')) return answered(url, ...more);
            await (++asked > 1 ? new Promise(() => {}) : now);
            return answered(url, ...more);
        };
        """
    )
    page.open(unopened, frame=3, video=page.video)
    # Soon after each other, the page would ask for both at once.
    page.wait(lambda: page.run('return asked'), 'the first one is asked for')
    page.press('>')
    page.wait(lambda: page.run('return asked') > 1, 'a later one is asked for')
    page.press(']')
    page.run('answerNow()')
    page.wait_for_frame(10)


def test_a_step_that_waits_is_dropped_when_one_goes_elsewhere(page, unopened, late_answers):
    late_answers('/timeline')
    page.open(unopened, frame=3, video=page.video)
    page.press(']', Keys.HOME)
    page.wait_for_frame(0)
    page.run('answerNow()')
    page.press('m')
    page.wait_for_frame(5)


def test_the_video_that_was_chosen_last_stays_open(page, tmp_path):
    with serve(*make_clips(tmp_path, 3)) as server:
        page.open(server, video=1)
        answer_late(page, 'videos/2$')
        page.press(Keys.PAGE_DOWN)
        wait_until_held(page)
        page.press(Keys.PAGE_UP)
        page.wait(lambda: page.text('#video-name') == 'clip_00', 'the one before is open')
        read_now(page)
        page.press('m')
        page.wait_for_frame(5)
        assert page.text('#video-name') == 'clip_00'


def test_a_video_that_is_open_late_does_not_take_the_place_of_another(page, tmp_path):
    with serve(*make_clips(tmp_path, 3)) as server:
        page.open(server, video=1)
        page.run(
            """
            const [answered, later] = [window.fetch, window.setTimeout];
            window.fetch = async (url, ...more) => {
                const answer = await answered(url, ...more);
                if (!url.endsWith('videos/2') || window.isOpen) return answer;
                return new Response('{}', { status: 503 });
            };
            window.again = [];
            window.setTimeout = (action, wait, ...more) =>
                wait === 500 ? again.push(action) : later(action, wait, ...more);
            """
        )
        page.press(Keys.PAGE_DOWN)
        page.wait(lambda: 'being opened' in page.text('#states'), 'the page waits for it')
        page.press(Keys.PAGE_UP)
        page.wait(lambda: page.text('#video-name') == 'clip_00', 'the one before is open')
        # Now it is open, and the page may ask again.
        page.run('window.isOpen = true; for (const action of again) action()')
        page.press('m')
        page.wait_for_frame(5)
        assert page.text('#video-name') == 'clip_00'
        assert 'being opened' not in page.text('#states')


def test_poses_that_came_before_the_page_was_connected_are_up_to_date(page, unopened, on_new_pages):
    """The page asked for the video before, and the event was sent to nobody."""
    on_new_pages(
        """
        const answered = window.fetch;
        let isFirst = true;
        window.fetch = async (url, ...more) => {
            const answer = await answered(url, ...more);
            if (!isFirst || !/videos.[0-9]+$/.test(url)) return answer;
            isFirst = false;
            const body = { ...await answer.json(), settled: -1 };
            return { ok: true, json: async () => body };
        };
        """
    )
    page.open(unopened, video=page.video)


@pytest.mark.usefixtures('server')
def test_an_answer_from_before_an_edit_is_asked_for_again(page):
    page.go_to(1)
    with page.one_edit():
        page.press('1', 'a')
    answer_late(page, 'videos/[0-9]+$')
    page.undo()
    wait_until_held(page)
    is_refused = 'return document.getElementById("redo").disabled'
    page.wait(lambda: not page.run(is_refused), 'there is something to do again')
    page.press('x')
    page.wait(lambda: page.run(is_refused), 'there is nothing to do again')
    read_now(page)
    assert page.run(is_refused)
    page.wait(lambda: page.run('return asked') > 1, 'the page asks again')
    page.wait_until_settled(3)


@pytest.mark.usefixtures('server')
def test_guidance_that_comes_after_newer_one_is_dropped(page):
    answer_late(
        page, '/guidance', computing=False, measured={'right': 0.5, 'labels': 999, 'text': ''}
    )
    page.press('x')
    wait_until_held(page)
    page.press('x')
    page.wait(lambda: page.run('return isNewerRead'), 'newer guidance is here')
    page.wait_until_settled(2)
    read_now(page)
    assert '999' not in page.text('#measured')


def test_a_doubt_that_was_looked_for_in_another_video_moves_nothing(page, tmp_path, late_answers):
    late_answers('/guidance')
    in_doubt = {'id': 1, 'heat': [0.1 if frame == 5 else 1 for frame in range(FRAMES)]}
    with serve(*make_clips(tmp_path, 2)) as server:
        page.open(server)
        answer_late(page, 'timeline.*person=1$', persons=[in_doubt])
        page.press('1', ' ')
        wait_until_held(page)
        page.press(Keys.PAGE_DOWN)
        page.wait(lambda: page.text('#video-name') == 'clip_01', 'the next video is open')
        read_now(page)
        assert page.written_frame == 0


@pytest.fixture
def drafting(page, tmp_path):
    """A server of two clips without labels, in whose frames a network finds two people."""
    videos, labels = make_clips(tmp_path, 2)
    network = Network(SKELETON, POSE, len(POSE) * [1.0])
    drafts = partial(sources, network, [[10, 8, 14, 12], [60, 8, 14, 12]])
    with serve(videos, '--skeleton', next(labels.iterdir()), drafts=drafts) as server:
        page.open(server)
        yield server


def find(page):
    page.press('i', held=[Keys.SHIFT])
    page.wait(lambda: 'Draft of' in page.text('#joint-hint'), 'a draft is chosen')


@pytest.mark.usefixtures('drafting')
def test_drafts_that_come_late_choose_none_in_another_frame(page):
    page.go_to(1)
    find(page)
    page.press(Keys.ESCAPE)
    page.go_to(0)
    answer_late(page, '/drafts$')
    page.press('i', held=[Keys.SHIFT])
    wait_until_held(page)
    page.go_to(1)
    read_now(page)
    assert page.is_hidden('#joint-hint')


def test_drafts_are_discarded_where_they_were_though_another_video_is_open(page, drafting):
    find(page)
    answer_late(page, '/drafts$')
    page.press(Keys.DELETE)
    wait_until_held(page)
    page.press(Keys.DELETE)
    page.press(Keys.PAGE_DOWN)
    page.wait(lambda: page.text('#video-name') == 'clip_01', 'the next video is open')
    read_now(page)
    page.wait(
        lambda: not drafting.ask('/api/videos/0/poses?first=0&last=0')['drafts'],
        'both are discarded',
    )
