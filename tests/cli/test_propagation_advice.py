from __future__ import annotations

from dataclasses import replace

import numpy as np

from stdpose_mm.cli.propagation_advice import format_accuracy, list_advice
from stdpose_mm.labelling.review import HiddenLabel, LabelAccuracy
from support.scored_videos import scored_track, scored_video

MEASURED = LabelAccuracy(
    [HiddenLabel(0, 1, 4, 7)], np.array(['nose', 'tail']), np.zeros(2), np.ones(2)
)


def test_what_is_expected_is_the_mean_score_of_propagated_joints_between_labels():
    """Before the first label and after the last one nothing was measured."""
    labels = scored_video(scored_track([0.1, 1, (0.9, 0.7), 0.5, 1, 0.2]))
    measured, expected = format_accuracy(MEASURED, labels)
    assert measured == MEASURED.describe()
    # (0.9 + 0.7 + 0.5 + 0.5) / 4
    assert expected.startswith('with this taken into account, 65.0% of the propagated joints ')


def test_joints_without_a_place_are_not_expected_right():
    before, between, after = scored_track([1, (0.9, 0.7), 1])
    between = replace(between, visibility=np.array([2, 0]), keypoint_sources=None)
    _, expected = format_accuracy(MEASURED, scored_video([before, between, after]))
    assert ' 90.0% ' in expected


def test_where_nothing_lies_between_labels_nothing_is_expected():
    assert format_accuracy(MEASURED, scored_video(scored_track([0.5, 1, 1, 0.5]))) == [
        MEASURED.describe()
    ]


def test_why_nothing_was_measured_names_the_kind_of_subject():
    (sentence,) = format_accuracy(None, scored_video(scored_track([1, 0.5, 1])))
    assert sentence == (
        'accuracy was not measured: no label lies between two others of the same mouse, label a '
        'third frame'
    )


def test_a_frame_with_less_than_one_expected_error_is_probably_fine():
    # Of the two joints in frame 1, 0.6 + 0.7 are expected to be wrong; in frame 5, 0.2 + 0.1.
    labels = scored_video(scored_track([1, (0.4, 0.3), 1, 1, 1, (0.8, 0.9), 1]))
    worst, other = list_advice(labels, check=2, suggest=0)
    assert worst.startswith('check frame 1: about 1.3 wrong joints are expected, most likely ')
    assert other.startswith('check frame 5: probably fine, about 0.3 wrong joints are expected, ')
