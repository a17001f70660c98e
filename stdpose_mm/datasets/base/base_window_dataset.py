"""Windows of labelled videos, for training and testing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from stdpose_mm.constants import CROP_POLICIES, ON_ERROR, CropPolicy
from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.datasets.transforms.picture_transforms import refuse_picture_transforms
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.labels import (
    find_label_files,
    frame_sources,
    read_posetrack,
    read_selected_videos,
)
from stdpose_mm.io.labels.detections import Detections, read_detections, require_distinct_ids
from stdpose_mm.registration import register
from stdpose_mm.structures import (
    NO_PEOPLE,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
    Window,
    is_box_outside,
    person_box,
    to_corners,
)
from stdpose_mm.structures.joint_names import name_distance
from stdpose_mm.tracking import assign_track_ids

from .box_policy import BoxPolicy
from .label_selection import LabelSelection
from .video_tracks import NO_TRACK, Track, VideoTracks, tracks_of


@register(DATASETS)
class BaseWindowDataset(BaseDataset):
    """Windows of every person in a set of labelled videos.

    One sample is one person in one key frame, with one auxiliary frame on either side, or several
    with ``num_frames=T``. The frames are chosen as follows:

    - ``task='propagation'``: every ``interval``-th frame is given
      (:func:`~stdpose_mm.structures.windows.given_frames`). The key frames are the other labelled
      frames; the auxiliary frames are the given frames around them, whose labels may be shown. With
      ``random_offset`` a new pattern of given frames is drawn for every training sample, so that
      every labelled frame may be a key frame.
    - ``task='estimation'``: the key frames are all labelled frames, the auxiliary frames are those
      before and after; no label is given.
    - ``label_interval=T`` (training): only every T-th frame keeps its labels; all other labels are
      discarded on reading. Key frames are then the labelled frames themselves. With
      ``task='propagation'`` their labelled neighbours are the auxiliary frames, so windows span 2T.

    In propagation with ``num_frames`` 5, 7, ..., the given frames are the outermost frames of the
    window, and further auxiliary frames lie evenly between each of them and the key frame
    (:func:`~stdpose_mm.structures.windows.fill_window`). These are shown without labels. Their
    labels are training targets, for parts of the model that learn from every frame.

    Propagated labels (``source`` 'propagated', as written by ``stdpose propagate``)
    are used only as training targets, with the weight ``propagated_weight``; they are never shown
    as given labels. In a video with propagated labels, all labelled frames are key frames of
    ``task='propagation'``, and the auxiliary frames are those labelled by hand, whatever
    ``interval`` and ``random_offset`` are. Testing refuses propagated labels.

    With ``keys_per_sample=W`` (training) a sample contains W windows of the same person between the
    same two auxiliary frames, whose crops and features they share: F = W + 2 frames (left, W key
    frames, right) instead of 3 W. Otherwise W = 1 and F = T.

    A sample is the dictionary of the transforms: ``frames`` (F of (path, index)), ``bbox`` [1, 4],
    or [F, 4] with ``crops='frame'``, x1, y1, x2, y2 (not enlarged), ``bbox_score`` [1] or [F],
    ``keypoints`` [W, K, 2], ``keypoints_visible`` [W, K] of 0 and 1 (the truth of the key frames,
    zeros where unknown), ``aux_keypoints`` [T - 1, K, 2], ``aux_keypoints_visible`` [T - 1, K],
    ``aux_given`` [2] bool (of the outermost frames), ``label_sources`` (for each frame 'given',
    'propagated', or None without a label), ``label_weights`` [F, K] (loss weight of each joint's
    label), ``window_position`` (a tuple of W positions if W > 1), ``video_name``, ``frame_index``
    (of the first key frame), ``frame_indices`` [F], ``track_id`` (-1 if unknown), ``id``,
    ``img_id``, ``img_path``, ``img_index`` (of the key frame in the video ``img_path``; None if
    that is a picture), ``category_id``, and MMPose's metainfo keys. In testing the auxiliary labels
    are only the given labels.

    Args:
        ann_file: Folder of label files, one label file, a text file that lists label files, or a
            list of these. A COCO file may hold several videos. People without track ids are
            associated, see :func:`~stdpose_mm.tracking.assign_track_ids`.
        data_root: Folder that ``ann_file`` and ``data_prefix`` are relative to.
        data_prefix: ``img``: folder that the ``file_name`` of pictures is relative to. ``video``:
            folder that the label files' ``info.video`` is relative to; without it, pictures are
            read.
        task: ``'propagation'`` or ``'estimation'``.
        interval: T, the number of frames from one given frame to the next; with ``random_offset``
            also a list of intervals, from which one is drawn.
        random_offset: Whether to draw the pattern of given frames for each training sample.
        keys_per_sample: Number W of key frames in a training sample; more than one needs
            ``random_offset``.
        crops: ``'window'``: all frames are cropped at the box of the key frame (the paper).
            ``'frame'``: each frame is cropped at the person's own box in it, as in propagation and
            inference, which encode every frame once.
        label_interval: T: only every T-th frame keeps its labels; None keeps all.
        num_frames: Odd number T of frames in a window: the key frame and (T - 1) / 2 auxiliary
            frames on either side. The model's neck must have the same number.
        propagated_weight: Weight of a propagated label in the loss, relative to 1 for a given
            label; 0 ignores propagated labels.
        propagated_min_score: Propagated joints with a lower score count as unlabelled.
        boxes: ``'gt'``: the label's own box (the paper's protocol). ``'interpolated'``:
            interpolated between the boxes of the given labels, in testing for every unlabelled
            frame of the protocol, whether or not the person is present. ``'detected'`` (testing):
            from ``bbox_file``; in propagation the detection that overlaps the interpolated box
            most, or the interpolated box if none does. Default: interpolated for testing
            propagation, otherwise gt.
        bbox_file: COCO-style detections, a JSON list of ``image_id``, ``bbox``, ``score``.
        bbox_score_thr: Minimum score of the detections that are used.
        held_out_share: Share of the videos that is held out from training, selected by their names,
            see :func:`~stdpose_mm.io.labels.read_selected_videos`.
        held_out: ``'exclude'``: read all but the held-out videos. ``'only'``: read only these, for
            validation.
        on_error: Action for label files without a labelled person, missing pictures, and boxes
            outside the picture. ``'stop'`` raises an InputError, ``'skip'`` ignores them and logs
            their number; in testing, frames without a picture count as missed. An unreadable label
            file is always an error.
        pipeline, test_mode: As in BaseDataset.
        **kwargs: Arguments above that :class:`LabelSelection` takes, and arguments of BaseDataset:
            ``metainfo``, ``indices``, ``serialize_data``, ...

    Raises:
        InputError: If the data are missing or not as described, or arguments contradict each other.
    """

    _metainfo: dict[str, Any]

    DATA_HINT = 'lay the data out as docs/guide/data.md says, or set data_root'

    def __init__(
        self,
        ann_file: str | Sequence[str] = '',
        data_root: str | None = '',
        data_prefix: Mapping[str, str] | None = None,
        task: str = 'propagation',
        interval: int | Sequence[int] = 7,
        crops: CropPolicy = 'window',
        boxes: str | None = None,
        bbox_file: str | None = None,
        bbox_score_thr: float = 0.2,
        held_out_share: float = 0.0,
        held_out: str = 'exclude',
        on_error: str = 'stop',
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        require_choice('on_error', on_error, ON_ERROR)
        require_choice('crops', crops, CROP_POLICIES)
        self.crops = crops
        intervals: Any = interval if isinstance(interval, list | tuple) else (interval,)
        names = {field.name for field in fields(LabelSelection)}
        selection = {name: kwargs.pop(name) for name in names & {*kwargs}}
        self.selection = LabelSelection(task, tuple(intervals), test_mode=test_mode, **selection)
        if self.selection.keys_per_sample > 1 and crops == 'window':
            raise InputError("keys_per_sample above 1 needs crops='frame'")
        self.box_policy = BoxPolicy(boxes, task, test_mode, bbox_file is not None)
        if crops == 'frame' and bbox_file is not None and task == 'estimation':
            raise InputError("crops='frame' needs the identities of people, which detections lack")
        self.bbox_file = bbox_file
        self.bbox_score_thr = bbox_score_thr
        self.held_out_share = held_out_share
        self.held_out = held_out
        self.on_error = on_error
        self.left_out: Counter[str] = Counter()
        self.videos: list[VideoTracks] = []
        self._files = None if isinstance(ann_file, str) else list(ann_file)
        super().__init__(
            ann_file=ann_file if isinstance(ann_file, str) else '',
            data_root=data_root,
            data_prefix=dict(data_prefix or {'img': ''}),
            pipeline=list(pipeline),
            test_mode=test_mode,
            **kwargs,
        )

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict:
        metainfo = metainfo or cls.METAINFO
        return parse_pose_metainfo(metainfo) if metainfo else {}

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.bbox_file is not None:
            self.bbox_file = os.path.join(self.data_root or '', self.bbox_file)

    # Reading

    def read_labels(self, path: str) -> list[VideoLabels]:
        """Read the videos of one file of ``ann_file``."""
        return read_posetrack(path)

    def label_files(self) -> list[str]:
        """List the label files of ``ann_file``.

        Raises:
            InputError: If there are none.
        """
        files: str | list[str] = self.ann_file
        if self._files is not None:
            files = [os.path.join(self.data_root or '', file) for file in self._files]
        return find_label_files(files, owner=type(self).__name__, hint=self.DATA_HINT)

    def load_data_list(self) -> list[dict]:
        """Read all label files once, and list the windows as small dictionaries."""
        refuse_picture_transforms(self.pipeline)
        detections = None
        if self.bbox_file:
            if not os.path.isfile(self.bbox_file):
                raise InputError(
                    f'{self.bbox_file} does not exist, expected detected boxes (bbox_file), write '
                    'them with tools/dataset_converters/detect_people.py'
                )
            detections = read_detections(self.bbox_file, self.bbox_score_thr)
        self.left_out.clear()
        self.unlabelled = 0
        self.videos = []
        data_list: list[dict] = []
        listings: dict[str, set[str]] = {}
        owner = type(self).__name__
        for file, labels in read_selected_videos(
            self.label_files(), self.read_labels, self.held_out_share, self.held_out, owner
        ):
            place = file if labels.name == video_name(file) else f'{file} (video {labels.name!r})'
            video = self._read_video(place, labels, listings)
            if video is not None:
                data_list += self._windows(len(self.videos), video, detections)
                self.videos.append(video)
        if detections is not None:
            ids = {v.name: [v.image_ids[frame] for frame in v.labelled] for v in self.videos}
            require_distinct_ids(ids)
        purpose = f'{"testing" if self.test_mode else "training"} {self.selection.task}'
        left_out = ', '.join(f'{n} {what}' for what, n in sorted(self.left_out.items()))
        left_out = left_out or 'nothing'
        if self.unlabelled == len(data_list):
            raise InputError(
                f'{self.ann_file or self._files} holds no window '
                f'{"with a given label " if data_list else ""}for {purpose} '
                f'({len(self.videos)} videos; left out: {left_out}), {self._advice(data_list)}'
            )
        if self.selection.task == 'propagation':
            purpose += f', {self.unlabelled} of them without a given label'
        logger = MMLogger.get_current_instance()
        if self.test_mode and self._indices is not None:
            logger.warning(
                f'{owner}: indices selects some of the {len(data_list)} windows, and metrics of '
                'videos count the people in the others as missed, give the dataset and the metric '
                'label files of fewer or shorter videos as ann_file'
            )
        logger.info(
            f'{owner}: {len(self.videos)} videos, {len(data_list)} windows for {purpose}, '
            f'boxes: {self.box_policy.boxes}; left out: {left_out}'
        )
        return data_list

    def _advice(self, data_list: list[dict]) -> str:
        """Say what to do where no window has a given label, or where there is no window."""
        if data_list:
            return 'give a person several labels'
        # All labels are of given frames, so that no frame is left to be a key frame.
        if any(len(v.labelled) > 1 and v.labelled == v.given for v in self.videos):
            interval = self.selection.intervals[0]
            if self.test_mode:
                return f'give labels of the frames between, or an interval above {interval}'
            return f'set label_interval={interval} if only sparse frames are labelled'
        return 'give other label files'

    def _problem(self, what: str, message: str) -> None:
        if self.on_error == 'stop':
            raise InputError(message)
        self.left_out[what] += 1

    def _read_video(
        self, file: str, labels: VideoLabels, listings: dict[str, set[str]]
    ) -> VideoTracks | None:
        labels = assign_track_ids(labels)
        labels = self.selection.select_sources(labels, file, type(self).__name__)
        self._require_joints(file, labels.skeleton)
        sources = self._existing_frames(file, labels, listings)
        frames = {frame.index: frame for frame in labels.frames if frame.index in sources}
        # As in evaluation, frames whose people have no joints count as labelled frames.
        labelled = tuple(f for f in labels.labelled_frame_indices if f in sources)
        missing = set(labels.labelled_frame_indices) - set(sources)
        labels = labels.with_persons(
            [p for p in labels.persons if self._usable(file, frames.get(p.frame_index), p)]
        )
        if not labels.persons:
            self._problem(
                'label files without a labelled person',
                f'{file} labels no joint of any person in its {len(labels.frames)} frames, '
                'expected at least one pose',
            )
            return None
        labels, labelled, pattern = self.selection.select_frames(labels, labelled, missing)
        return VideoTracks(
            name=labels.name,
            known=tuple(sources),
            sources=sources,
            image_ids={n: n if f.image_id is None else f.image_id for n, f in frames.items()},
            labelled=labelled,
            given=pattern,
            tracks=tracks_of(labels),
            has_propagated=any(person.source == 'propagated' for person in labels.persons),
        )

    def _require_joints(self, file: str, skeleton: Skeleton) -> None:
        """Refuse joints that differ from those of the metainfo, or are in another order."""
        expected = [name for _, name in sorted(self.metainfo['keypoint_id2name'].items())]
        names = skeleton.keypoint_names
        # Other spellings, and other names for nearly the same place, count as the same joint.
        if len(names) != len(expected) or any(
            name_distance(joint, wanted) is None
            for joint, wanted in zip(names, expected, strict=True)
        ):
            raise InputError(
                f'{file} has the keypoints {", ".join(names)}, expected those of '
                f'{self.metainfo["dataset_name"]!r} in their order: {", ".join(expected)}'
            )

    def _existing_frames(
        self, file: str, labels: VideoLabels, listings: dict[str, set[str]]
    ) -> dict[int, tuple[str, int | None]]:
        """Map the frames whose pictures exist to their (path, index), ascending."""
        sources = frame_sources(
            labels, self.data_prefix.get('img', ''), self.data_prefix.get('video')
        )
        unnamed = {frame.index for frame in labels.frames if not frame.file_name}
        for frame, (path, index) in list(sources.items()):
            if index is None and frame in unnamed:
                problem = 'has no file_name, add the name of its picture to the label file'
            elif not _exists(path, listings):
                problem = f'should be {path}, which does not exist: {self.DATA_HINT}'
            else:
                continue
            self._problem('missing frames', f'{file}: frame {frame} {problem}')
            del sources[frame]
        return sources

    def _usable(self, file: str, frame: VideoFrame | None, person: PersonLabel) -> bool:
        if frame is None:
            return False
        if not person.has_joint:
            self.left_out['labels without a joint'] += 1
            return False
        if frame.width is None or frame.height is None:
            return True
        box = person_box(person)
        if not is_box_outside(box, (frame.width, frame.height)):
            return True
        self._problem(
            'boxes outside the picture',
            f'{file}: frame {frame.index}, track {person.track_id}: the box '
            f'{np.round(box, 1).tolist()} lies outside the {frame.width}x{frame.height} picture',
        )
        return False

    # Listing windows

    def _windows(
        self, index: int, video: VideoTracks, detections: Detections | None
    ) -> Iterator[dict]:
        if detections is not None and self.selection.task == 'estimation':
            for key in video.labelled:
                window = self.selection.window(video, NO_TRACK, key)
                detected = detections.get(video.image_ids[key], NO_PEOPLE)
                for box, score in zip(detected.boxes, detected.scores, strict=True):
                    person = {'video': index, 'track': None, 'window': window}
                    yield {**person, 'box': box, 'score': score}
            return
        for t, track in enumerate(video.tracks):
            keys = self.selection.key_frames(video, track, self.box_policy.covers_unlabelled)
            if not keys and not track.among(video.given):
                self.left_out['people without a given label'] += 1
            for key in keys:
                item: dict[str, Any] = {'video': index, 'track': t}
                if self.selection.draws_windows(video):
                    self.unlabelled += len(track.frames) == 1
                    yield {**item, 'window': None, 'key': key}
                    continue
                item['window'] = window = self.selection.window(video, track, key)
                self.unlabelled += self.selection.task == 'propagation' and not any(window.given)
                if detections is not None:
                    detected = detections.get(video.image_ids[key], NO_PEOPLE)
                    item['box'], item['score'] = self.box_policy.find_box(track, window, detected)
                yield item

    # One sample

    def get_data_info(self, idx: int) -> dict:
        """Build the sample dictionary of window ``idx``; draw its frames if they are random.

        An index with a ``seed``, as from the seeded samplers, makes the draw repeatable.
        """
        item = super().get_data_info(idx)
        video = self.videos[item['video']]
        track = NO_TRACK if item['track'] is None else video.tracks[item['track']]
        seed = getattr(idx, 'seed', None)
        window = item['window']
        if window is None:
            window = self.selection.sample_window(video, track, item['key'], seed)
        keys = self.selection.sample_keys(track, window, seed)
        windows = [replace(window, key=key) for key in keys]
        window = windows[0]
        frames = (*window.before, *keys, *window.after)
        detection = (item['box'], item['score']) if 'box' in item else None
        boxes, scores = self._boxes_of(track, windows, detection)
        positions = tuple(member.position for member in windows)
        sources = [video.sources[frame] for frame in frames]
        img_path, img_index = sources[len(window.before)]
        return {
            'frames': sources,
            'bbox': to_corners(np.asarray(boxes, dtype=np.float32)),
            'bbox_score': np.array(scores, dtype=np.float32),
            **self._labels_of(track, window, keys),
            'window_position': positions if len(positions) > 1 else positions[0],
            'video_name': video.name,
            'frame_index': keys[0],
            'frame_indices': frames,
            'track_id': track.track_id,
            'id': int(item['sample_idx']),
            'img_id': video.image_ids[keys[0]],
            'img_path': img_path,
            'img_index': img_index,
            'category_id': 1,
            'sample_idx': item['sample_idx'],
            **sample_metainfo(self._metainfo),
        }

    def _boxes_of(
        self, track: Track, windows: Sequence[Window], detection: tuple[np.ndarray, float] | None
    ) -> tuple[list[np.ndarray], list[float]]:
        """Find the boxes [4] that the frames are cropped at, and their scores."""
        if detection is None:
            boxes = [self.box_policy.find_box(track, window) for window in windows]
        else:
            boxes = [detection]
        if self.crops == 'frame':
            beside = [(box, 1.0) for box in self.box_policy.find_aux_boxes(track, windows[0])]
            side = len(windows[0].before)
            boxes = [*beside[:side], *boxes, *beside[side:]]
        return [box for box, _ in boxes], [score for _, score in boxes]

    def _labels_of(self, track: Track, window: Window, keys: Sequence[int]) -> dict[str, Any]:
        frames = (*window.before, *keys, *window.after)
        num_keypoints = len(self._metainfo['keypoint_id2name'])
        keypoints = np.zeros((len(frames), num_keypoints, 2), dtype=np.float32)
        visible = np.zeros((len(frames), num_keypoints), dtype=np.float32)
        weights = np.ones((len(frames), num_keypoints), dtype=np.float32)
        sources: list[str | None] = [None] * len(frames)
        side = len(window.before)
        is_given = (window.given[0], *(False for _ in frames[1:-1]), window.given[1])
        aux_shown = self.selection.shows_labels(window)
        shows_label = (*aux_shown[:side], *(True for _ in keys), *aux_shown[side:])
        for i, frame in enumerate(frames):
            row = track.row(frame) if shows_label[i] else None
            if row is not None:
                # A propagated joint in a given label must not be shown as given.
                has_label = track.given[row] if is_given[i] else track.visible[row]
                keypoints[i], visible[i] = track.keypoints[row] * has_label[:, None], has_label
                weights[i, has_label & ~track.given[row]] = self.selection.propagated_weight
                sources[i] = track.sources[row]
        is_key = np.zeros(len(frames), dtype=bool)
        is_key[side:-side] = True
        return {
            'keypoints': keypoints[is_key],
            'keypoints_visible': visible[is_key],
            'aux_keypoints': keypoints[~is_key],
            'aux_keypoints_visible': visible[~is_key],
            'aux_given': np.array(window.given),
            'label_sources': tuple(sources),
            'label_weights': weights,
        }


def _exists(path: str, listings: dict[str, set[str]]) -> bool:
    # One listing per folder, since checking every single picture is slow on network drives.
    folder, name = os.path.split(path)
    if folder not in listings:
        listings[folder] = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
    return name in listings[folder]
