"""The second view: another camera at the same time, lines in both, drafts of two views."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from stdpose_mm.io.calibration import write_calibration
from stdpose_mm.structures.camera import Camera
from support.review_browser import SKELETON, ReviewServer, make_clip, serve
from support.video_files import HEIGHT, WIDTH

pytestmark = pytest.mark.slow

HEAD = np.array([[0.1, -0.2, 0.0]])
FRAME = 3


def camera(name: str, degrees: float) -> Camera:
    rotation, _ = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))
    matrix = np.array([(150.0, 0, WIDTH / 2), (0, 150.0, HEIGHT / 2), (0, 0, 1)])
    return Camera(name, (WIDTH, HEIGHT), matrix, np.zeros(4), rotation, np.array([0.0, 0.0, 4.0]))


CAMERAS = [camera(name, degrees) for name, degrees in (('cam1', -40), ('cam2', 0), ('cam3', 50))]


@pytest.fixture(scope='module', params=[()])
def scene(tmp_path_factory: pytest.TempPathFactory, request) -> Iterator[ReviewServer]:
    """A server of three videos without labels, of one joint that does not move."""
    folder = tmp_path_factory.mktemp('scene')
    video, labels = make_clip(folder / 'videos', 'cam1.mp4')
    labels.rename(folder / 'skeleton.json')
    for name in ('cam2', 'cam3'):
        shutil.copy(video, video.with_stem(name))
    write_calibration(CAMERAS, folder / 'cameras.toml')
    given = ('--calibration', folder / 'cameras.toml', '--skeleton', folder / 'skeleton.json')
    with serve(video.parent, *given, *request.param) as server:
        yield server


def head_in(view: int) -> tuple[float, float]:
    x, y = CAMERAS[view].project(HEAD)[0].tolist()
    return x, y


def place_head(page) -> None:
    """Place the head of the first person where the open view has it, and choose it."""
    page.press('i')
    page.pointer(head_in(page.video))
    page.press(Keys.ENTER)
    page.wait(lambda: 'given' in page.text('#people'), 'the head is placed')
    page.press(Keys.TAB)


def beside(page) -> str:
    """Return the camera beside the picture, once its picture is shown."""
    return page.run(
        'const c = document.getElementById("second-choice");'
        'const isDrawn = document.getElementById("second-picture").dataset.view;'
        'return (isDrawn && c.selectedOptions[0]?.text) || ""'
    )


def exchange(page, video: int) -> None:
    """Exchange the two views."""
    page.press('C')
    page.video = video
    page.wait(lambda: f'#video={video}&' in page.browser.current_url, 'the views are exchanged')
    page.wait_for_frame(FRAME)


def is_line_at(page, canvas: str, x: float, y: float) -> bool:
    """Tell whether the line of the joint in hand is drawn at a pixel of a picture."""
    colours = page.run(
        """
        const canvas = document.getElementById(arguments[0]);
        const [scale, left, top] = canvas.dataset.view.split(' ').map(Number);
        const place = [left + (arguments[1] + 0.5) * scale, top + (arguments[2] + 0.5) * scale];
        const corner = place.map((value) => Math.round(value) - 2);
        return [...canvas.getContext('2d').getImageData(...corner, 5, 5).data];
        """,
        canvas,
        x,
        y,
    )
    red, green, blue, _ = np.reshape(colours, (-1, 4)).T
    return bool(((red < 180) & (green > 190) & (blue > 200)).any())


def line_y(view: int, other: int, x: float) -> float:
    """Return the height at x of the line on which the joint of a view lies in another one."""
    ray = np.append(CAMERAS[view].undistort(np.array([head_in(view)]))[0], 1)
    ends = CAMERAS[view].centre + np.outer([3.0, 6.0], ray @ CAMERAS[view].rotation)
    (ax, ay), (bx, by) = CAMERAS[other].project(ends).tolist()
    return ay + (x - ax) / (bx - ax) * (by - ay)


def test_two_views_place_a_joint_in_the_third(page, scene):
    page.open(scene, frame=FRAME)
    page.wait(lambda: beside(page) == 'cam2', 'the second camera is beside the first')
    place_head(page)
    x = WIDTH * 0.85
    expected = x, line_y(0, 1, x)
    page.wait(
        lambda: is_line_at(page, 'second-picture', *expected), 'the line is in the other view'
    )

    exchange(page, 1)
    assert beside(page) == 'cam1'
    place_head(page)
    expected = x, line_y(0, 1, x)
    page.wait(lambda: is_line_at(page, 'picture', *expected), 'the line is in this view, too')

    page.press('V')
    page.wait(lambda: beside(page) == 'cam3', 'the third camera is beside it')
    exchange(page, 2)
    page.wait(lambda: not page.is_hidden('#drafts-box'), 'the joint is drafted here')
    page.press('A')
    page.wait(lambda: page.fetch()['persons'] == [1], 'the draft is accepted')
    assert page.fetch()['skeleton']['joints'] == [*SKELETON.keypoint_names]
    pose = page.fetch(f'/poses?first={FRAME}&last={FRAME}')['frames'][str(FRAME)][0]
    assert pose['keypoints'][0][:2] == pytest.approx(head_in(2), abs=2 / page.scale)
    page.press('V')
    page.wait(lambda: page.is_hidden('#second'), 'no camera is beside the picture')
    assert page.complaints() == []


@pytest.mark.parametrize('scene', [('--offset', 'cam2=2')], indirect=True)
def test_a_camera_that_started_late_shows_the_same_time(page, scene):
    page.open(scene, frame=FRAME)
    page.wait(lambda: beside(page) == 'cam2', 'the second camera is beside the first')
    page.press('C')
    page.video = 1
    page.wait(lambda: '#video=1&' in page.browser.current_url, 'the views are exchanged')
    page.wait_for_frame(FRAME - 2)
    assert page.complaints() == []
