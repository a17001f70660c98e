"""The simulated annotator of the review page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from research.tools.simulate_review import (
    Effort,
    Truth,
    main,
    note_reached,
    shown_points,
)
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.review_page import label, labels_of
from support.video_files import make_video

SKELETON = Skeleton(('nose', 'tail', 'wing'))


@pytest.fixture
def truth() -> Truth:
    """Two people of sizes 10 and 20 pixels in two frames; one wing is unknown."""
    persons = tuple(
        PersonLabel(
            frame, [[size, 0], [size, size], [0, 0]], [2, 2, 2 if frame < person else 0], person
        )
        for frame in range(2)
        for person, size in ((3, 10), (1, 20))
    )
    frames = (VideoFrame(0), VideoFrame(1))
    return Truth(VideoLabels('clip', SKELETON, frames, persons))


def test_people_who_stand_still_need_one_label_each(run_main, tmp_path):
    labels = labels_of(*(label(n, person, 40.0 * person) for n in range(9) for person in (0, 1)))
    write_labels(labels, tmp_path / 'labels.json')
    clip = make_video(tmp_path / 'clip.mp4', range(9))
    options = ('--video', clip, '--method', 'linear')
    code, printed, errors = run_main(main, tmp_path / 'labels.json', *options)
    assert (code, errors) == (0, [])
    assert f'PCK@0.1 of 98%: 2 labels, {2 * labels.skeleton.num_keypoints} joint-clicks' in printed


def test_errors_are_in_sizes_of_each_persons_pose(truth):
    errors = truth.errors(truth.points + np.array([3, 4]))
    # Person 1, of 20 pixels, comes first.
    assert errors[0].tolist() == [[0.25] * 3, [0.5] * 3]
    assert np.isnan(errors[1, 0, 2])


def test_only_the_frames_of_an_excerpt_count(truth):
    class Page:
        def get(self, path: str, first: int, last: int) -> dict[str, Any]:
            assert (path, first, last) == ('/poses', 0, 1)
            people = [
                {'id': i, 'keypoints': [[i, 7, 2, 1], [8, 9, 0, 0], [0, 0, 0, 0]]} for i in (4, 5)
            ]
            return {'frames': {'0': people, '1': people}}

    last = PersonLabel(2, [[0, 0], [1, 1], [2, 2]], [2, 2, 2], 1)
    labels = replace(
        truth.labels,
        frames=(*truth.labels.frames, VideoFrame(2)),
        persons=(*truth.labels.persons, last),
    )
    excerpt = Truth(labels, frames=range(2))
    shown = shown_points(Page(), [5, 4], 3, excerpt.frames)  # type: ignore[arg-type]
    assert shown[:2, :, 0].tolist() == [[[5, 7], [4, 7]]] * 2
    assert np.isinf(shown[:2, :, 1:]).all()
    assert np.isinf(shown[2]).all()
    assert np.isnan(excerpt.errors(shown)[2]).all()
    assert excerpt.known[:2].tolist() == truth.known.tolist()
    assert excerpt.motion == truth.motion


def test_chosen_joints_are_named_at_their_true_places(truth):
    assert truth.joints(0, 1, np.array([False, True, False])) == {'tail': [10.0, 10.0, 2]}


def test_the_first_effort_that_reaches_a_target_counts():
    reached: dict[float, Effort] = {}
    errors = np.full((100, 1, 1), 0.05)
    errors[:4] = 0.2
    assert note_reached(reached, errors, Effort(5, 50)) == pytest.approx(0.96)
    note_reached(reached, errors, Effort(6, 60))
    assert reached == {0.95: Effort(5, 50)}
