"""Checkpoints are data: what a malicious one would run is not run.

Every argument of every command is tried in ``cli/test_every_command_refuses_malicious_weights.py``.
"""

from __future__ import annotations

import argparse
import collections
import io
import os
import pickle
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from stdpose_mm.checkpoint_files import (
    TRUST,
    read_checkpoint_file,
    require_checkpoint_file,
    safe_mmengine_reader,
)
from stdpose_mm.errors import InputError
from stdpose_mm.io import downloads
from support.malicious_files import MALICIOUS, whole


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a payload makes."""
    return tmp_path / 'payload_was_here'


def load_safely(path: str | Path) -> Any:
    """What MMEngine reads in a command."""
    with safe_mmengine_reader():
        return CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.parametrize('kind', MALICIOUS)
def test_nothing_of_a_malicious_file_is_run(kind, tmp_path, marker):
    MALICIOUS[kind](tmp_path / 'bad.pth', marker)
    for read in (read_checkpoint_file, load_safely):
        with pytest.raises(InputError, match=r'bad\.pth') as caught:
            read(tmp_path / 'bad.pth')
        assert '\n' not in str(caught.value)
        assert not marker.exists()


@pytest.mark.parametrize(
    'kind', ['state_dict', 'meta', 'optimizer', 'os', 'method', 'before PyTorch 1.6']
)
def test_the_payloads_do_run_where_the_user_trusts_the_file(kind, tmp_path, marker, monkeypatch):
    path = tmp_path / 'bad.pth'
    MALICIOUS[kind](path, marker)
    monkeypatch.setenv(TRUST, os.pathsep.join(['other.pth', str(path)]))
    read_checkpoint_file(path)
    assert marker.exists()


def test_trust_is_in_one_file(tmp_path, marker, monkeypatch):
    MALICIOUS['meta'](tmp_path / 'bad.pth', marker)
    monkeypatch.setenv(TRUST, str(tmp_path / 'other.pth'))
    with pytest.raises(InputError):
        read_checkpoint_file(tmp_path / 'bad.pth')
    assert not marker.exists()


@pytest.mark.parametrize(
    ('kind', 'name'),
    [('state_dict', 'shutil.copyfile'), ('os', 'posix.mkdir'), ('method', 'pathlib.')],
)
def test_the_sentence_names_what_is_stored_and_how_to_trust_it(kind, name, tmp_path, marker):
    path = tmp_path / 'bad.pth'
    MALICIOUS[kind](path, marker)
    with pytest.raises(InputError) as caught:
        read_checkpoint_file(path)
    assert name in str(caught.value)
    assert f'{TRUST}={path}' in str(caught.value)


def test_no_method_but_statistics_is_found_by_getattr(tmp_path):
    class Method:
        def __reduce__(self) -> Any:
            return getattr, (HistoryBuffer, '__init__')

    torch.save({'meta': Method()}, tmp_path / 'bad.pth')
    with pytest.raises(InputError, match='getattr'):
        read_checkpoint_file(tmp_path / 'bad.pth')


def test_what_trainings_store_is_read(tmp_path):
    """Message hub, optimizer, NumPy's scalars and arrays, options of MAE's and DINO's scripts."""
    history = HistoryBuffer([1.0, 2.0, 6.0], [1, 1, 1])
    weights = collections.OrderedDict(weight=torch.arange(3.0))
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    content = whole(
        state_dict=weights,
        ema_state_dict={'module.weight': torch.ones(3), 'steps': torch.tensor(4)},
        optimizer=optimizer.state_dict(),
        param_schedulers=[{'last_step': 3, '_global_step': 4, 'milestones': {5: 1}}],
        message_hub={
            'log_scalars': collections.OrderedDict(loss=history),
            'runtime_info': {'best': np.float64(2.5), 'n': np.int64(3), 'ok': np.bool_(True)},
        },
        args=argparse.Namespace(arch='vit_small', lr=1e-3),
        arrays=[
            np.zeros((0, 2), np.float32),
            *(np.arange(4, dtype=code).reshape(2, 2) for code in ('u1', 'i4', 'i8', 'f2', 'f8')),
        ],
    )
    torch.save(content, tmp_path / 'run.pth')
    read = read_checkpoint_file(tmp_path / 'run.pth')
    assert read['message_hub']['log_scalars']['loss'].mean() == 3.0
    assert read['message_hub']['runtime_info'] == {'best': 2.5, 'n': 3, 'ok': True}
    assert read['args'].arch == 'vit_small'
    assert read['optimizer']['state'][0]['exp_avg'].shape == (1, 2)
    for array, stored in zip(read['arrays'], content['arrays'], strict=True):
        np.testing.assert_array_equal(array, stored)
        assert array.dtype == stored.dtype


@pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
def test_arrays_of_both_names_of_numpys_core_are_read(core, tmp_path):
    """NumPy 2 writes the one, NumPy 1 the other."""

    def renamed(content: object) -> bytes:
        text = pickle.dumps(content, 2)
        return text.replace(b'numpy._core', b'numpy.core').replace(b'numpy.core', core)

    file = tmp_path / 'old.pth'
    torch.save(
        {'a': np.float32(1.5), 'b': np.arange(3)}, file, _use_new_zipfile_serialization=False
    )
    stream = io.BytesIO(file.read_bytes())
    head = b''.join(pickle.dumps(pickle.load(stream), 2) for _ in range(3))
    body = renamed(pickle.load(stream))
    file.write_bytes(head + body + stream.read())
    read = read_checkpoint_file(file)
    assert read['a'] == 1.5
    assert read['b'].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (b'', r'is not a checkpoint'),
        (b'<html>', r'is not a checkpoint'),
        (b'PK', r'cannot be read'),
        (b'\x80\x02', r'cannot be read'),
        (None, r'does not exist'),
    ],
)
def test_what_is_no_checkpoint_is_one_sentence(content, sentence, tmp_path):
    if content is not None:
        (tmp_path / 'x.pth').write_bytes(content)
    with pytest.raises(InputError, match=rf'x\.pth {sentence}') as caught:
        read_checkpoint_file(tmp_path / 'x.pth')
    assert '\n' not in str(caught.value)


