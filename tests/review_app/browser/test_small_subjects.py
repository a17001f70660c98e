"""Small subjects are zoomed to, seen under their marks, brightened, and placed exactly."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from stdpose_mm.io.labels import write_coco
from support.review_browser import (
    FRAMES,
    SKELETON,
    STARTS,
    make_clip,
    make_clips,
    place_of,
    poses_of_clip,
    resize,
    serve,
)
from support.video_files import numbered_picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def sparse(tmp_path_factory):
    """A server of a clip of which only the ends are labelled, so that frames are in doubt."""
    with serve(*make_clip(tmp_path_factory.mktemp('sparse'), given=(0, FRAMES - 1))) as server:
        yield server


@pytest.fixture
def in_doubt(page, sparse):
    """The worst frame of the clip, which is open at its first one."""
    page.open(sparse)
    page.wait(lambda: page.text('#doubt-count') not in ('', '0'), 'frames are in doubt')
    return page.fetch('/guidance?target=0.95')['doubtful'][0]


def stage_of(page):
    """Return the width and the height of the room of the picture."""
    return page.run(
        'const s = document.querySelector(".stage"); return [s.clientWidth, s.clientHeight]'
    )


def is_in_view(page, person, frame):
    width, height = stage_of(page)
    left, top, _, _ = page.box('#picture')
    places = [page.screen_place(*place_of(person, frame, j)) for j in SKELETON.keypoint_names]
    return all(0 <= x - left <= width and 0 <= y - top <= height for x, y in places)


def wait_for_drawing(page):
    page.browser.execute_async_script(
        'requestAnimationFrame(() => requestAnimationFrame(arguments[0]))'
    )


def view(page):
    return page.run('return document.getElementById("picture").dataset.view')


def test_space_zooms_to_whom_it_goes_and_the_view_follows_until_it_is_moved(page, in_doubt):
    whole = page.scale
    page.press(' ')
    page.wait_for_frame(in_doubt['frame'])
    page.wait(lambda: page.scale > 2 * whole, 'the view is zoomed')
    person = in_doubt['person']
    assert is_in_view(page, person, in_doubt['frame'])
    for key, frame in ((Keys.END, FRAMES - 1), (Keys.HOME, 0)):
        page.press(key)
        page.wait_for_frame(frame)
        page.wait(lambda frame=frame: is_in_view(page, person, frame), 'the view follows')
    page.press('-')
    wait_for_drawing(page)
    chosen = view(page)
    page.press(Keys.END)
    page.wait_for_frame(FRAMES - 1)
    wait_for_drawing(page)
    assert view(page) == chosen
    assert not is_in_view(page, person, FRAMES - 1)


def test_a_stray_joint_does_not_keep_the_view_from_zooming(page, tmp_path):
    video, labels = make_clip(tmp_path)
    poses = poses_of_clip(video.stem, (0, FRAMES - 1))
    hand = SKELETON.index_of('left_hand')
    strayed = []
    for person in poses.persons:
        keypoints = person.keypoints.copy()
        keypoints[hand] = (5, 28) if person.track_id == 2 else (90, 28)
        strayed.append(replace(person, keypoints=keypoints))
    write_coco(poses.with_persons(strayed), labels)
    with serve(video, labels) as server:
        page.open(server)
        page.wait(lambda: page.text('#doubt-count') not in ('', '0'), 'frames are in doubt')
        worst = page.fetch('/guidance?target=0.95')['doubtful'][0]
        whole = page.scale
        page.press(' ')
        page.wait_for_frame(worst['frame'])
        page.wait(lambda: page.scale > 2 * whole, 'the view is zoomed')
        for joint in ('head', 'neck', 'right_hand'):
            place = page.screen_place(*place_of(worst['person'], worst['frame'], joint))
            seen = 'return document.elementFromPoint(...arguments)?.id'
            assert page.run(seen, *place) == 'picture'


def test_a_mark_of_the_timeline_is_visited_as_by_space(page, in_doubt):
    whole = page.scale
    page.press('2')
    x, top = page.timeline_place('#ruler', in_doubt['frame'])
    page.point_at(x + 2, top + 24, clicks=1)
    page.wait_for_frame(in_doubt['frame'])
    page.wait(lambda: page.scale > 2 * whole, 'the view is zoomed')
    title = f'Person {in_doubt["person"]}'
    page.wait(lambda: page.text('#actions-title').startswith(title), 'the person is chosen')


def test_the_zoom_can_be_left_out_and_the_choice_is_kept(page, sparse, in_doubt):
    whole = view(page)
    page.press(' ')
    page.wait(lambda: view(page) != whole, 'the view is zoomed')
    page.press('z', held=[Keys.SHIFT])
    page.wait(lambda: view(page) == whole, 'the whole picture is seen again')
    page.open(sparse)
    page.wait(lambda: page.text('#doubt-count') not in ('', '0'), 'frames are in doubt')
    page.press(' ')
    page.wait_for_frame(in_doubt['frame'])
    page.wait(lambda: 'in doubt' in page.text('#people .chosen'), 'the poses are here')
    assert view(page) == whole


def test_who_is_large_in_the_whole_picture_is_not_zoomed_to(page, in_doubt):
    before = view(page)
    resize(page.browser, 1280, 400)
    page.wait(lambda: view(page) != before, 'the view is lower')
    before = view(page)
    page.press(' ')
    page.wait_for_frame(in_doubt['frame'])
    page.wait(lambda: 'in doubt' in page.text('#people .chosen'), 'the poses are here')
    assert view(page) == before


def marks_beside(page, x, y):
    """Count the pixels of marks in the row of a joint, from its middle to the right."""
    row = """
        const [x, y] = arguments;
        const canvas = document.getElementById('picture');
        const [scale, left, top] = canvas.dataset.view.split(' ').map(Number);
        const place = [left + (x + 0.5) * scale, top + (y + 0.5) * scale].map(Math.round);
        return [...canvas.getContext('2d').getImageData(...place, 60, 1).data];
    """
    wait_for_drawing(page)
    drawn = np.array(page.run(row, x, y)).reshape(-1, 4)
    page.press('h')
    wait_for_drawing(page)
    bare = np.array(page.run(row, x, y)).reshape(-1, 4)
    page.press('h')
    return int((drawn != bare).any(axis=1).sum())


def test_marks_follow_the_size_of_their_subject_within_bounds(page, sparse):
    page.open(sparse)
    page.press('2')
    widths = []
    for keys in ('', '---', '-----', '0z'):
        page.press(*keys)
        widths.append(marks_beside(page, *place_of(2, 0, 'left_hand')))
    whole, smaller, smallest, large = widths
    assert 2 <= smallest <= smaller < whole < large <= 10


@pytest.mark.usefixtures('server')
@pytest.mark.parametrize('density', [1, 2])
def test_a_drop_is_exact_at_eight_times_the_size(page, density):
    resize(page.browser, 1280, 720, density)
    while page.scale < 8:
        page.press('+')
        wait_for_drawing(page)
    # A third of a pixel of the picture, which is no whole pixel of the screen.
    x, y = place_of(1, 0, 'left_hand')
    start, end = page.screen_place(x, y), page.screen_place(x + 1 / 3, y - 4 / 3)
    with page.one_edit():
        page.pointer((x, y), (x + 3, y), (x + 1 / 3, y - 4 / 3))
    moved = page.poses()[0][1]['keypoints'][SKELETON.index_of('left_hand')][:2]
    assert moved == pytest.approx([x + 1 / 3, y - 4 / 3], abs=0.2)
    by = (np.array(end) - start) / page.scale
    assert moved == pytest.approx([x + by[0], y + by[1]], abs=0.011)
    ratio = page.run('const c = document.getElementById("picture"); return c.width / c.clientWidth')
    assert ratio == pytest.approx(density, abs=0.01)
    assert page.is_joint_at(*moved)


@pytest.fixture(scope='module')
def dark(tmp_path_factory):
    """A server of two dark videos, whose numbers are read only if they are brightened."""
    folder = tmp_path_factory.mktemp('dark')
    for name in ('one', 'two'):
        pictures = folder / 'videos' / name
        pictures.mkdir(parents=True)
        for n in range(FRAMES):
            cv2.imwrite(str(pictures / f'{n:06d}.png'), numbered_picture(n) // 5)
        (folder / 'labels').mkdir(exist_ok=True)
        write_coco(poses_of_clip(name, (0, 40)), folder / 'labels' / f'{name}.json')
    with serve(folder / 'videos', folder / 'labels') as server:
        yield server


def test_a_dark_picture_is_stretched_and_stays_so_for_its_video_alone(page, dark):
    page.open(dark, frame=3)
    assert page.number_in_picture() == 0
    page.press('u')
    page.wait(lambda: page.number_in_picture() == 3, 'the picture is bright')
    page.open(dark, frame=3, video=1)
    assert page.number_in_picture() == 0
    page.open(dark, frame=3)
    assert page.number_in_picture() == 3
    page.press('u')
    page.wait(lambda: page.number_in_picture() == 0, 'the picture is as recorded')


def test_keys_and_sliders_change_brightness_and_contrast(page, dark):
    def tone():
        """Return how bright the middle of the picture is drawn; frame 2 is dark there."""
        return page.run(
            'const c = document.getElementById("picture");'
            'const [scale, left, top] = c.dataset.view.split(" ").map(Number);'
            'const place = [left + 24 * scale, top + 28 * scale].map(Math.round);'
            'return c.getContext("2d").getImageData(...place, 1, 1).data[1]'
        )

    page.open(dark, frame=2)
    plain = tone()
    # One step of the slider, four of the key: a square root lifts dark tones, and keeps white.
    lifted = 255 * (plain / 255) ** 0.5
    page.press('b', 'b', 'b', 'b')
    page.wait(lambda: tone() == pytest.approx(lifted, abs=2), 'the picture is brighter')
    page.press('d')
    contrast = 127.5 + (lifted - 127.5) * 2**0.25
    page.wait(lambda: tone() == pytest.approx(contrast, abs=2), 'tones are farther from the middle')
    page.press('B', 'B', 'B', 'B', 'D')
    page.wait(lambda: tone() == plain, 'all is taken back')
    page.run(
        'const s = document.getElementById("brightness"); s.value = 1;'
        's.dispatchEvent(new Event("input"))'
    )
    page.wait(lambda: tone() == pytest.approx(lifted, abs=2), 'the slider does the same')


def test_the_page_names_what_is_labelled(page, tmp_path):
    video, labels = make_clip(tmp_path)
    poses = poses_of_clip(video.stem, (0, 40))
    write_coco(replace(poses, skeleton=replace(SKELETON, category='fly')), labels)
    with serve(video, labels) as server:
        page.open(server)
        page.wait(lambda: 'fly' in page.text('#next-what'), 'a fly is suggested')
        page.press('1')
        page.wait(lambda: page.text('#actions-title') == 'Fly 1 in frame 0', 'it is named')
        assert page.text('#people .row-name') == 'Fly 1'
        page.press('s')
        page.wait(lambda: not page.is_hidden('#other'), 'the dialog asks for the other one')
        assert page.text('#other-title').endswith('fly 1 and …')
        assert page.text('#other-choice') == 'Fly 2'
        page.press(Keys.ESCAPE)
        page.press('i')
        page.wait(lambda: page.text('#hint-what').startswith('New fly'), 'a new fly is placed')
        named = page.run(
            'const named = document.querySelectorAll("main, main [title], main [aria-label]");'
            'return [...named].flatMap((e) => [e.title, e.ariaLabel ?? "", e.innerText])'
        )
        assert [text for text in named if 'person' in text.lower()] == []


def test_a_wide_picture_keeps_its_room(page, tmp_path):
    """That of a picture of 16:9, less one line that says which labels may be wrong."""
    videos, labels = make_clips(tmp_path, 2)
    # The crowd of the second video stands on one spot.
    doubled = 'lie on each other, as if one person were labelled twice'
    expected = ((2, 520, ''), (12, 490, doubled))
    for file, (given, _, _) in zip(sorted(labels.iterdir()), expected, strict=True):
        poses = poses_of_clip(file.stem, (0,))
        crowd = tuple(
            replace(person, track_id=10 * n + person.track_id)
            for n in range(given // len(STARTS))
            for person in poses.persons
        )
        write_coco(poses.with_persons(crowd), file)
    with serve(videos, labels) as server:
        for video, (_, room, told) in enumerate(expected):
            page.open(server, video=video)
            page.wait(lambda: page.text('#counts') != '', 'labels are judged')
            said = 'it is said who is labelled twice'
            page.wait(lambda told=told: told in page.text('#states'), said)
            width, height = stage_of(page)
            assert min(height, width * 9 / 16) >= room + 8


def test_panels_fold_and_stay_folded(page, sparse):
    page.open(sparse)
    width, height = stage_of(page)
    page.press('w')
    page.press('w', held=[Keys.SHIFT])
    folded = stage_of(page)
    assert folded[0] == width + 300
    assert folded[1] >= height + 40
    page.open(sparse)
    assert stage_of(page) == folded
    page.click('#fold-side')
    page.click('#fold-lanes')
    assert stage_of(page) == [width, height]
    page.click('#side summary')
    page.wait(lambda: page.is_hidden('#people'), 'the list is folded')
    page.open(sparse)
    assert page.is_hidden('#people')
    assert not page.is_hidden('#joints')
    page.click('#side summary')
    page.wait(lambda: not page.is_hidden('#people'), 'the list is there again')
