"""What the page says about quality, and what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.apis import PoseNetworkFiles, VideoPosePropagator
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import PROPAGATORS, Gap, GapPoses
from stdpose_mm.labelling.review import HiddenLabel, LabelAccuracy, TrackErrors
from stdpose_mm.review_app import guidance as guidance_module
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.review_page import NUM_FRAMES, POSE, SKELETON, Page, label, labels_of
from support.shy_propagator import ShyPropagator


@pytest.mark.parametrize('method', ['linear', 'flow'])
def test_scores_of_a_method_of_ones_own_mean_what_its_class_says(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, method: str
):
    monkeypatch.setitem(PROPAGATORS, 'mine', type('Mine', (PROPAGATORS[method],), {}))
    labels = labels_of(label(0, 1), label(10, 1, 9.0), label(39, 1, 60.0))
    expected = open_page(labels, method=method).wait_for_measurement(1)
    assert 0 < expected['expected_wrong'] < 1
    found = open_page(labels, method='mine').wait_for_measurement(1)
    # Why nothing is learned names the method.
    assert {**found, 'learning': expected['learning']} == expected


def test_what_hidden_labels_show_is_told_and_changes_what_is_expected(open_page: Callable):
    """Person 1 stands where it was labelled, but not in frame 20: hidden, it is wrong there."""
    labels = labels_of(label(0, 1), label(20, 1, 30.0), label(39, 1))
    page = open_page(labels)
    guidance = page.wait_for_measurement(1)
    assert guidance['measured']['right'] == 0
    assert '0 of 3 joints came out right' in guidance['measured']['text']
    listed = replace(labels, frames=tuple(VideoFrame(frame) for frame in range(NUM_FRAMES)))
    ((_, track),) = TrackErrors.of_interpolation(listed)
    # Of the joint in frame 20, which stands between two that stand: three times wrong.
    ((_, hidden),) = TrackErrors.of_interpolation(
        listed.with_persons([labels.persons[0], labels.persons[2]])
    )
    names, errors = np.array(SKELETON.keypoint_names), np.full(3, np.inf)
    measured = LabelAccuracy([HiddenLabel(1, 0, 20, 39)], names, errors, 1 - hidden.errors[20])
    wrong = 1 - measured.calibrator(1 - track.errors[~track.given])
    assert guidance['expected_wrong'] == pytest.approx(wrong.sum() / (3 * NUM_FRAMES))
    assert wrong.sum() > track.errors.sum()


def test_bars_and_joints_are_in_doubt_where_the_guidance_says_so(open_page: Callable):
    page = open_page(labels_of(label(0, 1), label(20, 1, 30.0), label(39, 1)))
    in_doubt = page.wait_for_measurement(1)['num_doubtful']
    (lane,) = page.get('/timeline', columns=NUM_FRAMES)['persons']
    scores = [
        min(joint[3] for joint in page.poses(frame)[1]['keypoints']) for frame in range(NUM_FRAMES)
    ]
    assert sum(score < 0.5 for score in scores) == in_doubt
    assert lane['heat'] == scores


def test_a_label_that_is_corrected_or_taken_back_is_measured_anew(open_page: Callable):
    page = open_page(labels_of(label(0, 1), label(20, 1, 30.0), label(39, 1)))
    page.wait_for_measurement(1, right=0)
    there = {name: [*xy, 2] for name, xy in zip(SKELETON.keypoint_names, POSE, strict=True)}
    page.edit('set_joints', person=1, frame=20, joints=there)
    page.wait_for_measurement(1, right=1)
    page.edit('forget', person=1, frame=20)
    page.wait_for_measurement(0)


def test_a_label_that_seems_to_be_anothers_is_told_until_it_is_right(open_page: Callable):
    skeleton = Skeleton((*SKELETON.keypoint_names, 'tail'))
    pose, frames = np.vstack([POSE, (12.0, 26.0)]), tuple(map(VideoFrame, (0, 20, 39)))
    people = [(0, 1, 0), (20, 1, 0), (39, 1, 0), (0, 2, 80), (39, 2, 80)]
    labels = [PersonLabel(n, pose + np.array([x, 0]), np.full(4, 2), one) for n, one, x in people]
    page = open_page(VideoLabels('clip', skeleton, frames, tuple(labels)))
    assert page.get('/guidance')['warnings'] == []
    for x, told in ((80, ['person 1 in frame 20 may be person 2']), (0, [])):
        moved = zip(skeleton.keypoint_names, pose + np.array([x, 0]), strict=True)
        there = {name: [*xy, 2] for name, xy in moved}
        page.edit('set_joints', person=1, frame=20, joints=there)
        assert [text.split(',')[0] for text, _ in page.get('/guidance')['warnings']] == told


@pytest.mark.parametrize(('limit', 'number'), [(3, 1), (2, 0)])
def test_more_labels_than_can_be_looked_at_in_time_are_not_warned_of(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, limit: int, number: int
):
    monkeypatch.setattr(guidance_module, 'MAX_LABELS', limit)
    page = open_page(labels_of(label(0, 1), label(20, 1, 111.0), label(39, 1)))
    assert len(page.get('/guidance')['warnings']) == number


class DoubtfulCrowd(ShyPropagator):
    """Be certain of every joint, but of none in a gap where somebody else is in front."""

    reads_pictures = True

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        for poses in super().propagate(frames, gaps, skeleton):
            score = 0.0 if poses.gap.is_crowded(poses.gap.frames) else 1.0
            yield replace(poses, scores=poses.scores * 0 + score)


def test_who_steps_in_front_of_another_makes_that_ones_poses_doubtful(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, two_people: VideoLabels
):
    monkeypatch.setitem(PROPAGATORS, 'shy', DoubtfulCrowd)
    page = open_page(two_people, method='shy')
    assert page.get('/guidance')['expected_wrong'] == pytest.approx(0, abs=1e-3)
    there = {'head': [50, 4, 2], 'left_hand': [54, 20, 2], 'right_hand': [58, 24, 2]}
    page.edit('set_joints', person=1, frame=10, joints=there)
    # Person 2 is covered at frame 10, in a gap of 38 frames; person 1 is labelled there.
    assert page.get('/guidance')['expected_wrong'] == pytest.approx(38 / 80, abs=1e-3)


@pytest.fixture
def with_results(open_page: Callable, tmp_path: Path) -> Callable[[float], Page]:
    """Review three labels of somebody who stands, beside poses so many pixels to the right."""

    def open_beside(pixels: float) -> Page:
        found = [label(n, 1, pixels, source='propagated') for n in range(NUM_FRAMES)]
        write_labels(labels_of(*found), tmp_path / 'found.json', 'coco')
        files = PoseNetworkFiles(str(tmp_path / 'found.json'), kind='results')
        propagator = VideoPosePropagator(pose_networks=[files], use_stdpose=False)
        labels = labels_of(*(label(n, 1) for n in (0, 20, 39)))
        folder = tmp_path / 'cache'
        return open_page(labels, propagator=propagator, cache=folder)

    return open_beside


def test_poses_of_another_program_that_miss_the_labels_are_told(with_results: Callable):
    page = with_results(5.0)

    def told() -> list[str]:
        return [text for text, _ in page.get('/guidance')['warnings']]

    missed = 'it misses the labels (are they poses of this video, in its size?)'
    assert told() == [f'found.json: used in 0 of 2 gaps; in 2 {missed}']
    # Gaps between labels that are there no more do not count.
    page.edit('accept', person=1, frame=10)
    assert told() == [f'found.json: used in 0 of 3 gaps; in 3 {missed}']
    page.edit('undo')
    assert told() == [f'found.json: used in 0 of 2 gaps; in 2 {missed}']


def test_of_poses_of_another_program_that_are_of_use_nothing_is_told(with_results: Callable):
    assert with_results(1.0).get('/guidance')['warnings'] == []


def test_of_gaps_that_were_filled_before_nothing_is_told(with_results: Callable):
    with_results(5.0)
    assert with_results(5.0).get('/guidance')['warnings'] == []
