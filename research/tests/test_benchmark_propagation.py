from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from research.comparison.benchmark import BenchmarkEntry, build_run
from research.tools import benchmark_propagation as tool
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE
from stdpose_mm.io.labels import read_posetrack18, write_posetrack18
from stdpose_mm.io.video import write_video
from stdpose_mm.pose_networks import PoseNetworkFiles
from stdpose_mm.propagation import PROPAGATORS
from stdpose_mm.propagation.auto.network_heatmaps import SHIPPED_STDPOSE
from stdpose_mm.propagation.auto.trained_fuser import SHIPPED_WEIGHTS
from stdpose_mm.propagation.auto.trained_matcher import CROP_SIDE, SHIPPED_MATCHER, TrainedMatcher
from stdpose_mm.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import VideoLabels
from support.comparison_videos import KnowingPropagator, mouse_video, posetrack_video
from support.paths import ROOT, SHARED_DATA
from support.pose_network_files import write_dot_network

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'


@pytest.fixture(autouse=True)
def nothing_built() -> None:
    """Tests register methods of their own under known names."""
    build_run.cache_clear()


@pytest.fixture
def run(run_main):
    return partial(run_main, tool.main)


SLOW = posetrack_video('slow', range(7), acceleration=0.0)
FAST = posetrack_video('fast', range(3, 12), acceleration=4.0)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Label files of a still and of an accelerating video, one of them gzipped."""
    folder = tmp_path / 'labels'
    write_posetrack18(SLOW, folder / 'slow.json')
    write_posetrack18(FAST, folder / 'fast.json.gz')
    return folder


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
    assert [name for name in files(out) if not name.startswith('cache/')] == [
        'by_interval.png',
        'by_interval_fast.png',
        'by_interval_slow.png',
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
    assert folders == {'cache', *(f'{name}_T{T}' for name in methods for T in (2, 4))}
    comparisons = json.loads((out / 'comparison.json').read_text())['comparisons']
    assert [c['interval'] for c in comparisons] == [2, 4]
    assert {c['reference'] for c in comparisons} == {'flow'}


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


def test_predictions_can_be_evaluated(run, labels, tmp_path, monkeypatch, capsys):
    class Perfect(KnowingPropagator):
        reads_pictures = False

        def __init__(self) -> None:
            super().__init__(SLOW, posetrack_video('fast', range(9), acceleration=4.0))

    monkeypatch.setitem(PROPAGATORS, 'flow', Perfect)
    out = tmp_path / 'out'
    arguments = ('--methods', 'flow', 'linear', '--interval', 7, '--out-dir', out)
    assert run(labels, *arguments)[0] == 0
    from stdpose_mm.cli import evaluate

    metrics = tmp_path / 'metrics.json'
    assert evaluate.main([str(labels), str(out / 'flow_T7'), '--out', str(metrics)]) == 0
    scores = json.loads(metrics.read_text())
    assert scores['AP']['mean'] == 100
    assert scores['MOTA']['mean'] == 100
    assert evaluate.main([str(labels), str(out / 'linear_T7'), '--out', str(metrics)]) == 0
    evaluated = json.loads(metrics.read_text())['AP']['mean']
    compared = json.loads((out / 'comparison.json').read_text())['comparisons'][0]
    assert evaluated < 100
    assert compared['all_frames']['linear']['AP'] == pytest.approx(evaluated, abs=1e-4)


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


def test_min_motion_keeps_the_fast_videos(run, labels, tmp_path):
    out = tmp_path / 'out'
    arguments = ('--methods', 'linear', '--interval', 7, '--out-dir', out, '--min-motion')
    code, printed, _ = run(labels, *arguments, 0.02)
    assert code == 0
    assert 'unlabelled frames of 1 video |' in printed
    assert json.loads((out / 'comparison.json').read_text())['videos'] == ['fast']
    code, _, errors = run(labels, *arguments, 9)
    assert code == 2
    assert 'none of the 2 videos moves by more than 9 pose sizes a frame' in errors[0]


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
    assert 'Measured on 6 labelled joints' in printed


def test_several_models_and_seeds_in_one_run(run, model_files, label_file, folder, tmp_path):
    config, checkpoint = model_files
    other = tmp_path / 'other.pth'
    shutil.copy(checkpoint, other)
    code, printed, errors = run(
        label_file,
        *('--image-root', folder.parent, '--interval', 5, '--methods', 'linear'),
        *('--model', f'small=stdpose:{config}:{checkpoint},{other}'),
        *('--model', f'frame=per-frame:{config}:{checkpoint}'),
        *('--reference', 'frame', '--breakdown', '--out-dir', tmp_path / 'out'),
    )
    assert (code, errors) == (0, [])
    assert '## Difference to frame, unlabelled frames' in printed
    assert '## PCK@0.1 by occlusion, unlabelled frames' in printed
    assert '| 5 | *joints* | 6 |' in printed
    folders = {path.name for path in (tmp_path / 'out').iterdir() if path.is_dir()}
    assert folders == {'cache', 'linear_T5', 'small-seed1_T5', 'small-seed2_T5', 'frame_T5'}
    comparison = json.loads((tmp_path / 'out' / 'comparison.json').read_text())['comparisons'][0]
    assert comparison['seeds']['unlabelled_frames'] == {'linear': 1, 'small': 2, 'frame': 1}
    # The same weights twice.
    assert comparison['spread']['unlabelled_frames']['small']['error px'] == 0


def test_other_networks_are_evidence_for_auto(run, label_file, label_fields, folder, tmp_path):
    label_fields['categories'][0]['keypoints'] = ['nose', 'left_ankle', 'right_ankle']
    label_file.write_text(json.dumps(label_fields))
    write_dot_network(tmp_path / 'dot.onnx')
    description = {'joints': ['nose'], 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    (tmp_path / 'dot.json').write_text(json.dumps(description))
    code, _, errors = run(
        label_file,
        *('--image-root', folder.parent, '--interval', 5, '--methods', 'auto'),
        *('--evidence', f'dot={tmp_path}/dot.onnx', '--evidence', f'own=:{SHIPPED_WEIGHTS}'),
        *('--evidence', f'both={tmp_path}/dot.onnx,{tmp_path}/dot.onnx:{SHIPPED_WEIGHTS}'),
        *('--reference', 'auto', '--out-dir', tmp_path / 'out'),
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


def test_a_model_may_have_networks_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('model.py', 'weights.pth', 'fuser.onnx', 'dot.onnx'):
        Path(name).write_text('')
    alone, beside, without_fuser = (
        BenchmarkEntry.parse(f'x=auto:model.py:weights.pth{rest}')
        for rest in (':fuser.onnx', ':fuser.onnx:dot.onnx=rtmpose-coco', '::dot.onnx,poses=results')
    )
    assert (alone.fuser, alone.pose_networks) == ('fuser.onnx', ())
    assert beside.fuser == 'fuser.onnx'
    assert beside.pose_networks == (PoseNetworkFiles('dot.onnx', preset='rtmpose-coco'),)
    assert without_fuser.fuser is None
    assert without_fuser.pose_networks == (
        PoseNetworkFiles('dot.onnx'),
        PoseNetworkFiles('poses', results=True),
    )
    (run_alone,), (run_beside,) = alone.runs(), beside.runs()
    assert run_beside.pose_networks == beside.pose_networks
    # Predictions that are kept are those of the same networks.
    assert run_beside.fingerprint != run_alone.fingerprint


def test_rows_of_auto_may_leave_out_the_stdpose_of_the_package():
    entries = [
        BenchmarkEntry.parse_evidence(text)
        for text in ('plain=no-stdpose', 'dot=no-stdpose,dot.onnx', 'own=dot.onnx')
    ]
    assert [entry.use_stdpose for entry in entries] == [False, False, True]
    assert [len(entry.pose_networks) for entry in entries] == [0, 1, 1]
    plain, as_it_comes = entries[0].runs()[0], BenchmarkEntry('auto', 'auto').runs()[0]
    assert plain.fingerprint != as_it_comes.fingerprint
    assert build_run(plain, 'cpu').windows is None
    assert build_run(as_it_comes, 'cpu').windows is not None


def test_rows_of_auto_may_have_another_stdpose_and_another_matcher(tmp_path):
    for name in (FRAMES_FILE, WINDOWS_FILE):
        shutil.copy(SHIPPED_STDPOSE / name, tmp_path)
    matcher = tmp_path / 'other.onnx'
    shutil.copy(SHIPPED_MATCHER, matcher)
    texts = (
        f'own={tmp_path}=stdpose,{matcher}=matcher,poses=results:{SHIPPED_WEIGHTS}',
        f'folder={tmp_path}=stdpose',
        f'matcher={matcher}=matcher',
    )
    entries = [BenchmarkEntry.parse_evidence(text) for text in texts]
    assert [entry.stdpose for entry in entries] == [str(tmp_path), str(tmp_path), None]
    assert [entry.matcher for entry in entries] == [str(matcher), None, str(matcher)]
    assert entries[0].pose_networks == (PoseNetworkFiles('poses', results=True),)
    assert (entries[0].fuser, entries[0].use_stdpose) == (str(SHIPPED_WEIGHTS), True)
    runs = [entry.runs()[0] for entry in (*entries[1:], BenchmarkEntry('auto', 'auto'))]
    assert len({run.fingerprint for run in runs}) == 3
    crops = np.random.default_rng(0).integers(0, 255, (1, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    described = [build_run(run, 'cpu').matcher.describe(crops) for run in runs]
    np.testing.assert_array_equal(described[1], TrainedMatcher(matcher).describe(crops))


def test_a_model_may_have_another_matcher_beside_it(tmp_path, model_files):
    shutil.copy(SHIPPED_MATCHER, tmp_path / 'other.onnx')
    model = f'x=auto:{model_files[0]}:{model_files[1]}:'
    alone, beside = (
        BenchmarkEntry.parse(text).runs()[0]
        for text in (f'{model}{SHIPPED_WEIGHTS}', f'{model}:{tmp_path}/other.onnx=matcher')
    )
    assert beside.matcher == f'{tmp_path}/other.onnx'
    assert beside.fingerprint != alone.fingerprint


def no_label_file(labels: Path) -> None:
    (labels / 'slow.json').write_text('{"images": 3}')


def two_files_of_a_video(labels: Path) -> None:
    write_posetrack18(SLOW, labels / 'slow.json.gz')


def no_labels(labels: Path) -> None:
    write_posetrack18(VideoLabels('slow', SLOW.skeleton, SLOW.frames), labels / 'slow.json')


def other_predictions(labels: Path) -> None:
    folder = labels.parent / 'out' / 'linear_T7'
    folder.mkdir(parents=True)
    (folder / 'other.json').write_text('{}')


@pytest.mark.parametrize(
    ('change', 'arguments', 'message'),
    [
        (None, [], "pictures of video 'fast' are not at hand (no folder was given), pass"),
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
        (None, ['--methods', 'linear', '--reference', 'flow'], 'one of linear'),
        (None, ['--methods', 'linear', '--jobs', '0'], 'at least 1'),
        (None, ['--config', 'file'], 'give both --config and --checkpoint'),
        (None, ['--config', str(CONFIG), '--checkpoint', 'a,no'], 'checkpoint a of'),
        (None, ['--config', 'no.py', '--checkpoint', 'file'], 'config no.py does not exist'),
        (None, ['--model', 'stdpose:file:file'], 'given as NAME=METHOD:CONFIG:CHECKPOINT['),
        (None, ['--model', 'a=stdpose:file'], "got 'a=stdpose:file'"),
        (None, ['--model', 'a=stdpose:file:file,'], 'given as NAME=METHOD:CONFIG:CHECKPOINT['),
        (None, ['--model', 'a=auto:file:file:'], 'given as NAME=METHOD:CONFIG:CHECKPOINT['),
        (None, ['--model', 'a=auto:file:file::x,'], 'given as NAME=METHOD:CONFIG:CHECKPOINT['),
        (None, ['--model', 'a=stdpose:file:file::x'], "method 'stdpose' of 'a' does not use"),
        (None, ['--model', 'a b=stdpose:file:file'], "'a b' cannot name a method"),
        (None, ['--model', 'a=magic:file:file'], "no propagation method 'magic' for 'a'"),
        (None, ['--model', 'a=linear:file:file'], "'linear' of 'a' takes no model"),
        (None, ['--model', 'a=stdpose:no.py:file'], "config no.py of 'a' does not exist"),
        (None, ['--model', 'a=stdpose:file:file,file'], 'given twice'),
        (None, ['--evidence', 'a'], "given as NAME=[POSE[,POSE...]][:FUSER], got 'a'"),
        (None, ['--evidence', 'a=:no.pth'], "fuser no.pth of 'a' does not exist"),
        (None, ['--evidence', 'a=no.onnx=hrnet-coco'], 'no.onnx cannot be read'),
        (None, ['--evidence', 'a=no.onnx=matcher'], "matcher no.onnx of 'a' does not exist"),
        (None, ['--evidence', 'a=file=matcher'], 'file is no network that onnxruntime can run'),
        (None, ['--evidence', 'a=no=stdpose'], "STDPose no/stdpose_frames.onnx of 'a' does not"),
        (None, ['--evidence', 'a=x=stdpose,no-stdpose'], 'uses one STDPose, got x=stdpose and no-'),
        (None, ['--evidence', 'a=x=matcher,y=matcher'], 'uses one matcher, got x=matcher and y='),
        (None, ['--model', 'a=auto:file:file::no-stdpose'], "the model of 'a' takes the place of"),
        (None, ['--model', 'a=stdpose:file:file::file=matcher'], "method 'stdpose' of 'a' does"),
        (no_label_file, ['--methods', 'linear'], 'slow.json is no label file'),
        (two_files_of_a_video, ['--methods', 'linear'], "are both of video 'slow'"),
        (no_labels, ['--methods', 'linear'], "video 'slow' has no labelled people"),
        (other_predictions, ['--methods', 'linear'], 'other.json is of none of the videos'),
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


def test_a_name_is_given_once(run, labels, model_files):
    model = f'linear=stdpose:{model_files[0]}:{model_files[1]}'
    code, _, errors = run(labels, '--methods', 'linear', '--model', model)
    assert (code, len(errors)) == (2, 1)
    assert "two methods are called 'linear'" in errors[0]


def test_missing_pictures_are_found_before_any_computing(run, labels, monkeypatch):
    def propagate(*_: object) -> None:
        raise AssertionError('the propagation began')

    monkeypatch.setattr(LinearPropagator, 'propagate', propagate)
    code, _, errors = run(labels, '--methods', 'linear', 'flow')
    assert code == 2
    assert 'are not at hand' in errors[0]


def test_no_labels_at_all(run, tmp_path):
    code, _, errors = run(tmp_path / 'no.json')
    assert code == 2
    assert 'no.json do not exist' in errors[0]


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason='no shared/data beside the repository')
def test_motion_agrees_with_that_of_the_jhmdb_clips():
    # The clips' own figure includes joints outside the picture, which are not labelled.
    from research.comparison.motion import mean_motion

    compared = 0
    for path in sorted((SHARED_DATA / 'jhmdb_clips' / 'annotations').glob('*.json'))[:60]:
        labels = read_posetrack18(path)
        if all(person.labelled.all() for person in labels.persons):
            expected = labels.extra['info']['mean_motion_per_frame']
            assert mean_motion(labels) == pytest.approx(expected, abs=6e-5)
            compared += 1
    assert compared >= 10
