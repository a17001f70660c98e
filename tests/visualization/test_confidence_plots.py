from __future__ import annotations

import cv2
import numpy as np
import pytest

from stdpose_mm.evaluation.functional import reliability
from stdpose_mm.visualization import plot_labelling_effort, plot_reliability
from stdpose_mm.visualization.confidence_plots import labelling_effort, reliability_curves

SCORES = reliability(np.repeat([0.25, 0.75], 100), np.arange(200) % 4 > 0, num_bins=2)
EFFORT = {
    'all frames': {'uniform': [(5.0, 80.0), (10.0, 96.0)], 'suggested': [(5.0, 95.5)]},
    'unlabelled frames': {'uniform': [(5.0, 78.0)]},
}


def test_reliability_shows_share_of_right_joints_against_score() -> None:
    (axis,) = reliability_curves({'flow': SCORES}).axes
    diagonal, curve = axis.lines[:2]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert curve.get_xydata().tolist() == [[0.25, 0.75], [0.75, 0.75]]
    (text,) = axis.get_legend().get_texts()
    assert text.get_text() == 'flow: calibration error 0.250, Brier 0.312, AUROC 0.500'
    (low, high) = axis.collections[0].get_segments()[0][:, 1]
    # Wilson's interval of 75 of 100.
    assert (low, high) == pytest.approx((0.6569, 0.8245), abs=1e-3)


def test_effort_has_a_panel_for_each_measure_and_the_target() -> None:
    everything, hidden = labelling_effort(EFFORT, target=95).axes
    assert [line.get_xydata().tolist() for line in everything.lines[1:]] == [
        [[5, 80], [10, 96]],
        [[5, 95.5]],
    ]
    assert set(everything.lines[0].get_ydata()) == {95}
    assert hidden.get_ylabel() == 'PCK@0.1, unlabelled frames'


def test_plots_are_png_files(tmp_path) -> None:
    plot_reliability({'flow': SCORES, 'auto': SCORES}, tmp_path / 'a.png')
    plot_labelling_effort(EFFORT, 95, tmp_path / 'b.png')
    for name in ('a.png', 'b.png'):
        assert cv2.imread(str(tmp_path / name)) is not None
