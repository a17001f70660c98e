"""Commands never write over what they were given."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from stdpose_mm.cli import convert, evaluate, learn, propagate, queries, review
from stdpose_mm.io.labels import read_labels
from support.refusals import refusal


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('--out x.pdf', '--out x.pdf is not a name for labels'),
        ('--out x.xml --format coco', '--out x.xml does not fit --format coco'),
        ('--out x.json --report x.pdf', '--report x.pdf is not a name for a report'),
        ('--out x.json --save-video x.gif', '--save-video x.gif is not a name for a video'),
        ('--out file/x.json', 'file/x.json cannot be written'),
        ('--out -', '--out - would mean stdout, which gets no files: give the path of a file'),
    ],
)
def test_a_wrong_output_is_refused_before_anything_is_read(
    run_main, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    Path('file').touch()
    # There is neither video nor labels; nobody looks.
    assert sentence in refusal(run_main, propagate.main, 'no.mp4', 'no.json', *arguments.split())
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_evaluate_keeps_its_inputs(run_main, tmp_path):
    for folder in ('truth', 'predictions'):
        (tmp_path / folder).mkdir()
    where = tmp_path / 'predictions' / 'metrics.json'
    arguments = [tmp_path / 'truth', tmp_path / 'predictions', '--out']
    line = refusal(run_main, evaluate.main, *arguments, where)
    assert f'--out {where} would lie among the label files that are read from PRED_DIR' in line
    line = refusal(run_main, evaluate.main, *arguments, tmp_path / 'metrics.csv')
    assert 'metrics.csv is not a name for metrics, give one ending in .json or .json.gz' in line


@pytest.mark.parametrize('command', [propagate, review])
def test_a_folder_of_labels_by_picture_gets_no_other_label_file(run_main, tmp_path, movie, command):
    labels = tmp_path / 'labelme'
    labels.mkdir()
    out = labels / 'dense.json'
    line = refusal(run_main, command.main, movie, labels, '--out', out)
    assert f'--out {out} would lie among the label files that are read from LABELS' in line


@pytest.mark.parametrize('command', [propagate, learn, queries])
def test_swapped_arguments_are_one_sentence(run_main, tmp_path, movie, label_file, command):
    out = tmp_path / {learn: 'n.onnx', queries: 'q.npz'}.get(command, 'dense.json')
    line = refusal(run_main, command.main, label_file, movie, '--out', out)
    assert 'labels.json is a label file and' in line
    assert 'give the video first and then the labels' in line


def test_what_is_labelled_is_said_first_and_how_long_it_took_last(
    run_main, tmp_path, movie, label_file
):
    label_file.write_text(label_file.read_text().replace('"person"', '"rat"'))
    code, printed, _ = run_main(
        propagate.main, movie, label_file, '--out', tmp_path / 'd.json', '--check', 1
    )
    lines = printed.splitlines()
    assert code == 0
    assert lines[:2] == [
        'labels of 2 rats in a video of 9 frames, 96x80 pixels',
        '  rat 0: frames 0, 4, 8',
    ]
    assert lines[3].startswith('gaps: 4, the longest of 3 frames (rat 0, frames 1-3)')
    assert lines[4] == 'note: labels on frames 0, 4, 8, read from frame_index'
    assert lines[6] == f'{tmp_path / "d.json"}: 9 frames, 2 rats, 6 given and 12 propagated poses'
    assert lines[7].startswith('6 frames computed in ')
    assert ' of rat ' in lines[8]
    assert 'person ' not in printed.replace('a frame and person', '')


def test_a_report_that_fails_leaves_the_labels(run_main, tmp_path, folder, label_file):
    """Lines read no picture, but the report shows them."""
    (folder / '000003.jpg').write_bytes((folder / '000003.jpg').read_bytes()[:200])
    arguments = [folder, label_file, '--method', 'linear', '--out', tmp_path / 'dense.json']
    code, _, errors = run_main(propagate.main, *arguments, '--report', tmp_path / 'page.html')
    assert code == 2
    start = f'{tmp_path}/dense.json is written, but {tmp_path}/page.html is not: '
    assert start in errors[-1]
    assert '000003.jpg is damaged or not a picture' in errors[-1]
    assert len(read_labels(tmp_path / 'dense.json')) == 9
    assert not (tmp_path / 'page.html').exists()


def test_an_overlay_that_fails_is_not_named_as_written_and_the_report_has_its_own(
    run_main, tmp_path, folder, label_file, monkeypatch
):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr('stdpose_mm.visualization.write_overlay', fail)
    overlay, report = tmp_path / 'overlay.mp4', tmp_path / 'page.html'
    outputs = '--out', tmp_path / 'dense.json', '--save-video', overlay, '--report', report
    code, printed, errors = run_main(
        propagate.main, folder, label_file, '--method', 'linear', *outputs
    )
    assert code == 2
    assert f'{overlay} is not: ' in errors[-1]
    assert str(overlay) not in printed
    assert f'{report}: the report' in printed
    assert 'data:video/mp4' in report.read_text()


@pytest.mark.parametrize('format', ['posetrack18', 'openpose'])
def test_hand_labels_that_convert_replaces_are_kept(run_main, tmp_path, label_file, format):
    out = tmp_path / 'out'
    arguments = [label_file, out, '--to', format]
    assert run_main(convert.main, *arguments)[0] == 0
    file = min(out.iterdir()) if out.is_dir() else out
    file.write_text(file.read_text() + ' ')
    # What was edited is kept, what convert has written itself is replaced.
    for options, is_kept in (((), True), (('--as-given', 0.5), False)):
        code, _, notes = run_main(convert.main, *arguments, *options)
        assert code == 0
        assert (f'{out} already existed and may have been edited' in str(notes)) == is_kept
    (kept,) = tmp_path.glob('*.bak')
    assert (kept / file.name if kept.is_dir() else kept).read_text().endswith(' ')


def test_a_line_break_in_an_argument_makes_no_second_line(run_main, tmp_path, label_file):
    line = refusal(run_main, convert.main, label_file, tmp_path / 'a.xml', 'one\ntwo')
    assert 'unrecognized arguments: one two' in line


def test_a_folder_is_no_file_to_convert_to(run_main, tmp_path, label_file):
    line = refusal(run_main, convert.main, label_file, f'{tmp_path}/converted/')
    assert f'{tmp_path}/converted cannot be written: Is a directory' in line


@pytest.mark.parametrize('option', ['--boxes', '--pose-onnx'])
def test_an_option_without_a_value_is_refused(run_main, tmp_path, movie, label_file, option):
    arguments = [movie, label_file, '--out', tmp_path / 'dense.json', f'{option}=--']
    line = refusal(run_main, propagate.main, *arguments)
    assert f'argument {option}: expected one argument' in line


def test_files_that_a_list_names_are_inputs(run_main, tmp_path, label_file):
    listed = tmp_path / 'list.txt'
    listed.write_text(f'{label_file.name}\n')
    before = label_file.read_bytes()
    line = refusal(run_main, convert.main, listed, label_file, '--to', 'coco')
    assert 'is also given as IN, which would be overwritten' in line
    assert label_file.read_bytes() == before


def test_the_project_file_beside_labels_is_an_output(run_main, tmp_path, label_file):
    given = tmp_path / 'dense_config.yaml'
    given.write_text('picture,frame\n')
    arguments = [label_file, tmp_path / 'dense.csv', '--to', 'deeplabcut', '--frame-of', given]
    line = refusal(run_main, convert.main, *arguments)
    assert f'the project file of OUT {given} is also given as --frame-of' in line
    assert given.read_text() == 'picture,frame\n'


def test_a_network_is_not_learned_over_itself(run_main, tmp_path, movie, label_file):
    network = tmp_path / 'dense.learned.onnx'
    network.write_bytes(b'PK')
    out = tmp_path / 'dense.json'
    arguments = ['--out', out, '--pose-onnx', network, '--learn', '1']
    line = refusal(run_main, propagate.main, movie, label_file, *arguments)
    assert f'the learned network of --out {network} is also given as pose network {network}' in line
    assert network.read_bytes() == b'PK'
