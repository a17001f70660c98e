"""Pictures of predictions: the key frame, whether it is a picture or a frame of a video."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer

from stdpose_mm.engine.hooks import WindowVisualizationHook
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import Skeleton
from support.video_files import HEIGHT, WIDTH, make_video, number_of, numbered_picture

META = {'dataset_name': 'two joints', **Skeleton(('a', 'b')).to_metainfo('two joints')}


@pytest.fixture
def runner(tmp_path: Path) -> Any:
    """What MMPose's hook uses of a runner."""
    PoseLocalVisualizer.get_instance(
        tmp_path.name, save_dir=str(tmp_path), vis_backends=[{'type': 'LocalVisBackend'}]
    )
    evaluator = SimpleNamespace(dataset_meta=META)
    return SimpleNamespace(
        work_dir=str(tmp_path),
        timestamp='now',
        iter=4,
        val_evaluator=evaluator,
        test_evaluator=evaluator,
    )


def sample(path: Path, index: int | None, person: int = 0) -> PoseDataSample:
    """Return a prediction that covers less than the picture."""
    metainfo = {'img_path': str(path), 'img_index': index, 'ori_shape': (HEIGHT, WIDTH)}
    instances = InstanceData(
        keypoints=np.full((1, 2, 2), 8.0 + person),
        keypoint_scores=np.ones((1, 2)),
        bboxes=np.array([[4.0, 4.0, 12.0, 12.0]]),
    )
    return PoseDataSample(metainfo=metainfo, pred_instances=instances)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / 'a clip.mp4', range(12))


def drawn(folder: Path) -> dict[str, int]:
    """Return the pictures of a folder: name -> number of the frame that it shows."""
    return {path.name: number_of(cv2.imread(str(path))) for path in sorted(folder.iterdir())}


def test_a_test_draws_the_key_frames_of_videos_and_pictures(runner, tmp_path, video):
    picture = tmp_path / '000009.png'
    cv2.imwrite(str(picture), numbered_picture(9))
    samples = [sample(video, 7), sample(video, 7, person=1), sample(video, 3)]
    samples += [sample(picture, None)]
    hook = WindowVisualizationHook(enable=True, out_dir='drawn')
    hook.after_test_iter(runner, 0, {}, samples)
    assert drawn(tmp_path / 'now' / 'drawn') == {
        '000009_0.png': 9,
        'a clip_000003_0.png': 3,
        'a clip_000007_0.png': 7,
        'a clip_000007_1.png': 7,
    }
    assert [one.img_path for one in samples[:3]] == [str(video)] * 3


def test_videos_of_the_same_name_are_told_apart(runner, tmp_path):
    videos = [tmp_path / folder / 'clip.mp4' for folder in ('mornings', 'evenings')]
    for video, first in zip(videos, (0, 10), strict=True):
        video.parent.mkdir()
        write_video(video, map(numbered_picture, range(first, first + 4)), 25)
    hook = WindowVisualizationHook(enable=True, out_dir='drawn')
    hook.after_test_iter(runner, 0, {}, [sample(video, 2) for video in videos])
    pictures = drawn(tmp_path / 'now' / 'drawn')
    assert pictures == {'clip_000002_0.png': 2, 'clip_000002_1.png': 12}


@pytest.mark.parametrize(('batch', 'frames'), [(2, {'val_img_6.png': 5}), (1, {})])
def test_validation_draws_the_first_sample_of_some_batches(runner, tmp_path, video, batch, frames):
    samples = [sample(video, 5), sample(video, 6)]
    hook = WindowVisualizationHook(enable=True, interval=2)
    hook.after_val_iter(runner, batch, {'data_samples': samples}, samples)
    folder = tmp_path / 'vis_data' / 'vis_image'
    assert (drawn(folder) if folder.exists() else {}) == frames


def test_nothing_is_read_unless_it_is_enabled(runner, tmp_path):
    samples = [sample(tmp_path / 'missing.mp4', 5)]
    hook = WindowVisualizationHook()
    hook.after_val_iter(runner, 0, {'data_samples': samples}, samples)
    hook.after_test_iter(runner, 0, {'data_samples': samples}, samples)
