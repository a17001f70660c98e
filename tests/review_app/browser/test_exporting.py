"""What is exported and written, and what happens when a video cannot be read for a moment."""

import cv2
import pytest

from stdpose_mm.io.labels import read_labels, write_coco
from support.review_browser import FRAMES, GIVEN, poses_of_clip, serve
from support.video_files import numbered_picture

pytestmark = pytest.mark.slow


@pytest.fixture
def export(page, server, downloads):
    """Export the clip in the opened dialog; return the file."""

    def choose(format):
        # The name of the clip differs from test to test, the end of the name is the format's.
        ending = page.run(
            'return document.querySelector(arguments[0]).textContent',
            f'[data-format="{format}"] code',
        )
        before = set(downloads.iterdir())
        page.click(f'[data-format="{format}"]')

        def file():
            new = set(downloads.iterdir()) - before
            return [path for path in new if path.name.endswith(ending)]

        return page.wait(file, 'the file is saved')[0]

    page.click('#more-button')
    page.click('#export-button')
    page.wait(lambda: not page.is_hidden('#export'), 'the dialog is open')
    return choose


def test_given_labels_alone_are_exported_under_the_name_of_the_format(page, export):
    page.click('#export-given')
    coco, posetrack = export('coco'), export('posetrack18')
    assert coco.name.endswith('.coco.json')
    assert posetrack.name.endswith('.posetrack18.json')
    for path in (coco, posetrack):
        labels = read_labels(path)
        assert [frame.index for frame in labels.frames] == list(GIVEN)
        assert {person.frame_index for person in labels.persons} == set(GIVEN)


def test_a_tolerance_says_how_many_key_frames_cvat_gets(page, export):
    """People walk on straight lines, which CVAT draws between the first and the last frame."""
    numbers = []
    for tolerance in ('1', ''):
        page.run('document.getElementById("export-tolerance").value = arguments[0]', tolerance)
        path = export('cvat')
        numbers.append(path.read_text().count('<skeleton'))
        # The browser gives the next file the same name.
        path.unlink()
    assert numbers[1] == 2 * FRAMES
    assert numbers[0] < FRAMES


def test_a_folder_of_labels_is_exported_as_a_zip_file(page, export):
    path = export('yolo-pose')
    assert path.name.endswith('_yolo.zip')
    assert path.read_bytes()[:2] == b'PK'


def test_poses_are_computed_once_a_video_is_readable_again(page, tmp_path):
    folder = tmp_path / 'clip'
    folder.mkdir()
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f'{frame:03d}.png'), numbered_picture(frame))
    write_coco(poses_of_clip('clip', (0, FRAMES - 1)), tmp_path / 'labels.json')
    with serve(folder, tmp_path / 'labels.json', method='flow') as server:
        page.open(server)
        picture = folder / '007.png'
        picture.rename(tmp_path / 'away.png')
        page.go_to(20)
        page.press('1', 'a')
        page.wait(lambda: page.text('#status') == 'Recomputing has stopped', 'the page says so')
        (tmp_path / 'away.png').rename(picture)
        page.wait(lambda: page.text('#status') == 'All poses are up to date', 'it goes on')
        assert page.fetch()['failed'] is None
