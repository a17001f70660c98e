from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.constants import WHOLE_PICTURE
from stdpose_mm.detection import (
    DetectedBoxes,
    PersonDetector,
    PrecomputedBoxes,
    WholePicture,
    as_boxes,
    build_box_source,
)
from stdpose_mm.detection.box_interpolation import MAX_UNREADABLE
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import FrameBoxes

SIZE = (40.0, 100.0)

pytestmark = pytest.mark.filterwarnings('ignore:frame .* cannot be read')


def picture(index: int) -> np.ndarray:
    """A picture that says which frame it is."""
    return np.full((60, 80, 3), index, np.uint8)


class Places(PersonDetector):
    """Finds people where they are said to be: frame -> x of every box."""

    def __init__(self, places):
        self.places, self.looked = places, []

    def _detect(self, shown):
        frame = int(shown[0, 0, 0])
        self.looked.append(frame)
        found = self.places(frame) if callable(self.places) else self.places.get(frame, ())
        corners = np.array([[x, 50, x + SIZE[0], 50 + SIZE[1]] for x in found]).reshape(-1, 4)
        return corners, np.full(len(corners), 0.9)


class Video(FrameSource):
    """Pictures of which some cannot be read."""

    def __init__(self, length, broken=()):
        self.name, self.fps, self.size = 'video', None, (80, 60)
        self.length, self.broken = length, broken

    def __len__(self):
        return self.length

    def path_of(self, index):
        return 'video.mp4'

    def _read(self, index):
        if index in self.broken:
            raise InputError(f'frame {index} is damaged')
        return picture(index)


def run(source, frames):
    """x of every person by track id, frame by frame."""
    out = list(source(frames))
    assert [frame.frame_index for frame in out] == list(range(len(out)))
    return [
        dict(zip(f.people.track_ids.tolist(), f.people.boxes[:, 0].tolist(), strict=True))
        for f in out
    ]


@pytest.mark.parametrize(('length', 'every'), [(1, 1), (12, 1), (1, 5), (2, 5), (11, 5), (12, 5)])
def test_every_nth_frame_is_looked_at_and_the_last(length, every):
    detector = Places(lambda frame: (100.0 + 3 * frame,))
    people = run(DetectedBoxes(detector, every), Video(length))
    assert detector.looked == sorted({*range(0, length, every), length - 1})
    # Who walks evenly is where he is, looked at or not.
    found = [frame[0] for frame in people]
    np.testing.assert_allclose(found, 100 + 3 * np.arange(length), rtol=1e-12)


def test_scores_between_looks_are_between():
    detector = Places({})
    looks = iter((0.5, 0.9))
    detector._detect = lambda shown: (np.array([[10.0, 0, 50, 90]]), np.array([next(looks)]))
    scores = [f.people.scores[0] for f in DetectedBoxes(detector, 4)(Video(5))]
    np.testing.assert_allclose(scores, [0.5, 0.6, 0.7, 0.8, 0.9])


@pytest.mark.parametrize('every', [1, 3])
def test_a_person_missed_once_is_bridged(every):
    detector = Places(lambda frame: () if frame == 2 * every else (100.0 + 2 * frame,))
    people = run(DetectedBoxes(detector, every), Video(5 * every))
    found = [frame[0] for frame in people]
    np.testing.assert_allclose(found, 100 + 2 * np.arange(5 * every), rtol=1e-12)


def test_who_leaves_or_comes_between_looks_is_there_for_half_the_time():
    # One walks and is seen until frame 10, one stands still and is seen from 15 on.
    detector = Places(
        lambda frame: [*([2.0 * frame] if frame <= 10 else []), *([300.0] if frame >= 15 else [])]
    )
    people = run(DetectedBoxes(detector, 5), Video(31))
    gone = [frame[0] for frame in people if 0 in frame]
    np.testing.assert_allclose(gone, 2.0 * np.arange(13), atol=1e-9)
    assert [index for index, frame in enumerate(people) if 1 in frame] == list(range(13, 31))
    assert people[13][1] == 300


def test_who_is_seen_in_one_look_only_is_left_out():
    detector = Places(lambda frame: [10.0, *([300.0] if frame == 6 else [])])
    assert all(len(frame) == 1 for frame in run(DetectedBoxes(detector, 2), Video(13)))
    # In the first look and the last one nobody can tell.
    detector = Places(lambda frame: [300.0] if frame in (0, 6) else [])
    people = run(DetectedBoxes(detector, 2), Video(7))
    assert [len(frame) for frame in people] == [1, 1, 0, 0, 0, 1, 1]


def test_nobody_and_sixty_people():
    assert run(DetectedBoxes(Places({}), 2), Video(4)) == [{}] * 4
    xs = tuple(100.0 * np.arange(60))
    people = run(DetectedBoxes(Places(lambda frame: xs), 2), Video(4))
    assert [len(frame) for frame in people] == [60] * 4
    assert [sorted(frame.values()) for frame in people] == [list(xs)] * 4