def test_a_truncated_checkpoint_is_one_sentence(tmp_path):
    torch.save(whole(), tmp_path / 'x.pth')
    content = (tmp_path / 'x.pth').read_bytes()
    for length in (3, len(content) // 2, len(content) - 1):
        (tmp_path / 'x.pth').write_bytes(content[:length])
        with pytest.raises(InputError, match='cannot be read'):
            read_checkpoint_file(tmp_path / 'x.pth')


def test_weights_are_wanted(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / 'x.pth')
    with pytest.raises(InputError, match='holds a list, expected weights by name'):
        read_checkpoint_file(tmp_path / 'x.pth')


def test_what_is_fetched_is_read_the_same_way(tmp_path, marker, monkeypatch):
    def fetch(address: str, stream: IO[bytes], announce: object) -> None:
        path = Path(stream.name)
        (torch.save(whole(), path) if 'good' in address else MALICIOUS['meta'](path, marker))

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(downloads, 'download', fetch)
    assert load_safely('https://a.org/good.pth?x=1')['state_dict']
    assert (tmp_path / 'checkpoints' / 'good.pth').is_file()
    # By the name of a model, too, which MMEngine turns into an address.
    monkeypatch.setattr(mmengine_checkpoint, 'get_torchvision_models', lambda: {'x': 'http://x/b'})
    for address in ('http://a.org/bad.pth', 'https://a.org/bad.pth', 'torchvision://x'):
        with pytest.raises(InputError, match='besides weights and plain values'):
            load_safely(address)
    assert not marker.exists()


def test_an_address_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    def fetch(*_: object, **options: object) -> None:
        raise OSError('HTTP Error 404: Not Found')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(downloads, 'download', fetch)
    with pytest.raises(InputError, match=r'https://a\.org/x\.pth cannot be fetched \(HTTP Error'):
        load_safely('https://a.org/x.pth')


@pytest.mark.parametrize('address', ['s3://b/x.pth', 'petrel:s3://b/x.pth', 'pavi://x'])
def test_stores_that_bring_their_own_reader_are_refused(address):
    with pytest.raises(InputError, match='fetch it and give its path'):
        load_safely(address)


def test_a_config_of_mmcv_does_not_reach_the_runner(tmp_path):
    """MMEngine's runner executes it on resuming."""
    torch.save(whole(meta={'config': 'x = 1', 'iter': 1}), tmp_path / 'x.pth')
    assert load_safely(tmp_path / 'x.pth')['meta'] == {'iter': 1}


def test_mmengine_reads_as_before_outside_of_the_context(tmp_path, marker):
    before = {**vars(mmengine_checkpoint)}, dict(CheckpointLoader._schemes)
    MALICIOUS['meta'](tmp_path / 'bad.pth', marker)
    with pytest.raises(InputError):
        load_safely(tmp_path / 'bad.pth')
    assert ({**vars(mmengine_checkpoint)}, dict(CheckpointLoader._schemes)) == before
    CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))
    assert marker.exists()


def test_mmengine_reads_as_before_after_two_threads():
    """The thread that comes second must not restore the functions of the first."""
    before = {**vars(mmengine_checkpoint)}, dict(CheckpointLoader._schemes)
    second_is_in, first_is_out = Event(), Event()

    def come_second() -> None:
        with safe_mmengine_reader():
            second_is_in.set()
            first_is_out.wait(10)

    second = Thread(target=come_second)
    with safe_mmengine_reader():
        second.start()
        # Here it may come in only if nothing keeps it out.
        second_is_in.wait(0.2)
    first_is_out.set()
    second.join()
    assert ({**vars(mmengine_checkpoint)}, dict(CheckpointLoader._schemes)) == before


@pytest.mark.parametrize(
    'text',
    [
        "import pathlib; pathlib.Path('{marker}').touch()",
        "model = dict(type=__import__('pathlib').Path('{marker}').touch())",
        "model = dict(type='pathlib.Path.touch', self='{marker}')",
        "model = dict(type='STDPose', backbone=dict(type='subprocess.Popen', args='true'))",
        "model = dict({{'type': 'os.system', 'command': 'touch {marker}'}})",
        "model = dict(**dict(type='os.system'))",
        "_base_ = ['x.py']\nif True: model = 1",
    ],
)
def test_a_config_inside_weights_is_not_run(text, tmp_path, marker):
    from stdpose_mm.apis import STDPoseInferencer

    content = whole(meta={'cfg': text.format(marker=marker)})
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(InputError, match=r'the config in checkpoint .*x\.pth .* as model'):
        STDPoseInferencer(None, str(tmp_path / 'x.pth'), device='cpu')
    assert not marker.exists()


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r'is a folder, expected a \.pth file: exported networks'):
        require_checkpoint_file(tmp_path)
