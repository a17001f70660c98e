from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from research.annotation.simulated_annotator import (
    AnnotatedVideo,
    LabellingState,
    effort_table,
    label_planned,
    label_suggested,
    label_uniformly,
    labels_at,
    labels_needed,
)
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import VideoLabels
from support.comparison_videos import PAIR, SpyPropagator, Unreadable, mouse_video

tool = import_module('research.tools.simulate_annotator')

STILL = mouse_video('still', dict.fromkeys(range(41), 20.0))
# Still, then a jump to and fro that straight lines miss, then still again; frames from 3 on.
HEIGHTS = [0.0] * 20 + [0.0, 40.0, 80.0, 120.0, 80.0, 40.0, 0.0] + [0.0] * 14
JUMP = mouse_video('jump', {3 + t: 1 + y for t, y in enumerate(HEIGHTS)})


def annotated(*videos: VideoLabels) -> list[AnnotatedVideo]:
    return [
        AnnotatedVideo(Unreadable(len(video.frames) + 3), video, LinearPropagator())
        for video in videos
    ]


def test_uniform_labels_reach_what_linear_interpolation_does() -> None:
    state = next(label_uniformly(annotated(STILL, JUMP), 95, max_interval=20))
    # Frames 0, 20, 40 of both; of 82 frames the five in mid-jump are wrong (two joints each).
    assert state.labelled == 6
    assert state.interval == 20
    assert state.pck_all == pytest.approx(100 * (82 - 5) / 82)
    assert state.pck_unlabelled == pytest.approx(100 * (76 - 5) / 76)


def test_large_steps_of_uniform_labels_are_refined() -> None:
    states = list(label_uniformly(annotated(JUMP), 95, max_interval=12))
    tried = [state.interval for state in states]
    assert tried[:3] == [12, 10, 7]
    for measured in ('all', 'unlabelled'):
        best = labels_needed(states, 95, measured)
        larger = [state for state in states if state.interval > best.interval]
        assert best.interval + 1 in [state.interval for state in larger]
        assert all(state.pck(measured) < 95 for state in larger)
    assert len(set(tried)) == len(tried)
    perfect = list(label_uniformly(annotated(STILL), 95, max_interval=12))
    assert [state.interval for state in perfect] == [12]


@pytest.mark.slow
def test_suggested_labels_start_in_the_middle_and_reach_everything() -> None:
    states = list(label_suggested(annotated(STILL, JUMP), 'linear', step=1))
    assert states[0].labelled == 2
    assert states[0].interval is None
    assert states[0].pck_all == pytest.approx(100 * (82 - 5) / 82)
    assert [state.labelled for state in states] == list(range(2, 83))
    assert states[-1].labelled == 82
    assert (states[-1].pck_all, states[-1].pck_unlabelled) == (100, 100)


