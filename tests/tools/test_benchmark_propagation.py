from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from stdpose_mm.io.labels import read_posetrack18, write_posetrack18
from stdpose_mm.io.video import write_video
from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.propagation.auto.trained_fuser import SHIPPED_FUSER
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import VideoLabels
from support.comparison_videos import FAST, SLOW, mouse_video, write_slow_and_fast
from support.pose_network_files import write_dot_network
from support.tools import load_tool

pytestmark = pytest.mark.slow

tool = load_tool('analysis_tools/benchmark_propagation')


@pytest.fixture
def run(run_main):
    return partial(run_main, tool.main)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_slow_and_fast(tmp_path / 'labels')


@pytest.fixture
def picture_root(tmp_path: Path) -> Path:
    """The pictures of both videos."""
    root = tmp_path / 'pictures'
    rng = np.random.default_rng(0)
    for video in (SLOW, FAST):
        for frame in video.frames:
            path = root / frame.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 255, (64, 96, 3), np.uint8))
    return root


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def test_labels_without_pictures(run, labels, tmp_path):
    out = tmp_path / 'out'
    code, printed, errors = run(labels, '--methods', 'linear', '--interval', 3, '--out-dir', out)
    assert (code, errors) == (0, [])
    assert files(out) == [
        'comparison.json',
        'linear_T3/fast.json',
        'linear_T3/slow.json',
        'table.csv',
        'table.md',
    ]
    assert (out / 'table.md').read_text() == printed
    assert '| T = 3, unlabelled frames of 2 videos | AP |' in printed
    assert '| T = 3, all frames of 2 videos | AP |' in printed
    figures = json.loads((out / 'comparison.json').read_text())
    assert figures['videos'] == ['fast', 'slow']
    # Hidden: frames 1, 2, 4, 5 of 0..6 and 4, 5, 7, 8, 10 of 3..11; 15 joints of two people.
    joints = figures['comparisons'][0]['joints']
    assert joints == {'unlabelled_frames': (4 + 5) * 2 * 15, 'all_frames': (7 + 9) * 2 * 15}


def test_default_methods_and_several_intervals(run, labels, picture_root, tmp_path):
    out = tmp_path / 'out'
    arguments = ('--image-root', picture_root, '--interval', 2, 4, '--out-dir', out)
    assert run(labels, *arguments)[0] == 0
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    methods = [name for name in ('linear', 'spline', 'flow', 'auto') if name in PROPAGATORS]
    assert folders == {*(f'{name}_T{T}' for name in methods for T in (2, 4))}
    comparisons = json.loads((out / 'comparison.json').read_text())['comparisons']
    assert [c['interval'] for c in comparisons] == [2, 4]


def test_a_video_file(run, tmp_path):
    video = mouse_video('clip', dict.fromkeys(range(6), 20.0))
    video.extra['info'] = {'video': 'clip.mp4'}
    write_posetrack18(video, tmp_path / 'clip.json')
    write_video(tmp_path / 'clip.mp4', np.full((6, 48, 128, 3), 90, np.uint8), fps=10)
    arguments = (tmp_path / 'clip.json', '--methods', 'flow', '--interval', 5)
    code, printed, _ = run(*arguments, '--video-root', tmp_path)
    assert code == 0
    assert '| flow | 100.0 |' in printed
    code, _, errors = run(*arguments, '--video-root', tmp_path / 'labels')
    assert code == 2
    assert 'clip.mp4 does not exist' in errors[0]


def test_predictions_have_the_official_form_and_the_frames_of_the_truth(run, labels, tmp_path):
    run(labels, '--methods', 'linear', '--interval', 7, '--out-dir', tmp_path / 'out')
    path = tmp_path / 'out' / 'linear_T7' / 'fast.json'
    fields = json.loads(path.read_text())
    assert set(fields) == {'images', 'annotations', 'categories'}
    assert [image['file_name'] for image in fields['images']] == [
        frame.file_name for frame in FAST.frames
    ]
    assert {v for a in fields['annotations'] for v in a['keypoints'][2::3]} == {0, 1}
    assert not any('source' in annotation for annotation in fields['annotations'])
    given = read_posetrack18(path)[3]
    assert (given[0].keypoints == FAST.persons[0].keypoints).all()


def test_a_model(run, model_files, label_file, folder):
    # Frames 0, 4 and 8 are labelled, the middle one is hidden.
    model = ('--config', model_files[0], '--checkpoint', model_files[1])
    arguments = ('--image-root', folder.parent, '--interval', 5)
    code, printed, errors = run(label_file, *arguments, *model)
    assert (code, errors) == (0, [])
    named = ['linear', 'spline', 'flow', 'auto', 'per-frame', 'stdpose', 'auto+stdpose']
    methods = [name for name in named if name.partition('+')[0] in PROPAGATORS]
    rows = [line.split(' | ')[0] for line in printed.splitlines()[2 : 2 + len(methods)]]
    assert rows == [f'| {name}' for name in methods]


