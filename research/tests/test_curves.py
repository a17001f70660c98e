from __future__ import annotations

import pytest

from research.plots import curves

PANELS = {
    'PCK': {
        'linear': [(2, 90.0, (88.0, 92.0)), (7, 80.0, None)],
        'flow': [(2, 95.0, (94.0, 96.0)), (7, float('nan'), None)],
    },
    'error': {'flow': [(2, 1.0, None), (7, 2.0, None)]},
}


def test_every_method_is_a_curve_with_bars_and_keeps_its_colour():
    first, second = curves(PANELS, 'T').axes
    linear, flow = first.lines
    assert (linear.get_label(), list(linear.get_ydata())) == ('linear', [90, 80])
    assert list(linear.get_xdata()) == pytest.approx([2, 7], abs=0.1)
    assert list(flow.get_ydata()) == [95]
    segments = first.collections[0].get_segments()
    assert [[y for _, y in ends] for ends in segments] == [[88, 92], [80, 80]]
    assert second.lines[0].get_color() == flow.get_color() != linear.get_color()
    assert (first.get_xlabel(), second.get_ylabel()) == ('T', 'error')
    assert list(first.get_xticks()) == [2, 7]
