"""The number of the frame that the page writes is the one that is painted into the picture."""

import pytest

from support.review_browser import serve
from support.video_files import CLOSED_GROUPS, make_video

# Long and short times take turns: a number computed from the time would be wrong.
VARIABLE_TIMES = [n * 2 - (n % 3 == 1) for n in range(41)]
STEPS = 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ('times', 'options'),
    [
        pytest.param(range(41), None, id='constant'),
        pytest.param(VARIABLE_TIMES, None, id='variable frame rate'),
        pytest.param(range(41), CLOSED_GROUPS, id='B frames'),
    ],
)
def test_thirty_steps_and_jumps_show_the_frame_that_is_written(page, tmp_path, times, options):
    from selenium.webdriver.common.keys import Keys

    video = make_video(tmp_path / 'numbered.mp4', times, codec_options=options)
    with serve(video) as server:
        page.open(server)
        page.press(Keys.ESCAPE)
        page.wait(lambda: page.is_hidden('dialog[open]'), 'the dialog is closed')
        page.run('document.getElementById("picture").focus()')
        read = [(page.written_frame, page.number_in_picture())]
        for step in range(1, STEPS + 1):
            page.press(Keys.ARROW_RIGHT)
            page.wait_for_frame(step)
            read.append((page.written_frame, page.number_in_picture()))
        assert read == [(frame, frame) for frame in range(STEPS + 1)]

        for frame, key in ((40, Keys.END), (39, Keys.ARROW_LEFT), (0, Keys.HOME)):
            page.press(key)
            page.wait_for_frame(frame)
            assert (page.written_frame, page.number_in_picture()) == (frame, frame)
        assert page.complaints() == []
