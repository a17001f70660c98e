from __future__ import annotations

from importlib import import_module

import cv2
import numpy as np
import pytest
import torch

from research.export.matcher_export import export_matcher
from research.training import matcher_training
from research.training.matcher_training import MatchingPairs, train_matcher
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.labelling.comparison.labelled_videos import open_video, read_videos
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    CROP_SIDE,
    POSE_SIDE,
    TrainedMatcher,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips') / 'clips'
    write_dataset(folder, 2, 0, ClipSettings(6, 128, 96, (1, 1)), workers=1)
    return folder


@pytest.fixture(scope='module')
def videos(folder):
    return read_videos(folder / 'annotations' / 'train')


def test_pairs_show_a_pose_of_the_same_size_with_its_joints(folder, videos):
    for item in (MatchingPairs(videos, folder, 6, seed=2)[n] for n in range(6)):
        assert item['crops'].shape == item['label_crops'].shape == (3, CROP_SIDE, CROP_SIDE)
        shown = item['label_joints'][item['weights'] > 0]
        extent = (shown.amax(0) - shown.amin(0)).max()
        assert extent < 1.8 * POSE_SIDE
        assert ((shown > -20) & (shown < CROP_SIDE + 20)).all()
        assert (item['centres'] - item['joints']).norm(dim=-1).mean() < 0.3 * POSE_SIDE


def test_a_joint_has_the_colour_of_its_place_in_the_video(folder, videos, monkeypatch):
    """However the crops were scaled, shifted, turned and mirrored."""
    monkeypatch.setattr(matcher_training, '_filmed', lambda crop, rng: crop)
    video = videos[0].keep_frames([1, 4])
    frames = open_video(video, folder, None, pictures_needed=True)

    def colours(picture: np.ndarray, joints: np.ndarray) -> np.ndarray:
        x, y = np.clip(np.rint(joints), 0, np.array(picture.shape[1::-1]) - 1).astype(int).T
        # Drawn edges are sharp, and a crop interpolates.
        return cv2.blur(picture, (3, 3))[y, x].astype(float)

    true = [colours(frames[p.frame_index], p.keypoints) for p in video.persons]
    pairs = MatchingPairs([video], folder, 30, seed=0)
    for item in (pairs[n] for n in range(30)):
        shown = item['weights'].numpy() > 0
        for crop, joints in (('label_crops', 'label_joints'), ('crops', 'joints')):
            picture = item[crop].permute(1, 2, 0).numpy()
            shown_colours = colours(picture, item[joints].numpy())[shown]
            assert min(np.abs(shown_colours - known[shown]).mean() for known in true) < 10


def test_a_trained_matcher_is_the_same_in_its_file(folder, videos, tmp_path):
    matcher = train_matcher(videos, folder, tmp_path / 'logs', max_iters=3, batch_size=2)
    path = tmp_path / 'joint_matcher.onnx'
    export_matcher(matcher, path)
    crops = np.random.default_rng(0).integers(0, 255, (3, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    with torch.inference_mode():
        expected = matcher(torch.from_numpy(crops).permute(0, 3, 1, 2).float()).numpy()
    # Weights are stored in half precision.
    np.testing.assert_allclose(TrainedMatcher(path).describe(crops), expected, atol=3e-3)


def test_the_command_generates_trains_and_writes_the_file(run_main, tmp_path):
    options = ('--clips', '2', '--iters', '1', '--batch-size', '4', '--workers', '1')
    run = import_module('research.tools.train_matcher').main
    code, _, lines = run_main(run, *options, '--work-dir', tmp_path / 'out')
    assert (code, lines) == (0, [])
    assert TrainedMatcher(tmp_path / 'out' / 'joint_matcher.onnx')
