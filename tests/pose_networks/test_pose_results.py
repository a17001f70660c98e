"""Poses of another program as heatmaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.pose_networks import PoseNetworkFiles, load_pose_network, require_every_video
from stdpose_mm.pose_networks.pose_results import PoseResults
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('nose', 'left_ankle', 'right_ankle'))
FRAMES = ArrayFrames([np.full((120, 160, 3), n, np.uint8) for n in range(4)], 'clip')
LEFT = np.array([[30, 20], [20, 90], [40, 90]], float)
RIGHT = LEFT + np.array([90, 10])
BOX_LEFT, BOX_RIGHT = np.array([15, 10, 30, 90.0]), np.array([105, 20, 30, 90.0])


def pose(frame: int, points: np.ndarray, visibility=(2, 2, 2), scores=None) -> PersonLabel:
    return PersonLabel(
        frame, points, np.array(visibility), scores=scores and np.array(scores), source='propagated'
    )


def labels_of(*persons: PersonLabel, name: str = 'clip', skeleton: Skeleton = SKELETON):
    return VideoLabels(name, skeleton, tuple(VideoFrame(n) for n in range(4)), persons)


@pytest.fixture
def write(tmp_path):
    def make(
        *persons: PersonLabel, file: str = 'poses.json', format: str = 'coco', **fields
    ) -> Path:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        write_labels(labels_of(*persons, **fields), path, format)
        return path

    return make


def peaks(found, row: int) -> np.ndarray:
    """Return the highest places of the maps of one frame, in pixels of the picture."""
    maps = found.heatmaps[row]
    cells = [np.unravel_index(plane.argmax(), plane.shape)[::-1] for plane in maps]
    affine = found.to_heatmap[row]
    return np.array([np.linalg.solve(affine[:, :2], cell - affine[:, 2]) for cell in cells])


def test_joints_are_peaks_at_their_places_half_as_high_as_their_scores(write):
    results = PoseResults(write(pose(1, LEFT, scores=(1.0, 0.5, 0.25))))
    found = results.estimate_frames(FRAMES, [1], BOX_LEFT[None], {}, {})
    # A cell is 1.5 * 90 / 64 pixels, so a place is found within half of that.
    np.testing.assert_allclose(peaks(found, 0), LEFT, atol=1.06)
    np.testing.assert_allclose(found.heatmaps[0].max(axis=(1, 2)), (0.5, 0.25, 0.125), atol=0.02)
    assert found.known.tolist() == [[True, True, True]]


def test_poses_without_scores_are_as_high_as_certain_ones(write):
    found = PoseResults(write(pose(0, LEFT))).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    np.testing.assert_allclose(found.heatmaps[0].max(axis=(1, 2)), 0.5, atol=0.02)


def test_scores_of_foreign_files_end_at_one(write):
    results = PoseResults(write(pose(0, LEFT, scores=(250.0, 1.0, -3.0))))
    highest = results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {}).heatmaps.max(axis=(2, 3))
    assert highest[0, 0] == pytest.approx(0.5, abs=0.02)
    assert highest[0, 2] == 0


def test_a_joint_without_a_place_is_not_known(write):
    results = PoseResults(write(pose(1, LEFT, visibility=(2, 0, 1))))
    found = results.estimate_frames(FRAMES, [1], BOX_LEFT[None], {}, {})
    assert found.known.tolist() == [[True, False, True]]
    assert not found.heatmaps[0, 1].any()


def test_the_person_in_the_box_is_taken(write):
    results = PoseResults(write(pose(0, LEFT), pose(0, RIGHT), pose(1, RIGHT)))
    found = results.estimate_frames(
        FRAMES, [0, 0, 1], np.stack([BOX_LEFT, BOX_RIGHT, BOX_LEFT]), {}, {}
    )
    np.testing.assert_allclose(peaks(found, 0), LEFT, atol=1.06)
    np.testing.assert_allclose(peaks(found, 1), RIGHT, atol=1.06)
    assert found.known.tolist() == [[True] * 3, [True] * 3, [False] * 3]


def test_nothing_is_known_of_a_frame_without_poses(write):
    results = PoseResults(write(pose(0, LEFT)))
    found = results.estimate_frames(FRAMES, [3], BOX_LEFT[None], {}, {})
    assert not found.known.any()
    assert not found.heatmaps.any()


def test_poses_of_one_video_are_taken_whatever_its_name(write):
    results = PoseResults(write(pose(0, LEFT), name='tracked_by_yolo'))
    assert results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {}).known.all()


def test_a_folder_has_the_poses_of_each_video_under_its_name(write):
    write(pose(0, RIGHT), file='all/another.json', name='another')
    path = write(pose(0, LEFT), file='all/clip.json').parent
    found = PoseResults(path).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    np.testing.assert_allclose(peaks(found, 0), LEFT, atol=1.06)


def test_a_video_without_poses_in_a_folder_is_refused(write):
    path = write(pose(0, LEFT), file='all/another.json').parent
    with pytest.raises(
        InputError, match=r'all holds no file for clip, expected one such as clip\.json'
    ):
        PoseResults(path).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})


def test_other_joints_in_one_folder_are_refused(write):
    other = Skeleton(('nose', 'tail', 'paw'))
    write(pose(0, LEFT), file='all/another.json', name='another', skeleton=other)
    path = write(pose(0, LEFT), file='all/clip.json').parent
    with pytest.raises(InputError, match='the poses of clip in all have other joints'):
        PoseResults(path).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})


def labels_and_estimates() -> list[PersonLabel]:
    """Labels of frames 0 and 3 and of one joint in frame 2, and what was propagated from them.

    The joints do not go straight on: then CVAT would need no key frame between the labels.
    """
    found = [replace(pose(n, LEFT + n**2, scores=(0.9, 0.8, 0.7)), track_id=0) for n in range(4)]
    sources = np.array(['given', 'propagated', 'propagated'])
    found[2] = replace(found[2], source='given', keypoint_sources=sources)
    return [found[0].with_source('given'), *found[1:3], found[3].with_source('given')]


@pytest.mark.parametrize('format', ['coco', 'posetrack18', 'posetrack21', 'cvat'])
def test_poses_that_were_propagated_from_labels_are_refused(write, format):
    file = 'dense.xml' if format == 'cvat' else 'dense.json'
    results = PoseResults(write(*labels_and_estimates(), file=file, format=format))
    with pytest.raises(InputError, match=rf'{file} holds labels, and poses that were propagated'):
        results.require_video(FRAMES)


def test_one_joint_of_a_label_that_was_propagated_is_enough(write):
    results = PoseResults(write(labels_and_estimates()[2]))
    with pytest.raises(InputError, match='expected poses that another program has estimated'):
        results.require_video(FRAMES)


@pytest.mark.parametrize('format', ['coco', 'posetrack18', 'posetrack21', 'cvat'])
def test_labels_that_a_person_made_of_every_frame_are_evidence(write, format):
    labels = [replace(pose(n, LEFT), track_id=0).with_source('given') for n in range(4)]
    # A joint that has yet to be propagated, and has no place.
    labels[2] = replace(
        labels[2],
        visibility=np.array([2, 2, 0]),
        keypoint_sources=np.array(['given', 'given', 'propagated']),
    )
    file = 'all.xml' if format == 'cvat' else 'all.json'
    results = PoseResults(write(*labels, file=file, format=format))
    known = results.estimate_frames(FRAMES, [1, 2], np.stack([BOX_LEFT] * 2), {}, {}).known
    assert known.tolist() == [[True, True, True], [True, True, False]]


def test_a_sleap_project_with_labels_beside_predictions_is_evidence(write, monkeypatch):
    """The package that reads such projects is not in every installation."""
    path = write(*labels_and_estimates())
    monkeypatch.setattr('stdpose_mm.pose_networks.pose_results.sniff_format', lambda path: 'sleap')
    known = PoseResults(path).estimate_frames(FRAMES, [1], BOX_LEFT[None], {}, {}).known
    assert known.all()


def test_poses_on_frames_that_the_video_lacks_are_refused(write):
    results = PoseResults(write(pose(3, LEFT)))
    short = ArrayFrames(list(FRAMES)[:2], 'clip')
    with pytest.raises(InputError, match='estimates'):
        results.estimate_frames(short, [0], BOX_LEFT[None], {}, {})


def test_poses_in_pictures_of_another_size_are_refused(tmp_path):
    frames = tuple(VideoFrame(n, width=320, height=240) for n in range(4))
    labels = VideoLabels('clip', SKELETON, frames, (pose(0, 2 * LEFT),))
    write_labels(labels, tmp_path / 'large.json', 'coco')
    results = PoseResults(tmp_path / 'large.json')
    with pytest.raises(InputError, match='the estimates of clip were made at 320x240 pixels'):
        results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})


def test_fingerprints_tell_contents_and_not_uses(write):
    path = write(pose(0, LEFT))
    results = PoseResults(path)
    before = fingerprint(results)
    results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    assert fingerprint(results) == before


def files_digest(path: Path, video: str = 'clip') -> str:
    return fingerprint(PoseResults(path).files_of(video))


def test_the_files_of_a_video_change_with_its_poses_alone(write):
    folder = write(pose(0, LEFT), file='all/clip.json').parent
    before = files_digest(folder)
    write(pose(0, RIGHT), file='all/another.json', name='another')
    assert files_digest(folder) == before
    write(pose(0, LEFT + 1), file='all/clip.json')
    assert files_digest(folder) != before


def test_which_file_is_of_a_video_counts(write):
    folder = write(pose(0, LEFT), file='all/clip.json').parent
    write(pose(0, RIGHT), file='all/another.json', name='another')
    before = files_digest(folder)
    (folder / 'clip.json').rename(folder / 'x.json')
    (folder / 'another.json').rename(folder / 'clip.json')
    assert files_digest(folder) != before


def test_poses_that_were_changed_are_read_anew(write):
    path = write(pose(0, LEFT))
    results = PoseResults(path)
    for points in (LEFT, LEFT + 8):
        write(pose(0, points))
        results.files_of('clip')
        found = results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
        np.testing.assert_allclose(peaks(found, 0), points, atol=1.06)


def test_two_videos_of_one_name_are_told_apart(write):
    results = PoseResults(write(pose(3, LEFT)))
    results.estimate_frames(FRAMES, [3], BOX_LEFT[None], {}, {})
    with pytest.raises(InputError, match='estimates'):
        results.estimate_frames(ArrayFrames(list(FRAMES)[:2], 'clip'), [0], BOX_LEFT[None], {}, {})


def test_joints_that_a_program_does_not_see_do_not_hide_its_person(write):
    """It gives them any place, with a score near 0."""
    astray = np.array([*LEFT[:2], [150.0, 118]])
    results = PoseResults(write(pose(0, astray, scores=(0.9, 0.8, 0.02)), format='posetrack18'))
    found = results.estimate_frames(FRAMES, [0], np.array([[15, 10, 30, 90.0]]), {}, {})
    np.testing.assert_allclose(peaks(found, 0)[:2], LEFT[:2], atol=1.06)


def test_scores_below_zero_are_no_reason_to_fail(write):
    results = PoseResults(write(pose(0, LEFT, scores=(-1.0, -2.0, -3.0)), format='posetrack18'))
    found = results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    assert found.known.all()
    assert not found.heatmaps.any()


def head(frame: int, points: np.ndarray) -> PersonLabel:
    """A person of whom a program knows the head alone."""
    face = points[:1] + np.array([[0, 0], [-3, -2], [3, -2]])
    return pose(frame, face)


def test_a_head_inside_of_a_persons_box_is_of_this_person(write):
    results = PoseResults(write(head(0, LEFT), head(0, RIGHT)))
    found = results.estimate_frames(FRAMES, [0, 0], np.stack([BOX_LEFT, BOX_RIGHT]), {}, {})
    np.testing.assert_allclose(peaks(found, 0)[0], LEFT[0], atol=1.06)
    np.testing.assert_allclose(peaks(found, 1)[0], RIGHT[0], atol=1.06)


def test_of_two_heads_in_one_box_none_is_taken(write):
    results = PoseResults(write(head(0, LEFT), head(0, LEFT + 9)))
    assert not results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {}).known.any()


def test_a_folder_may_hold_other_files(write):
    folder = write(pose(0, LEFT), file='all/clip.json').parent
    for name in ('A video.mp4', 'README.md'):
        (folder / name).write_text('nothing')
    assert PoseResults(folder).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {}).known.all()


def test_the_files_of_deeplabcut_have_the_name_of_a_network(write):
    folder = write(pose(0, LEFT), file='all/clipDLC_resnet50_tails.json').parent
    write(pose(0, RIGHT), file='all/clip2DLC_resnet50_tails.json')
    found = PoseResults(folder).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    np.testing.assert_allclose(peaks(found, 0), LEFT, atol=1.06)


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
    found = PoseResults(folder).estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})
    np.testing.assert_allclose(peaks(found, 0), LEFT, atol=1.06)


def test_poses_beyond_the_pictures_are_of_another_size(write):
    results = PoseResults(write(*(pose(n, 3 * RIGHT) for n in range(4))))
    with pytest.raises(InputError, match='joints of the estimates of clip lie outside the 160x120'):
        results.estimate_frames(FRAMES, [0], BOX_LEFT[None], {}, {})


def test_one_pose_beyond_the_picture_is_no_reason_to_refuse_the_others(write):
    results = PoseResults(write(*(pose(n, LEFT) for n in range(4)), pose(3, LEFT + 900)))
    assert results.estimate_frames(FRAMES, [3], BOX_LEFT[None], {}, {}).known.all()


@pytest.mark.parametrize('num_videos', [1, 2])
def test_poses_of_one_video_are_refused_for_several(write, num_videos):
    files = PoseNetworkFiles(str(write(pose(0, LEFT))), results=True)
    if num_videos == 1:
        require_every_video([files], num_videos)
        return
    with pytest.raises(InputError, match=r'poses\.json are of one video, but there are 2'):
        require_every_video([files], num_videos)


def test_a_folder_of_poses_serves_several_videos(write):
    folder = write(pose(0, LEFT), file='all/clip.json').parent
    require_every_video([PoseNetworkFiles(str(folder), results=True)], 2)


def test_a_text_names_results(write):
    path = write(pose(0, LEFT))
    files = PoseNetworkFiles.parse(f'{path}=results')
    assert files == PoseNetworkFiles(str(path), results=True)
    assert [*files.read_files().values()] == [path]
    assert isinstance(load_pose_network(files), PoseResults)


def test_a_missing_file_is_refused():
    with pytest.raises(InputError, match=r'the poses missing\.json do not exist, give a file'):
        load_pose_network(PoseNetworkFiles('missing.json', results=True))
