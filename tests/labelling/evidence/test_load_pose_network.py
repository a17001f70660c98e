"""How files of pose networks are named, and which of them are refused."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest

from stdpose_mm.cli.options import EvidenceOptions
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.constants import EVIDENCE_KINDS
from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from support.paths import ROOT
from support.pose_network_files import write_dot_network


@pytest.mark.parametrize('name', EVIDENCE_KINDS)
def test_the_functions_of_a_declaration_exist(name: str):
    for function in (EVIDENCE_KINDS[name].load, EVIDENCE_KINDS[name].files):
        assert callable(pkgutil.resolve_name(f'stdpose_mm.labelling.evidence.{function}'))


@pytest.mark.parametrize('name', EVIDENCE_KINDS)
def test_the_option_of_a_declaration_names_its_kind(name: str):
    kind = EVIDENCE_KINDS[name]
    file = f'file{"".join(kind.suffixes[:1])}'
    companion = ['--pose-checkpoint', 'weights'] if name == 'config' else []
    flag = f'--{kind.option.replace("_", "-")}'
    parsed = CliParser('stdpose', 'Test.', EvidenceOptions).parse_args([flag, file, *companion])
    (files,) = EvidenceOptions(**vars(parsed)).pose_networks

    assert (files.kind, files.file, files.companion) == (name, file, (companion or [None])[-1])
    guide = (ROOT / 'docs' / 'guide' / 'own_network.md').read_text()
    assert f'\n| `{flag}' in guide


def test_a_row_is_enough_for_a_kind(monkeypatch):
    row = EVIDENCE_KINDS['results']._replace(option='pose_dots', suffixes=('.dots',))
    monkeypatch.setitem(EVIDENCE_KINDS, 'dots', row)
    files = PoseNetworkFiles('clip.dots')

    assert files == PoseNetworkFiles('clip.dots', kind='dots')
    assert files == PoseNetworkFiles.parse('clip.dots=dots')
    assert files.read_files() == {'': Path('clip.dots')}
    with pytest.raises(InputError, match=r'the poses clip\.dots do not exist'):
        load_pose_network(files)


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match=r"kind must be one of zoo, .*, got 'dots'"):
        PoseNetworkFiles('clip.dots', kind='dots')


def test_a_file_without_a_description_is_refused(tmp_path):
    write_dot_network(tmp_path / 'dot.onnx')
    with pytest.raises(InputError, match=r'that describes \S+, write the file or name a preset'):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx')))
    with pytest.raises(InputError, match=r"that describes .* and no preset 'dot', write"):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx'), 'dot'))


def test_only_a_bare_name_stands_for_an_installed_config():
    """With a folder it is another file, whose weights may be of another network."""
    name = 'rtmpose-t_8xb256-420e_coco-256x192'
    for bare in (name, f'{name}.py'):
        found = PoseNetworkFiles(bare, 'weights.pth').read_files()['0']
        assert found.is_file()
        assert found.name == f'{name}.py'
    for file in (f'my_finetune/{name}.py', f'./{name}.py'):
        files = PoseNetworkFiles(file, 'weights.pth')
        assert files.read_files() == {'0': Path(file), '1': Path('weights.pth')}
        with pytest.raises(InputError, match=rf'{name}\.py does not exist'):
            load_pose_network(files)


@pytest.mark.parametrize(
    ('text', 'kind', 'files'),
    [
        ('human', '', PoseNetworkFiles('human')),
        ('net.onnx', '', PoseNetworkFiles('net.onnx')),
        ('net.tflite=blazepose', '', PoseNetworkFiles('net.tflite', 'blazepose')),
        ('net.task=blazepose', '', PoseNetworkFiles('net.task', 'blazepose')),
        ('c.py=w.pth', '', PoseNetworkFiles('c.py', 'w.pth')),
        ('a.json=results', '', PoseNetworkFiles('a.json', kind='results')),
        ('a.npz', 'tracks', PoseNetworkFiles('a.npz', kind='tracks')),
        ('a.npy=q.npz', 'tracks', PoseNetworkFiles('a.npy', 'q.npz', kind='tracks')),
        ('a.npy=q.npz=tracks', '', PoseNetworkFiles('a.npy', 'q.npz', kind='tracks')),
        ('a/=tracks', '', PoseNetworkFiles('a/', kind='tracks')),
    ],
)
def test_files_are_named_in_one_word(text, kind, files):
    assert PoseNetworkFiles.parse(text, kind) == files


@pytest.mark.parametrize(('name', 'kind'), [('a=b.onnx', ''), ('a=b.npz', 'tracks')])
def test_a_file_may_have_an_equality_sign_in_its_name(tmp_path, name, kind):
    (tmp_path / name).touch()
    path = str(tmp_path / name)
    assert PoseNetworkFiles.parse(path, kind) == PoseNetworkFiles(path, kind=kind)


@pytest.mark.parametrize('name', ['net.onnx', 'net.tflite', 'net.task'])
@pytest.mark.parametrize('content', [b'no network', None], ids=['text', 'missing'])
def test_bad_files_are_refused_in_one_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=str(tmp_path / name)):
        load_pose_network(PoseNetworkFiles(str(tmp_path / name), 'efficientpose-rt'))
