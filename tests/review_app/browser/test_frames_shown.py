"""The number of the frame that the page writes is the one that is painted into the picture."""

import pytest

from support.review_browser import FRAMES, serve
from support.video_files import CLOSED_GROUPS, make_video

# Long and short times take turns: a number computed from the time would be wrong.
VARIABLE_TIMES = [n * 2 - (n % 3 == 1) for n in range(FRAMES)]
VIDEOS = {
    'constant': (range(FRAMES), None),
    'variable frame rate': (VARIABLE_TIMES, None),
    'B frames': (range(FRAMES), CLOSED_GROUPS),
}
STEPS = 30


@pytest.fixture(scope='module')
def numbered(page, tmp_path_factory):
    """A server of one video of each kind, in the order of their names."""
    folder = tmp_path_factory.mktemp('numbered')
    for place, (times, options) in enumerate(VIDEOS.values()):
        make_video(folder / f'{place}.mp4', times, codec_options=options)
    with serve(folder) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize('kind', VIDEOS)
def test_thirty_steps_and_jumps_show_the_frame_that_is_written(page, numbered, kind):
    from selenium.webdriver.common.keys import Keys

    page.open(numbered, video=[*VIDEOS].index(kind))
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
