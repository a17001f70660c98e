from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import match_frames, read_labels, sniff_format
from stdpose_mm.io.video import open_frames
from support.foreign_labels import write_json

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

SIZE = (320, 240)


def landmarks(x: float = 0.25, count: int = 33, **fields: Any) -> list[dict[str, Any]]:
    """Landmarks at (80, 120) in pictures of 320x240, in a column."""
    return [
        {'x': x, 'y': 0.5 + i / 240, 'z': -0.1, 'visibility': 0.75, **fields} for i in range(count)
    ]


def by_frame(*frames: int) -> Any:
    """Frames without anybody are left out."""
    return [{'frame': n, 'landmarks': landmarks()} for n in frames]


def by_id(*frames: int) -> Any:
    """Frames without anybody are empty."""
    return [
        {'frame_id': n, 'keypoints': landmarks() if n in frames else []} for n in range(frames[-1])
    ] + [{'frame_id': frames[-1], 'keypoints': landmarks()}]


def of_protobuf(*frames: int) -> Any:
    """With the world landmarks beside those of the picture."""
    world = {'landmark': [{'x': 9, 'y': 9, 'z': 9}] * 33}
    return {
        'fps': 25,
        'frames': [
            {
                'pose_world_landmarks': world,
                'pose_landmarks': {'landmark': landmarks()},
                'frame_number': n,
            }
            for n in frames
        ],
    }


def of_tasks(*frames: int) -> Any:
    """Lists of people, of whom each is a list of landmarks."""
    return [
        {'frame_index': n, 'timestamp_ms': 40 * n, 'pose_landmarks': [landmarks()]} for n in frames
    ]


def in_pixels(*frames: int) -> Any:
    points = [{**p, 'x': p['x'] * 320, 'y': p['y'] * 240} for p in landmarks()]
    return [{'frame_idx': n, 'landmarks': points} for n in frames]


FORMS = [by_frame, by_id, of_protobuf, of_tasks, in_pixels]


@pytest.mark.parametrize('form', FORMS)
def test_landmarks_are_estimates_in_pixels(tmp_path: Path, form: Callable[..., Any]):
    path = write_json(tmp_path / 'clip.json', form(0, 15, 45))

    assert sniff_format(path) == 'mediapipe'
    labels = read_labels(path, size=SIZE)
    assert labels.name == 'clip'
    assert labels.skeleton.keypoint_names[:3] == ('nose', 'left_eye_inner', 'left_eye')
    assert labels.skeleton.keypoint_names[-2:] == ('left_foot_index', 'right_foot_index')
    assert [person.frame_index for person in labels.persons] == [0, 15, 45]
    person = labels.persons[1]
    assert person.keypoints[:2].tolist() == [[80, 120], [80, 121]]
    assert person.scores.tolist() == [0.75] * 33
    assert person.source == 'propagated'


def test_several_people_of_a_frame_have_no_identity(tmp_path: Path):
    frames = [
        {'frame': 3, 'landmarks': [landmarks(), landmarks(x=0.5)]},
        {'frame': 4, 'landmarks': []},
    ]
    labels = read_labels(write_json(tmp_path / 'a.json', frames), size=SIZE)
    assert [p.keypoints[0].tolist() for p in labels[3]] == [[80, 120], [160, 120]]
    assert [p.track_id for p in labels.persons] == [None, None]
    assert labels[4] == ()


def test_hands_have_no_scores(tmp_path: Path):
    frames = [{'frame': 0, 'landmarks': landmarks(count=21, visibility=0.0)}]
    labels = read_labels(write_json(tmp_path / 'a.json', frames), size=SIZE)
    assert labels.skeleton.keypoint_names[:2] == ('wrist', 'thumb_1')
    assert labels.persons[0].scores is None
    assert labels.persons[0].labelled.all()


@pytest.mark.parametrize(
    ('numbers', 'frames'), [((1, 9), (0, 8)), ((0, 8), (0, 8)), ((1, 5), (1, 5)), ((2, 7), (2, 7))]
)
def test_the_video_tells_where_numbers_start(
    tmp_path: Path, movie: Path, numbers: tuple[int, ...], frames: tuple[int, ...]
):
    """The video has nine frames; frames in which nobody was found may be missing."""
    video = open_frames(movie)
    labels = read_labels(write_json(tmp_path / 'a.json', by_frame(*numbers)), size=video.size)
    assert [p.frame_index for p in match_frames(labels, video).persons] == [*frames]


def test_fractions_need_the_size(tmp_path: Path):
    with pytest.raises(InputError, match='holds fractions of the picture, give its --labels-size'):
        read_labels(write_json(tmp_path / 'a.json', by_frame(0)))
    with pytest.raises(InputError, match='has people with no landmarks'):
        read_labels(write_json(tmp_path / 'b.json', [{'frame': 0, 'landmarks': None}]), size=SIZE)
