"""Nothing that was edited is lost, no other page may edit, and names are only ever text."""

import http.server
import threading
from contextlib import contextmanager

import pytest
from selenium.webdriver.common.keys import Keys

from stdpose_mm.io.labels import read_labels
from support.ports import held_port
from support.review_browser import make_clip, make_clips, place_of, serve

pytestmark = pytest.mark.slow


def drag_left_hand(page, frame, by):
    x, y = place_of(1, frame, 'left_hand')
    page.pointer((x, y), (x + by / 2, y), (x + by, y))


def moved_by(page, frame):
    x, _ = place_of(1, frame, 'left_hand')
    return page.poses()[frame][1]['keypoints'][2][0] - x


@pytest.fixture
def port():
    with held_port() as held:
        yield held


def drag_without_server(page, server):
    """Kill the server, and make an edit that waits for the next one."""
    server.kill()
    page.wait(lambda: 'does not answer' in page.text('#states'), 'the page says so')
    drag_left_hand(page, 0, 5)
    page.wait(lambda: '1 edit is kept' in page.text('#states'), 'the edit waits')


def test_edits_are_there_again_after_a_kill_also_those_made_while_the_server_was_gone(
    page, tmp_path, port
):
    clip = make_clip(tmp_path)
    with serve(*clip, port=port) as first:
        page.open(first)
        with page.one_edit():
            drag_left_hand(page, 0, 5)
        first.kill()
        page.wait(lambda: 'does not answer' in page.text('#states'), 'the page says so')
        drag_left_hand(page, 0, 0)
        x, y = place_of(1, 0, 'right_hand')
        page.pointer((x, y), (x - 2, y), (x - 4, y))
        page.wait(lambda: '1 edit is kept' in page.text('#states'), 'the edit waits')
    with serve(*clip, port=port) as second:
        page.open(second)
        page.wait_until_settled(2)
        assert moved_by(page, 0) == pytest.approx(5, abs=1 / page.scale)
        right = page.poses()[0][1]['keypoints'][3][0]
        assert right == pytest.approx(x - 4, abs=1 / page.scale)
        page.wait(lambda: page.text('#states') == '', 'nothing waits any more')
    given = clip[1].read_bytes()
    assert given == make_clip(clip[1].parent / 'again')[1].read_bytes()


def test_an_edit_that_waits_is_not_sent_to_another_project_of_the_same_name(page, tmp_path, port):
    mine, other = make_clip(tmp_path / 'mine'), make_clip(tmp_path / 'other')
    with serve(*mine, port=port) as first:
        page.open(first)
        drag_without_server(page, first)
    with serve(*other, port=port) as second:
        # The page that is still open gets the cookie, as if the address were opened in another tab.
        page.run('fetch(arguments[0])', second.address)
        page.wait(lambda: 'does not know this page' in page.text('#states'), 'it is refused')
        page.open(second)
        page.wait(lambda: page.text('#states') == '', 'nothing waits')
        assert moved_by(page, 0) == 0
    with serve(*mine, port=port) as third:
        page.open(third)
        page.wait_until_settled(1)
        assert moved_by(page, 0) == pytest.approx(5, abs=1 / page.scale)


def test_an_edit_that_waited_reaches_its_video_though_another_one_is_open(page, tmp_path, port):
    clips = make_clips(tmp_path / 'project', 2)
    with serve(*clips, port=port) as first:
        page.open(first, video=1)
        for frame in (0, 10):
            page.go_to(frame)
            with page.one_edit():
                drag_left_hand(page, frame, 5)
        page.open(first, video=0)
        drag_without_server(page, first)
    with serve(*clips, port=port) as second:
        page.open(second, video=1)
        page.wait(lambda: page.text('#states') == '', 'nothing waits any more')
        assert page.text('#messages') == ''
        page.open(second, video=0)
        assert moved_by(page, 0) == pytest.approx(5, abs=1 / page.scale)


def test_joints_placed_while_another_video_opens_stay_with_their_video(page, server, late_answers):
    here = page.video
    other = here - 1 if here else 1
    late_answers(f'/api/videos/{other}')
    page.open(server, video=here)
    page.press('l')
    button = f'#videos tr:nth-child({other + 1}) button'
    page.wait(lambda: page.text(button), 'the videos are listed')
    page.click(button)
    page.press('i')
    page.pointer((50, 10))
    page.run('answerNow()')
    address = 'return location.hash'
    page.wait(lambda: f'video={other}&' in page.run(address), 'the other video is open')
    page.open(server, video=here)
    assert page.fetch()['persons'] == [1, 2, 3]
    assert page.poses()[0][3]['sources'][0] == 'g'


