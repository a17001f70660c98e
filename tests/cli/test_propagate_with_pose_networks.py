"""Pose networks of other projects as evidence, through the whole command."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.cli import propagate, review
from support.file_server import serve
from support.input_files import link_for_each
from support.mmpose_checkpoints import FAMILIES, write_random_checkpoint
from support.model_zoo import NAME, install_zoo, published_name
from support.pose_network_files import JOINTS, write_described_network
from support.refusals import refusal

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_main):
    return partial(run_main, propagate.main)


@pytest.fixture
def label_fields(label_fields):
    label_fields['categories'][0]['keypoints'] = [*JOINTS]
    return label_fields


@pytest.fixture
def network(tmp_path):
    return write_described_network(tmp_path / 'dot.onnx')


def poses(path):
    return [a['keypoints'] for a in json.loads(path.read_text())['annotations']]


def test_a_network_by_its_name(run, movie, label_file, tmp_path, monkeypatch):
    served, outs = tmp_path / 'served', [tmp_path / f'dense_{n}.json' for n in range(3)]
    served.mkdir()
    write_random_checkpoint(FAMILIES['rtmpose'], served / 'w.pth')
    name = published_name((served / 'w.pth').read_bytes())
    (served / 'w.pth').rename(served / name)
    common = (movie, label_file, '--keep-every', 2)
    with serve(served) as (address, requests):
        kept = install_zoo(tmp_path, f'{address}/{name}', monkeypatch) / name
        first, second = (run(*common, '--out', out, '--pose', 'tiny') for out in outs[:2])
    assert requests == ['GET']
    # A busy machine is told how long it will take.
    said = [[line for line in lines if 's to go' not in line] for _, _, lines in (first, second)]
    assert [line.partition(' (')[0] for line in said[0]] == [
        f'propagate.py: fetching the weights of {NAME}'
    ]
    assert said[1] == []
    assert (first[0], second[0]) == (0, 0)
    assert f'heatmaps of {NAME} for 3 of 3 joints' in first[1]
    # What a user without a network is told to do comes to the same.
    files = ('--pose-config', NAME, '--pose-checkpoint', kept)
    assert run(*common, '--out', outs[2], *files)[0] == 0
    assert len(poses(outs[0])) == 18
    assert poses(outs[0]) == poses(outs[1]) == poses(outs[2])


def test_a_network_that_the_method_does_not_use_is_not_fetched(
    run, movie, label_file, tmp_path, monkeypatch
):
    with serve(tmp_path) as (address, requests):
        install_zoo(tmp_path, f'{address}/w.pth', monkeypatch)
        out = tmp_path / 'dense.json'
        code, _, said = run(movie, label_file, '--out', out, '--pose', 'tiny', '--method', 'flow')
    assert (code, requests) == (2, [])
    assert '--pose would have no effect: give --method auto' in said[0]


def test_networks_add_up_and_change_the_poses(run, movie, label_file, tmp_path, network):
    plain, one = tmp_path / 'plain.json', tmp_path / 'one.json'
    assert run(movie, label_file, '--out', plain)[0] == 0
    code, printed, _ = run(
        *(movie, label_file, '--out', one, '--pose-onnx', network, '--pose-onnx', network)
    )
    assert code == 0
    assert 'and heatmaps of dot.onnx for 2 of 3 joints and heatmaps of dot.onnx' in printed
    assert printed.count('dot.onnx: used in ') == 2
    assert poses(plain) != poses(one)


def test_a_network_that_knows_no_joint_is_left_out_with_a_sentence(
    run, movie, label_file, tmp_path, network
):
    network.with_suffix('.json').write_text(json.dumps({'joints': ['left_paw', 'tail']}))
    plain, out = tmp_path / 'plain.json', tmp_path / 'dense.json'
    assert run(movie, label_file, '--out', plain)[0] == 0
    code, _, said = run(movie, label_file, '--out', out, '--pose-onnx', network)
    assert code == 0
    assert len(said) == 1
    assert 'dot.onnx is not used: it knows none of the labelled joints' in said[0]
    assert poses(out) == poses(plain)


def test_another_description_is_another_network(
    run, movie, label_file, tmp_path, network, monkeypatch
):
    """What was computed with one is not taken for the other."""
    monkeypatch.setenv('STDPOSE_CACHE', str(tmp_path / 'cache'))
    found = []
    for number, padding in enumerate((1.25, 2.0, 1.25)):
        content = json.loads(network.with_suffix('.json').read_text()) | {'padding': padding}
        network.with_suffix('.json').write_text(json.dumps(content))
        out = tmp_path / f'{number}.json'
        assert run(movie, label_file, '--out', out, '--pose-onnx', network)[0] == 0
        found.append(poses(out))
    assert found[0] != found[1]
    assert found[0] == found[2]


@pytest.fixture
def results(tmp_path, label_fields):
    """Estimates on every frame: at the labels, and 2 pixels off between them."""
    labels = np.array([each['keypoints'] for each in label_fields['annotations']], float)
    first, last = labels[:2], labels[-2:]
    annotations = []
    for frame in range(9):
        points = first + (last - first) * frame / 8
        points[:, ::3] += 2 * (frame % 4 > 0)
        annotations += [
            {'image_id': frame, 'category_id': 1, 'keypoints': each, 'score': 0.9}
            for each in points.tolist()
        ]
    path = tmp_path / 'estimates.json'
    images = [{'id': frame, 'file_name': f'{frame:06d}.jpg'} for frame in range(9)]
    content = {'images': images, 'annotations': annotations}
    path.write_text(json.dumps(content | {'categories': label_fields['categories']}))
    return path


def test_poses_of_another_program(run, movie, label_file, tmp_path, results):
    plain, out = tmp_path / 'plain.json', tmp_path / 'dense.json'
    assert run(movie, label_file, '--out', plain)[0] == 0
    code, printed, said = run(movie, label_file, '--out', out, '--pose-results', results)
    assert (code, said) == (0, [])
    assert 'heatmaps of estimates.json for 3 of 3 joints' in printed
    assert 'estimates.json: used in ' in printed
    assert poses(plain) != poses(out)


@pytest.fixture
def two_videos(movie, label_file, tmp_path, results) -> list[Path]:
    """Folders of videos a and b, their labels and their estimates."""
    files = {'videos': movie, 'labels': label_file, 'estimates': results}
    return link_for_each(tmp_path, 'ab', **files)


def move_poses(path: Path, pixels: float) -> None:
    """Move all poses of a file to the right; others that are linked to it stay."""
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        points = np.array(annotation['keypoints'], float)
        points[::3] += pixels
        annotation['keypoints'] = points.tolist()
    path.unlink()
    path.write_text(json.dumps(content))


def test_poses_of_several_videos(run, movie, label_file, tmp_path, results, two_videos):
    videos, labels, estimates = two_videos
    out = tmp_path / 'out'
    code, _, said = run(videos, labels, '--out', out, '--pose-results', estimates)
    assert code == 0, said
    alone = tmp_path / 'alone.json'
    assert run(movie, label_file, '--out', alone, '--pose-results', results)[0] == 0
    assert poses(out / 'a.json') == poses(out / 'b.json') == poses(alone)
    line = refusal(run, videos, labels, '--out', out, '--pose-results', results)
    assert 'is not a folder, but there are several videos' in line


def test_poses_of_one_more_video_leave_the_others_done(run, tmp_path, results, two_videos):
    videos, labels, estimates = two_videos
    options = [videos, labels, '--out', tmp_path / 'out', '--pose-results', estimates]
    assert run(*options)[0] == 0
    os.link(results, estimates / 'c.json')
    code, printed, _ = run(*options)
    assert code == 0
    assert '0 done, 2 done before' in printed


@pytest.mark.parametrize('command', ['propagate', 'review'])
def test_poses_of_videos_with_the_same_name_are_refused(
    run, run_main, movie, label_file, tmp_path, two_videos, command
):
    rows = ['video,labels']
    for day in ('day1', 'day2'):
        (tmp_path / day).mkdir()
        os.link(movie, tmp_path / day / 'a.mp4')
        rows.append(f'{day}/a.mp4,{label_file}')
    (tmp_path / 'set.csv').write_text('\n'.join(rows))
    estimates = two_videos[2]
    start = run if command == 'propagate' else partial(run_main, review.main)
    options = ['--out', tmp_path / 'out'] if command == 'propagate' else []
    line = refusal(start, tmp_path / 'set.csv', *options, '--pose-results', estimates)
    assert 'have the same name, but --pose-results' in line


def test_poses_that_fit_no_labels_are_doubted_for_each_video(run, tmp_path, two_videos):
    videos, labels, estimates = two_videos
    move_poses(estimates / 'b.json', 12)
    code, printed, _ = run(videos, labels, '--out', tmp_path / 'out', '--pose-results', estimates)
    assert code == 0
    doubts = [line for line in printed.splitlines() if 'are they poses of this video' in line]
    assert len(doubts) == 1
    assert 'estimates: used in 0 of 4 gaps' in doubts[0]


def test_nothing_is_written_among_poses(run, run_main, movie, label_file, tmp_path, results):
    folder = tmp_path / 'estimates'
    folder.mkdir()
    os.link(results, folder / 'clip.json')
    options = ['--out', folder / 'new.json', '--pose-results', folder]
    for command in (run, partial(run_main, review.main)):
        line = refusal(command, movie, label_file, *options)
        assert 'would lie among the label files that are read from --pose-results' in line
    assert [path.name for path in folder.iterdir()] == ['clip.json']


@pytest.mark.parametrize('command', ['propagate', 'review'])
def test_poses_of_a_longer_video_are_refused_before_work_begins(
    run, run_main, movie, label_file, tmp_path, results, command
):
    content = json.loads(results.read_text())
    content['images'].append({'id': 9, 'file_name': '000009.jpg'})
    content['annotations'].append(content['annotations'][-1] | {'image_id': 9})
    results.write_text(json.dumps(content))
    start = run if command == 'propagate' else partial(run_main, review.main)
    code, printed, said = start(
        movie, label_file, '--out', tmp_path / 'dense.json', '--pose-results', results
    )
    assert (code, len(said)) == (2, 1)
    assert 'the estimates of estimates are on frame 9' in said[0]
    assert 'labels on frames' not in printed


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        ('--pose humen', 'there is no humen in the model zoo'),
        ('--pose human --method flow', 'give --method auto'),
        ('--pose-config x.py', 'give one checkpoint for each config'),
        ('--pose-onnx net.pb', '--pose-onnx takes files that end in .onnx'),
        ('--pose-tflite net.pb', '--pose-tflite takes files that end in .tflite or .task'),
        ('--pose-onnx net.onnx', 'pose network net.onnx does not exist'),
        ('--pose-onnx net.onnx --method flow', 'give --method auto'),
        ('--pose-results none.csv', 'the poses none.csv do not exist'),
        ('--pose-results none.csv --method flow', 'give --method auto'),
    ],
)
def test_what_cannot_be_used_is_refused(run, movie, label_file, tmp_path, options, sentence):
    out = tmp_path / 'dense.json'
    assert sentence in refusal(run, movie, label_file, '--out', out, *options.split())
    assert not out.exists()


def test_a_description_is_not_written_over(run, movie, label_file, network):
    out = network.with_suffix('.json')
    before = out.read_text()
    assert 'dot.json' in refusal(run, movie, label_file, '--out', out, '--pose-onnx', network)
    assert out.read_text() == before
