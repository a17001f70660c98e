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
        sources={frame: ('v', frame) for frame in known},
        image_ids={frame: frame for frame in known},
        labelled=labelled,
        given=given,
        tracks=tracks_of(labels),
        has_propagated=any(person.source == 'propagated' for person in labels.persons),
    )


EVERY_FRAME = labels_of(dict.fromkeys(range(NUM_FRAMES), 'given'))


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
    assert windows == {Window(3, 4, 6, (True, True)), Window(2, 4, 5, (True, True))}


def test_windows_of_five_frames_have_further_frames_between_labels_and_key() -> None:
    selection = LabelSelection(intervals=(8,), num_frames=5)
    video = select(selection, EVERY_FRAME)
    window = selection.window(video, video.tracks[0], 5)
    assert window == Window(0, 5, 8, (True, True), further=(3, 6))


def test_several_key_frames_and_further_frames_are_refused_together() -> None:
    with pytest.raises(InputError, match=r'keys_per_sample=2 needs num_frames=3, .* got 5'):
        LabelSelection(random_offset=True, keys_per_sample=2, num_frames=5)
