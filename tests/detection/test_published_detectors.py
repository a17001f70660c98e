"""Published person detectors by name: fetched from a server, and run without PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.detection import build_person_detector
from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS, DetectorFile
from stdpose_mm.errors import InputError
from support.bare_onnx import PERSON, blob_detector, simcc_network
from support.published_files import publish

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')


def crowd(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of 208x208 pixels, which a detector sees twice as large, and its people's boxes."""
    picture = np.full((208, 208, 3), 20, np.uint8)
    size = np.array(PERSON)
    places = [[4 + 20 * x, 6 + 40 * y] for y in range(rows) for x in range(columns)]
    for x, y in places:
        picture[y : y + size[1], x : x + size[0]] = 230
    return picture, np.array([[*place, *size] for place in places])


@pytest.mark.parametrize('name', ['person-t', 'person-nano'])
def test_twenty_people_are_found_by_name(tmp_path, monkeypatch, name):
    picture, boxes = crowd(5, 4)
    with publish(tmp_path, monkeypatch, name, content=blob_detector()):
        people = build_person_detector(name)(picture)
    order = np.lexsort(people.boxes.T[:2])
    np.testing.assert_allclose(people.boxes[order], boxes)
    assert ((people.scores > 0.4) & (people.scores <= 1)).all()


def test_person_is_yolox_m():
    assert PUBLISHED_DETECTORS['person'] is PUBLISHED_DETECTORS['person-m']
    assert 'yolox_m_' in PUBLISHED_DETECTORS['person'].file


def test_a_pose_network_in_place_of_a_detector_is_refused(tmp_path, monkeypatch):
    sentence = 'has the outputs simcc_x, simcc_y, expected dets and labels'
    with (
        publish(tmp_path, monkeypatch, 'person', content=simcc_network(17)),
        pytest.raises(InputError, match=sentence),
    ):
        build_person_detector('person')


def test_a_published_detector_takes_no_checkpoint_and_is_not_fetched_for_it():
    with pytest.raises(InputError, match=r'detector person is an ONNX file, .* leave out the chec'):
        build_person_detector('person', 'det.pth')


def test_a_file_of_the_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert DetectorFile('person').is_published
    (tmp_path / 'person').mkdir()
    assert DetectorFile('person').is_published
    (tmp_path / 'person').rmdir()
    (tmp_path / 'person').write_text('a config')
    assert not DetectorFile('person').is_published