@pytest.mark.parametrize('broken', [{4, 5}, {0, 1, 2}, {7, 8, 9}, {0, 5, 9}])
@pytest.mark.parametrize('every', [1, 4])
def test_frames_that_cannot_be_read_are_bridged_and_told(broken, every):
    detector = Places(lambda frame: (100.0 + 2 * frame,))
    with pytest.warns(InputWarning) as told:
        out = list(DetectedBoxes(detector, every)(Video(10, broken)))
    assert [f.frame_index for f in out if f.picture is None] == sorted(broken)
    said = 'frame {0} cannot be read, so its poses can only be interpolated: frame {0} is damaged'
    assert [str(warning.message) for warning in told] == [said.format(n) for n in sorted(broken)]
    readable = [index for index in range(10) if index not in broken]
    for frame in out:
        # Before the first and after the last look the box stays where it was seen.
        seen = np.clip(frame.frame_index, readable[0], readable[-1])
        assert frame.people.track_ids.tolist() == [0]
        np.testing.assert_allclose(frame.people.boxes[0], [100 + 2 * seen, 50, *SIZE])


def test_a_lost_frame_of_any_iterable_is_none():
    frames = [picture(0), None, picture(2)]
    out = list(DetectedBoxes(Places(lambda frame: (10.0 * frame,)))(iter(frames)))
    assert [frame.picture is None for frame in out] == [False, True, False]
    assert out[1].people.boxes[0, 0] == 10


@pytest.mark.parametrize(
    ('every', 'is_readable', 'most'),
    [
        (1, lambda index: True, 2),
        (3, lambda index: True, 6),
        # A source that breaks off does not fill the memory.
        (1, lambda index: index == 0, MAX_UNREADABLE + 1),
    ],
)
def test_few_frames_wait_however_long_the_video(every, is_readable, most):
    waiting, done = [], []

    def frames():
        for index in range(200):
            waiting.append(index - len(done))
            yield picture(index) if is_readable(index) else None

    for frame in DetectedBoxes(Places(lambda frame: (10.0,)), every)(frames()):
        done.append(frame.frame_index)
    assert max(waiting) <= most
    assert done == list(range(200))


