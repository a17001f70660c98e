"""Progress by frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stdpose_mm.labelling.propagation import propagate_frames, require_method
from stdpose_mm.structures import PersonLabel, Skeleton
from support.moving_pictures import POINTS, moving_texture

SKELETON = Skeleton(('a', 'b', 'c'))


class Listener:
    def __init__(self):
        self.begun = None
        self.heard = []

    def start(self, frames_done, num_poses):
        self.begun = (frames_done, num_poses)

    def advance(self, frames_done):
        self.heard.append(frames_done)


def tracks_on(*frames, num_people=2):
    return {
        track_id: {
            frame: PersonLabel(frame, POINTS + track_id, np.full(3, 2), track_id=track_id)
            for frame in frames
        }
        for track_id in range(num_people)
    }


def run(method, tracks, num_frames, cache=None):
    shifts = np.stack([np.arange(num_frames), np.zeros(num_frames)], axis=1) / 4
    listener, heard_before_frame = Listener(), {}
    found = propagate_frames(
        moving_texture(shifts), tracks, SKELETON, require_method(method)(), cache, listener=listener
    )
    for frame, _ in found:
        heard_before_frame[frame] = list(listener.heard)
    return listener, heard_before_frame


@pytest.mark.parametrize('method', ['linear', 'spline', 'flow', 'auto'])
def test_all_frames_are_done_in_the_end(method):
    listener, _ = run(method, tracks_on(0, 4, 8), 9)
    # Six frames are in gaps, of two people each.
    assert listener.begun == (3, 12)
    assert listener.heard[-1] == pytest.approx(9)
    assert all(a <= b for a, b in pairwise(listener.heard))


@pytest.mark.parametrize(('method', 'known_at_once'), [('flow', 30), ('auto', 26.9)])
def test_a_long_gap_advances_by_the_frame(method, known_at_once, monkeypatch):
    monkeypatch.setattr('stdpose_mm.labelling.propagation.gap_heatmaps.MAX_KEYS', 16)
    listener, before = run(method, tracks_on(0, 29), 30)
    # Poses come when all of the gap was followed, and those of both people are needed; 'auto' gives
    # those of 14 frames at once.
    assert before[0] == []
    assert 9 < max(before[1]) <= known_at_once + 1e-9
    steps = np.diff(listener.heard)
    assert steps.max() <= 1.01


def test_what_is_known_is_no_work():
    cache = {}
    run('flow', tracks_on(0, 4, 8), 9, cache)
    listener, _ = run('flow', tracks_on(0, 4, 8), 9, cache)
    assert listener.begun == (9, 0)
    assert listener.heard == []
    moved = tracks_on(0, 4, 8)
    moved[1][8] = PersonLabel(8, POINTS, np.full(3, 2), track_id=1)
    listener, _ = run('flow', moved, 9, cache)
    assert listener.begun == (6, 3)
    assert listener.heard[-1] == pytest.approx(9)
