from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.detection import DetectedBoxes, PersonDetector, PrecomputedBoxes, WholePicture
from stdpose_mm.errors import InputError
from stdpose_mm.inference.estimate_video import estimate_video, identify_by_pose, smooth_poses
from stdpose_mm.inference.frame_estimate import FrameEstimate, unknown_frame
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes
from stdpose_mm.tracking.smoothing import SavitzkyGolay


def frame(index, keypoints, track_id=4, scores=None):
    people = FrameBoxes([[0, 0, 50, 50]], [1], [track_id])
    keypoints = np.asarray(keypoints, np.float32)[None]
    return FrameEstimate(
        index,
        people,
        keypoints,
        np.ones(keypoints.shape[:2]) if scores is None else np.array([scores]),
        picture=np.full((2, 2, 3), index, np.uint8),
    )


class CornerEstimator:
    """Stands for a pose estimator: two joints, both at the first corner of the box."""

    is_closed = False

    def estimate(self, frames, max_waiting, keep_pictures, keep_heatmaps):
        try:
            for index, picture, people in frames:
                if picture is None:
                    yield unknown_frame(index, 2)
                    continue
                points = np.repeat(people.boxes[:, None, :2], 2, axis=1)
                scores = np.ones(points.shape[:2])
                kept = picture if keep_pictures else None
                yield FrameEstimate(index, people, points, scores, picture=kept)
        finally:
            self.is_closed = True


class BrokenStart(FrameSource):
    """Three pictures of 4 x 2 pixels, of which the first cannot be read."""

    name, fps, size = 'video', None, (4, 2)

    def __len__(self):
        return 3

    def path_of(self, index):
        return 'video.mp4'

    def _read(self, index):
        if index == 0:
            raise InputError('frame 0 is damaged')
        return picture(index)


def picture(value):
    return np.full((2, 4, 3), value, np.uint8)


def test_a_frame_that_cannot_be_read_shows_the_last_picture():
    pictures = [picture(1), None, None, picture(4)]
    found = estimate_video(pictures, WholePicture(), CornerEstimator(), keep_pictures=True)
    assert [f.picture[0, 0, 0] for f in found] == [1, 1, 1, 4]


def test_before_the_first_picture_it_is_black():
    found = list(
        estimate_video(BrokenStart(), WholePicture(), CornerEstimator(), keep_pictures=True)
    )
    assert [f.picture.shape for f in found] == [(2, 4, 3)] * 3
    assert [f.picture.max() for f in found] == [0, 1, 2]


def test_poses_are_identified_before_they_are_smoothed():
    # The box tracker takes one person for another after every frame, which poses correct, so that
    # the filter sees one run: 0, 3 and 0 have a mean of 1.
    boxes = {n: FrameBoxes([[x, 0, 50, 50]], [1], [n]) for n, x in enumerate((0, 3, 0))}
    pictures = [picture(n) for n in range(3)]
    found = list(
        estimate_video(
            pictures, PrecomputedBoxes(boxes), CornerEstimator(), 'oks', SavitzkyGolay(3, 0)
        )
    )
    assert [f.people.track_ids.tolist() for f in found] == [[0]] * 3
    assert found[1].keypoints[0, 0, 0] == pytest.approx(1)


class Steps(PersonDetector):
    """Finds boxes at these x in picture n, which is uniformly n."""

    def __init__(self, xs_of):
        self.xs_of = xs_of

    def _detect(self, shown):
        xs = self.xs_of(int(shown[0, 0, 0]))
        return np.array([[x, 0, x + 40, 90] for x in xs]).reshape(-1, 4), np.full(len(xs), 0.9)


def test_detected_people_are_confirmed_and_numbered_without_holes():
    # A blip at 300 in frames 3 to 5, and a person at 600 from frame 6 on.
    detector = Steps(lambda n: [0.0, *[300.0] * (3 <= n <= 5), *[600.0] * (n >= 6)])
    pictures = [picture(n) for n in range(20)]

    def ids(min_track_frames):
        found = estimate_video(
            pictures, DetectedBoxes(detector), CornerEstimator(), min_track_frames=min_track_frames
        )
        return [
            dict(zip(f.people.track_ids.tolist(), f.keypoints[:, 0, 0], strict=True)) for f in found
        ]

    assert ids(4) == [{1: 0}] * 6 + [{1: 0, 2: 600}] * 14
    assert ids(3) == [{1: 0}] * 3 + [{1: 0, 2: 300}] * 3 + [{1: 0, 3: 600}] * 14


def test_boxes_without_track_ids_are_all_there_and_numbered_from_one():
    boxes = {0: FrameBoxes(np.array([[0.0, 0, 50, 50], [10, 10, 20, 20]]), np.ones(2))}
    found = estimate_video(
        [picture(n) for n in range(20)], PrecomputedBoxes(boxes), CornerEstimator()
    )
    assert [f.people.track_ids.tolist() for f in found] == [[1, 2]] + [[]] * 19


@pytest.mark.parametrize('smoother', [None, SavitzkyGolay(3, 1)])
def test_closing_ends_the_estimator(smoother):
    estimator = CornerEstimator()
    pictures = [picture(n) for n in range(9)]
    found = estimate_video(
        pictures, WholePicture(), estimator, smoother=smoother, keep_pictures=True
    )
    next(found)
    assert not estimator.is_closed
    found.close()
    assert estimator.is_closed


def test_smoothed_poses_keep_their_frames():
    points = np.random.default_rng(0).normal(20, 3, (8, 2, 2))
    frames = [frame(i, p, scores=[1, 0.1]) for i, p in enumerate(points)]
    smoothed = list(smooth_poses(iter(frames), SavitzkyGolay(3, 1)))
    assert [f.picture[0, 0, 0] for f in smoothed] == list(range(8))
    assert all(f.people is before.people for f, before in zip(smoothed, frames, strict=True))
    after = np.concatenate([f.keypoints for f in smoothed])
    # Three in a row lie at their mean; the joint with a low score stays.
    np.testing.assert_allclose(after[1:-1, 0], (points[:-2] + points[1:-1] + points[2:])[:, 0] / 3)
    np.testing.assert_allclose(after[:, 1], points[:, 1], rtol=1e-6)


def test_identities_by_pose_replace_those_of_boxes():
    points = np.random.default_rng(1).uniform(0, 50, (6, 2))
    empty = FrameEstimate(1, NO_PEOPLE, np.zeros((0, 6, 2)), np.zeros((0, 6)))
    frames = [frame(0, points, 4), empty, frame(2, points + 1, 9)]
    found = list(identify_by_pose(frames))
    assert [f.people.track_ids.tolist() for f in found] == [[0], [], [0]]
    assert found[2].keypoints is frames[2].keypoints
