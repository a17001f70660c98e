"""A simulated person who labels several views, by requests and in the page itself."""

from __future__ import annotations

import pytest

from research.tools.simulate_views import SimulateViewsOptions, label_views
from stdpose_mm.datasets.synthetic import ClipSettings, generate_views

pytestmark = pytest.mark.slow


def test_the_page_takes_as_many_joints_by_hand_as_requests():
    scene = generate_views(0, 3, ClipSettings(frames=3, people=(2, 2)))
    counts = [
        label_views(
            scene,
            SimulateViewsOptions(frames=3, method='linear', target=0.7, browser=browser),
            'drafts',
        )
        for browser in (False, True)
    ]
    assert counts[1]['joints'] == counts[0]['joints']
    assert counts[1]['drafts'] == counts[0]['drafts'] > 0
