"""Poses of another program as heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.evidence import PoseHeatmaps, PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.pose_network import PersonFrames
from stdpose_mm.labelling.evidence.pose_results import PoseResults
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.heatmaps import highest_places

SKELETON = Skeleton(('nose', 'left_ankle', 'right_ankle'))
FRAMES = ArrayFrames([np.full((120, 160, 3), n, np.uint8) for n in range(4)], 'clip')
SHORT = ArrayFrames(list(FRAMES)[:2], 'clip')
LEFT = np.array([[30, 20], [20, 90], [40, 90]], float)
RIGHT = LEFT + np.array([90, 10])
BOX_LEFT, BOX_RIGHT = np.array([15, 10, 30, 90.0]), np.array([105, 20, 30, 90.0])
WITHIN = 1.06
"""A cell is 1.5 * 90 / 64 pixels, so a place is found within half of that."""


def pose(frame: int, points: np.ndarray, visibility=(2, 2, 2), scores=None) -> PersonLabel:
    return PersonLabel(
        frame, points, np.array(visibility), scores=scores and np.array(scores), source='propagated'
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes poses; returns the file."""

    def make(
        *persons: PersonLabel,
        file: str = 'poses.json',
        format: str = 'coco',
        name: str = 'clip',
        skeleton: Skeleton = SKELETON,
        **size: int,
    ) -> Path:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        frames = tuple(VideoFrame(n, **size) for n in range(4))
        write_labels(VideoLabels(name, skeleton, frames, persons), path, format)
        return path

    return make


def estimate(
    results: PoseResults | Path,
    indices: Sequence[int] = (0,),
    boxes: Sequence[np.ndarray] = (BOX_LEFT,),
    frames: ArrayFrames = FRAMES,
) -> PoseHeatmaps:
    results = PoseResults(results) if isinstance(results, Path) else results
    return results.estimate_frames(PersonFrames(frames, indices, np.stack(boxes), {}, {}))


def assert_at(found: PoseHeatmaps, points: np.ndarray, row: int = 0) -> None:
    np.testing.assert_allclose(highest_places(found, row), points, atol=WITHIN)


def test_joints_are_peaks_at_their_places(write):
    found = estimate(write(pose(1, LEFT)), [1])
    assert_at(found, LEFT)
    assert found.known.tolist() == [[True, True, True]]


@pytest.mark.parametrize(
    ('identities', 'places', 'expected'),
    [
        # The box is as at the labels, from which the person goes on to the right.
        ((1, 1), {1: 12, 2: -6}, 12),
        # Another program has exchanged the two later, or has lost the person.
        ((1, 1), {1: 90, 2: -6}, -6),
        ((1, 1), {2: -6}, -6),
        # It numbers people anew in each picture.
        ((1, 2), {1: 12, 2: -6}, -6),
        # Of a single label it is not known whether it does.
        ((1,), {1: 12, 2: -6}, -6),
        ((None, None), {None: 12, 2: -6}, -6),
    ],
)
def test_who_has_the_identity_of_the_labels_is_chosen_if_in_the_box(
    write, identities, places, expected
):
    poses = [replace(pose(frame, LEFT), track_id=n) for frame, n in enumerate(identities)]
    poses += [replace(pose(3, np.add(LEFT, (x, 0))), track_id=n) for n, x in places.items()]
    labels = dict.fromkeys(range(len(identities)), LEFT)
    person = PersonFrames(FRAMES, (3,), BOX_LEFT[None], labels, {})
    heatmaps = PoseResults(write(*poses)).estimate_frames(person)
    assert_at(heatmaps, np.add(LEFT, (expected, 0)))


@pytest.mark.parametrize(
    ('scores', 'heights'),
    [
        ((1.0, 0.5, 0.25), (0.5, 0.25, 0.125)),
        # Poses without scores are as high as certain ones.
        (None, (0.5, 0.5, 0.5)),
        # Scores of foreign files.
        ((250.0, 1.0, -3.0), (0.5, 0.5, 0)),
        ((-1.0, -2.0, -3.0), (0, 0, 0)),
    ],
)
def test_peaks_are_half_as_high_as_scores_between_0_and_1(write, scores, heights):
    found = estimate(write(pose(0, LEFT, scores=scores), format='posetrack18'))
    assert found.known.all()
    np.testing.assert_allclose(found.heatmaps[0].max(axis=(1, 2)), heights, atol=0.02)
    assert (found.heatmaps[0].any(axis=(1, 2)) == np.greater(heights, 0)).all()