def test_other_networks_are_evidence_for_auto(run, label_file, label_fields, folder, tmp_path):
    label_fields['categories'][0]['keypoints'] = ['nose', 'left_ankle', 'right_ankle']
    label_file.write_text(json.dumps(label_fields))
    write_dot_network(tmp_path / 'dot.onnx')
    description = {'joints': ['nose'], 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    (tmp_path / 'dot.json').write_text(json.dumps(description))
    code, _, errors = run(
        label_file,
        *('--image-root', folder.parent, '--interval', 5, '--methods', 'auto'),
        *('--evidence', f'dot={tmp_path}/dot.onnx', '--evidence', f'own=:{SHIPPED_FUSER}'),
        *('--evidence', f'both={tmp_path}/dot.onnx,{tmp_path}/dot.onnx:{SHIPPED_FUSER}'),
        *('--out-dir', tmp_path / 'out'),
    )
    assert (code, errors) == (0, [])
    found = {}
    for name in ('auto', 'dot', 'own', 'both'):
        (path,) = (tmp_path / 'out' / f'{name}_T5').glob('*.json')
        annotations = json.loads(path.read_text())['annotations']
        found[name] = np.array([person['keypoints'] for person in annotations])
    np.testing.assert_array_equal(found['own'], found['auto'])
    # The same network twice is the same evidence.
    np.testing.assert_allclose(found['both'], found['dot'], atol=1e-3)
    assert np.abs(found['dot'] - found['auto']).max() > 0.01


def no_label_file(labels: Path) -> None:
    (labels / 'slow.json').write_text('{"images": 3}')


def two_files_of_a_video(labels: Path) -> None:
    write_posetrack18(SLOW, labels / 'slow.json.gz')


def no_labels(labels: Path) -> None:
    write_posetrack18(VideoLabels('slow', SLOW.skeleton, SLOW.frames), labels / 'slow.json')


@pytest.mark.parametrize(
    ('change', 'arguments', 'message'),
    [
        (None, [], "pictures of video 'fast' are not available (no folder was given), give"),
        (None, ['--image-root', 'no'], 'fast/000003.jpg does not exist'),
        (None, ['--video-root', 'no'], 'its labels name no video file'),
        (None, ['--methods', 'stdpose', '--image-root', 'pictures'], 'needs a config'),
        (None, ['--methods', 'magic'], "invalid choice: 'magic'"),
        (None, ['--methods', 'linear', '--interval', '1'], 'must be at least 2'),
        (
            None,
            ['--methods', 'linear', '--bootstrap', '-1'],
            'argument --bootstrap: expected a whole',
        ),
        (None, ['--methods', 'linear', '--out-dir', 'file'], 'file is a file'),
        (None, ['--config', 'file'], 'give both --config and --checkpoint'),
        (None, ['--config', 'no.py', '--checkpoint', 'file'], 'config no.py does not exist'),
        (None, ['--evidence', 'a'], "[:FUSER] with a unique name, got 'a'"),
        (None, ['--evidence', '../a=x'], 'with a unique name'),
        (None, ['--evidence', 'auto=x'], 'with a unique name'),
        (None, ['--evidence', 'a=:no.pth'], 'no.pth'),
        (None, ['--evidence', 'a=no.onnx=hrnet-coco'], 'no.onnx does not exist'),
        (no_label_file, ['--methods', 'linear'], 'slow.json is not a known label format'),
        (two_files_of_a_video, ['--methods', 'linear'], "both belong to video 'slow'"),
        (no_labels, ['--methods', 'linear'], "video 'slow' has no labelled people"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    run, labels, picture_root, tmp_path, monkeypatch, change, arguments, message
):
    monkeypatch.chdir(tmp_path)
    Path('file').write_text('')
    if change is not None:
        change(labels)
    before = files(tmp_path)
    code, printed, errors = run(labels, '--out-dir', 'out', *arguments)
    assert (code, printed, len(errors)) == (2, '', 1), errors
    assert errors[0].startswith('benchmark_propagation.py: ')
    assert message in errors[0]
    assert files(tmp_path) == before


def test_missing_pictures_are_found_before_any_computing(run, labels, monkeypatch):
    def propagate(*_: object) -> None:
        raise AssertionError('the propagation began')

    monkeypatch.setattr(LinearPropagator, 'propagate', propagate)
    code, _, errors = run(labels, '--methods', 'linear', 'flow')
    assert code == 2
    assert 'are not available' in errors[0]
