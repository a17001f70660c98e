"""Which frames labels are on, and at which size they were made, at the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import propagate
from stdpose_mm.io.labels import read_labels
from support.refusals import refusal
from support.video_files import cut_off, make_video

Write = Callable[..., Path]

FRAMES = (0, 4, 8)


@pytest.fixture
def write(tmp_path: Path, label_fields: dict[str, Any]) -> Write:
    """Write labels of frames 0, 4, 8 on pictures with given names, without frame indices."""

    def make(*names: str, scale: float = 1, **fields: Any) -> Path:
        for image, name in zip(label_fields['images'], names, strict=True):
            del image['frame_index']
            image.update(fields, file_name=name)
        for annotation in label_fields['annotations']:
            points = np.array(annotation['keypoints']).reshape(-1, 3)
            points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
            annotation['keypoints'] = points.ravel().tolist()
        path = tmp_path / 'labels.json'
        path.write_text(json.dumps(label_fields))
        return path

    return make


@pytest.fixture
def propagated(run_main: Any, movie: Path, tmp_path: Path) -> Callable[..., tuple[list[int], str]]:
    """Propagate over the movie: the frames whose labels were given, and what was printed."""

    def run(labels: Path, *options: object) -> tuple[list[int], str]:
        out = tmp_path / 'dense.json'
        code, printed, said = run_main(
            propagate.main, movie, labels, '--out', out, '--method', 'linear', *options
        )
        assert (code, said) == (0, [])
        persons = read_labels(out).persons
        return sorted({p.frame_index for p in persons if p.source == 'given'}), printed

    return run


def test_pictures_without_numbers_need_a_list(write, propagated, run_main, movie, tmp_path):
    labels = write('shot_a.jpg', 'shot_b.jpg', 'shot_c.jpg')
    said = refusal(run_main, propagate.main, movie, labels, '--out', tmp_path / 'dense.json')
    assert "'shot_a.jpg', 'shot_b.jpg' and 1 more of labels" in said
    assert '--frame-of FILE' in said
    (tmp_path / 'frames.csv').write_text('shot_a.jpg,0\nshot_b.jpg,4\nshot_c.jpg,8\n')
    assert propagated(labels, '--frame-of', tmp_path / 'frames.csv')[0] == list(FRAMES)


def test_the_first_number_can_be_given(write, propagated, run_main, movie, tmp_path):
    labels = write('000003.jpg', '000005.jpg', '000007.jpg')
    said = refusal(run_main, propagate.main, movie, labels, '--out', tmp_path / 'dense.json')
    assert 'give --first-frame-number N' in said
    assert propagated(labels, '--first-frame-number', 1)[0] == [2, 4, 6]


def test_both_options_together_are_refused(write, run_main, movie, tmp_path):
    (tmp_path / 'frames.csv').write_text('a,0\n')
    labels = write('000003.jpg', '000005.jpg', '000007.jpg')
    options = ['--first-frame-number', 1, '--frame-of', tmp_path / 'frames.csv']
    said = refusal(run_main, propagate.main, movie, labels, '--out', tmp_path / 'o.json', *options)
    assert 'give one of them' in said


def test_labels_of_a_larger_video_are_refused_or_rescaled(
    write, propagated, run_main, movie, tmp_path
):
    labels = write('000001.jpg', '000005.jpg', '000009.jpg', scale=2)
    said = refusal(run_main, propagate.main, movie, labels, '--out', tmp_path / 'dense.json')
    assert 'lie outside the 96x80 pictures' in said
    assert '--labels-size WxH' in said
    assert propagated(labels, '--labels-size', '192x160')[0] == list(FRAMES)
    dense = read_labels(tmp_path / 'dense.json')
    assert dense[4][0].keypoints == pytest.approx(np.array([[32, 16], [24, 32], [40, 32]]))


@pytest.mark.parametrize('size', ['192', '0x5', '12x', '-3x4', 'axb'])
def test_a_bad_size_is_refused(write, run_main, movie, tmp_path, size):
    labels = write('000001.jpg', '000005.jpg', '000009.jpg')
    arguments = [movie, labels, '--out', tmp_path / 'o.json', f'--labels-size={size}']
    assert 'such as 1280x720' in refusal(run_main, propagate.main, *arguments)


class TestBoxes:
    """Boxes of a file of their own, on a folder whose pictures count from 1."""

    @pytest.fixture
    def boxes(self, tmp_path: Path, label_fields: dict[str, Any]) -> Path:
        """Write a box in the frame of index 2 of a file that names its pictures from 0 on."""
        image = {'id': 3, 'file_name': 'clip/000002.jpg', 'frame_index': 2}
        box = {**label_fields['annotations'][0], 'image_id': 3, 'bbox': [1, 2, 30, 40]}
        path = tmp_path / 'boxes.json'
        path.write_text(json.dumps({**label_fields, 'images': [image], 'annotations': [box]}))
        return path

    @pytest.fixture
    def boxed_frames(
        self, run_main: Any, folder: Path, label_file: Path, tmp_path: Path
    ) -> Callable[..., list[int]]:
        """Propagate over the folder: the frames that have the box of the file."""

        def run(boxes: Path, *options: object) -> list[int]:
            out = tmp_path / 'dense.json'
            arguments = [folder, label_file, '--out', out, '--method', 'linear', '--boxes', boxes]
            code, _, said = run_main(propagate.main, *arguments, *options)
            assert (code, said) == (0, [])
            return [
                p.frame_index
                for p in read_labels(out).persons
                if p.bbox is not None and p.bbox.tolist() == [1, 2, 30, 40]
            ]

        return run

    def test_the_refusal_names_an_option_that_settles_it(
        self, boxed_frames, boxes, run_main, folder, label_file
    ):
        arguments = [folder, label_file, '--out', folder.parent / 'dense.json', '--boxes', boxes]
        said = refusal(run_main, propagate.main, *arguments)
        assert 'but the boxes of clip count frames from 0' in said
        assert 'give --boxes-first-frame-number 0 if' in said
        assert 'or --boxes-first-frame-number 1 if' in said
        assert boxed_frames(boxes, '--boxes-first-frame-number', 0) == [2]
        assert boxed_frames(boxes, '--boxes-first-frame-number', 1) == [1]

    def test_pictures_without_numbers_need_a_list(self, boxed_frames, boxes, tmp_path):
        data = json.loads(boxes.read_text())
        data['images'] = [{'id': 3, 'file_name': 'shot_a.jpg'}]
        boxes.write_text(json.dumps(data))
        (tmp_path / 'frames.csv').write_text('shot_a.jpg,6\n')
        assert boxed_frames(boxes, '--boxes-frame-of', tmp_path / 'frames.csv') == [6]


def test_labels_behind_the_end_of_a_video_that_is_cut_short_are_refused(
    run_main, label_fields, tmp_path
):
    path = cut_off(make_video(tmp_path / 'clip.avi', range(30), codec='mpeg4'))
    for number, image in enumerate(label_fields['images']):
        image['frame_index'] = 12 * number
    (tmp_path / 'labels.json').write_text(json.dumps(label_fields))
    arguments = [path, tmp_path / 'labels.json', '--out', tmp_path / 'dense.json']
    code, _, said = run_main(propagate.main, *arguments)
    assert code == 2
    assert 'clip.avi is cut short: its header announces 1.20 s of video' in said[0]
    assert re.search(r'on frame 24 .*not among the \d+ frames of clip', said[1])
    assert len(said) == 2
