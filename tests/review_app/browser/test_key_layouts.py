"""Keys of other keyboards, people beyond the ninth, and the other videos of a project."""

from dataclasses import replace

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import alert_is_present
from selenium.webdriver.support.ui import WebDriverWait

from stdpose_mm.io.labels import write_coco
from support.review_browser import STARTS, make_clip, place_of, poses_of_clip, serve

pytestmark = pytest.mark.slow

PEOPLE = 12


def type_as(page, key, code, **modifiers):
    """Press a key as a keyboard of another layout reports it."""
    page.press_at_once({'key': key, 'code': code, **modifiers})


ALT_GR = {'modifierAltGraph': True}
ALT_GR_OF_WINDOWS = {'ctrlKey': True, 'altKey': True, **ALT_GR}


OTHER_LAYOUTS = (
    ('б', 'Comma', {}, 12),
    ('ю', 'Period', {}, 14),
    ('х', 'BracketLeft', {}, 10),
    ('ъ', 'BracketRight', {}, 20),
    ('ь', 'KeyM', {}, 15),
    ('μ', 'KeyM', {}, 15),
    ('צ', 'KeyM', {}, 15),
    ('[', 'Digit8', ALT_GR_OF_WINDOWS, 10),
    (']', 'Minus', ALT_GR, 20),
    # What a key types comes first, and a Latin letter without a meaning has none.
    (',', 'KeyM', {}, 12),
    ('ü', 'BracketLeft', {}, 13),
)
"""Key, its place, modifiers, and the frame to which it leads from frame 13."""


@pytest.mark.usefixtures('server')
def test_keys_of_other_layouts_do_what_they_type_or_where_they_lie(page):
    for key, code, modifiers, frame in OTHER_LAYOUTS:
        page.go_to(13)
        type_as(page, key, code, **modifiers)
        page.wait(lambda frame=frame: page.written_frame == frame, f'{key} leads to frame {frame}')


@pytest.mark.usefixtures('server')
def test_a_cyrillic_keyboard_edits_undoes_and_skips_a_joint(page):
    page.press('1')
    with page.one_edit():
        type_as(page, 'ч', 'KeyX')
    assert page.poses()[0][1]['source'] == 'absent'
    with page.one_edit():
        type_as(page, 'я', 'KeyZ', ctrlKey=True)
    assert page.poses()[0][1]['source'] == 'given'
    type_as(page, 'ш', 'KeyI')
    page.wait(lambda: 'head (1 of 4)' in page.text('#hint-what'), 'joints are placed')
    type_as(page, 'т', 'KeyN')
    page.wait(lambda: 'neck (2 of 4)' in page.text('#hint-what'), 'a joint is skipped')


def test_digits_choose_the_person_whose_number_is_drawn(page, tmp_path):
    video, labels = make_clip(tmp_path)
    poses = poses_of_clip(video.stem, (0, 40))
    crowd = [
        replace(person, track_id=n, keypoints=person.keypoints + n)
        for n in range(PEOPLE)
        for person in poses.persons
        if person.track_id == min(STARTS)
    ]
    write_coco(poses.with_persons(crowd), labels)
    with serve(video, labels) as server:
        page.open(server)
        whole = page.scale
        for digits in ('2', '11', '10', '0'):
            # A digit that comes later begins another number.
            page.run('typedAt = performance.now() + 1000')
            page.wait(lambda: page.run('return performance.now() > typedAt'), 'a second has gone')
            page.press_at_once(*({'key': digit, 'code': f'Digit{digit}'} for digit in digits))
            title = f'Person {digits} in'
            page.wait(lambda title=title: page.text('#actions-title').startswith(title), title)
            assert page.text('#people .chosen kbd') == digits
        page.press('+')
        page.wait(lambda: page.scale > whole, 'the picture is larger')
        page.press('0')
        page.wait(lambda: page.scale == whole, 'the whole picture is shown')


def test_page_down_and_up_go_to_the_next_and_the_previous_video(page, server):
    names = [f'clip_{number:02d}' for number in range(10)]
    page.open(server, video=0)
    page.press(Keys.PAGE_UP)
    page.wait(lambda: 'This is the first video' in page.text('#messages'), 'there is none before')
    page.press(Keys.PAGE_DOWN)
    page.wait(lambda: page.text('#video-name') == names[1], 'the next one is open')
    page.press(Keys.PAGE_UP)
    page.wait(lambda: page.text('#video-name') == names[0], 'the previous one is open')


def test_the_first_person_of_a_video_has_the_number_of_its_key(page, tmp_path):
    video, _ = make_clip(tmp_path)
    with serve(video, '--project', tmp_path / 'new.review.jsonl') as server:
        page.open(server)
        page.edit_as_another_page({'type': 'set_skeleton', 'joints': ['head'], 'limbs': []})
        page.open(server)
        page.press('i')
        with page.one_edit():
            page.pointer(place_of(1, 0, 'head'))
        page.wait(lambda: page.text('#people .row-name') == 'Person 1', 'it is listed')
        assert page.text('#people kbd') == '1'


def test_a_person_is_named_by_a_double_click_in_this_video_alone(page, server):
    def name(text):
        left, top, _, _ = page.box('#people .row-name')
        page.point_at(left + 9, top + 9, clicks=2)
        alert = WebDriverWait(page.browser, 60).until(alert_is_present())
        alert.send_keys(text)
        alert.accept()

    video = page.video
    name('Anna')
    page.wait(lambda: page.text('#people .row-name') == 'Anna', 'it has the name')
    assert page.text('#actions-title') == 'Anna in frame 0'
    page.open(server, video=video)
    page.wait(lambda: page.text('#people .row-name') == 'Anna', 'the name is kept')
    page.open(server, video=(video + 1) % 10)
    page.wait(lambda: page.text('#people .row-name') == 'Person 1', 'another one has none')
