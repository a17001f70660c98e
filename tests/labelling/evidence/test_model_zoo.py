"""Pose networks by name: found as MMPose finds them, fetched once, whole or not at all."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.infer import BaseInferencer
from mmpose.apis.inferencers import get_model_aliases

from stdpose_mm.cli.networks import main
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.model_zoo import find_network, read_model_zoo
from support.file_server import serve
from support.mmpose_checkpoints import FAMILIES, write_random_checkpoint
from support.model_zoo import NAME, install_zoo, published_name

pytestmark = pytest.mark.slow

WEIGHTS = b'any bytes, half of which are too few'


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob('*') if path.is_file()]


@pytest.fixture
def served(tmp_path):
    """Folder of weights that are served."""
    folder = tmp_path / 'served'
    folder.mkdir()
    return folder


def test_names_stand_for_what_mmposes_inferencer_loads():
    scope = SimpleNamespace(scope='mmpose')
    names = [*get_model_aliases(), 'RTMPose-M_8xb64-210e_ap10k-256x256', 'HUMAN']
    # MMEngine cannot read this one's config.
    names.remove('edpose')
    zoo = read_model_zoo()
    for name in names:
        config, weights = BaseInferencer._load_model_from_metafile(scope, name)
        found = zoo[name.lower()]
        assert (str(found.config), found.url) == (config.filename, weights)


def test_a_network_is_fetched_once(tmp_path, served, monkeypatch):
    write_random_checkpoint(FAMILIES['rtmpose'], served / 'tiny.pth')
    content = (served / 'tiny.pth').read_bytes()
    name = published_name(content)
    (served / 'tiny.pth').rename(served / name)
    with serve(served) as (address, requests):
        kept = install_zoo(tmp_path, f'{address}/{name}', monkeypatch) / name
        files = PoseNetworkFiles('tiny')
        with pytest.warns(InputWarning) as caught:
            network = load_pose_network(files)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            again = PoseNetworkFiles('SMALL').read_files()
    assert (network.name, network.skeleton.num_keypoints) == (NAME, 17)
    assert requests == ['GET']
    assert left_in(kept.parent) == [kept]
    assert kept.read_bytes() == content
    size = f'{len(content) / 1e6:.1f} MB'
    assert [str(one.message) for one in caught if one.category is InputWarning] == [
        f'fetching the weights of {NAME} ({size}) to {kept}; licence of MMPose: Apache-2.0; '
        'training data (with their own terms): COCO, MPII'
    ]
    (config,) = tmp_path.rglob(f'{NAME}.py')
    by_path = PoseNetworkFiles(str(config), str(kept))
    assert files.read_files() == again == by_path.read_files()


@pytest.mark.parametrize(
    ('name', 'sent', 'reason'),
    [
        ('tiny-01234567_20230101.pth', 1, r'its SHA-256 is \w+ and does not begin with 01234567'),
        (published_name(WEIGHTS), 0.5, f'only {len(WEIGHTS) // 2} of {len(WEIGHTS)} bytes'),
        ('tiny.pth', 0.5, f'only {len(WEIGHTS) // 2} of {len(WEIGHTS)} bytes were received'),
        ('missing.pth', 1, 'HTTP Error 404'),
    ],
    ids=['wrong', 'cut', 'cut and without a digest', 'missing'],
)
@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
def test_what_is_not_whole_is_not_kept(tmp_path, served, monkeypatch, name, sent, reason):
    if name != 'missing.pth':
        (served / name).write_bytes(WEIGHTS)
    with serve(served, sent) as (address, _):
        kept = install_zoo(tmp_path, f'{address}/{name}', monkeypatch)
        with pytest.raises(InputError, match=rf'{name} cannot be fetched \({reason}') as caught:
            PoseNetworkFiles('tiny').read_files()
    assert not left_in(kept)
    assert '\n' not in str(caught.value)


def test_without_a_network_the_sentence_says_what_to_do(tmp_path, served, monkeypatch):
    with serve(served) as (address, _):
        pass
    url = f'{address}/{published_name(WEIGHTS)}'
    kept = install_zoo(tmp_path, url, monkeypatch)
    with pytest.raises(InputError, match='Connection refused') as caught:
        load_pose_network(PoseNetworkFiles('tiny'))
    sentence = str(caught.value)
    assert sentence.startswith(f'checkpoint {url} cannot be fetched (')
    assert sentence.endswith(
        f'fetch that file elsewhere, and give it as --pose-checkpoint with --pose-config {NAME}'
    )
    assert not left_in(kept)


@pytest.mark.parametrize(
    ('name', 'near'),
    [
        ('humen', 'such as human '),
        ('Huma', r'such as human \('),
        ('rtmpose-m', 'such as rtmpose-m_8xb64-210e_ap10k-256x256, rtmpose-m_'),
        ('./config.py', 'such as human or animal '),
    ],
)
def test_an_unknown_name_is_refused_with_others(name, near):
    with pytest.raises(InputError, match=rf'there is no {name} in the model zoo .*{near}'):
        PoseNetworkFiles(name).read_files()


@pytest.mark.parametrize(
    'name',
    [
        'human3d',
        'hand3d',
        'rtmo-s_8xb32-600e_coco-640x640',
        'edpose',
        'td-hm_cpm_8xb32-40e_jhmdb-sub1-368x368',
    ],
)
def test_what_has_no_heatmaps_of_one_subject_is_refused(name):
    with pytest.raises(InputError, match=f'{name} in the model zoo of MMPose cannot be used'):
        PoseNetworkFiles(name).read_files()


def test_the_command_lists_names_and_what_is_here(tmp_path, monkeypatch, capsys):
    kept = tmp_path / 'hub/checkpoints'
    kept.mkdir(parents=True)
    (kept / Path(find_network('human').url).name).write_bytes(b'')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    assert main([]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()[1:-1]]
    # What a network was trained on follows its name.
    ends = [
        next(n for n, word in enumerate(line) if word in ('MMPose', 'ONNX')) for line in printed
    ]
    lines = [line[: end + 2] for line, end in zip(printed, ends, strict=True)]
    name = 'rtmpose-m_8xb256-420e_body8-256x192'
    assert [
        *['human,', 'body,', 'body17', 'Body8', '256x192', '0.0', 'MB', 'here', 'MMPose'],
        name,
    ] in lines
    assert ['face', 'Face6', '256x256', 'MMPose', 'rtmpose-m_8xb256-120e_face6-256x256'] in lines
    # Another one that metafiles call so comes later.
    assert ['WFLW', '256x256', 'MMPose', 'rtmpose-m_8xb64-120e_lapa-256x256'] in lines
    # Its aliases stand for MMPose's network.
    assert ['coco', '256x192', 'ONNX', 'human-m'] in lines
    names = [line[-1] for line in lines]
    assert len(set(names)) == len(names) > 300
    assert not any('600e_coco-640' in each or 'h36m' in each for each in names)
    assert ['rtmo', 'coco', '640x640', 'ONNX', 'rtmo-m'] in lines
