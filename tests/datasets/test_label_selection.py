"""Label selection: given labels, key frames and windows of a hand-written video."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from stdpose_mm.datasets.base.label_selection import LabelSelection
from stdpose_mm.datasets.base.video_tracks import VideoTracks, tracks_of
from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, Skeleton, Source, VideoFrame, VideoLabels, Window

NUM_FRAMES = 10


def labels_of(sources: Mapping[int, Source]) -> VideoLabels:
    """One person; its propagated joints score 0.3 and 0.8."""
    persons = [
        PersonLabel(f, np.full((2, 2), f), [2, 2], track_id=0, scores=[0.3, 0.8], source=source)
        for f, source in sources.items()
    ]
    frames = [VideoFrame(index) for index in range(NUM_FRAMES)]
    return VideoLabels('v', Skeleton(('a', 'b')), tuple(frames), tuple(persons))


def select(selection: LabelSelection, labels: VideoLabels) -> VideoTracks:
    labels, labelled, given = selection.select_frames(labels, labels.labelled_frame_indices)
    known = tuple(range(NUM_FRAMES))
    return VideoTracks(
        name='v',
        known=known,
        sources=tuple(('v', frame) for frame in known),
        image_ids=known,
        labelled=labelled,
        given=given,
        tracks=tracks_of(labels),
        has_propagated=any(person.source == 'propagated' for person in labels.persons),
    )


EVERY_FRAME = labels_of(dict.fromkeys(range(NUM_FRAMES), 'given'))
HALF_PROPAGATED = labels_of({0: 'given', 1: 'propagated', 2: 'propagated', 3: 'given'})


def test_propagation_gives_every_fourth_frame_and_asks_for_the_others() -> None:
    selection = LabelSelection(intervals=(4,))
    video = select(selection, EVERY_FRAME)
    assert video.given == (0, 4, 8)
    assert selection.key_frames(video, video.tracks[0], False) == [1, 2, 3, 5, 6, 7, 9]
    assert selection.window(video, video.tracks[0], 5) == Window(4, 5, 8, True, True)


def test_estimation_gives_nothing_and_asks_for_every_labelled_frame() -> None:
    selection = LabelSelection(task='estimation', step=2)
    video = select(selection, EVERY_FRAME)
    assert video.given == ()
    assert selection.key_frames(video, video.tracks[0], False) == list(range(10))
    assert selection.window(video, video.tracks[0], 1) == Window(0, 1, 3)


def test_label_interval_keeps_every_fourth_label_as_key_frame() -> None:
    selection = LabelSelection(label_interval=4)
    video = select(selection, EVERY_FRAME)
    assert video.labelled == video.given == (0, 4, 8)
    assert video.tracks[0].frames == (0, 4, 8)
    assert selection.key_frames(video, video.tracks[0], False) == [0, 4, 8]
    assert selection.window(video, video.tracks[0], 4) == Window(0, 4, 8, True, True)


def test_frames_in_which_a_person_is_not_labelled_are_asked_for_in_testing() -> None:
    selection = LabelSelection(intervals=(4,), test_mode=True)
    video = select(selection, EVERY_FRAME)
    (track,) = tracks_of(EVERY_FRAME.keep_frames([4, 5]))
    assert selection.key_frames(video, track, unlabelled=False) == [5]
    assert selection.key_frames(video, track, unlabelled=True) == [1, 2, 3, 5, 6, 7, 9]


def test_drawn_window_never_shows_the_key() -> None:
    selection = LabelSelection(intervals=(3,), random_offset=True)
    video = select(selection, EVERY_FRAME)
    windows = {selection.sample_window(video, video.tracks[0], 4, seed) for seed in range(50)}
    # Patterns 0, 3, 6, 9 and 2, 5, 8 (with the first frame); 1, 4, 7 holds the key.
    assert windows == {Window(3, 4, 6, True, True), Window(2, 4, 5, True, True)}


def test_drawn_window_repeats_with_its_seed() -> None:
    selection = LabelSelection(intervals=(3, 7), random_offset=True)
    video = select(selection, EVERY_FRAME)
    first, again = (selection.sample_window(video, video.tracks[0], 4, 11) for _ in range(2))
    assert first == again


def test_propagated_labels_are_key_frames_between_those_made_by_hand() -> None:
    selection = LabelSelection(random_offset=True)
    video = select(selection, HALF_PROPAGATED)
    assert video.given == (0, 3)
    assert not selection.draws_windows(video)
    assert selection.key_frames(video, video.tracks[0], False) == [0, 1, 2, 3]
    assert selection.window(video, video.tracks[0], 2) == Window(0, 2, 3, True, True)


def test_uncertain_propagated_joints_become_unlabelled() -> None:
    selection = LabelSelection(propagated_min_score=0.5)
    kept = selection.select_sources(HALF_PROPAGATED, 'v.json', 'Set')
    assert [person.labelled.tolist() for person in kept.persons] == [
        [True, True], [False, True], [False, True], [True, True],
    ]  # fmt: skip


def test_weight_zero_leaves_propagated_labels_out() -> None:
    kept = LabelSelection(propagated_weight=0).select_sources(HALF_PROPAGATED, 'v.json', 'Set')
    assert kept.labelled_frame_indices == (0, 3)


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ({'label_interval': 4}, 'v.json holds propagated labels, which label_interval=4'),
        ({'test_mode': True}, 'Set needs labels made by hand'),
    ],
)
def test_propagated_labels_are_refused(args: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelSelection(**args).select_sources(HALF_PROPAGATED, 'v.json', 'Set')


def test_only_given_labels_are_shown_in_testing() -> None:
    window = Window(1, 2, 3, left_given=True, right_given=False)
    assert LabelSelection(test_mode=True).shows_labels(window) == (True, False)
    assert LabelSelection().shows_labels(window) == (True, True)


def test_propagated_labels_weigh_less() -> None:
    weights = LabelSelection(propagated_weight=0.25).weights(
        np.array([[False, False], [True, False]])
    )
    np.testing.assert_array_equal(weights, np.float32([[1, 1], [0.25, 1]]))


def test_windows_of_five_frames_have_further_frames_between_labels_and_key() -> None:
    selection = LabelSelection(intervals=(8,), num_frames=5)
    video = select(selection, EVERY_FRAME)
    window = selection.window(video, video.tracks[0], 5)
    assert window == Window(0, 5, 8, True, True, further=(3, 6))


def test_windows_of_five_frames_of_estimation_are_the_neighbours() -> None:
    selection = LabelSelection(task='estimation', num_frames=5)
    video = select(selection, EVERY_FRAME)
    assert selection.window(video, video.tracks[0], 5) == Window(3, 5, 7, further=(4, 6))


def test_labels_of_further_frames_are_not_shown_in_testing() -> None:
    window = Window(1, 4, 6, left_given=True, right_given=True, further=(2, 5))
    assert LabelSelection(test_mode=True).shows_labels(window) == (True, False, False, True)
    assert LabelSelection().shows_labels(window) == (True,) * 4


def test_several_key_frames_and_further_frames_are_refused_together() -> None:
    with pytest.raises(InputError, match=r'keys_per_sample=2 needs num_frames=3, .* got 5'):
        LabelSelection(random_offset=True, keys_per_sample=2, num_frames=5)


def test_even_number_of_frames_is_refused() -> None:
    with pytest.raises(InputError, match=r'num_frames must be odd and at least 3, .* got 4'):
        LabelSelection(num_frames=4)
