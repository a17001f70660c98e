"""What the page does while an answer of the server is late."""

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.slow


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


def test_a_step_that_waits_is_dropped_when_one_goes_elsewhere(page, unopened, late_answers):
    late_answers('/timeline')
    page.open(unopened, frame=3, video=page.video)
    page.press(']', Keys.HOME)
    page.wait_for_frame(0)
    page.run('answerNow()')
    page.press('m')
    page.wait_for_frame(5)
