"""Top-down models of MMPose: built from installed configs, each with its own geometry."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.apis import inference_topdown
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from stdpose_mm.cli import infer
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import find_installed_config
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.described_network import OnnxPoseNetwork
from stdpose_mm.labelling.evidence.network_description import PRESETS
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels, to_corners
from stdpose_mm.structures.joint_sets import JOINT_SETS
from support.mmpose_checkpoints import FAMILIES, write_random_checkpoint
from support.pose_network_files import BOX, DOT, dot_picture, find_peak

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Family -> file of random weights."""
    folder = tmp_path_factory.mktemp('mmpose')
    files = {family: str(folder / f'{family}.pth') for family in FAMILIES}
    for family, config in FAMILIES.items():
        write_random_checkpoint(config, Path(files[family]))
    return files


@pytest.fixture(scope='module')
def networks(checkpoints):
    """Family -> network with random weights."""
    return {
        family: load_pose_network(PoseNetworkFiles(config, checkpoints[family]))
        for family, config in FAMILIES.items()
    }


@pytest.mark.parametrize('family', FAMILIES)
def test_a_model_runs_from_its_installed_config(networks, family):
    network = networks[family]
    assert network.skeleton.keypoint_names == JOINT_SETS['coco']
    found = network.estimate([dot_picture(), dot_picture(DOT + 9)], np.stack([BOX, BOX]))
    assert found.heatmaps.shape == (2, 17, 64, 48)
    assert found.to_heatmap.shape == (2, 2, 3)
    assert np.isfinite(found.heatmaps).all()
    assert (found.heatmaps >= 0).all()
    assert (found.heatmaps <= 1).all()


def test_joints_are_found_in_a_development_installation(checkpoints, tmp_path, monkeypatch):
    """Configs of MMPose name the joints by a path in its repository, here a clone in a folder."""
    rtmpose = find_installed_config(FAMILIES['rtmpose'], [('mmpose', 'configs')])
    joints = find_installed_config('coco', [('mmpose', 'configs/_base_/datasets')])
    datasets = tmp_path / 'clone/configs/_base_/datasets'
    datasets.mkdir(parents=True)
    (datasets / 'snouts.py').write_text(joints.read_text().replace("'nose'", "'snout'"))
    config = tmp_path / 'own.py'
    config.write_text(
        f"_base_ = ['{rtmpose}']\n"
        "metainfo = dict(from_file='configs/_base_/datasets/snouts.py')\n"
        'test_dataloader = dict(dataset=dict(metainfo=metainfo))\n'
    )
    found = importlib.util.find_spec

    def find_spec(name, *rest):
        if name == 'mmpose':
            return SimpleNamespace(submodule_search_locations=[str(tmp_path / 'clone/mmpose')])
        return found(name, *rest)

    monkeypatch.setattr(importlib.util, 'find_spec', find_spec)
    files = PoseNetworkFiles(str(config), checkpoints['rtmpose'])
    network = load_pose_network(files)
    assert network.skeleton.keypoint_names == ('snout', *JOINT_SETS['coco'][1:])


def brightness(family: str, crops: torch.Tensor) -> object:
    """What a perfect head would give for the dot in crops [N, 3, 256, 192]."""
    grey = crops.mean(1, keepdim=True)
    grey = (grey - grey.amin()) / (grey.amax() - grey.amin())
    if family == 'rtmpose':
        # Two bins to a pixel.
        lines = [grey.amax(2), grey.amax(3)]
        fine = [F.interpolate(line, scale_factor=2, mode='nearest') for line in lines]
        return tuple(line.expand(-1, 17, -1) for line in fine)
    if family == 'hrnet':
        return grey[:, :, ::4, ::4].expand(-1, 17, -1, -1)
    maps = F.interpolate(grey, (64, 48), mode='bilinear', align_corners=True)
    return maps.expand(-1, 17, -1, -1)


