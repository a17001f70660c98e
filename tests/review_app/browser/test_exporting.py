"""What is exported and written, and what happens when a video cannot be read for a moment."""

import cv2
import pytest

from stdpose_mm.io.labels import read_labels, write_coco
from stdpose_mm.review_app import background
from support.review_browser import FRAMES, GIVEN, STARTS, place_of, poses_of_clip, serve
from support.video_files import numbered_picture

pytestmark = pytest.mark.slow


def try_again_soon():
    background.RETRY_SECONDS = 0.2


@pytest.fixture
def export_opened(page, downloads, tmp_path):
    """Export the opened video in the dialog; return the name of the file, and the file."""

    def choose(format):
        before = set(downloads.iterdir())
        page.click(f'[data-format="{format}"]')
        # The browser makes an empty file first.
        path = page.wait(
            lambda: [
                path
                for path in set(downloads.iterdir()) - before
                if path.suffix != '.crdownload' and path.stat().st_size
            ],
            'the file is saved',
        )[0]
        return path.name, path.rename(tmp_path / path.name)

    return choose


def open_dialog(page):
    page.click('#more-button')
    page.click('#export-button')
    page.wait(lambda: not page.is_hidden('#export'), 'the dialog is open')


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures, which have no frame rate, and labels of two people at its ends."""
    folder = tmp_path / 'clip'
    folder.mkdir()
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f'{frame:03d}.png'), numbered_picture(frame))
    write_coco(poses_of_clip('clip', (0, FRAMES - 1)), tmp_path / 'labels.json')
    return folder


@pytest.mark.usefixtures('server')
def test_a_video_is_exported_in_one_format_after_another(page, export_opened):
    open_dialog(page)

    name, path = export_opened('yolo-pose')
    assert name.endswith('_yolo.zip'), 'a folder of labels is a zip file'
    assert path.read_bytes()[:2] == b'PK'

    labels = read_labels(export_opened('label-studio')[1])
    necks = {person.track_id: person.keypoints[1] for person in labels[FRAMES - 1]}
    assert necks.keys() == STARTS.keys(), 'identities come back from Label Studio'
    for person, neck in necks.items():
        assert neck == pytest.approx(place_of(person, FRAMES - 1, 'neck'), abs=0.1)

    # People walk on straight lines, which CVAT draws between the first and the last frame.
    numbers = []
    for tolerance in ('1', ''):
        page.run('document.getElementById("export-tolerance").value = arguments[0]', tolerance)
        numbers.append(export_opened('cvat')[1].read_text().count('<skeleton'))
    assert numbers[1] == 2 * FRAMES, 'without a tolerance every frame is a key frame'
    assert numbers[0] < FRAMES

    page.click('#export-given')
    for format in ('coco', 'posetrack18'):
        name, path = export_opened(format)
        assert name.endswith(f'_reviewed.{format}.json')
        labels = read_labels(path)
        assert [frame.index for frame in labels.frames] == list(GIVEN), 'given labels alone'
        assert {person.frame_index for person in labels.persons} == set(GIVEN)


def test_pictures_of_a_folder_get_the_times_of_the_rate_that_is_typed(
    page, pictures, export_opened, tmp_path
):
    with serve(pictures, tmp_path / 'labels.json') as server:
        page.open(server)
        open_dialog(page)
        page.run('document.getElementById("export-rate").value = "50"')
        _, path = export_opened('trc')
    assert [line.split('\t')[1] for line in path.read_text().splitlines()[-2:]] == ['0.78', '0.8']


def test_poses_are_computed_once_a_video_is_readable_again(page, pictures, tmp_path):
    labels = tmp_path / 'labels.json'
    with serve(pictures, labels, method='flow', prepare=try_again_soon) as server:
        page.open(server)
        picture = pictures / '007.png'
        picture.rename(tmp_path / 'away.png')
        page.go_to(20)
        page.press('1', 'a')
        page.wait(lambda: page.text('#status') == 'Recomputing has stopped', 'the page says so')
        (tmp_path / 'away.png').rename(picture)
        page.wait(lambda: page.text('#status') == 'All poses are up to date', 'it goes on')
        assert page.fetch()['failed'] is None
