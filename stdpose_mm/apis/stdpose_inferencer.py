"""Poses with track ids in videos, through MMPose's inferencer API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import mmengine
import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpose.apis.inferencers.base_mmpose_inferencer import BaseMMPoseInferencer
from mmpose.apis.inferencers.pose2d_inferencer import Pose2DInferencer
from mmpose.evaluation.functional import nearby_joints_nms
from mmpose.registry import INFERENCERS, MODELS
from mmpose.structures import PoseDataSample
from mmpose.structures.utils import revert_heatmap

from stdpose_mm.constants import TRACKERS, WHOLE_PICTURE, CropPolicy
from stdpose_mm.detection import (
    BoxSource,
    PersonDetector,
    as_boxes,
    build_box_source,
    build_person_detector,
)
from stdpose_mm.detection.person_detector import NMS_IOU, SCORE_THRESHOLD
from stdpose_mm.engine.config_files import find_config, find_model
from stdpose_mm.errors import InputError, note, require_choice, require_ratio
from stdpose_mm.inference.estimate_video import PoseEstimator, estimate_video
from stdpose_mm.inference.frame_estimate import FrameEstimate
from stdpose_mm.inference.sparse_estimator import SparseEstimator
from stdpose_mm.inference.torch_window_backend import load_backend, stored_config
from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator
from stdpose_mm.io.video import ArrayFrames, FrameSource, clock_of, open_frames, to_bgr
from stdpose_mm.models.pose_estimators import WindowPoseEstimator
from stdpose_mm.registration import register
from stdpose_mm.structures import to_corners
from stdpose_mm.text import counted
from stdpose_mm.tracking.person_tracker import HIGH_SCORE_THR
from stdpose_mm.tracking.smoothing import build_smoother
from stdpose_mm.tracking.track_confirmation import MIN_TRACK_FRAMES

WHOLE_IMAGE = ('whole_image', 'whole-image')

_ESCAPE, _KEY_WAIT_MS = 27, 5
"""The key that stops a camera, and how long to wait for it, as in MMPose."""

Pictures = FrameSource | Iterator[np.ndarray]


@register(INFERENCERS)
class STDPoseInferencer(Pose2DInferencer):
    """MMPose's :class:`Pose2DInferencer` for videos, with window models.

    It is called like that class, with these differences:

    - The input is one video: a video file, a folder of pictures, a list of pictures (files or
      arrays), one picture, or a webcam (``'webcam:0'`` or its number). Grey pictures and pictures
      with an alpha channel become BGR. Every frame has a result, even the first and the last.
    - Every instance has a ``track_id``, in the results and in the written files.
    - ``bboxes`` are used unchanged: a list with one entry for each frame, or a dict of frame ->
      entry. An entry is an array [N, 4] x1, y1, x2, y2 in pixels (or [N, 5] with the score), or a
      dict with such ``bboxes`` and ``track_ids`` [N].
    - Esc in the window of ``show`` stops a camera, as in MMPose.
    - A frame without people has no instance; MMPose would use the whole picture as a person's box.
    - ``batch_size`` is the number of frames that are processed together. With 1, MMPose's default,
      files still fill the network's batches, and a webcam is answered frame by frame. Results come
      one frame at a time and do not depend on it.
    - A frame that cannot be read is logged, and its poses are interpolated between the frames
      around it. The ``origin`` of each result, also in the data sample's metainfo, is
      'predicted', 'held' (see ``pose_every``), 'interpolated', or 'unknown' where there is nothing
      to interpolate.

    After ``import stdpose_mm``, ``MMPoseInferencer(pose2d=...)`` builds this class for configs of
    this package, see :mod:`stdpose_mm.mmpose_patches`.

    Example::

        inferencer = STDPoseInferencer('stdpose-estimation', 'best.pth', det_model='rtmdet.onnx')
        for result in inferencer('clip.mp4', vis_out_dir='out'):
            for person in result['predictions'][0]:
                person['track_id'], person['keypoints'], person['keypoint_scores']

    Args:
        model: Config file, loaded config, or a name (see
            :func:`~stdpose_mm.engine.config_files.find_model`); None for the config inside the
            weights.
        weights: Checkpoint of a training run with it, or a folder of ``tools/export_onnx.py``.
        device: Device that runs the networks; by default the best one available.
        scope: As in MMPose.
        det_model: The person detector: a published one by name ('person'), an ONNX file, an
            MMDetection config (a file, or the name of one that comes with MMDetection or MMPose),
            or 'whole_image'. None if boxes are given.
        det_weights: Checkpoint of an MMDetection config.
        det_cat_ids: 0 or None, since people are found by the class name in the detector.
        show_progress: As in MMPose.
        det_every: The detector runs on every n-th frame.
        tracker: 'bytetrack' for track ids by boxes; 'oks' to also correct these by poses.
        smooth: None, or a filter for the joints, see
            :func:`~stdpose_mm.tracking.smoothing.build_smoother`.
        crops: 'frame' or 'window', see :class:`VideoPoseEstimator`.
        precision: See :func:`~stdpose_mm.inference.torch_window_backend.load_backend`.
        crops_at_once: Number of crops, and of windows, in one pass of the network.
        min_track_frames: People whom the detector finds in fewer frames are left out, except with a
            camera, whose results come at once.
        runtime: See :func:`~stdpose_mm.inference.torch_window_backend.load_backend`.
        pose_every: The model runs on every n-th frame, and optical flow carries the poses to the
            frames between, see
            :class:`~stdpose_mm.inference.sparse_estimator.SparseEstimator`. The frames
            between have no heatmaps, and results of a camera are n frames late.

    Raises:
        InputError: If an argument cannot be used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Config | ConfigDict | Mapping[str, Any] | None,
        weights: str | os.PathLike[str] | None = None,
        device: str | None = None,
        scope: str | None = 'mmpose',
        det_model: str | os.PathLike[str] | None = None,
        det_weights: str | os.PathLike[str] | None = None,
        det_cat_ids: int | Sequence[int] | None = None,
        show_progress: bool = False,
        det_every: int = 1,
        tracker: str = 'bytetrack',
        smooth: str | None = None,
        crops: CropPolicy | None = None,
        precision: str = 'float32',
        crops_at_once: int = 8,
        min_track_frames: int = MIN_TRACK_FRAMES,
        runtime: str | None = None,
        pose_every: int = 1,
    ) -> None:
        if isinstance(model, os.PathLike):
            model = os.fspath(model)
        init_default_scope(scope)
        device = device or get_device()
        self._precision = precision
        self._runtime = runtime
        self._crops_at_once = crops_at_once
        # Pose2DInferencer would build its own detector.
        BaseMMPoseInferencer.__init__(self, model, weights, device, scope, show_progress)
        self.visualizer.set_dataset_meta(self.model.dataset_meta)
        self.estimator: PoseEstimator = VideoPoseEstimator(self._backend, crops, crops_at_once)
        if pose_every > 1:
            self.estimator = SparseEstimator(self.estimator, pose_every)
        require_choice('tracker', tracker, TRACKERS)
        if smooth is not None:
            # Each video gets its own filter, since it depends on the frame rate.
            build_smoother(smooth)
        self._det_every = det_every
        self._tracker = tracker
        self._smooth = smooth
        self._min_track_frames = min_track_frames
        self.detector = _detector(det_model, det_weights, det_cat_ids, device)
        self._whole_image = det_model in WHOLE_IMAGE
        self._video_input = self._is_live = False

    @staticmethod
    def can_run(model: Any) -> bool:
        """Tell whether a config (a file, a loaded one, or a name) has a model of this package."""
        if isinstance(model, (str, Path)):
            if not Path(model).is_file():
                return find_model(str(model)) is not None
            model = Config.fromfile(model)
        if not isinstance(model, (Config, Mapping)):
            return False
        kind = model.get('model', {}).get('type')
        built = MODELS.get(kind) if isinstance(kind, str) else kind
        return isinstance(built, type) and issubclass(built, WindowPoseEstimator)

    def preprocess(
        self,
        inputs: Pictures,
        batch_size: int = 1,
        bboxes: Sequence[Any] | Mapping[int, Any] | None = None,
        bbox_thr: float | None = None,
        nms_thr: float | None = None,
        **kwargs: Any,
    ) -> Iterator[tuple[list[PoseDataSample], list[np.ndarray]]]:
        """Estimate the poses of a video.

        All work is done here, because the frames depend on each other.

        Args:
            inputs: Pictures, from :meth:`_inputs_to_list`.
            batch_size: See the class.
            bboxes: See the class.
            bbox_thr: Detections with a lower score are left out; by default 0.2. Detections above
                the smaller of ``bbox_thr`` and 0.4 start tracks; by default above 0.4.
            nms_thr: Of two detections with a larger overlap (intersection over union) one is left
                out; by default 0.65.
            **kwargs: Must be empty.

        Yields:
            The data sample of every frame and its picture.

        Raises:
            InputError: If there are no boxes, or they do not fit the video.
        """
        fps = self.video_info['fps'] if self._video_input else None
        time_of = clock_of(inputs) if isinstance(inputs, FrameSource) else None
        if isinstance(inputs, FrameSource) and not isinstance(bboxes, Mapping | None):
            _require_entries(len(bboxes), len(inputs))
        estimates = estimate_video(
            inputs,
            self._box_source(bboxes, bbox_thr, nms_thr),
            self.estimator,
            self._tracker,
            None if self._smooth is None else build_smoother(self._smooth, fps, time_of),
            max_waiting=batch_size if batch_size > 1 or self._is_live else None,
            keep_pictures=True,
            keep_heatmaps=bool(self.model.test_cfg.get('output_heatmaps')),
            min_track_frames=1 if self._is_live else self._min_track_frames,
        )
        with closing(estimates):
            for estimate in estimates:
                assert estimate.picture is not None
                sample = _data_sample(estimate, estimate.picture, _name(inputs, estimate))
                yield [sample], [estimate.picture]
                if self._is_live and cv2.waitKey(_KEY_WAIT_MS) & 0xFF == _ESCAPE:
                    return

    def forward(
        self,
        inputs: list[PoseDataSample],
        merge_results: bool = True,
        bbox_thr: float = -1,
        pose_based_nms: bool = False,
    ) -> list[PoseDataSample]:
        """Remove instances below ``bbox_thr`` or by pose NMS from :meth:`preprocess`'s samples."""
        for sample in inputs:
            people = sample.pred_instances
            if bbox_thr > 0:
                people = people[people.bbox_scores > bbox_thr]
            if pose_based_nms and len(people):
                indices = nearby_joints_nms(
                    [
                        {'keypoints': keypoints, 'score': score}
                        for keypoints, score in zip(
                            people.keypoints, people.bbox_scores, strict=True
                        )
                    ],
                    num_nearby_joints_thr=people.keypoints.shape[1] // 3,
                )
                people = people[np.asarray(indices)]
            sample.pred_instances = people
        return inputs

    def postprocess(
        self,
        preds: list[PoseDataSample],
        visualization: list[np.ndarray],
        pred_out_dir: str = '',
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Build and write MMPose's result, with ``track_id`` and the ``origin`` of each frame."""
        results: dict[str, Any] = super().postprocess(preds, visualization, **kwargs)
        results['origin'] = [sample.metainfo['origin'] for sample in preds]
        for sample, people in zip(preds, results['predictions'], strict=True):
            # Data samples, which may be asked for, hold the track ids already.
            if isinstance(people, list):
                for person, track_id in zip(people, sample.pred_instances.track_ids, strict=True):
                    person['track_id'] = int(track_id)
            if pred_out_dir and self._video_input:
                self.video_info['predictions'].append(people)
            elif pred_out_dir:
                name = f'{Path(sample.img_path).stem}.json'
                mmengine.dump(people, os.path.join(pred_out_dir, name), indent='  ')
        return results

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """See the class and :class:`Pose2DInferencer`."""
        if isinstance(inputs, (int, np.integer)):
            inputs = f'webcam:{inputs}'
        return super().__call__(inputs, *args, **kwargs)

    def _inputs_to_list(self, inputs: Any) -> Pictures:
        """Open one video as a sequence of BGR pictures."""
        self._video_input = self._is_live = False
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        if isinstance(inputs, (str, os.PathLike)):
            frames = open_frames(inputs)
        elif not isinstance(inputs, (list, tuple)) or not inputs:
            raise InputError(
                f'the input of the inferencer is {type(inputs).__name__}, expected a video '
                'file, a folder of pictures, a picture, a list of pictures that is not empty, or '
                "'webcam:0'"
            )
        elif isinstance(inputs[0], (str, os.PathLike)):
            frames = open_frames(list(inputs))
        else:
            return ArrayFrames(inputs)
        if not frames.has_picture_files:
            self._set_video(Path(os.fspath(inputs)).name, frames.fps, frames.size)
        return frames

    def _get_webcam_inputs(self, inputs: str) -> Iterator[np.ndarray]:
        """Open the camera ``webcam:<number>`` as a stream of pictures.

        Raises:
            InputError: If there is no such camera.
        """
        number = inputs.lower().removeprefix('webcam').removeprefix(':') or '0'
        if not number.isdecimal():
            raise InputError(f"{inputs!r} is not the name of a camera, expected 'webcam:0'")
        camera = cv2.VideoCapture(int(number))
        if not camera.isOpened():
            raise InputError(f'camera {number} cannot be opened, give the number of another one')
        size = (
            int(camera.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(camera.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self._set_video('webcam.mp4', camera.get(cv2.CAP_PROP_FPS), size)
        self._is_live = True
        return _camera_pictures(camera)

    def _set_video(self, name: str, fps: float | None, size: tuple[int, int]) -> None:
        """Make MMPose write one video and one label file."""
        self._video_input = True
        self.video_info: dict[str, Any] = {
            'fps': fps or 25,
            'name': name,
            'writer': None,
            'width': size[0],
            'height': size[1],
            'predictions': [],
        }

    def _box_source(
        self,
        bboxes: Sequence[Any] | Mapping[int, Any] | None,
        bbox_thr: float | None,
        nms_thr: float | None,
    ) -> BoxSource:
        people: Any = self.detector
        high_score_thr = HIGH_SCORE_THR
        if bboxes is not None and len(bboxes):
            people = as_boxes(bboxes)
        elif self._whole_image:
            people = WHOLE_PICTURE
        elif self.detector is None:
            raise InputError(
                'the positions of the people are unknown: give bboxes, or det_model when building '
                "the inferencer ('person', an ONNX file, 'whole_image', or an MMDetection config "
                'with det_weights)'
            )
        else:
            nms_thr = NMS_IOU if nms_thr is None else nms_thr
            least = SCORE_THRESHOLD if bbox_thr is None else bbox_thr
            require_ratio(bbox_thr=least, nms_thr=nms_thr)
            if bbox_thr is not None:
                high_score_thr = min(bbox_thr, HIGH_SCORE_THR)
            self.detector.score_threshold, self.detector.nms_iou = least, nms_thr
        if people is not self.detector and not (bbox_thr is None and nms_thr is None):
            note(
                'bbox_thr and nms_thr apply to detections only, not to given boxes or the whole '
                'picture, leave them out or filter bboxes yourself'
            )
        return build_box_source(people, self._det_every, self._tracker, high_score_thr)

    def _load_model_from_metafile(self, model: str) -> tuple[Config, str | None]:
        config, weights = find_model(model) or (find_config(model), None)
        return Config.fromfile(config), weights

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> Any:
        if weights is None:
            raise InputError('the model has no weights, give a checkpoint as weights')
        if not cfg:
            cfg.update(stored_config(weights)._cfg_dict)
        config = cfg if isinstance(cfg, Config) else Config(dict(cfg))
        self._backend = load_backend(
            config, weights, device, self._precision, self._crops_at_once, self._runtime
        )
        window_model: Any = self._backend.codec
        model = window_model.model
        model.cfg = cfg
        model.dataset_meta = window_model.metainfo
        return model

    def _init_collate(self, cfg: Any) -> Any:
        # The estimator builds its own batches.
        return pseudo_collate

    def _init_visualizer(self, cfg: Any) -> Any:
        # The config's backends are for training; nothing must be logged here.
        drawn = ConfigDict(cfg.get('visualizer') or {'type': 'PoseLocalVisualizer'})
        drawn.pop('vis_backends', None)
        return super()._init_visualizer(ConfigDict(visualizer=drawn))


def _require_entries(num_entries: int, num_frames: int) -> None:
    """Refuse a list of boxes that has not one entry per frame; an empty one means no boxes."""
    if num_entries not in (0, num_frames):
        raise InputError(
            f'bboxes have {counted(num_entries, "entry")} and the video has '
            f'{counted(num_frames, "frame")}, give one entry for each frame (None without people), '
            'or a dict of frame -> boxes'
        )


def _camera_pictures(camera: Any) -> Iterator[np.ndarray]:
    try:
        while True:
            there, picture = camera.read()
            if not there:
                return
            yield to_bgr(picture)
    finally:
        camera.release()


def _name(inputs: Pictures, frame: FrameEstimate) -> str:
    """Return the path from which MMPose derives the names of its output files."""
    if isinstance(inputs, FrameSource) and inputs.has_picture_files:
        return inputs.path_of(frame.frame_index)
    return f'{frame.frame_index:06d}.jpg'


def _data_sample(frame: FrameEstimate, picture: np.ndarray, name: str) -> PoseDataSample:
    """Convert an estimate to MMPose's data sample, with boxes as corners."""
    height, width = picture.shape[:2]
    instances = InstanceData(
        keypoints=frame.keypoints,
        keypoint_scores=frame.scores,
        keypoints_visible=frame.scores,
        bboxes=to_corners(frame.people.boxes),
        bbox_scores=frame.people.scores,
        track_ids=frame.people.track_ids,
    )
    sample = PoseDataSample(
        pred_instances=instances,
        metainfo={
            'img_path': name,
            'frame_index': frame.frame_index,
            'ori_shape': (height, width),
            'origin': frame.origin,
        },
    )
    if frame.heatmaps is not None and len(frame):
        drawn = [
            revert_heatmap(
                maps, crop.metainfo['input_center'], crop.metainfo['input_scale'], (height, width)
            )
            for maps, crop in zip(frame.heatmaps, frame.crops, strict=True)
        ]
        sample.pred_fields = PixelData(heatmaps=np.max(drawn, axis=0))
    return sample


def _detector(
    det_model: str | os.PathLike[str] | None,
    det_weights: str | os.PathLike[str] | None,
    det_cat_ids: int | Sequence[int] | None,
    device: str,
) -> PersonDetector | None:
    if det_cat_ids not in (None, 0, (0,), [0]):
        raise InputError(
            f'det_cat_ids is {det_cat_ids}, expected 0 or None, since people are found by the name '
            'of their class'
        )
    if det_model is None or det_model in WHOLE_IMAGE:
        if det_weights is not None:
            raise InputError('det_weights need det_model, give the config of the detector too')
        return None
    return build_person_detector(det_model, det_weights, device)