@pytest.mark.slow
@given(
    st.integers(1, 25),
    st.integers(1, 6),
    st.sets(st.integers(0, 24), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_all_frames_come_out_once_in_order(length, every, broken, seed):
    rng = np.random.default_rng(seed)
    shown = rng.random((25, 3)) < 0.7
    detector = Places(lambda frame: 200.0 * np.flatnonzero(shown[frame]))
    out = list(DetectedBoxes(detector, every)(Video(length, broken)))
    assert [frame.frame_index for frame in out] == list(range(length))
    for frame in out:
        readable = frame.frame_index not in broken
        assert (frame.picture is not None) == readable
        if readable:
            np.testing.assert_array_equal(frame.picture, picture(frame.frame_index))
        # Whoever is there stands where one of the three stands.
        assert set(frame.people.boxes[:, 0].round(6)) <= {0.0, 200.0, 400.0}


def test_given_identities_come_out_as_they_are():
    boxes = {
        1: FrameBoxes([[5, 6, 7, 8], [50, 6, 7, 8]], [0.1, 0.2], [9, 4]),
        3: FrameBoxes([[6, 6, 7, 8]], [0.3], [9]),
    }
    out = list(PrecomputedBoxes(boxes)(Video(5, {3})))
    assert [len(frame.people) for frame in out] == [0, 2, 0, 1, 0]
    assert out[1].people is boxes[1]
    assert out[3].people is boxes[3]
    assert out[3].picture is None


@pytest.mark.filterwarnings('ignore:.* wholly outside the picture')
def test_given_boxes_without_identities_are_tracked_and_none_is_lost():
    rng = np.random.default_rng(0)
    boxes = {}
    for frame in range(30):
        order = rng.permutation(2)
        found = np.array([[x, 50.0, *SIZE] for x in (10.0 + 3 * frame, 400.0 - 3 * frame)])
        # However low a score is, the box was given.
        boxes[frame] = FrameBoxes(found[order], np.array([0.01, 0.9])[order])
    out = list(PrecomputedBoxes(boxes)(Video(30)))
    right_walker = out[0].people.track_ids[out[0].people.scores < 0.5]
    for frame, given_boxes in zip(out, boxes.values(), strict=True):
        np.testing.assert_array_equal(frame.people.boxes, given_boxes.boxes)
        np.testing.assert_array_equal(frame.people.scores, given_boxes.scores)
        assert frame.people.track_ids[frame.people.scores < 0.5] == right_walker


def test_a_warning_counts_boxes_of_nobody_in_the_picture():
    # Pictures are 80 pixels wide: the first box shows a strip of a person, the others nothing.
    boxes = {0: [[79, 0, 99, 50]], 2: [[80, 0, 99, 50], [-9, 0, 0, 50]], 3: [[0, 60, 9, 70]]}
    with pytest.warns(InputWarning, match='^3 boxes wholly outside .* the first in frame 2: '):
        list(PrecomputedBoxes(as_boxes(boxes))(Video(5)))


def test_boxes_beyond_the_video_are_refused():
    source = PrecomputedBoxes({4: FrameBoxes([[0, 0, 5, 5]], [1], [0])})
    message = 'boxes are given on frame 4, but the video has 4 frames'
    with pytest.raises(InputError, match=message):
        next(source(Video(4)))
    with pytest.raises(InputError, match=message):
        list(source(iter([picture(i) for i in range(4)])))
    assert len(list(source(Video(5)))) == 5


def test_boxes_of_a_program_in_all_their_forms():
    found = as_boxes(
        [
            np.array([[1, 2, 4, 6]]),
            [[1, 2, 4, 6, 0.25]],
            {'bboxes': [[1, 2, 4, 6]], 'bbox_scores': [0.5], 'track_ids': [6]},
            FrameBoxes([[1, 2, 3, 4]], [0.5], [6]),
            None,
            [],
        ]
    )
    assert sorted(found) == [0, 1, 2, 3, 5]
    assert [found[i].boxes.tolist() for i in range(4)] == [[[1, 2, 3, 4]]] * 4
    assert [found[i].scores.tolist() for i in range(4)] == [[1], [0.25], [0.5], [0.5]]
    assert [found[i].track_ids.tolist() for i in range(4)] == [[-1], [-1], [6], [6]]
    assert found[5].boxes.shape == (0, 4)
    assert as_boxes({7: [[1, 2, 4, 6]]})[7].boxes.shape == (1, 4)


@pytest.mark.parametrize(
    ('given_boxes', 'message'),
    [
        ({-1: []}, 'boxes are given for frame -1, expected 0, 1, 2'),
        ({'a': []}, "boxes are given for frame 'a'"),
        ([[[1, 2, 3]]], 'frame 0 must be .* x1, y1, x2, y2'),
        ([[1, 2, 3, 4]], 'frame 0 must be .* x1, y1, x2, y2'),
        ([['a']], 'boxes of frame 0: they are not an array of numbers'),
        ([[[1, 2, 3], [1]]], 'boxes of frame 0: they are not an array of numbers'),
        ([[[1, 2, np.inf, 4]]], 'frame 0: boxes must be finite .* with a size above 0'),
        ([FrameBoxes([[1, 2, 0, 4]], [1])], 'frame 0: boxes must be finite'),
        ([{'bbox': []}], 'boxes of frame 0: the keys are bbox, expected bboxes'),
        ([{'bboxes': [[1, 2, 3, 4]], 'bbox_scores': [2]}], r'frame 0: scores must be in 0\.\.1'),
        ([{'bboxes': [[1, 2, 3, 4]], 'track_ids': [1, 2]}], r'have the shapes .* and \[2\]'),
        ([{'bboxes': [[1, 2, 3, 4]], 'track_ids': ['a']}], 'track ids must be distinct'),
    ],
)
def test_boxes_that_are_none_are_refused(given_boxes, message):
    with pytest.raises(InputError, match=message):
        as_boxes(given_boxes)


@pytest.mark.parametrize('box', [[50, 60, 30, 90], [50, 60, 90, 60], [50, 60, np.nan, 90]])
def test_a_box_in_the_form_of_mmpose_is_refused_as_it_was_given(box):
    number = '30.0|60.0|nan'
    sentence = rf'frame 1 .* x1, y1, x2, y2 with x2 above x1 .* got \[\[50\.0, 60\.0, .*({number})'
    with pytest.raises(InputError, match=sentence):
        as_boxes([[], [box]])


def test_the_whole_picture_is_one_person():
    out = list(WholePicture()(Video(3, {0, 2})))
    assert [len(frame.people) for frame in out] == [0, 1, 1]
    assert out[1].people.boxes.tolist() == out[2].people.boxes.tolist() == [[0, 0, 80, 60]]
    assert out[1].people.track_ids.tolist() == [0]


def test_what_is_known_of_the_people_decides_on_the_source():
    detector, boxes = Places({}), {0: FrameBoxes([[0, 0, 5, 5]], [1])}
    detected = build_box_source(detector, detect_interval=3, tracker='oks')
    assert isinstance(detected, DetectedBoxes)
    assert (detected.detector, detected.detect_interval) == (detector, 3)
    assert isinstance(build_box_source(boxes, tracker='oks'), PrecomputedBoxes)
    assert isinstance(build_box_source(WHOLE_PICTURE), WholePicture)


def test_track_ids_are_given_in_all_frames_and_not_corrected_by_poses():
    boxes = {0: FrameBoxes([[0, 0, 5, 5]], [1], [7])}
    assert isinstance(build_box_source(boxes), PrecomputedBoxes)
    with pytest.raises(InputError, match="have track ids, which the tracker 'oks' would change"):
        build_box_source(boxes, tracker='oks')
    some = {**boxes, 1: FrameBoxes([[0, 0, 5, 5]], [1])}
    with pytest.raises(InputError, match='frame 0 have track ids and those of frame 1 have none'):
        build_box_source(some)


@pytest.mark.parametrize('shown', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), 'a.jpg'])
def test_other_pictures_are_refused(shown):
    with pytest.raises(InputError, match='frame 0 is not a BGR picture'):
        list(WholePicture()([shown]))
