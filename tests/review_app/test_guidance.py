"""What the page says about quality, and what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, Gap, PropagatedPose
from stdpose_mm.structures import Skeleton, VideoLabels
from support.review_page import Page, access_to, label, labels_of
from support.shy_propagator import ShyPropagator


def settled_guidance(start: Callable, labels: VideoLabels, method: str) -> dict[str, Any]:
    page = Page(access_to(start(labels, method=method)))
    page.settle()
    return page.get('/guidance')


@pytest.mark.parametrize('method', ['linear', 'flow'])
def test_scores_of_a_method_of_ones_own_mean_what_its_class_says(
    start: Callable, monkeypatch: pytest.MonkeyPatch, method: str
):
    monkeypatch.setitem(PROPAGATORS, 'mine', type('Mine', (PROPAGATORS[method],), {}))
    labels = labels_of(label(0, 1), label(10, 1, 9.0), label(39, 1, 60.0))
    expected = settled_guidance(start, labels, method)
    assert 0 < expected['expected_wrong'] < 1
    assert settled_guidance(start, labels, 'mine') == expected


class DoubtfulCrowd(ShyPropagator):
    """Be certain of every joint, but of none in a gap where somebody else is in front."""

    reads_pictures = True

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        for pose in super().propagate(frames, gaps, skeleton):
            score = 0.0 if pose.gap.is_crowded(pose.gap.frames) else 1.0
            yield replace(pose, scores=pose.scores * 0 + score)


def test_who_steps_in_front_of_another_makes_that_ones_poses_doubtful(
    start: Callable, monkeypatch: pytest.MonkeyPatch, two_people: VideoLabels
):
    monkeypatch.setitem(PROPAGATORS, 'shy', DoubtfulCrowd)
    page = Page(access_to(start(two_people, method='shy')))
    page.settle()
    assert page.get('/guidance')['expected_wrong'] == 0
    there = {'head': [50, 4, 2], 'left_hand': [54, 20, 2], 'right_hand': [58, 24, 2]}
    page.edit('set_joints', person=1, frame=10, joints=there)
    # Person 2 is covered at frame 10, in a gap of 38 frames; person 1 is labelled there.
    assert page.get('/guidance')['expected_wrong'] == pytest.approx(38 / 80)
