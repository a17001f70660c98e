"""The tools that measure tracking and smoothing."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.paths import SHARED_DATA


@pytest.fixture
def run_tool(run_main):
    return lambda name, *arguments: run_main(
        import_module(f'research.tools.{name}').main, *arguments
    )


def write_clip(path, shift=0.0, num_frames=40):
    """A person of size 100 who walks 2 pixels a frame; ``shift`` in frames."""
    persons = [
        PersonLabel(
            t,
            np.array([[50.0, 50.0], [80.0, 20.0]]) + np.array([2 * (t - shift), 0]),
            np.array([2, 2]),
            track_id=1,
            bbox=np.array([2.0 * t, 0, 100, 100]),
        )
        for t in range(num_frames)
    ]
    frames = tuple(VideoFrame(t, f'{t:06d}.jpg', t) for t in range(num_frames))
    write_labels(VideoLabels('clip', Skeleton(('a', 'b')), frames, tuple(persons)), path)


def rows(printed):
    """Filter -> (error, jitter, lag)."""
    lines = printed.splitlines()[2:]
    return {line[:58].strip(): tuple(map(float, line[58:].split())) for line in lines}


def test_lag_and_error_of_late_predictions(run_tool, tmp_path):
    truth, late = tmp_path / 'truth', tmp_path / 'late'
    for folder, shift in ((truth, 0.0), (late, 0.5)):
        folder.mkdir()
        write_clip(folder / 'clip.json', shift)
    code, printed, _ = run_tool('benchmark_smoothing', truth, '--predictions', late)
    assert code == 0
    found = rows(printed)
    # Half a frame late at 2 pixels a frame are 1 % of 100 pixels.
    assert found['none'] == (1.0, 0.0, 0.5)
    assert found['savitzky-golay (window 7 frames, order 2)'] == (1.0, 0.0, 0.5)
    assert all(lag > 0.5 for name, (_, _, lag) in found.items() if name.startswith('one-euro'))


def test_noise_is_of_the_size_asked_for(run_tool, tmp_path):
    write_clip(tmp_path / 'clip.json', num_frames=400)
    code, printed, _ = run_tool('benchmark_smoothing', tmp_path, '--noise', 0.02)
    assert code == 0
    found = rows(printed)
    # Mean length of a plane Gaussian: sigma sqrt(pi / 2); second differences: sqrt(6) times that.
    expected = 2 * np.sqrt(np.pi / 2)
    assert found['none'][0] == pytest.approx(expected, rel=0.05)
    assert found['none'][1] == pytest.approx(np.sqrt(6) * expected, rel=0.05)
    assert all(figures[1] < found['none'][1] for name, figures in found.items() if name != 'none')


def test_mistakes_are_one_line(run_tool, tmp_path):
    write_clip(tmp_path / 'clip.json')
    clip = tmp_path / 'clip.json'
    for arguments, message in (
        (('benchmark_smoothing', clip, '--noise', -1), '--noise must not be negative'),
        (('benchmark_smoothing', clip, '--predictions', 'no.json'), 'no.json does not exist'),
        (('benchmark_tracking', clip, clip, '--det-config', 'no.onnx'), 'detector no.onnx does'),
    ):
        code, _, (said,) = run_tool(*arguments)
        assert code == 2
        assert message in said


@pytest.mark.skipif(
    not (SHARED_DATA / 'posetrack_pilot').is_dir(), reason='no shared/data beside the repository'
)
def test_four_people_who_cross_are_tracked(run_tool):
    code, printed, _ = run_tool(
        'benchmark_tracking',
        SHARED_DATA / 'posetrack_pilot' / 'images' / '060470979',
        SHARED_DATA / 'posetrack_pilot' / 'annotations' / '060470979.json',
        '--det-config',
        SHARED_DATA / 'weights' / 'rtmdet_nano_person.onnx',
        '--every',
        5,
        '--min-track-frames',
        10,
        '--max-contained',
        0.9,
    )
    assert code == 0
    names, figures = (line.split() for line in printed.splitlines())
    found = dict(zip(names, figures, strict=True))
    assert float(found['MOTA']) > 90
    assert float(found['recall']) > 95
    expected = {'switches': '0', 'ids': '4', 'false': '0', 'short': '0', 'broken': '0'}
    assert found | expected == found
