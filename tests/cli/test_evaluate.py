from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from stdpose_mm.cli import evaluate as tool
from support.posetrack_videos import GOLDEN
from support.refusals import refusal


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Ground truth and predictions of a scenario, and where the metrics shall go."""
    for side in ('gt', 'pred'):
        shutil.copytree(GOLDEN / 'dense' / side, tmp_path / side)
    return tmp_path / 'gt', tmp_path / 'pred', tmp_path / 'metrics.json'


def _run(folders: tuple[Path, Path, Path]) -> int:
    gt, pred, out = folders
    return tool.main([str(gt), str(pred), '--out', str(out)])


def _assert_refused(folders: tuple[Path, Path, Path], capsys, *parts: str) -> None:
    assert _run(folders) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert len(captured.err.splitlines()) == 1
    for part in parts:
        assert part in captured.err
    assert not list(folders[2].parent.glob('*metrics*'))


def _change(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_prints_the_table_of_the_paper(folders, capsys):
    assert _run(folders) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ' '.join(lines[1].split()) == 'Head Shoulder Elbow Wrist Hip Knee Ankle Mean'
    assert ' '.join(lines[2].split()) == 'AP 75.8 70.2 75.5 66.9 70.3 78.4 79.3 73.9'
    assert lines[3].split()[0] == 'MOTA'
    assert lines[3].split()[-1] == '58.0'
    assert lines[4].startswith('MOTP 82.4')


def _zip_one(gt: Path, pred: Path) -> None:
    path = gt / '020001_mpii_test.json'
    path.with_name(f'{path.name}.gz').write_bytes(gzip.compress(path.read_bytes()))


def _remove_all(gt: Path, pred: Path) -> None:
    for path in gt.iterdir():
        path.unlink()


def _remove_people(gt: Path, pred: Path) -> None:
    for path in gt.glob('*.json'):
        _change(path, lambda data: data.update(annotations=[]))


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (_zip_one, "both belong to video '020001_mpii_test'"),
        (
            lambda gt, pred: (pred / '020002_mpii_test.json').unlink(),
            '020002_mpii_test is in only one of',
        ),
        (
            lambda gt, pred: shutil.copy(pred / '020002_mpii_test.json', pred / 'extra.json'),
            'extra is in only one of',
        ),
        (_remove_all, 'holds no .json file'),
        (_remove_people, 'gt holds a person, expected the ground truth'),
    ],
)
def test_folders_that_do_not_fit_are_refused(folders, capsys, change, sentence):
    change(*folders[:2])
    _assert_refused(folders, capsys, sentence)


def test_files_of_one_video_take_the_place_of_folders(folders, capsys):
    gt, pred, out = folders
    for path in (*gt.iterdir(), *pred.iterdir()):
        if path.name != '020001_mpii_test.json':
            path.unlink()
    assert _run(folders) == 0
    expected = out.read_text()
    truth, prediction = gt / '020001_mpii_test.json', pred.parent / 'dense.json'
    (pred / '020001_mpii_test.json').rename(prediction)
    assert _run((truth, prediction, out)) == 0
    assert out.read_text() == expected
    out.unlink()
    capsys.readouterr()
    _assert_refused((truth, pred, out), capsys, 'holds no .json file')
    prediction.rename(pred / 'dense.json')
    _assert_refused((truth, pred, out), capsys, 'are a file and a folder, give two of a kind')


def test_given_labels_among_the_predictions_are_counted(folders, capsys):
    assert _run(folders) == 0
    assert 'given' not in capsys.readouterr().out
    _change(min(folders[1].iterdir()), lambda data: data['annotations'][3].update(source='given'))
    for path in folders[1].iterdir():
        _change(
            path,
            lambda data: [
                annotation.setdefault('source', 'propagated') for annotation in data['annotations']
            ],
        )
    assert _run(folders) == 0
    out = capsys.readouterr().out
    assert 'hold given labels, which count as predictions' in out
    assert out.splitlines()[5].startswith('1 of the ')


def test_joints_that_are_nowhere_are_named_since_they_count_as_0(folders, capsys):
    def no_noses(data: dict) -> None:
        for annotation in data['annotations']:
            annotation['keypoints'][:3] = [0] * 3

    for path in (*folders[0].iterdir(), *folders[1].iterdir()):
        _change(path, no_noses)
    assert _run(folders) == 0
    assert json.loads(folders[2].read_text())['AP']['nose'] == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('neither annotated nor predicted: nose; as in the official evaluator')


def test_unknown_values_are_null(folders):
    def no_ankles(data: dict) -> None:
        for annotation in data['annotations']:
            annotation['keypoints'][3 * 15 :] = [0] * 6

    for path in folders[0].iterdir():
        _change(path, no_ankles)
    assert _run(folders) == 0
    metrics = json.loads(folders[2].read_text())
    assert metrics['AP']['left_ankle'] is None
    assert metrics['AP']['mean'] > 0


def test_tracking_is_null_without_track_ids_and_a_file_is_named(folders, capsys):
    path = max(folders[1].iterdir())
    _change(path, lambda data: data['annotations'][7].pop('track_id'))
    assert _run(folders) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f'no MOTA and MOTP: {path} holds people without track_id'
    metrics = json.loads(folders[2].read_text())
    assert set(metrics['MOTA'].values()) == {None}
    assert metrics['MOTP'] == {'mean': None}
    assert metrics['AP']['mean'] == pytest.approx(73.89956320526, abs=1e-3)


@pytest.mark.parametrize('score', [{}, {'scores': []}, {'score': 0.9}])
def test_a_file_with_poses_without_scores_is_named(folders, capsys, score):
    def rescore(data: dict) -> None:
        del data['annotations'][7]['scores']
        data['annotations'][7].update(score)

    path = max(folders[1].iterdir())
    _change(path, rescore)
    assert _run(folders) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        f'AP ranks poses without scores last: {path} holds people without scores, which are a list '
        'with a number for each joint'
    )


@pytest.mark.parametrize('value', [2, 0.37])
def test_other_values_of_v_in_predictions_mean_that_the_joint_is_there(folders, value):
    def revalue(data: dict) -> None:
        for annotation in data['annotations']:
            v = annotation['keypoints'][2::3]
            annotation['keypoints'][2::3] = [value if flag else 0 for flag in v]

    assert _run(folders) == 0
    before = folders[2].read_text()
    for path in folders[1].iterdir():
        _change(path, revalue)
    assert _run(folders) == 0
    assert folders[2].read_text() == before


def test_truth_that_was_propagated_is_refused(folders, capsys):
    def mark(data):
        data['annotations'][0]['source'] = 'propagated'

    _change(next(folders[1].glob('*.json')), mark)
    assert _run(folders) == 0
    folders[2].unlink()
    capsys.readouterr()
    _change(next(folders[0].glob('*.json')), mark)
    _assert_refused(folders, capsys, 'needs ground truth labelled by hand, but 1 of the ')


def test_hidden_files_are_no_videos(folders):
    """As macOS leaves them beside files on foreign disks."""
    for side in folders[:2]:
        (side / '._clip.json').write_bytes(b'\0\5\26\7')

    assert _run(folders) == 0


def scene_file(path: Path, rows: list[tuple[object, ...]]) -> Path:
    lines = [
        ','.join(map(str, row)) for row in [('frame', 'person', 'joint', 'x', 'y', 'z'), *rows]
    ]
    path.write_text('\n'.join(lines))
    return path


def test_joints_in_space_are_evaluated_by_their_mean_distance(run_main, tmp_path):
    truth = [(f, p, j, 10 * p, f, 0) for f in (0, 1) for p in (0, 1) for j in ('nose', 'tail')]
    # The ids are exchanged; the nose of the second person is 5 off in one of its two frames.
    off = [
        (f, 1 - p, j, x + 3, y + 4, z) if (f, p, j) == (1, 1, 'nose') else (f, 1 - p, j, x, y, z)
        for f, p, j, x, y, z in truth[:-1]
    ]
    out = tmp_path / 'metrics.json'
    files = (scene_file(tmp_path / name, rows) for name, rows in (('a.csv', truth), ('b.csv', off)))
    code, printed, _ = run_main(tool.main, *files, '--out', out)
    assert code == 0
    metrics = json.loads(out.read_text())
    assert metrics['MPJPE'] == {'nose': 1.25, 'tail': 0.0, 'mean': pytest.approx(5 / 7)}
    assert metrics['known'] == {'mean': 87.5}
    assert '87.5 % of the true joints are known' in printed


def test_scenes_without_a_common_joint_are_refused(run_main, tmp_path):
    files = [scene_file(tmp_path / f'{n}.csv', [(0, 0, n, 1, 2, 3)]) for n in ('nose', 'tail')]
    line = refusal(run_main, tool.main, *files, '--out', tmp_path / 'metrics.json')
    assert 'truth and predictions have no joint in common' in line
