"""Outputs are refused before work begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stdpose_mm.constants import WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.output_guards import Output, guard_outputs
from stdpose_mm.io.disk.outputs import choose_format
from support.platforms import posix


@pytest.mark.parametrize(
    ('name', 'format'),
    [
        ('a.json', 'posetrack18'),
        ('a.JSON', 'posetrack18'),
        ('a.json.gz', 'posetrack18'),
        ('a.xml', 'cvat'),
        ('a', 'posetrack18'),
    ],
)
def test_a_name_stands_for_a_format(name, format):
    assert choose_format(name) == format


@pytest.mark.parametrize('format', WRITE_FORMATS)
def test_every_format_can_be_asked_for_by_a_name_of_its_own(format, monkeypatch):
    monkeypatch.setattr('stdpose_mm.io.disk.outputs.require_packages', lambda *names: None)
    for suffix in WRITE_FORMATS[format]:
        assert choose_format(f'a{suffix}', format) == format


@pytest.mark.parametrize(
    ('name', 'format', 'sentence'),
    [
        ('a.pdf', None, r'--out a\.pdf is not a name for labels, give one ending in \.json, '),
        ('a.pdf', 'coco', r'--out a\.pdf is not a name for labels'),
        ('a.xml', 'coco', r'coco, whose files end in \.json or \.json\.gz: .*, or --format cvat'),
        ('a.json', 'magic', "must be one of posetrack18, .*, got 'magic'"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(name, format, sentence):
    with pytest.raises(InputError, match=sentence):
        choose_format(name, format, '--out', '--format')


def test_a_format_whose_package_is_missing_is_refused(monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(InputError, match=r'format sleap needs sleap-io, .*: run `pip '):
        choose_format('a.slp')


def test_what_can_be_written_leaves_nothing_behind(tmp_path):
    guard_outputs(
        [
            Output('--out', tmp_path / 'new' / 'a.json', 'metrics', ('.json',)),
            Output('--out-dir', tmp_path / 'other' / 'folder', is_folder=True),
            Output('--report', None),
        ],
        {'LABELS': [tmp_path / 'b.json', tmp_path / 'c.json'], '--config': None},
    )
    assert not list(tmp_path.iterdir())


def test_no_other_file_goes_among_label_files(tmp_path):
    (tmp_path / 'labels').mkdir()
    folders = {'GT_DIR': tmp_path / 'labels'}
    with pytest.raises(InputError, match='would lie among the label files that are read from GT_D'):
        guard_outputs([Output('--out', tmp_path / 'labels' / 'metrics.json')], {}, folders)
    guard_outputs([Output('--out', tmp_path / 'labels' / 'table.md')], {}, folders)
    guard_outputs([Output('--out', tmp_path / 'metrics.json')], {}, folders)


@posix
@pytest.mark.parametrize('link', [os.symlink, os.link], ids=['symbolic', 'hard'])
def test_outputs_behind_links_are_one_file(tmp_path, link):
    (tmp_path / 'a.json').touch()
    link(tmp_path / 'a.json', tmp_path / 'b.json')
    outputs = [Output('--out', tmp_path / 'a.json'), Output('--report', tmp_path / 'b.json')]
    with pytest.raises(InputError, match='--out and --report are the same file'):
        guard_outputs(outputs)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / 'file').touch()
    for path, sentence in (
        ('file', 'is a file, expected a folder to write to'),
        ('file/inside', 'cannot be written'),
    ):
        with pytest.raises(InputError, match=sentence):
            guard_outputs([Output('--out-dir', tmp_path / path, is_folder=True)])
    assert [path.name for path in Path(tmp_path).iterdir()] == ['file']


@posix
def test_an_output_that_the_inputs_make_a_file_or_a_folder(tmp_path):
    (tmp_path / 'videos').mkdir()
    for name in ('videos', 'clip.mp4'):
        guard_outputs([Output('--save-video', tmp_path / name, is_folder=None)])
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(InputError, match='not a regular file'):
        guard_outputs([Output('--save-video', tmp_path / 'pipe', is_folder=None)])


def test_a_label_file_that_is_no_list_is_not_read_as_one(tmp_path):
    (tmp_path / 'labels.json').write_bytes(b'\xff')
    guard_outputs([Output('--out', tmp_path / 'o.md')], {}, {'LABELS': tmp_path / 'labels.json'})
    guard_outputs([Output('--out', tmp_path / 'o.md')], {}, {'LABELS': tmp_path / 'none.txt'})
