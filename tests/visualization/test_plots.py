from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.visualization import save_figure, trajectories
from stdpose_mm.visualization.colors import bgr, curve_styles


@pytest.fixture
def labels():
    persons = [
        PersonLabel(
            n,
            np.array([[n, 2 * n], [0, 0]]),
            np.array([2, 0]),
            track_id=3,
            source='given' if n in (0, 4) else 'propagated',
        )
        for n in range(5)
    ]
    frames = tuple(VideoFrame(n) for n in range(5))
    return VideoLabels('clip', Skeleton(('head', 'hand')), frames, tuple(persons))


def curves(axis):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axis.lines
        if not line.get_label().startswith('_')
    }


def test_trajectories_show_labelled_joints_and_mark_given_frames(labels):
    x, y = trajectories(labels).axes
    assert curves(x) == {'head': ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])}
    assert curves(y) == {'head': ([0, 1, 2, 3, 4], [0, 2, 4, 6, 8])}
    marks = [line for line in x.lines if line.get_marker() == 'o']
    assert [list(line.get_xdata()) for line in marks] == [[0, 4]]


def test_the_truth_is_drawn_without_a_name_where_it_is(labels):
    moved = [replace(person, keypoints=person.keypoints + 5) for person in labels.persons]
    x, y = trajectories(labels, truth=labels.with_persons(moved)).axes
    for axis, places in ((x, [5, 6, 7, 8, 9]), (y, [5, 7, 9, 11, 13])):
        (truth,) = (line for line in axis.lines if line.get_alpha() is not None)
        assert list(truth.get_ydata()) == places
        assert list(truth.get_xdata()) == [0, 1, 2, 3, 4]
        assert [text.get_text() for text in x.get_legend().get_texts()] == ['head']


def test_dots_mark_given_joints_not_whole_poses(labels):
    sources = [['given', 'propagated'], ['propagated', 'propagated'], ['propagated', 'given']]
    persons = [
        PersonLabel(
            n,
            np.array([[n, 0], [0, n]]),
            np.array([2, 2]),
            track_id=3,
            source='given' if 'given' in source else 'propagated',
            keypoint_sources=np.array(source),
        )
        for n, source in enumerate(sources)
    ]
    x, _ = trajectories(labels.with_persons(persons)).axes
    marks = [list(line.get_xdata()) for line in x.lines if line.get_marker() == 'o']
    assert marks == [[0], [2]]


def test_curves_of_a_pair_differ_in_the_colour_of_the_side_only():
    styles = curve_styles(Skeleton(('l_knee', 'r_knee', 'nose', 'r_foot', 'l_foot')))
    knee, other_knee, _, other_foot, foot = styles
    assert knee['linestyle'] == other_knee['linestyle'] != foot['linestyle']
    assert foot['linestyle'] == other_foot['linestyle']
    assert len({style['color'] for style in styles}) == 5
    for style in (knee, foot):
        blue, _, red = bgr(style['color'])
        assert blue > red


def test_plots_are_png_files(labels, tmp_path):
    save_figure(trajectories(labels, track_id=3, joints=['head']), tmp_path / 'plot.png')
    assert cv2.imread(str(tmp_path / 'plot.png')) is not None