def test_a_joint_without_a_place_is_not_known(write):
    found = estimate(write(pose(0, LEFT, visibility=(2, 0, 1))))
    assert found.known.tolist() == [[True, False, True]]
    assert not found.heatmaps[0, 1].any()


def test_the_person_in_the_box_is_taken(write):
    path = write(pose(0, LEFT), pose(0, RIGHT), pose(1, RIGHT))
    found = estimate(path, [0, 0, 1, 3], [BOX_LEFT, BOX_RIGHT, BOX_LEFT, BOX_LEFT])
    assert_at(found, LEFT, 0)
    assert_at(found, RIGHT, 1)
    # Nobody is in the box in frame 1, and nobody at all in frame 3.
    assert found.known.tolist() == [[True] * 3, [True] * 3, [False] * 3, [False] * 3]
    assert not found.heatmaps[2:].any()


def test_joints_that_a_program_does_not_see_do_not_hide_its_person(write):
    """It gives them any place, with a score near 0."""
    astray = np.array([*LEFT[:2], [150.0, 118]])
    found = estimate(write(pose(0, astray, scores=(0.9, 0.8, 0.02)), format='posetrack18'))
    np.testing.assert_allclose(highest_places(found, 0)[:2], LEFT[:2], atol=WITHIN)


def head(points: np.ndarray) -> PersonLabel:
    """A person of whom a program knows the head alone."""
    return pose(0, points[:1] + np.array([[0, 0], [-3, -2], [3, -2]]))


def test_a_head_inside_of_a_persons_box_is_of_this_person(write):
    found = estimate(write(head(LEFT), head(RIGHT)), [0, 0], [BOX_LEFT, BOX_RIGHT])
    for row, points in enumerate((LEFT, RIGHT)):
        np.testing.assert_allclose(highest_places(found, row)[0], points[0], atol=WITHIN)


def test_of_two_heads_in_one_box_none_is_taken(write):
    assert not estimate(write(head(LEFT), head(LEFT + 9))).known.any()


def test_poses_of_one_video_are_taken_whatever_its_name(write):
    assert estimate(write(pose(0, LEFT), name='tracked_by_yolo')).known.all()


@pytest.mark.parametrize(
    ('name', 'other'),
    [
        ('clip.json', 'another.json'),
        # The files of DeepLabCut have the name of a network.
        ('clipDLC_resnet50_tails.json', 'clip2DLC_resnet50_tails.json'),
    ],
)
def test_a_folder_has_the_poses_of_each_video_under_its_name(write, name, other):
    write(pose(0, RIGHT), file=f'all/{other}', name='another')
    folder = write(pose(0, LEFT), file=f'all/{name}').parent
    for foreign in ('A video.mp4', 'README.md'):
        (folder / foreign).write_text('nothing')
    assert_at(estimate(folder), LEFT)


def yolo(folder: Path, points: np.ndarray) -> None:
    """Write a pose as YOLO does: class, box and joints as shares of the picture."""
    folder.mkdir(parents=True)
    shares = np.column_stack([points / (160, 120), np.full(3, 2)])
    numbers = [0, 0.2, 0.5, 0.2, 0.75, *shares.ravel().tolist()]
    for frame in range(4):
        (folder / f'clip_{frame}.txt').write_text(' '.join(map(str, numbers)))


@pytest.mark.parametrize('several', [False, True], ids=['one video', 'a folder for each'])
def test_shares_of_pictures_are_those_of_the_video(tmp_path, several):
    folder = tmp_path / 'results'
    yolo(folder / 'clip' if several else folder, LEFT)
    assert_at(estimate(folder), LEFT)


def labels_and_estimates() -> list[PersonLabel]:
    """Labels of frames 0 and 3 and of one joint in frame 2, and what was propagated from them.

    The joints do not go straight on: then CVAT would need no key frame between the labels.
    """
    found = [replace(pose(n, LEFT + n**2, scores=(0.9, 0.8, 0.7)), track_id=0) for n in range(4)]
    sources = np.array(['given', 'propagated', 'propagated'])
    found[2] = replace(found[2], source='given', keypoint_sources=sources)
    return [found[0].with_source('given'), *found[1:3], found[3].with_source('given')]


FORMATS = {'coco': 'a.json', 'posetrack18': 'a.json', 'posetrack21': 'a.json', 'cvat': 'a.xml'}