def test_the_budget_goes_where_the_motion_is() -> None:
    videos = annotated(STILL, mouse_video('moving', {t: 25.0 * (t // 4) for t in range(41)}))
    given: dict[str, set[int]] = {}
    for video in videos:
        original = video.propagate

        def spy(frames, name=video.name, original=original):
            given[name] = set(frames)
            return original(frames)

        video.propagate = spy
    for state in label_suggested(videos, 'linear', step=1):
        if state.labelled == 12:
            break
    assert len(given['still']) + len(given['moving']) == 12
    assert len(given['moving']) >= 8


def test_an_annotator_begins_with_everyone_once() -> None:
    two = mouse_video('two', dict.fromkeys(range(20), 5.0))
    late = [
        replace(person, track_id=9)
        for person in mouse_video('late', dict.fromkeys(range(12, 20), 9.0)).persons
    ]
    (video,) = annotated(two.with_persons([*two.persons, *late]))
    assert video.first_frames() == {10, 16}
    late = [replace(person, track_id=9) for person in two.persons[5:]]
    (video,) = annotated(two.with_persons([*two.persons, *late]))
    assert video.first_frames() == {10}


def test_only_gaps_with_a_new_label_are_propagated_again() -> None:
    spy = SpyPropagator()
    video = AnnotatedVideo(Unreadable(41), STILL, spy)
    video.propagate({0, 20, 40})
    video.propagate({0, 10, 20, 40})
    assert [(gap.first, gap.last) for gap in spy.gaps] == [(0, 20), (20, 40), (0, 10), (10, 20)]


def test_frames_without_labels_are_neither_counted_nor_suggested() -> None:
    sparse = mouse_video('sparse', {t: 30.0 * t for t in range(0, 41, 4)}, frames=range(41))
    states = list(label_suggested(annotated(sparse), 'linear', step=3))
    assert states[-1].labelled == 11
    with pytest.raises(InputError, match="video 'empty' has no labelled people"):
        annotated(VideoLabels('empty', PAIR, sparse.frames))


def test_planned_labels_are_tried_as_announced_and_then_around_the_target() -> None:
    videos = annotated(STILL, JUMP)
    plans = [video.plan_first_labels('boxes', 'linear') for video in videos]
    # Nothing moves in one of them, and in the other for a while.
    assert plans[0].num_poses == plans[1].num_poses == 41
    states = list(label_planned(videos, plans, 95))
    announced = states[0]
    assert 2 <= announced.labelled < 41
    better = [state for state in states[1:] if state.labelled > announced.labelled]
    assert bool(better) == (announced.pck_all < 95)
    assert labels_at(states, 95, 'all') is not None


def test_fewer_planned_labels_are_tried_where_the_announced_ones_are_enough() -> None:
    # Moves as if it were hard, but along a straight line.
    videos = annotated(mouse_video('even', {t: 8.0 * t for t in range(41)}))
    plans = [video.plan_first_labels('boxes', 'linear') for video in videos]
    announced, *others = label_planned(videos, plans, 95)
    assert announced.pck_all >= 95
    assert all(state.labelled <= announced.labelled for state in others)
    assert others[0].labelled < announced.labelled


def test_planned_frames_are_those_that_can_be_labelled() -> None:
    sparse = mouse_video('sparse', {t: 30.0 * t for t in range(0, 41, 4)}, frames=range(41))
    (video,) = annotated(sparse)
    assert video.nearest_labelled([0, 3, 5, 39]) == {0, 4, 40}
    (state, *_) = label_planned([video], [video.plan_first_labels('boxes', 'linear')], 95)
    assert 1 <= state.labelled <= 11


STATES = [
    LabellingState(10, 90.0, 88.0, interval=9),
    LabellingState(20, 94.0, 92.0, interval=8),
    LabellingState(40, 98.0, 96.0, interval=7),
]


def test_labels_needed_and_between_states() -> None:
    assert labels_needed(STATES, 95, 'all') is STATES[2]
    assert labels_needed(STATES, 99, 'all') is None
    assert labels_at(STATES, 95, 'all') == 25
    assert labels_at(STATES, 94, 'unlabelled') == 30
    assert labels_at(STATES, 80, 'all') == 10
    assert labels_at(STATES, 99, 'all') is None


def test_table_by_hand() -> None:
    suggested = [LabellingState(12, 93.0, 90.0), LabellingState(20, 95.5, 94.0)]
    lines = effort_table(STATES, suggested, 95, num_frames=200).splitlines()
    assert lines[2] == (
        '| all frames | 40 (20.0 %), T = 7 | 25 (12.5 %) | 20 (10.0 %) | 50 % | 20 % |'
    )
    assert lines[3] == '| unlabelled frames | 40 (20.0 %), T = 7 | 35 (17.5 %) | never | - | - |'


@pytest.fixture
def run(run_main):
    return partial(run_main, tool.main)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    folder = tmp_path / 'labels'
    for video in (STILL, JUMP):
        write_posetrack18(video, folder / f'{video.name}.json')
    return folder


@pytest.mark.slow
def test_command(run, labels, tmp_path) -> None:
    out = tmp_path / 'out'
    arguments = (labels, '--method', 'linear', '--step', 1, '--out-dir', out)
    code, printed, errors = run(*arguments)
    assert (code, errors) == (0, [])
    assert (out / 'table.md').read_text() == printed
    assert '2 videos with 82 labelled frames, method linear' in printed
    fields = json.loads((out / 'effort.json').read_text())
    assert fields['target_pck'] == 95
    assert fields['frames'] == 82
    assert fields['uniform'][0]['interval'] == 30
    assert fields['suggested'][0]['labelled'] == 2
    assert fields['suggested'][-1]['pck_unlabelled'] >= 95
    assert fields['suggested'][-1]['labelled'] < fields['uniform'][-1]['labelled']
    assert fields['uniform'][-1]['pck_unlabelled'] >= 95
    assert np.asarray(cv2.imread(str(out / 'effort.png'))).shape[2] == 3
    assert 'If the true errors of every gap are known' not in printed
    before = (out / 'table.md').read_text()
    run(*arguments)
    assert (out / 'table.md').read_text() == before


def test_plans_and_hindsight_are_reported(run, labels, tmp_path) -> None:
    arguments = ('--method', 'linear', '--step', 20, '--plan', 'boxes', '--hindsight')
    code, printed, _ = run(labels, *arguments)
    assert code == 0
    _, planned, hindsight = printed.strip().rsplit('\n\n', 2)
    assert planned.startswith('Planned before the first label, from boxes: ')
    # One label for the still video; of the jump the foot, the top and the other foot.
    assert hindsight.startswith(
        'If the true errors of every gap are known, a PCK@0.1 of 95 % over all frames takes 4 '
        'labels '
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--target-pck', '100'], '--target-pck must be between 0 and 100'),
        (['--step', '0'], 'at least 1'),
        (['--max-interval', '1'], '--max-interval must be at least 2'),
        (['--method', 'flow'], 'or choose a method that reads no picture, such as linear'),
        (['--method', 'stdpose'], 'needs a config'),
    ],
)
def test_a_mistake_is_one_line(run, labels, tmp_path, arguments, message) -> None:
    out = tmp_path / 'out'
    code, printed, errors = run(labels, '--method', 'linear', '--out-dir', out, *arguments)
    assert (code, printed, len(errors)) == (2, '', 1), errors
    assert message in errors[0]
    assert not out.exists()


def test_the_report_does_not_stand_behind_a_bar_of_progress(capsys):
    states = label_uniformly(annotated(STILL), 95, 30)
    assert tool.until(tool.progress(states, 'uniform'), 95)
    assert capsys.readouterr().err == ''
