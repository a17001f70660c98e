from __future__ import annotations

import numpy as np

from stdpose_mm.evaluation.functional.box_tracking import count_box_tracking
from stdpose_mm.structures import NO_PEOPLE, TrackedBoxes


def people(**xs):
    """Boxes 10 x 10 at these x by track id (``t3=0``)."""
    ids = [int(name[1:]) for name in xs]
    boxes = np.array([[x, 0, 10, 10] for x in xs.values()], float).reshape(-1, 4)
    return TrackedBoxes(boxes, np.ones(len(boxes)), np.array(ids, int))


def test_misses_false_boxes_and_switches_count():
    truth = [people(t1=0, t2=100)] * 5
    found = [
        people(t7=0, t8=100),
        # One is missed, and a box is where nobody is.
        people(t7=2, t9=50),
        # The two change their names. IoU of the second: 8 / 12.
        people(t8=0, t7=102),
        # Too far: IoU 4 / 16.
        people(t8=6, t7=100),
        # The last frame does not count.
        NO_PEOPLE,
    ]
    counts = count_box_tracking([(truth, found)])
    assert counts.objects.tolist() == [8]
    assert counts.detections.tolist() == [6]
    assert counts.false_positives.tolist() == [2]
    assert counts.switches.tolist() == [2]
    np.testing.assert_allclose(counts.mota(), 100 * (1 - (2 + 2 + 2) / 8))
    np.testing.assert_allclose(counts.distance, 2 * (1 - 8 / 12))


def test_identities_of_two_videos_have_nothing_to_do_with_each_other():
    truth = [people(t1=0)] * 3
    videos = [(truth, [people(t1=0)] * 3), (truth, [people(t2=0)] * 3)]
    counts = count_box_tracking(videos)
    assert counts.mota().tolist() == [100]
    assert counts.switches.tolist() == [0]