def test_a_save_waits_for_all_edits(page, tmp_path, late_answers):
    late_answers('/edits')
    with serve(*make_clip(tmp_path)) as server:
        page.open(server)
        drag_left_hand(page, 0, 5)
        page.press(']')
        page.wait_for_frame(10)
        drag_left_hand(page, 10, 5)
        page.press('s', held=[Keys.CONTROL])
        page.run('answerNow()')
        page.wait(lambda: 'were written to' in page.text('#messages'), 'the file is written')
        (saved,) = tmp_path.glob('*_reviewed.json')
        for frame in (0, 10):
            (person,) = [p for p in read_labels(saved)[frame] if p.track_id == 1]
            by = person.keypoints[2][0] - place_of(1, frame, 'left_hand')[0]
            assert by == pytest.approx(5, abs=1 / page.scale)


@contextmanager
def new_tab(page):
    """Open a tab, and close it at the end; what is yielded goes back to the first one."""
    first = page.browser.current_window_handle
    page.browser.switch_to.new_window('tab')
    second = page.browser.current_window_handle
    try:
        yield lambda: page.browser.switch_to.window(first)
    finally:
        page.browser.switch_to.window(second)
        page.browser.close()
        page.browser.switch_to.window(first)


def test_an_old_page_goes_on_once_the_address_of_the_next_start_is_opened(page, tmp_path, port):
    clip = make_clip(tmp_path)
    with serve(*clip, port=port) as first:
        page.open(first)
        drag_without_server(page, first)
    with serve(*clip, port=port) as second, new_tab(page) as go_back:
        page.open(second)
        go_back()
        page.wait(lambda: 'kept' not in page.text('#states'), 'the edit is sent')
        page.wait_until_settled(1)
        assert moved_by(page, 0) == pytest.approx(5, abs=1 / page.scale)


def hold_edits(page):
    """Hold the edits that this page makes, until ``sendNow()`` is called."""
    page.run(
        'const sent = window.fetch;'
        'const now = new Promise((wake) => { window.sendNow = wake; });'
        'window.fetch = async (url, options) => {'
        '  if (String(url).includes("/edits")) await now;'
        '  return sent(url, options); }'
    )


def test_edits_to_other_joints_of_two_tabs_are_joined_also_after_a_stop(page, tmp_path, port):
    clip = make_clip(tmp_path)
    with serve(*clip, port=port) as first:
        page.open(first)
        hold_edits(page)
        drag_without_server(page, first)
    with serve(*clip, port=port) as second, new_tab(page) as go_back:
        page.open(second)
        x, y = place_of(1, 0, 'right_hand')
        with page.one_edit():
            page.pointer((x, y), (x - 2, y), (x - 4, y))
        go_back()
        page.run('sendNow()')
        page.wait_until_settled(2)
        assert moved_by(page, 0) == pytest.approx(5, abs=1 / page.scale)
        right = page.poses()[0][1]['keypoints'][3][0]
        assert right == pytest.approx(x - 4, abs=1 / page.scale)


@pytest.mark.usefixtures('server')
@pytest.mark.parametrize(('kept', 'moved'), [('mine', 8), ('theirs', 2)])
def test_a_page_asks_once_about_joints_that_another_one_has_changed(page, kept, moved):
    hold_edits(page)
    x, y = place_of(1, 0, 'left_hand')
    drag_left_hand(page, 0, 5)
    page.pointer((x + 5, y), (x + 6, y), (x + 8, y))
    page.go_to(10)
    drag_left_hand(page, 10, 4)
    theirs = {'person': 1, 'frame': 0, 'joints': {'left_hand': [x + 2, y, 2]}}
    page.edit_as_another_page({'type': 'set_joints', **theirs})
    page.run('sendNow()')
    page.wait(lambda: not page.is_hidden('#conflict'), 'it asks')
    page.press(Keys.ESCAPE)
    what = 'correction of left hand of person 1 in frame 0'
    assert [page.text(f'#conflict-{whose}') for whose in ('mine', 'theirs')] == [what, what]
    page.wait(lambda: not page.is_hidden('#conflict'), 'it still asks')
    page.click(f'#conflict [value="{kept}"]')
    page.wait_until_settled(4 if kept == 'mine' else 2)
    page.wait(lambda: page.text('#status') == 'All poses are up to date', 'nothing waits')
    assert moved_by(page, 0) == pytest.approx(moved, abs=1 / page.scale)
    assert moved_by(page, 10) == pytest.approx(4, abs=1 / page.scale)
    assert page.is_hidden('#conflict')