@pytest.mark.parametrize('family', FAMILIES)
def test_a_peak_is_where_the_picture_has_it(networks, family, monkeypatch):
    """The config's own crop, and maps as its own codec would read them."""
    network = networks[family]
    monkeypatch.setattr(network.model, 'extract_feat', lambda crops: crops)
    monkeypatch.setattr(network.model.head, 'forward', lambda crops: brightness(family, crops))
    found = network.estimate([dot_picture()], BOX[None])
    place = find_peak(found.heatmaps[0, 5], found.to_heatmap[0])
    # A cell is 1.8 pixels of the picture.
    np.testing.assert_allclose(place, DOT, atol=0.3)


@pytest.fixture(scope='module')
def exported_file(networks, tmp_path_factory):
    """The network of RTMPose in an ONNX file, in the form that its authors publish."""

    class Exported(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, images):
            return self.model.head(self.model.extract_feat(images))

    names = ['simcc_x', 'simcc_y']
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    inputs = torch.zeros(1, 3, 256, 192)
    torch.onnx.export(
        Exported(networks['rtmpose'].model).eval(),
        (inputs,),
        str(path),
        input_names=['input'],
        output_names=names,
        dynamic_axes={name: {0: 'batch'} for name in ['input', *names]},
        opset_version=17,
        dynamo=False,
    )
    return path


@pytest.fixture(scope='module')
def exported(exported_file):
    return OnnxPoseNetwork(exported_file, PRESETS['rtmpose-coco'])


def noise_in_boxes() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (150, 200, 3), dtype=np.uint8) for _ in range(2)]
    return pictures, np.stack([BOX, BOX + np.array([-30, 20, 9, -5])])


def mmposes_joints(network, pictures, boxes) -> np.ndarray:
    """The joints [N, K, 2] that MMPose's own function finds, without flip testing."""
    model, config = network.model, find_installed_config(network.name, [('mmpose', 'configs')])
    model.cfg, model.test_cfg = read_config(config), {}
    joints = find_installed_config('coco', [('mmpose', 'configs/_base_/datasets')])
    model.dataset_meta = parse_pose_metainfo({'from_file': str(joints)})
    found = [
        inference_topdown(model, picture, to_corners(box)[None])[0].pred_instances.keypoints
        for picture, box in zip(pictures, boxes, strict=True)
    ]
    return np.concatenate(found)


def test_an_onnx_file_of_a_model_gives_the_same(networks, exported):
    ours = networks['rtmpose'].estimate(*noise_in_boxes())
    theirs = exported.estimate(*noise_in_boxes())
    np.testing.assert_allclose(theirs.to_heatmap, ours.to_heatmap, atol=1e-4)
    np.testing.assert_allclose(theirs.heatmaps, ours.heatmaps, atol=2e-3)


def test_joints_of_random_weights_are_those_of_mmpose(networks, exported):
    """Distributions with many peaks: no blur may choose another one."""
    pictures, boxes = noise_in_boxes()
    expected = mmposes_joints(networks['rtmpose'], pictures, boxes)
    for network in (networks['rtmpose'], exported):
        joints, scores = network.find(pictures, boxes)
        np.testing.assert_allclose(joints, expected, atol=0.5)
        assert scores.shape == (2, 17)
        assert scores.min() >= 0
        assert scores.max() <= 1


