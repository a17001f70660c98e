"""What is exported and written, and what happens when a video cannot be read for a moment."""

import cv2
import pytest

from stdpose_mm.io.labels import read_labels, write_coco
from stdpose_mm.review_app import background
from support.review_browser import FRAMES, GIVEN, poses_of_clip, serve
from support.video_files import numbered_picture

pytestmark = pytest.mark.slow


def try_again_soon():
    background.RETRY_SECONDS = 0.2


@pytest.fixture
def export(page, server, downloads, tmp_path):
    """Export the clip in the opened dialog; return the name of the file, and the file."""

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

    page.click('#more-button')
    page.click('#export-button')
    page.wait(lambda: not page.is_hidden('#export'), 'the dialog is open')
    return choose


def test_given_labels_alone_are_exported_under_the_name_of_the_format(page, export):
    page.click('#export-given')
    for format in ('coco', 'posetrack18'):
        name, path = export(format)
        assert name.endswith(f'_reviewed.{format}.json')
        labels = read_labels(path)
        assert [frame.index for frame in labels.frames] == list(GIVEN)
        assert {person.frame_index for person in labels.persons} == set(GIVEN)


def test_a_tolerance_says_how_many_key_frames_cvat_gets(page, export):
    """People walk on straight lines, which CVAT draws between the first and the last frame."""
    numbers = []
    for tolerance in ('1', ''):
        page.run('document.getElementById("export-tolerance").value = arguments[0]', tolerance)
        numbers.append(export('cvat')[1].read_text().count('<skeleton'))
    assert numbers[1] == 2 * FRAMES
    assert numbers[0] < FRAMES


def test_a_folder_of_labels_is_exported_as_a_zip_file(page, export):
    name, path = export('yolo-pose')
    assert name.endswith('_yolo.zip')
    assert path.read_bytes()[:2] == b'PK'


def test_poses_are_computed_once_a_video_is_readable_again(page, tmp_path):
    folder = tmp_path / 'clip'
    folder.mkdir()
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f'{frame:03d}.png'), numbered_picture(frame))
    write_coco(poses_of_clip('clip', (0, FRAMES - 1)), tmp_path / 'labels.json')
    with serve(folder, tmp_path / 'labels.json', method='flow', prepare=try_again_soon) as server:
        page.open(server)
        picture = folder / '007.png'
        picture.rename(tmp_path / 'away.png')
        page.go_to(20)
        page.press('1', 'a')
        page.wait(lambda: page.text('#status') == 'Recomputing has stopped', 'the page says so')
        (tmp_path / 'away.png').rename(picture)
        page.wait(lambda: page.text('#status') == 'All poses are up to date', 'it goes on')
        assert page.fetch()['failed'] is None