@pytest.mark.usefixtures('server')
def test_an_undo_that_waits_means_the_edit_before_it(page):
    hold_edits(page)
    drag_left_hand(page, 0, 5)
    page.undo()
    page.edit_as_another_page({'type': 'mark_absent', 'person': 2, 'frame': 35})
    page.run('sendNow()')
    page.wait_until_settled(3)
    assert moved_by(page, 0) == 0
    assert page.poses()[35][2]['source'] == 'absent'


def test_a_save_says_that_it_is_written_and_which_edits_are_not_in_it(page, server, late_answers):
    late_answers('/save')
    page.open(server, video=page.video)
    assert page.text('#save-button') == 'Write labels'
    with page.one_edit():
        drag_left_hand(page, 0, 5)
    page.wait(lambda: page.text('#save-button') == 'Write labels •', 'edits are not saved')
    page.press('s', held=[Keys.CONTROL])
    assert page.text('#save-button') == 'Writing…'
    assert page.run('return document.getElementById("save-button").title').startswith('Stop')
    page.run('answerNow()')
    page.wait(lambda: page.text('#save-button') == 'Write labels', 'it is saved')
    # The server answers, the page does not know it yet, and the edit is done before it does.
    page.run(
        'const f = window.fetch; window.fetch = async (url, ...more) => {'
        'const answer = await f(url, ...more);'
        'if (String(url).endsWith("/save"))'
        '  await new Promise((wake) => { window.tellNow = wake; });'
        'return answer; }'
    )
    page.press('s', held=[Keys.CONTROL])
    page.wait(lambda: page.run('return !!window.tellNow'), 'the server has answered')
    page.go_to(1)
    with page.one_edit():
        page.press('1', 'a')
    page.run('tellNow()')
    page.wait(lambda: 'it lacks the latest changes' in page.text('#messages'), 'it says so')
    assert page.text('#save-button') == 'Write labels •'


def test_nothing_is_saved_while_edits_wait_for_a_server_that_is_gone(page, tmp_path):
    with serve(*make_clip(tmp_path)) as server:
        page.open(server)
        drag_without_server(page, server)
        page.press('s', held=[Keys.CONTROL])
        page.wait(lambda: 'nothing was written' in page.text('#messages'), 'the page says so')
    assert not [*tmp_path.glob('*_reviewed.json')]


@pytest.mark.usefixtures('server')
def test_a_page_of_another_origin_cannot_edit(page, server):
    """A page of another port is of the same site: the cookie goes with its requests."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    before = page.revision()
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Empty) as foreign:
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        page.browser.get(f'http://127.0.0.1:{foreign.server_port}/')
        page.browser.execute_async_script(
            """
            const [address, revision, done] = arguments;
            const edit = { type: 'remove_person', person: 1 };
            const body = JSON.stringify({ id: 'x', page: 'x', revision, edit });
            fetch(address, { method: 'POST', mode: 'no-cors', credentials: 'include', body })
              .finally(done);
            """,
            f'{server.origin}/api/videos/{page.video}/edits',
            before,
        )
        foreign.shutdown()
    page.open(server, video=page.video)
    assert page.revision() == before
    assert len(page.fetch()['persons']) == 2


@pytest.mark.usefixtures('server')
def test_a_second_page_is_told_and_sees_the_edits_of_the_first(page, server):
    with new_tab(page) as go_back:
        second = page.browser.current_window_handle
        page.open(server, video=page.video)
        page.wait(lambda: 'open in 2 pages' in page.text('#states'), 'the second is told')
        go_back()
        page.wait(lambda: 'open in 2 pages' in page.text('#states'), 'the first is told')
        with page.one_edit():
            drag_left_hand(page, 0, 4)
        page.browser.switch_to.window(second)
        page.wait(lambda: 'Another page' in page.text('#messages'), 'the second sees the edit')
        x, y = place_of(1, 0, 'left_hand')
        page.wait(lambda: page.is_joint_at(x + 4, y), 'the joint is where the first put it')


def test_names_with_markup_are_shown_as_text(page, tmp_path):
    name = '<img src=x onerror=window.hacked=1>'
    video, labels = make_clip(tmp_path, f'{name}.mp4')
    labels.write_text(
        labels.read_text().replace('right_hand', '<b onmouseover=window.hacked=1>hand</b>')
    )
    with serve(video, labels) as server:
        page.open(server)
        page.wait(lambda: page.text('#video-name').startswith(name), 'the name is shown')
        page.press('1', 'l')
        page.wait(lambda: name in page.text('#videos'), 'the list shows it')
        assert '<b onmouseover' in page.text('#joints')
        assert page.run('return document.querySelectorAll("img, b").length') == 0
        assert page.run('return window.hacked') is None