def test_infer_finds_the_joints_that_mmpose_finds(networks, exported_file, run_main, tmp_path):
    pictures, boxes = noise_in_boxes()
    persons, folder = [], tmp_path / 'frames'
    folder.mkdir()
    for frame, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f'{frame}.png'), picture)
        for track_id, box in enumerate(boxes):
            joints = np.zeros((1, 2)), np.zeros(1)
            persons.append(PersonLabel(frame, *joints, track_id=track_id, bbox=box))
    given, out = tmp_path / 'boxes.json', tmp_path / 'poses.json'
    frames = tuple(VideoFrame(frame) for frame in range(len(pictures)))
    write_labels(VideoLabels('frames', Skeleton(('any',)), frames, tuple(persons)), given)
    network = f'{exported_file}=rtmpose-coco'
    arguments = ['--pose-onnx', network, '--boxes', given, '--out', out]
    assert run_main(infer.main, folder, *arguments)[0] == 0
    found = read_labels(out).persons
    assert [(each.frame_index, each.track_id) for each in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    expected = mmposes_joints(
        networks['rtmpose'], [pictures[each.frame_index] for each in found], [*boxes, *boxes]
    )
    np.testing.assert_allclose([each.keypoints for each in found], expected, atol=0.5)


@pytest.mark.parametrize('family', FAMILIES)
def test_the_joint_at_a_peak_is_where_mmpose_decodes_it(networks, family, monkeypatch):
    network = networks[family]
    monkeypatch.setattr(network.model, 'extract_feat', lambda crops: crops)
    monkeypatch.setattr(network.model.head, 'forward', lambda crops: brightness(family, crops))
    pictures, boxes = [dot_picture()], BOX[None]
    joints, scores = network.find(pictures, boxes)
    expected = mmposes_joints(network, pictures, boxes)
    np.testing.assert_allclose(joints, expected, atol=0.5)
    np.testing.assert_allclose(joints, np.broadcast_to(DOT, (1, 17, 2)), atol=0.5)
    assert scores.min() > 0.5 or family == 'rtmpose'


@pytest.mark.parametrize(
    ('config', 'sentence'),
    [
        ('td-reg_res50_8xb64-210e_coco-256x192', 'TopdownPoseEstimator with RegressionHead'),
        ('rtmo-s_8xb32-600e_coco-640x640', 'BottomupPoseEstimator'),
        ('no_such_config', 'no_such_config'),
    ],
)
def test_models_without_heatmaps_of_one_person_are_refused(config, sentence, tmp_path):
    checkpoint = tmp_path / 'empty.pth'
    torch.save({'state_dict': {}, 'meta': {}}, checkpoint)
    with pytest.raises(InputError, match=sentence) as caught:
        load_pose_network(PoseNetworkFiles(config, str(checkpoint)))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('weights', 'sentence'),
    [('vitpose', r'lacks \d+ weights of config|does not fit'), ('none', 'does not exist')],
)
def test_weights_of_another_model_and_missing_ones_are_refused(checkpoints, weights, sentence):
    checkpoint = checkpoints['vitpose'].replace('vitpose', weights)
    with pytest.raises(InputError, match=sentence):
        load_pose_network(PoseNetworkFiles(FAMILIES['rtmpose'], checkpoint))


def test_a_checkpoint_names_its_own_joints(tmp_path):
    checkpoint = tmp_path / 'own.pth'
    names = {n: f'joint_{n}' for n in range(17)}
    write_random_checkpoint(FAMILIES['rtmpose'], checkpoint, keypoint_id2name=names)
    network = load_pose_network(PoseNetworkFiles(FAMILIES['rtmpose'], str(checkpoint)))
    assert network.skeleton.keypoint_names == tuple(names.values())


def test_joints_of_clothes_are_those_of_the_part(tmp_path):
    """MMPose's data set has upper, lower and full; its class names no joints."""
    name = 'td-hm_res50_8xb64-210e_deepfashion_lower-256x192'
    config, checkpoint = tmp_path / 'own.py', tmp_path / 'w.pth'
    config.write_text(
        f"_base_ = ['{find_installed_config(name, [('mmpose', 'configs')])}']\n"
        'model = dict(backbone=dict(depth=18), head=dict(in_channels=512))\n'
    )
    write_random_checkpoint(str(config), checkpoint)
    network = load_pose_network(PoseNetworkFiles(str(config), str(checkpoint)))
    assert network.skeleton.num_keypoints == 4
