"""Windows of labelled videos, for training and testing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, frame_sources, read_posetrack18
from stdpose_mm.io.labels.detections import Detections, read_detections
from stdpose_mm.structures import (
    PersonLabel,
    VideoFrame,
    VideoLabels,
    Window,
    clip_box,
    detected_box,
    estimation_window,
    given_frames,
    interpolate_box,
    person_box,
    person_window,
    snap_window,
    to_corners,
)
from stdpose_mm.structures.propagated_labels import keep_certain, require_given

from .video_tracks import UNKNOWN_TRACK, Track, VideoTracks, tracks_of

TASKS = ('propagation', 'estimation')
BOXES = ('gt', 'interpolated', 'detected')
ON_ERROR = ('stop', 'skip')


@DATASETS.register_module()
class BaseWindowDataset(BaseDataset):
    """Three-frame windows of every person in a set of labelled videos.

    One sample is one person in one key frame, with an auxiliary frame on either side. Which
    frames these are:

    - ``task='propagation'``: every ``interval``-th frame is given
      (:func:`~stdpose_mm.structures.windows.given_frames`); the key frames are the other labelled
      ones, the auxiliary frames the given frames around them, whose labels may be shown. With
      ``random_offset`` the pattern of given frames is drawn anew for every training sample, so
      that every labelled frame may be a key frame.
    - ``task='estimation'``: the key frames are all labelled frames, the auxiliary frames the
      ones ``step`` before and after; nothing is given.
    - ``label_interval=T`` (training): only every T-th frame keeps its labels, all others are
      thrown away on reading. Key frames are then the labelled frames themselves; with
      ``task='propagation'`` their labelled neighbours are the auxiliary frames, so that windows
      span 2T.

    Labels that a propagator filled in (``source`` 'propagated', as
    ``tools/misc/make_pseudo_labels.py`` writes) are targets of training, by
    ``propagated_weight``, and nothing else: they are never shown as given labels. In a video
    that holds some, all labelled frames are key frames of ``task='propagation'``, and the
    auxiliary frames are the ones whose labels were made by hand, whatever ``interval`` and
    ``random_offset`` say. In testing they are refused.

    A sample is the dictionary of the transforms: ``frames`` (three of (path, index)), ``bbox``
    [1, 4] x1, y1, x2, y2 (not enlarged), ``bbox_score`` [1], ``keypoints`` [1, K, 2],
    ``keypoints_visible`` [1, K] of 0 and 1 (the truth of the key frame, zeros where unknown),
    ``aux_keypoints`` [2, K, 2], ``aux_keypoints_visible`` [2, K], ``aux_given`` [2] bool,
    ``label_sources`` (for each frame 'given', 'propagated', or None without a label),
    ``label_weights`` [3] (what a frame's label weighs in the loss), ``window_position``,
    ``video_name``, ``frame_index``, ``frame_indices`` [3], ``track_id`` (-1 if unknown), ``id``,
    ``img_id``, ``img_path``, ``category_id``, and MMPose's metainfo keys. In testing the auxiliary
    labels hold the given ones only.

    Args:
        ann_file: Folder with one label file per video, one label file, a text file that lists
            label files, or a list of them.
        data_root: Folder that ``ann_file`` and ``data_prefix`` start from.
        data_prefix: ``img``: folder that the ``file_name`` of pictures starts from. ``video``:
            folder that the label files' ``info.video`` starts from; without it, pictures.
        task: ``'propagation'`` or ``'estimation'``.
        interval: T, frames from one given frame to the next; with ``random_offset`` also a list
            of which one is drawn.
        random_offset: Draw the pattern of given frames for each training sample.
        label_interval: Throw away the labels of all but every T-th frame.
        step: Distance of the auxiliary frames in estimation.
        propagated_weight: What a propagated label weighs in the loss, a given one being 1; 0
            leaves propagated labels out.
        propagated_min_score: Propagated joints that score less count as unlabelled.
        boxes: ``'gt'``: the label's own box (the paper's protocol). ``'interpolated'``: between
            the boxes of the given labels, and in testing for every unlabelled frame of the
            protocol, the person being there or not. ``'detected'`` (testing): from ``bbox_file``;
            in propagation the detection that overlaps the interpolated box most, or that itself
            if there is none. Default: interpolated for testing propagation, otherwise gt.
        bbox_file: COCO-style detections, a JSON list of ``image_id``, ``bbox``, ``score``.
        bbox_score_thr: Detections below are not used.
        on_error: What to do about label files without a labelled person, missing pictures, and
            boxes outside the picture: ``'stop'`` raises an InputError, ``'skip'`` leaves them out
            and logs how many. An unreadable label file always stops.
        metainfo: MMPose metainfo of the keypoints.
        test_mode, pipeline, indices, serialize_data, lazy_init, max_refetch: As in BaseDataset.

    Raises:
        InputError: If the data are missing or not as described, or the arguments contradict each
            other.
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
        random_offset: bool = False,
        label_interval: int | None = None,
        step: int = 1,
        propagated_weight: float = 1.0,
        propagated_min_score: float = 0.0,
        boxes: str | None = None,
        bbox_file: str | None = None,
        bbox_score_thr: float = 0.2,
        on_error: str = 'stop',
        metainfo: Mapping[str, Any] | None = None,
        test_mode: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self._files = None if isinstance(ann_file, str) else list(ann_file)
        self.task = task
        self.intervals = (interval,) if isinstance(interval, int) else tuple(interval)
        self.random_offset = random_offset
        self.label_interval = label_interval
        self.step = step
        self.propagated_weight = propagated_weight
        self.propagated_min_score = propagated_min_score
        if boxes is None:
            boxes = 'interpolated' if test_mode and task == 'propagation' else 'gt'
        self.boxes = boxes
        self.bbox_file = bbox_file
        self.bbox_score_thr = bbox_score_thr
        self.on_error = on_error
        self.left_out: Counter[str] = Counter()
        self.videos: list[VideoTracks] = []
        self._check_arguments(test_mode)
        super().__init__(
            ann_file=ann_file if isinstance(ann_file, str) else '',
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(data_prefix) if data_prefix is not None else {'img': ''},
            indices=indices,
            serialize_data=serialize_data,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def _check_arguments(self, test_mode: bool) -> None:
        for name, value, allowed in (
            ('task', self.task, TASKS),
            ('boxes', self.boxes, BOXES),
            ('on_error', self.on_error, ON_ERROR),
        ):
            if value not in allowed:
                raise InputError(f'{name} must be one of {allowed}, got {value!r}')
        if not self.intervals or min(self.intervals) < 2:
            raise InputError(f'interval must be at least 2, got {self.intervals}')
        if self.label_interval is not None and self.label_interval < 1:
            raise InputError(f'label_interval must be at least 1, got {self.label_interval}')
        if self.step < 1:
            raise InputError(f'step must be at least 1, got {self.step}')
        if self.propagated_weight < 0:
            raise InputError(
                f'propagated_weight must not be negative, got {self.propagated_weight}'
            )
        if not 0 <= self.propagated_min_score <= 1:
            raise InputError(
                f'propagated_min_score must be in 0..1, got {self.propagated_min_score}'
            )
        if len(self.intervals) > 1 and not self.random_offset:
            raise InputError(f'the intervals {self.intervals} need random_offset=True')
        if test_mode and (self.random_offset or self.label_interval is not None):
            raise InputError('random_offset and label_interval are for training, not test_mode')
        if self.random_offset and (self.task != 'propagation' or self.label_interval is not None):
            raise InputError(
                "random_offset needs task='propagation' and the labels of all frames "
                '(label_interval=None)'
            )
        if self.boxes == 'interpolated' and self.task != 'propagation':
            raise InputError("boxes='interpolated' needs task='propagation'")
        if (self.boxes == 'detected') != (self.bbox_file is not None):
            raise InputError("boxes='detected' and bbox_file need each other")
        if self.boxes == 'detected' and not test_mode:
            raise InputError("boxes='detected' is for test_mode only")

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict:
        metainfo = metainfo or cls.METAINFO
        return parse_pose_metainfo(metainfo) if metainfo else {}

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.bbox_file is not None:
            self.bbox_file = os.path.join(self.data_root or '', self.bbox_file)

    # Reading

    def read_labels(self, path: str) -> VideoLabels:
        """The labels of one file of ``ann_file``."""
        return read_posetrack18(path)

    def label_files(self) -> list[str]:
        """The label files of ``ann_file``, see :func:`~stdpose_mm.io.find_label_files`.

        Raises:
            InputError: If there are none.
        """
        files: str | list[str] = self.ann_file
        if self._files is not None:
            files = [os.path.join(self.data_root or '', file) for file in self._files]
        return find_label_files(files, owner=type(self).__name__, hint=self.DATA_HINT)

    def load_data_list(self) -> list[dict]:
        """Read all label files once, and list the windows: small dictionaries, see _expand."""
        detections = (
            read_detections(self.bbox_file, self.bbox_score_thr) if self.bbox_file else None
        )
        self.left_out.clear()
        self.videos = []
        data_list: list[dict] = []
        listings: dict[str, set[str]] = {}
        for file in self.label_files():
            video = self._read_video(file, listings)
            if video is None:
                continue
            data_list += self._windows(len(self.videos), video, detections)
            self.videos.append(video)
        if not data_list:
            raise InputError(
                f'{self.ann_file or self._files} holds no window for {self._purpose()}: of '
                f'{len(self.videos)} videos were left out {self._left_out_text()}'
            )
        MMLogger.get_current_instance().info(
            f'{type(self).__name__}: {len(self.videos)} videos, {len(data_list)} windows for '
            f'{self._purpose()}, boxes: {self.boxes}; left out: {self._left_out_text()}'
        )
        return data_list

    def _purpose(self) -> str:
        return f'{"testing" if self.test_mode else "training"} {self.task}'

    def _left_out_text(self) -> str:
        return ', '.join(f'{n} {what}' for what, n in sorted(self.left_out.items())) or 'nothing'

    def _problem(self, what: str, message: str) -> None:
        if self.on_error == 'stop':
            raise InputError(message)
        self.left_out[what] += 1

    def _read_video(self, file: str, listings: dict[str, set[str]]) -> VideoTracks | None:
        labels = self._trusted(file, self.read_labels(file))
        expected = len(self.metainfo['keypoint_id2name'])
        if labels.skeleton.num_keypoints != expected:
            raise InputError(
                f'{file} has {labels.skeleton.num_keypoints} keypoints, expected the {expected} '
                f'of {self.metainfo["dataset_name"]!r}'
            )
        sources = frame_sources(
            labels, self.data_prefix.get('img', ''), self.data_prefix.get('video')
        )
        missing = [frame for frame, source in sources.items() if not _exists(source[0], listings)]
        for frame in missing:
            self._problem(
                'missing frames',
                f'{file}: frame {frame} should be {sources[frame][0]}, which does not exist: '
                f'{self.DATA_HINT}',
            )
        for frame in missing:
            del sources[frame]
        frames = {frame.index: frame for frame in labels.frames if frame.index in sources}
        # Frames whose people have no joint count for the protocol, as they do in evaluation.
        labelled = tuple(f for f in labels.labelled_frame_indices if f in sources)
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
        by_hand = {p.frame_index for p in labels.persons if p.source == 'given'}
        has_propagated = any(person.source == 'propagated' for person in labels.persons)
        if self.label_interval is not None:
            labelled = given = tuple(given_frames(labelled, self.label_interval))
            labels = labels.keep_frames(given)
        elif self.task == 'propagation' and has_propagated:
            given = tuple(sorted(by_hand))
        elif self.task == 'propagation':
            given = tuple(given_frames(labelled, self.intervals[0]))
        else:
            given = ()
        return VideoTracks(
            name=labels.name,
            known=tuple(sources),
            sources=tuple(sources.values()),
            image_ids=tuple(_image_id(frames[index]) for index in sources),
            labelled=labelled,
            given=given,
            tracks=tracks_of(labels),
            has_propagated=has_propagated,
        )

    def _trusted(self, file: str, labels: VideoLabels) -> VideoLabels:
        """The labels to use: those made by hand, and where allowed propagated ones."""
        if self.test_mode:
            require_given([labels], type(self).__name__)
        if self.propagated_weight == 0:
            return labels.with_persons([p for p in labels.persons if p.source == 'given'])
        certain = keep_certain(labels, self.propagated_min_score)
        if self.label_interval is not None and any(p.source != 'given' for p in certain.persons):
            raise InputError(
                f'{file} holds propagated labels, which label_interval={self.label_interval} does '
                'not go with, set propagated_weight=0 or label_interval=None'
            )
        return certain

    def _usable(self, file: str, frame: VideoFrame | None, person: PersonLabel) -> bool:
        if frame is None:
            return False
        if not person.labelled.any():
            self.left_out['labels without a joint'] += 1
            return False
        if frame.width is None or frame.height is None:
            return True
        box = person_box(person)
        if (clip_box(box, frame.width, frame.height)[2:] > 0).all():
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
        if detections is not None and self.task == 'estimation':
            for key in video.labelled:
                found = detections.of(video.image_id(key))
                for box, score in zip(found.boxes, found.scores, strict=True):
                    window = self._window(video, None, key)
                    yield {
                        'video': index,
                        'track': None,
                        'window': window,
                        'box': box,
                        'score': score,
                    }
            return
        for t, track in enumerate(video.tracks):
            for key in self._keys(video, track):
                if self.random_offset and not video.has_propagated:
                    yield {'video': index, 'track': t, 'window': None, 'key': key}
                    continue
                window = self._window(video, track, key)
                item: dict[str, Any] = {'video': index, 'track': t, 'window': window}
                if detections is not None:
                    found = detections.of(video.image_id(key))
                    item['box'], item['score'] = detected_box(self._box(track, window), found)
                yield item

    def _keys(self, video: VideoTracks, track: Track) -> list[int]:
        """The key frames of one person."""
        dense = self.random_offset or self.label_interval is not None or video.has_propagated
        if self.task == 'estimation' or dense:
            return list(track.frames)
        own = track.among(video.given)
        if self.test_mode and self.boxes != 'gt':
            # As in use: who is labelled somewhere is propagated to every frame.
            return sorted(set(video.labelled) - set(video.given)) if own else []
        return sorted(set(track.frames) - set(video.given))

    def _window(
        self, video: VideoTracks, track: Track | None, key: int, given: Sequence[int] | None = None
    ) -> Window:
        if self.task == 'estimation' or track is None:
            window = estimation_window(key, video.known[0], video.known[-1], self.step)
            return snap_window(window, video.known)
        given = video.given if given is None else given
        return person_window(key, track.among(given), given, video.known, self.step)

    def _random_window(
        self, video: VideoTracks, track: Track, key: int, seed: int | None
    ) -> Window:
        """A window of a pattern of given frames in which ``key`` is not given."""
        # A stream of its own: the augmentation starts NumPy's global one from the same seed.
        random: Any = np.random if seed is None else np.random.default_rng(seed)
        interval = int(random.choice(self.intervals))
        given: list[int] = []
        for offset in random.permutation(interval):
            given = given_frames(video.labelled, interval, int(offset))
            if key not in given:
                break
        return self._window(video, track, key, given)

    def _box(self, track: Track, window: Window) -> np.ndarray:
        """The person's box [4] in the key frame, x, y, width, height."""
        shown = [f for f, g in zip((window.left, window.right), window.given, strict=True) if g]
        row = track.row(window.key)
        if row is not None and (self.boxes == 'gt' or not shown):
            return track.boxes[row]
        frames = sorted(set(shown))
        rows = [track.frames.index(frame) for frame in frames]
        return interpolate_box(frames, track.boxes[rows], window.key)

    # One sample

    def get_data_info(self, idx: int) -> dict:
        """The sample dictionary of window ``idx``; draws the window if ``random_offset``.

        An index that carries a ``seed``, as those of the seeded samplers do, makes the draw
        repeatable.
        """
        item = super().get_data_info(idx)
        video = self.videos[item['video']]
        track = video.tracks[item['track']] if item['track'] is not None else None
        window = item['window']
        if window is None:
            assert track is not None
            window = self._random_window(video, track, item['key'], getattr(idx, 'seed', None))
        if 'box' in item:
            box = item['box']
        else:
            assert track is not None
            box = self._box(track, window)
        num_keypoints = len(self._metainfo['keypoint_id2name'])
        keypoints = np.zeros((3, num_keypoints, 2), dtype=np.float32)
        visible = np.zeros((3, num_keypoints), dtype=np.float32)
        # A label that is not given must not reach a model under test by any way.
        use = (window.left_given, True, window.right_given) if self.test_mode else (True,) * 3
        sources: list[str | None] = [None] * 3
        for i, frame in enumerate(window.frames):
            row = track.row(frame) if track is not None and use[i] else None
            if track is not None and row is not None:
                keypoints[i], visible[i] = track.keypoints[row], track.visible[row]
                sources[i] = track.sources[row]
        frames = [video.source(frame) for frame in window.frames]
        info = {
            'frames': frames,
            'bbox': to_corners(np.asarray(box, dtype=np.float32))[None],
            'bbox_score': np.array([item.get('score', 1.0)], dtype=np.float32),
            'keypoints': keypoints[1:2],
            'keypoints_visible': visible[1:2],
            'aux_keypoints': keypoints[[0, 2]],
            'aux_keypoints_visible': visible[[0, 2]],
            'aux_given': np.array(window.given),
            'label_sources': tuple(sources),
            'label_weights': np.array(
                [self.propagated_weight if source == 'propagated' else 1.0 for source in sources],
                dtype=np.float32,
            ),
            'window_position': window.position,
            'video_name': video.name,
            'frame_index': window.key,
            'frame_indices': window.frames,
            'track_id': track.track_id if track is not None else UNKNOWN_TRACK,
            'id': int(item['sample_idx']),
            'img_id': video.image_id(window.key),
            'img_path': frames[1][0],
            'category_id': 1,
            'sample_idx': item['sample_idx'],
        }
        info.update(sample_metainfo(self._metainfo))
        return info


def _image_id(frame: VideoFrame) -> int | str:
    return frame.index if frame.image_id is None else frame.image_id


def _exists(path: str, listings: dict[str, set[str]]) -> bool:
    # One listing per folder: asking for each picture by itself is slow on network drives.
    folder, name = os.path.split(path)
    if folder not in listings:
        listings[folder] = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
    return name in listings[folder]
