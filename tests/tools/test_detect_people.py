"""Detections of the labelled frames of a set, and their file."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.detection import PersonDetector
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.detections import read_detections, write_detections
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.tools import load_tool

detect_people = load_tool('dataset_converters/detect_people').detect_people

SKELETON = Skeleton(('head', 'hand'))


class FindsBrightness(PersonDetector):
    """One box whose width is the brightness of the picture."""

    def _detect(self, picture):
        return np.array([[1, 2, 1 + picture[0, 0, 0], 12]], np.float32), np.array([0.75])


def video(name: str, first_id: int, labelled: tuple[int, ...] = (0, 2)) -> VideoLabels:
    frames = tuple(
        VideoFrame(n, f'{name}/{n:06d}.png', first_id + n, is_labeled=n in labelled)
        for n in range(3)
    )
    persons = tuple(
        PersonLabel(n, np.ones((2, 2)), np.full(2, 2), 0, bbox=np.array([0.0, 0, 5, 5]))
        for n in labelled
    )
    return VideoLabels(name, SKELETON, frames, persons)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of two videos whose frames have brightness 10, 20 and 30."""
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        for n in range(3):
            picture = np.full((32, 40, 3), 10 * (n + 1), np.uint8)
            cv2.imwrite(str(tmp_path / name / f'{n:06d}.png'), picture)
    return tmp_path


def test_people_of_labelled_frames_by_the_id_of_the_picture(pictures):
    found = detect_people([video('a', 100), video('b', 200)], FindsBrightness(), pictures)
    boxes = {image_id: one.boxes.tolist() for image_id, one in found.items()}
    assert boxes == {
        100: [[1, 2, 10, 10]],
        102: [[1, 2, 30, 10]],
        200: [[1, 2, 10, 10]],
        202: [[1, 2, 30, 10]],
    }


def test_ids_of_two_videos_must_differ(pictures):
    videos = [video('a', 100), video('b', 101, labelled=(1, 2))]
    with pytest.raises(InputError, match="'a' and 'b' both have a picture with id 102"):
        detect_people(videos, FindsBrightness(), pictures)


def test_a_missing_picture_is_named(pictures):
    (pictures / 'a' / '000001.png').unlink()
    remedy = r'as --image-root \(pictures\) or --video-root \(video files\)$'
    with pytest.raises(
        InputError, match=rf"of video 'a' are not available .*000001\.png.* {remedy}"
    ):
        detect_people([video('a', 100)], FindsBrightness(), pictures)


def test_a_written_file_is_read_back_and_in_cocos_form(pictures, tmp_path):
    found = detect_people([video('a', 100)], FindsBrightness(), pictures)
    path = tmp_path / 'detections' / 'val.json'
    write_detections(found, path)
    assert json.loads(path.read_text())[0] == {
        'image_id': 100, 'category_id': 1, 'bbox': [1, 2, 10, 10], 'score': 0.75,
    }  # fmt: skip
    again = read_detections(path)
    assert again[102].boxes.tolist() == [[1, 2, 30, 10]]
    assert read_detections(path, score_thr=0.8) == {}
