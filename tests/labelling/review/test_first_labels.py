from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.review import UnlabelledVideo, choose_first_labels, measure_motion
from stdpose_mm.labelling.review.first_labels import _MODELS, TrackMotion, _expect_wrong


def boxes_at(places: dict[int, float]) -> dict[int, np.ndarray]:
    """Boxes of 50 x 100 px at some x."""
    return {frame: np.array([x, 20.0, 50.0, 100.0]) for frame, x in places.items()}


def walking(steps: list[float], start: int = 0) -> TrackMotion:
    """A person whose box moves by the given shares of its size from frame to frame."""
    path = np.concatenate([[0.0], np.cumsum(steps)])[:, None]
    return TrackMotion(range(start, start + len(path)), path, True)


def test_boxes_tell_how_far_a_person_goes_in_its_own_size() -> None:
    boxes = {7: boxes_at({0: 0.0, 10: 100.0, 12: 120.0}), 9: boxes_at({5: 0.0, 9: 0.0})}
    moving, still = measure_motion(None, boxes)
    assert moving.frames == range(13)
    # 10 px a frame, and the larger side has 100; the ends are smoothed.
    assert np.diff(moving.paths[2:-2, 0]) == pytest.approx(0.1)
    assert still.frames == range(5, 10)
    assert still.paths.max() == 0
    assert moving.has_boxes


def test_the_side_of_a_box_that_moves_most_counts() -> None:
    """The left side goes 4 px a frame to the right, the right side stays."""
    boxes = {n: np.array([4.0 * n, 20.0, 90.0 - 4.0 * n, 100.0]) for n in range(13)}
    (person,) = measure_motion(None, {0: boxes})
    assert np.diff(person.paths[2:-2, 0]) == pytest.approx(0.04)


def test_pictures_tell_how_far_things_go() -> None:
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (120, 400)).astype(np.float32), (0, 0), 3)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    wide = np.repeat(noise[..., None], 3, axis=2)
    pictures = [wide[:, x : x + 160] for x in (0, 0, 3, 6)]
    (motion,) = measure_motion(ArrayFrames(pictures), None)
    assert motion.frames == range(4)
    steps = 120 * np.diff(motion.paths[:, 0])
    assert steps == pytest.approx([0, 3, 3], abs=0.4)
    assert not motion.has_boxes
    boxes = {0: {0: np.array([40.0, 20.0, 60.0, 80.0]), 3: np.array([31.0, 20.0, 60.0, 80.0])}}
    (person,) = measure_motion(ArrayFrames(pictures), boxes)
    assert person.paths.shape == (4, 3)
    # The median and the 90th percentile of what is in the box, in sizes of it.
    assert 80 * np.diff(person.paths[:, 1:], axis=0) == pytest.approx(
        np.array([[0, 0], [3, 3], [3, 3]]), abs=0.4
    )


def test_boxes_beyond_the_video_and_no_boxes() -> None:
    pictures = [np.zeros((60, 80, 3), np.uint8)] * 4
    (person,) = measure_motion(ArrayFrames(pictures), {0: boxes_at({2: 5.0, 9: 5.0})})
    assert person.frames == range(2, 4)
    with pytest.raises(InputError, match='no person box'):
        measure_motion(ArrayFrames(pictures), {})


def test_labels_go_where_a_person_moves() -> None:
    video = UnlabelledVideo([walking([0.0] * 60 + [0.08] * 40)], 101, 'flow')
    (frames,) = choose_first_labels([video], max_labels=7).frames
    assert len(frames) == 7
    assert sum(frame > 55 for frame in frames) >= 5


def test_several_videos_share_their_labels() -> None:
    still = UnlabelledVideo([walking([0.0] * 50)], 51, 'flow')
    moving = UnlabelledVideo([walking([0.08] * 50)], 51, 'flow')
    found = choose_first_labels([still, moving], max_labels=8)
    few, many = map(len, found.frames)
    assert 0 < few < many
    assert found.number == few + many == 8


def test_a_better_result_takes_more_labels_and_is_promised() -> None:
    video = UnlabelledVideo([walking([0.05] * 80)], 81, 'flow')
    numbers = []
    for target in (0.5, 0.8, 0.9, 0.95, 0.99):
        found = choose_first_labels([video], target)
        assert found.expected_right >= target
        numbers.append(found.number)
    assert numbers == sorted(set(numbers))
    everything = choose_first_labels([video])
    assert everything.expected_right == pytest.approx(1)