@pytest.mark.parametrize('format', FORMATS)
def test_poses_that_were_propagated_from_labels_are_refused(write, format):
    results = PoseResults(write(*labels_and_estimates(), file=FORMATS[format], format=format))
    with pytest.raises(InputError, match=f'{FORMATS[format]} holds labels, and poses that were pr'):
        results.require_video(FRAMES)


def test_one_joint_of_a_label_that_was_propagated_is_enough(write):
    results = PoseResults(write(labels_and_estimates()[2]))
    with pytest.raises(InputError, match='expected poses that another program has estimated'):
        results.require_video(FRAMES)


@pytest.mark.parametrize('format', FORMATS)
def test_labels_that_a_person_made_of_every_frame_are_evidence(write, format):
    labels = [replace(pose(n, LEFT), track_id=0).with_source('given') for n in range(4)]
    # A joint that has yet to be propagated, and has no place.
    labels[2] = replace(
        labels[2],
        visibility=np.array([2, 2, 0]),
        keypoint_sources=np.array(['given', 'given', 'propagated']),
    )
    path = write(*labels, file=FORMATS[format], format=format)
    known = estimate(path, [1, 2], [BOX_LEFT] * 2).known
    assert known.tolist() == [[True, True, True], [True, True, False]]


def test_a_sleap_project_with_labels_beside_predictions_is_evidence(write, monkeypatch):
    """The package that reads such projects is not in every installation."""
    path = write(*labels_and_estimates())
    monkeypatch.setattr(
        'stdpose_mm.labelling.evidence.pose_results.sniff_format', lambda path: 'sleap'
    )
    assert estimate(path, [1]).known.all()


@pytest.mark.parametrize(
    ('write_poses', 'frames', 'sentence'),
    [
        (
            lambda write: write(pose(0, LEFT), file='all/another.json').parent,
            FRAMES,
            r'all holds no file for clip, expected one such as clip\.json',
        ),
        (
            lambda write: (
                [
                    write(
                        pose(0, LEFT), file='all/a.json', skeleton=Skeleton(('nose', 'tail', 'paw'))
                    ),
                    write(pose(0, LEFT), file='all/clip.json'),
                ][1].parent
            ),
            FRAMES,
            'the poses of clip in all have other joints',
        ),
        (lambda write: write(pose(3, LEFT)), SHORT, 'estimates'),
        (
            lambda write: write(pose(0, 2 * LEFT), width=320, height=240),
            FRAMES,
            'the estimates of clip were made at 320x240 pixels',
        ),
        (
            lambda write: write(*(pose(n, 3 * RIGHT) for n in range(4))),
            FRAMES,
            'joints of the estimates of clip lie outside the 160x120',
        ),
    ],
    ids=['no file', 'other joints', 'too many frames', 'another size', 'beyond the pictures'],
)
def test_poses_that_do_not_fit_the_video_are_refused(write, write_poses, frames, sentence):
    results = PoseResults(write_poses(write))
    with pytest.raises(InputError, match=sentence):
        estimate(results, frames=frames)


def test_one_pose_beyond_the_picture_is_no_reason_to_refuse_the_others(write):
    path = write(*(pose(n, LEFT) for n in range(4)), pose(3, LEFT + 900))
    assert estimate(path, [3]).known.all()


def test_two_videos_of_one_name_are_told_apart(write):
    results = PoseResults(write(pose(3, LEFT)))
    estimate(results, [3])
    with pytest.raises(InputError, match='estimates'):
        estimate(results, frames=SHORT)


def test_fingerprints_tell_contents_and_not_uses(write):
    results = PoseResults(write(pose(0, LEFT)))
    before = fingerprint(results)
    estimate(results)
    assert fingerprint(results) == before


def test_the_files_of_a_video_change_with_its_poses_alone(write):
    folder = write(pose(0, LEFT), file='all/clip.json').parent

    def digest() -> str:
        return fingerprint(PoseResults(folder).files_of('clip'))

    before = digest()
    write(pose(0, RIGHT), file='all/another.json', name='another')
    assert digest() == before
    (folder / 'clip.json').rename(folder / 'x.json')
    (folder / 'another.json').rename(folder / 'clip.json')
    assert digest() != before


def test_poses_that_were_changed_are_read_anew(write):
    results = PoseResults(write(pose(0, LEFT)))
    for points in (LEFT, LEFT + 8):
        write(pose(0, points))
        results.files_of('clip')
        assert_at(estimate(results), points)


def test_a_missing_file_is_refused():
    with pytest.raises(InputError, match=r'the poses missing\.json do not exist, give a file'):
        load_pose_network(PoseNetworkFiles('missing.json', kind='results'))
