"""Poses of people in boxes by a network that sees single frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from stdpose_mm.detection import BoxedFrame
from stdpose_mm.inference.frame_pose_estimator import FramePoseEstimator
from stdpose_mm.structures import FrameBoxes, Skeleton


class Corners:
    """Finds two joints at the first and the last corner of the box; scores tell the picture."""

    skeleton = Skeleton(('first', 'last'))

    def __init__(self) -> None:
        self.batches: list[int] = []

    def find(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self.batches.append(len(pictures))
        first, last = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        brightness = np.array([picture.mean() / 100 for picture in pictures])
        return np.stack([first, last], axis=1), np.stack([brightness, brightness / 2], axis=1)


def people(*xs: float) -> FrameBoxes:
    """Boxes of 10x20 pixels that begin at these x and y = 3, with ids 5, 6, ..."""
    boxes = np.array([[x, 3, 10, 20] for x in xs], float).reshape(-1, 4)
    return FrameBoxes(boxes, np.full(len(xs), 0.9), np.arange(len(xs)) + 5)


def boxed(index: int, *xs: float) -> BoxedFrame:
    """A frame whose picture is uniformly its index."""
    return BoxedFrame(index, np.full((30, 40, 3), index, np.uint8), people(*xs))


class Blind(Corners):
    """Sees nobody whose box begins at an x of 7."""

    def find(self, pictures, boxes):
        points, scores = super().find(pictures, boxes)
        points[boxes[:, 0] == 7] = np.nan
        return points, scores


def test_people_whom_the_network_does_not_see_are_left_out() -> None:
    found = list(FramePoseEstimator(Blind()).estimate([boxed(10, 1, 7, 9), boxed(11, 7)]))
    assert [frame.keypoints[:, 0].tolist() for frame in found] == [[[1, 3], [9, 3]], []]
    assert [frame.people.track_ids.tolist() for frame in found] == [[5, 7], []]


def test_everyone_is_estimated_in_their_own_box_and_picture() -> None:
    network = Corners()
    frames = [boxed(10, 1, 7), boxed(11), boxed(12, 4)]
    found = list(FramePoseEstimator(network).estimate(frames))
    assert [frame.frame_index for frame in found] == [10, 11, 12]
    assert [frame.keypoints.tolist() for frame in found] == [
        [[[1, 3], [11, 23]], [[7, 3], [17, 23]]],
        [],
        [[[4, 3], [14, 23]]],
    ]
    np.testing.assert_allclose(found[0].scores, [[0.1, 0.05]] * 2)
    np.testing.assert_allclose(found[2].scores, [[0.12, 0.06]])
    assert found[1].keypoints.shape == (0, 2, 2)
    assert [frame.people.track_ids.tolist() for frame in found] == [[5, 6], [], [5]]
    assert [(frame.origin, frame.picture, frame.heatmaps) for frame in found] == [
        ('predicted', None, None)
    ] * 3


def test_nobody_in_the_whole_video() -> None:
    network = Corners()
    found = list(FramePoseEstimator(network).estimate([boxed(0), boxed(1)]))
    assert [len(frame) for frame in found] == [0, 0]
    assert network.batches == []
    assert list(FramePoseEstimator(network).estimate([])) == []


def test_batches_are_filled_across_frames_and_split_within_one() -> None:
    network = Corners()
    frames = [boxed(0, 1), boxed(1), boxed(2, 1, 2), boxed(3, *range(7)), boxed(4, 1)]
    found = list(FramePoseEstimator(network, batch_size=3).estimate(frames))
    assert network.batches == [3, 3, 3, 1, 1]
    assert found[3].keypoints[:, 0, 0].tolist() == [*range(7)]


@pytest.mark.parametrize(
    ('max_waiting', 'batches'), [(1, [1] * 9), (3, [3, 3, 3]), (None, [4, 4, 1])]
)
def test_a_batch_need_not_be_full(max_waiting: int | None, batches: list[int]) -> None:
    network = Corners()
    frames = [boxed(index, 1) for index in range(9)]
    list(FramePoseEstimator(network, batch_size=4).estimate(frames, max_waiting))
    assert network.batches == batches


def test_frames_without_people_do_not_fill_the_memory() -> None:
    taken: list[int] = []

    def frames() -> Iterator[BoxedFrame]:
        for index in range(100):
            taken.append(index)
            yield boxed(index)

    for frame in FramePoseEstimator(Corners(), batch_size=4).estimate(frames()):
        # Twice the batch size, four that are read ahead, and one at work.
        assert len(taken) - frame.frame_index <= 8 + 4 + 1


def test_a_frame_that_cannot_be_read_is_interpolated() -> None:
    network = Corners()
    lost = BoxedFrame(1, None, people(2))
    after = BoxedFrame(2, np.full((30, 40, 3), 20, np.uint8), people(5))
    found = list(FramePoseEstimator(network, 2).estimate([boxed(0, 1), lost, after]))
    assert [frame.origin for frame in found] == ['predicted', 'interpolated', 'predicted']
    assert found[1].keypoints.tolist() == [[[3, 3], [13, 23]]]
    # Half of the mean of 0 and 0.2.
    np.testing.assert_allclose(found[1].scores, [[0.05, 0.025]])
    # The person in the lost frame takes no place in the batch.
    assert network.batches == [2]


def test_pictures_are_kept_on_request() -> None:
    frames = [boxed(3, 1), boxed(4)]
    found = list(FramePoseEstimator(Corners()).estimate(frames, keep_pictures=True))
    assert [frame.picture[0, 0, 0] for frame in found if frame.picture is not None] == [3, 4]


def test_closing_ends_the_thread_that_reads() -> None:
    before = threading.active_count()
    estimates = FramePoseEstimator(Corners(), 1).estimate(boxed(n, 1) for n in range(50))
    next(estimates)
    assert threading.active_count() == before + 1
    estimates.close()
    assert threading.active_count() == before
