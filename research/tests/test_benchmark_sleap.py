"""What ``benchmark_sleap`` exports and measures; a script stands in for SLEAP-NN."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from research.comparison.sleap import (
    cut_to_gaps,
    errors_between,
    name_as_truth,
    run_tool,
)
from research.tools.benchmark_sleap import main
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

FLY = Skeleton(('head', 'tail'), ((0, 1),), 'fly')


def fly(frame: int, track: int | None, shift: float = 0.0, tail: bool = True) -> PersonLabel:
    """A fly of 20 pixels; tracks are 40 pixels apart."""
    x = 10.0 + 40 * (track or 0) + shift
    return PersonLabel(frame, np.array([[x, 8.0], [x + 20, 8.0]]), np.array([2, 2 * tail]), track)


def video(persons: Sequence[PersonLabel], num_frames: int = 9) -> VideoLabels:
    frames = tuple(VideoFrame(i, f'{i:06d}.jpg', i) for i in range(num_frames))
    return VideoLabels('flies', FLY, frames, tuple(persons))


def test_labels_end_at_a_given_frame() -> None:
    labels = video([fly(frame, 0) for frame in range(2, 9)])
    assert cut_to_gaps(labels, 3).labelled_frame_indices == (2, 3, 4, 5, 6, 7, 8)
    assert cut_to_gaps(labels, 4).labelled_frame_indices == (2, 3, 4, 5, 6)
    with pytest.raises(InputError, match="'flies' has no labels 7 frames apart"):
        cut_to_gaps(labels, 7)


def test_only_joints_labelled_at_both_ends_count() -> None:
    # The tail is not labelled in frame 4, an end of both gaps, nor the fly 1 in frame 8.
    truth = video(
        [fly(frame, track, tail=(frame, track) != (4, 0)) for frame in range(8) for track in (0, 1)]
        + [fly(8, 0)]
    )
    poses = video([fly(frame, track, 2.0 * track + 1) for frame in range(8) for track in (0, 1)])
    errors = errors_between(truth, poses, 4)
    # Of fly 0 the heads of frames 1 to 3 and 5 to 7, of fly 1 both joints of frames 1 to 3.
    assert errors.tolist() == pytest.approx([1 / 20] * 6 + [3 / 20] * 6)
    missing = poses.with_persons([p for p in poses.persons if p.frame_index != 2])
    lost = np.flatnonzero(np.isinf(errors_between(truth, missing, 4)))
    assert lost.tolist() == [1, 8, 9]


def test_predictions_get_the_ids_of_the_nearest_true_poses() -> None:
    truth = video([fly(0, 0), fly(0, 1), fly(1, 1)])
    # In frame 0 both are nearer to fly 1, in frame 1 two are found where there is one.
    poses = video([fly(0, None, 45.0), fly(0, None, 25.0), fly(1, None, 0.0), fly(1, None, 39.0)])
    named = name_as_truth(poses, truth).persons
    assert [(p.track_id, p.keypoints[0, 0]) for p in named] == [(1, 55.0), (0, 35.0), (1, 49.0)]


def test_a_tool_is_ended_after_its_processor_time(tmp_path: Path) -> None:
    seconds = run_tool([sys.executable, '-c', 'while True: pass'], tmp_path / 'log', 1)
    # The limit and the sum are not counted by the same clock.
    assert seconds == pytest.approx(1, abs=0.4)


@pytest.fixture
def sleap_nn(tmp_path: Path) -> Path:
    """A command whose predictions are the poses that the crops are around."""
    script = tmp_path / 'sleap-nn'
    script.write_text(
        f'#!{sys.executable}\n'
        """
import pathlib, shutil, sys
verb, *rest = sys.argv[1:]
given = dict(zip(rest, rest[1:]))
if verb == 'config':
    config = pathlib.Path(given['--output'])
    config.with_name(config.stem + '_centered_instance.yaml').touch()
elif verb == 'train':
    assert pathlib.Path(rest[0]).exists()
    settings = dict(one.split('=') for one in rest[1:])
    model = pathlib.Path(settings['trainer_config.ckpt_dir'], settings['trainer_config.run_name'])
    model.mkdir()
    (model / 'best.ckpt').touch()
else:
    assert pathlib.Path(given['--model_paths'], 'best.ckpt').exists()
    shutil.copy(given['--data_path'], given['--output_path'])
"""
    )
    script.chmod(0o755)
    return script


def test_from_labels_to_figures(
    sleap_nn: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str, list[str]]]
) -> None:
    pytest.importorskip('sleap_io', reason='optional, see `make test-sleap`')
    clip, labels, out = tmp_path / 'clip.mp4', tmp_path / 'labels.json', tmp_path / 'out'
    write_video(clip, [np.zeros((64, 96, 3), np.uint8)] * 9, fps=25)
    write_labels(video([fly(frame, track) for frame in range(9) for track in (0, 1)]), labels)
    arguments = (clip, labels, '--interval', 4, '--sleap-nn', sleap_nn, '--out-dir', out)
    code, printed, _ = run_main(main, *arguments, '--crops', 'truth')
    assert code == 0
    first, second = printed.splitlines()
    assert first.startswith('6 labelled poses, training ')
    # Six hidden frames with two flies of two joints.
    assert 'crops of truth: 100.0 / 100.0 / 0.00 (24 joints)' in second
    exported = read_labels(out / 'labels.slp')
    assert exported.labelled_frame_indices == (0, 4, 8)
    assert exported.extra['video_fields'] == {'file_name': str(clip)}
    assert read_labels(out / 'truth.slp').labelled_frame_indices == (1, 2, 3, 5, 6, 7)