def test_people_are_labelled_while_they_are_there() -> None:
    video = UnlabelledVideo([walking([0.02] * 10, 4), walking([0.02] * 10, 60)], 90, 'flow')
    assert video.num_poses == 22
    (frames,) = choose_first_labels([video], max_labels=2).frames
    first, second = frames
    assert first in range(4, 15)
    assert second in range(60, 71)


def test_a_long_video_is_planned_chunk_by_chunk() -> None:
    video = UnlabelledVideo([walking([0.03] * 499)], 500, 'flow')
    assert len(video.fixed) == 4
    found = choose_first_labels([video], 0.95)
    (frames,) = found.frames
    assert set(video.fixed) < set(frames)
    assert found.expected_right >= 0.95
    # The frames between the chunks are some of the labels that it may have.
    assert choose_first_labels([video], max_labels=9).number == 9
    # As many a frame as a short one takes, but for the ends.
    short = UnlabelledVideo([walking([0.03] * 99)], 100, 'flow')
    assert len(frames) == pytest.approx(5 * choose_first_labels([short], 0.95).number, rel=0.2)


@pytest.mark.parametrize('num_frames', [1, 2, 121, 122])
def test_every_frame_can_be_labelled(num_frames: int) -> None:
    video = UnlabelledVideo([walking([0.5] * (num_frames - 1))], num_frames, 'linear')
    found = choose_first_labels([video])
    assert found.frames == (tuple(range(num_frames)),)
    assert found.expected_right == pytest.approx(1)


def test_methods_that_look_at_pictures_need_fewer_labels_of_fast_people() -> None:
    motions = [walking([0.06] * 60)]
    linear, flow, auto = (
        choose_first_labels([UnlabelledVideo(motions, 61, method)], 0.95).number
        for method in ('linear', 'flow', 'auto')
    )
    assert auto == flow < linear


@pytest.mark.parametrize('method', ['linear', 'flow'])
def test_a_method_of_ones_own_is_planned_by_whether_it_looks_at_pictures(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setitem(PROPAGATORS, 'mine', type('Mine', (PROPAGATORS[method],), {}))
    motions = [walking([0.06] * 60)]
    own, like = (
        choose_first_labels([UnlabelledVideo(motions, 61, name)], 0.95) for name in ('mine', method)
    )
    assert own == like


def wrong_at(
    motion: TrackMotion, frame: int, left: int | None, right: int | None, family: str
) -> float:
    """Compute the probability of one joint as it is described, number by number."""
    model = _MODELS[family, 'boxes']
    path = {at: float(value) for at, value in zip(motion.frames, motion.paths[:, 0], strict=True)}
    left, right = (end if end in path else None for end in (left, right))
    if left is None and right is None:
        return 1.0
    if left is not None and right is not None:
        place = (frame - left) / (right - left)
        nearer = min(path[frame] - path[left], path[right] - path[frame])
        terms = (
            1.0,
            math.log(right - left),
            math.log(4 * place * (1 - place)),
            math.log(path[right] - path[left] + 0.01),
            math.log(nearer + 0.01),
        )
        odds = sum(map(math.prod, zip(model.between, terms, strict=True)))
    else:
        end = right if left is None else left
        assert end is not None
        terms = (1.0, math.log(abs(frame - end)), math.log(abs(path[frame] - path[end]) + 0.01))
        odds = sum(map(math.prod, zip(model.beyond, terms, strict=True)))
    return 1 / (1 + math.exp(-odds))


@given(
    steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=7),
    start=st.integers(0, 3),
    inside=st.integers(0, 2),
    family=st.sampled_from(['flow', 'linear']),
)
def test_what_is_wrong_between_any_two_labels(
    steps: list[float], start: int, inside: int, family: str
) -> None:
    motion = walking(steps, start)
    num_frames = start + len(steps) + 3
    frames = range(inside, num_frames - inside)
    costs = _expect_wrong(motion, frames, num_frames, family)
    ends = [frames.start - 1, *frames, frames.stop]
    for row, left in enumerate(ends):
        for column in range(row + 1, len(ends)):
            right = ends[column]
            wrong = [
                wrong_at(motion, frame, left, right, family)
                for frame in motion.frames
                if left < frame < right
            ]
            assert costs[row, column] == pytest.approx(sum(wrong))
