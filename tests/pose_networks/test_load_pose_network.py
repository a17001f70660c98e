"""How files of pose networks are named, and which of them are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.pose_networks import PoseNetworkFiles, load_pose_network
from support.pose_network_files import write_dot_network


def test_a_file_without_a_description_is_refused(tmp_path):
    write_dot_network(tmp_path / 'dot.onnx')
    with pytest.raises(InputError, match='write the file or name a preset'):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx')))
    with pytest.raises(InputError, match="no preset 'dot'"):
        load_pose_network(PoseNetworkFiles(str(tmp_path / 'dot.onnx'), preset='dot'))


def test_only_a_bare_name_stands_for_an_installed_config():
    """With a folder it is another file, whose weights may be of another network."""
    name = 'rtmpose-t_8xb256-420e_coco-256x192'
    for bare in (name, f'{name}.py'):
        found = PoseNetworkFiles(bare, checkpoint='weights.pth').read_files()['0']
        assert found.is_file()
        assert found.name == f'{name}.py'
    for file in (f'my_finetune/{name}.py', f'./{name}.py'):
        files = PoseNetworkFiles(file, checkpoint='weights.pth')
        assert files.read_files() == {'0': Path(file), '1': Path('weights.pth')}
        with pytest.raises(InputError, match=rf'{name}\.py does not exist'):
            load_pose_network(files)


@pytest.mark.parametrize(
    ('text', 'files'),
    [
        ('human', PoseNetworkFiles('human')),
        ('net.onnx', PoseNetworkFiles('net.onnx')),
        ('net.tflite=blazepose', PoseNetworkFiles('net.tflite', preset='blazepose')),
        ('net.task=blazepose', PoseNetworkFiles('net.task', preset='blazepose')),
        ('c.py=w.pth', PoseNetworkFiles('c.py', checkpoint='w.pth')),
    ],
)
def test_a_network_is_named_in_one_word(text, files):
    assert PoseNetworkFiles.parse(text) == files


def test_a_file_may_have_an_equality_sign_in_its_name(tmp_path):
    (tmp_path / 'a=b.onnx').touch()
    path = str(tmp_path / 'a=b.onnx')
    assert PoseNetworkFiles.parse(path) == PoseNetworkFiles(path)


@pytest.mark.parametrize('name', ['net.onnx', 'net.tflite', 'net.task'])
@pytest.mark.parametrize('content', [b'no network', None], ids=['text', 'missing'])
def test_bad_files_are_refused_in_one_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=str(tmp_path / name)):
        load_pose_network(PoseNetworkFiles(str(tmp_path / name), preset='efficientpose-rt'))
