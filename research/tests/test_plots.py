"""The plots of labelling effort and of studies."""

from __future__ import annotations

from research.annotation.effort_plot import labelling_effort
from research.plots import dots

EFFORT = {
    'all frames': {'uniform': [(5.0, 80.0), (10.0, 96.0)], 'suggested': [(5.0, 95.5)]},
    'unlabelled frames': {'uniform': [(5.0, 78.0)]},
}


def test_effort_has_a_panel_for_each_measure_and_the_target() -> None:
    everything, hidden = labelling_effort(EFFORT, target=95).axes
    assert [line.get_xydata().tolist() for line in everything.lines[1:]] == [
        [[5, 80], [10, 96]],
        [[5, 95.5]],
    ]
    assert set(everything.lines[0].get_ydata()) == {95}
    assert hidden.get_ylabel() == 'PCK@0.1, unlabelled frames'


def test_a_row_for_each_method_and_each_published_one():
    panel = [('ours', 80.0, (79.0, 81.0)), ('theirs', 70.0, (69.0, 72.0))]
    figure = dots({'AP': panel}, {'AP': {'published alone': 90.0}})
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ['ours', 'theirs', 'published alone']
    assert [line.get_xydata().tolist() for line in axis.lines] == [[[80, 0]], [[70, 1]]]
    low, high = axis.get_xlim()
    assert low < 69
    assert high > 90
