from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.detection import BoxedFrame
from stdpose_mm.inference.frame_estimate import FrameEstimate, unknown_frame
from stdpose_mm.inference.sparse_estimator import SparseEstimator
from stdpose_mm.structures import FrameBoxes

pytestmark = pytest.mark.slow

HEIGHT, WIDTH, SPEED = 120, 200, 3.0
RNG = np.random.default_rng(5)
BACKGROUND = RNG.integers(0, 90, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
PERSON = RNG.integers(100, 255, (12, 8, 3)).repeat(5, axis=0).repeat(5, axis=1)  # 60 x 40
JOINTS = np.array([[8, 10], [32, 10], [20, 50]], float)  # from the corner of the person's box


def box_at(frame, track_id):
    """[4] x, y, width, height; 7 walks right, 8 stands still."""
    return [20 + SPEED * frame, 30, 40, 60] if track_id == 7 else [150, 50, 40, 60]


def boxed(frame, track_ids=(7,), picture=None):
    if picture is None:
        picture = BACKGROUND.astype(np.uint8)
        for track_id in track_ids:
            x, y, width, height = map(int, box_at(frame, track_id))
            picture[y : y + height, x : x + width] = PERSON
    boxes = np.array([box_at(frame, each) for each in track_ids], float).reshape(-1, 4)
    return BoxedFrame(
        frame, picture, FrameBoxes(boxes, np.ones(len(boxes)), np.array(track_ids, np.int64))
    )


def joints_at(frame, track_id=7):
    return np.array(box_at(frame, track_id)[:2]) + JOINTS


class ExactEstimator:
    """Stands for a network: joints are where they are, scores ascend from frame to frame."""

    def __init__(self):
        self.numbers, self.is_closed = [], False

    def estimate(self, frames, max_waiting=None, keep_pictures=False, keep_heatmaps=False):
        try:
            for number, picture, people in frames:
                self.numbers.append(number)
                if picture is None:
                    yield unknown_frame(number, 3)
                    continue
                keypoints = people.boxes[:, None, :2] + JOINTS
                scores = np.full(keypoints.shape[:2], min(0.2 + 0.1 * number, 1))
                kept = picture if keep_pictures else None
                yield FrameEstimate(number, people, keypoints, scores, picture=kept)
        finally:
            self.is_closed = True


def run(frames, every=3, **options):
    network = ExactEstimator()
    return list(SparseEstimator(network, every).estimate(frames, **options)), network


def origins(estimates):
    return ''.join(estimate.origin[0] for estimate in estimates)


def test_flow_carries_the_poses_to_the_frames_between():
    estimates, network = run([boxed(frame, (7, 8)) for frame in range(10)])
    assert origins(estimates) == 'phhphhphhp'
    assert network.numbers == [0, 1, 2, 3]
    assert [estimate.frame_index for estimate in estimates] == list(range(10))
    for estimate in estimates:
        expected = [joints_at(estimate.frame_index, each) for each in (7, 8)]
        np.testing.assert_allclose(estimate.keypoints, expected, atol=0.5)
        np.testing.assert_array_equal(
            estimate.people.boxes, boxed(estimate.frame_index, (7, 8)).people.boxes
        )


def test_the_order_of_people_is_that_of_each_frame():
    orders = [(7, 8), (8, 7), (7, 8), (8, 7)]
    estimates, _ = run([boxed(frame, order) for frame, order in enumerate(orders)])
    assert origins(estimates) == 'phhp'
    for frame, order in enumerate(orders):
        expected = [joints_at(frame, each) for each in order]
        np.testing.assert_allclose(estimates[frame].keypoints, expected, atol=0.5)


def test_a_person_whom_the_network_misses_at_an_end_is_not_carried():
    class MissesSeven(ExactEstimator):
        def estimate(self, *arguments):
            for estimate in super().estimate(*arguments):
                is_seen = estimate.people.track_ids != 7
                yield estimate.select(is_seen) if estimate.frame_index == 1 else estimate

    frames = [boxed(frame, (7, 8)) for frame in range(4)]
    estimates = list(SparseEstimator(MissesSeven(), 3).estimate(frames))
    assert [e.people.track_ids.tolist() for e in estimates] == [[7, 8], [8], [8], [8]]
    np.testing.assert_allclose(estimates[1].keypoints, [joints_at(1, 8)], atol=0.5)


def test_scores_are_interpolated_where_both_tracks_arrive():
    frames = [boxed(0)._replace(frame_index=frame) for frame in range(4)]
    estimates, _ = run(frames)
    scores = [estimate.scores[0] for estimate in estimates]
    expected = np.array([0.2, 0.2 + 0.1 / 3, 0.2 + 0.2 / 3, 0.3])
    np.testing.assert_allclose(scores, expected.repeat(3).reshape(4, 3), rtol=1e-6)


def test_a_track_that_misses_the_other_estimate_counts_less_on_the_way():
    class Jumping(ExactEstimator):
        def estimate(self, *arguments):
            for estimate in super().estimate(*arguments):
                estimate.scores[:] = 1
                estimate.keypoints[:, 1, 0] += 6 * estimate.frame_index
                yield estimate

    frames = [boxed(0)._replace(frame_index=frame) for frame in range(4)]
    carried = list(SparseEstimator(Jumping(), 3).estimate(frames))[1]
    # Six pixels are a tenth of the box's height: log weights fall by 1 on a whole way. One third
    # of the way the later estimate has (1/3) e^(-2/3), the earlier one (2/3) e^(-1/3).
    share = np.exp(-2 / 3) / (np.exp(-2 / 3) + 2 * np.exp(-1 / 3))
    np.testing.assert_allclose(
        carried.keypoints[0, :, 0] - joints_at(0)[:, 0], [0, 6 * share, 0], atol=1e-3
    )


def test_the_last_frame_is_always_seen():
    assert origins(run([boxed(frame) for frame in range(9)])[0]) == 'phhphhphp'
    assert origins(run([boxed(frame) for frame in range(8)])[0]) == 'phhphhpp'
    assert origins(run([boxed(0)])[0]) == 'p'
    assert run([])[0] == []


def test_where_flow_cannot_be_followed_the_network_sees_all_frames():
    frames = [boxed(frame) for frame in range(10)]
    noise = RNG.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    frames[4] = boxed(4, picture=noise)
    estimates, network = run(frames)
    assert origins(estimates) == 'phhpppphhp'
    assert network.numbers == list(range(6))


def test_somebody_who_comes_or_goes_between_is_seen():
    ids = [(7,), (7,), (7, 8), (7,), (7,), (7,), (7, 8), (7, 8), (7, 8), (7,)]
    estimates, _ = run([boxed(frame, each) for frame, each in enumerate(ids)])
    assert origins(estimates) == 'pppphhpppp'
    assert [len(estimate) for estimate in estimates] == [len(each) for each in ids]


@pytest.mark.parametrize('missing', [0, 3])
def test_somebody_whom_the_boxes_lack_at_one_end_is_seen(missing):
    frames = [boxed(frame, (7, 8)) for frame in range(4)]
    frames[missing] = boxed(missing, (7,), picture=frames[missing].picture)
    assert origins(run(frames)[0]) == 'pppp'


def test_frames_without_people_are_carried_at_no_cost(monkeypatch):
    monkeypatch.setattr(
        'stdpose_mm.tracking.optical_flow.DISFlow.prepare',
        lambda *_: pytest.fail('flow was computed'),
    )
    estimates, _ = run([boxed(0, (7,)), boxed(1, ()), boxed(2, ()), boxed(3, (8,))])
    assert origins(estimates) == 'phhp'
    assert [len(estimate) for estimate in estimates] == [1, 0, 0, 1]


def test_around_a_frame_that_cannot_be_read_all_are_seen():
    frames = [boxed(frame) for frame in range(11)]
    frames[5] = frames[5]._replace(picture=None)
    estimates, network = run(frames)
    assert origins(estimates) == 'phhppuphhpp'
    assert network.numbers == list(range(7))
    assert [estimate.frame_index for estimate in estimates] == list(range(11))


def test_pictures_of_another_size_are_seen():
    frames = [boxed(frame) for frame in range(4)]
    frames[2] = boxed(2, picture=np.zeros((60, 60, 3), np.uint8))
    assert origins(run(frames)[0]) == 'pppp'


def test_pictures_are_kept_if_asked_for():
    frames = [boxed(frame) for frame in range(4)]
    estimates, _ = run(frames, keep_pictures=True)
    for frame, estimate in zip(frames, estimates, strict=True):
        assert estimate.picture is frame.picture
    assert [estimate.picture for estimate in run(frames)[0]] == [None] * 4


def shifted(frame, shift):
    index, picture, people = boxed(frame)
    boxes = people.boxes + np.array([*shift, 0, 0])
    return BoxedFrame(index, picture, FrameBoxes(boxes, people.scores, people.track_ids))


@pytest.mark.parametrize('shift', [[-60, -80], [150, 100], [500, 500]])
def test_boxes_may_lie_outside_of_the_picture(shift):
    estimates, _ = run([shifted(frame, shift) for frame in range(4)])
    assert all(np.isfinite(estimate.keypoints).all() for estimate in estimates)


def test_flow_is_computed_in_no_narrow_strip(monkeypatch):
    shapes = []

    def prepare(flow, picture):
        shapes.append(picture.shape[:2])
        return np.zeros((64, 64), np.uint8)

    monkeypatch.setattr('stdpose_mm.tracking.optical_flow.DISFlow.prepare', prepare)
    run([shifted(frame, [0, -500]) for frame in range(4)])
    assert len(shapes) == 4
    assert min(min(shape) for shape in shapes) >= 16


def test_closing_it_closes_the_network():
    class Kept(ExactEstimator):
        def estimate(self, *arguments):
            # A generator that nobody refers to would be closed without being asked.
            self.running = super().estimate(*arguments)
            return self.running

    network = Kept()
    estimates = SparseEstimator(network, 3).estimate(boxed(frame) for frame in range(10))
    next(estimates)
    assert not network.is_closed
    estimates.close()
    assert network.is_closed
