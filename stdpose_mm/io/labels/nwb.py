"""NWB files (``.nwb``) with poses of the extension ndx-pose, as neuroscience archives take them.

Labels are ndx-pose's ``PoseTraining``, estimates its ``PoseEstimation``. Read with h5py, which also
opens the files of older versions of the extension; written with pynwb and ndx-pose. Both are
optional requirements.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX, MAX_UNZIPPED
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    FrameNumbering,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
)

from .coco import VIDEO_FIELDS
from .deeplabcut import OWN_SCORER, name_individuals, poses_by_individual
from .fields import errors_of, require_distinct
from .frame_numbers import frame_indices
from .identities import Identity, number_tracks
from .joints import choose_categories, classes_of, joint_order, possible_limbs
from .label_source import LabelSource
from .poses import completed_scores
from .sleap import VIDEO_FILE
from .tables import TimeOf, known_times, require_dense

_TRACK = 'track='
"""Start of the names of people, as in files of sleap-io."""

_UNTRACKED = 'untracked'

_ANY_ANIMAL = 'http://purl.obolibrary.org/obo/NCBITaxon_33208'
"""The species as NWB writes unusual ones; this one is of all animals, people included."""

_RESERVED = ('description', 'scorer', 'source_software', 'source_video', 'labeled_video', 'device')
"""Names in a ``PoseEstimation`` beside those of its joints."""


class _Poses(NamedTuple):
    """Poses of one person: T estimates, or one label.

    Args:
        files: Names of the video, or of its pictures.
        skeleton: The joints; the category is the name of the skeleton.
        person: Name of the person; None if unknown.
        times: [T] seconds; of a label the frame.
        rate: Frames per second if the times are regular, else None.
        xy: [T, K, 2], NaN for joints without a place.
        visibility: [T, K].
        scores: [T, K], NaN where unknown; None for a label.
        class_name: See :class:`Identity`.
    """

    files: tuple[str, ...]
    skeleton: Skeleton
    person: str | None
    times: np.ndarray
    rate: float | None
    xy: np.ndarray
    visibility: np.ndarray
    scores: np.ndarray | None = None
    class_name: str = ''


def is_nwb(source: LabelSource) -> bool:
    """Tell from its name and start whether a file is an NWB file."""
    return source.is_hdf5 and Path(source).suffix.lower() == '.nwb'


def read_nwb(path: PathLike, category: str | None = None) -> list[VideoLabels]:
    """Read the poses of an NWB file.

    Joints of ``PoseTraining`` are 'given', and occluded if they have a place but are not visible.
    Those of ``PoseEstimation`` are 'propagated', with their confidence as score.

    Args:
        path: The ``.nwb`` file.
        category: Name of the skeleton to read, if there are several with different joints.

    Returns:
        One entry per video. Frames of estimates are counted by the sampling rate; times that are
        no whole numbers are matched to the video. People are named ``track=<name>``, as by
        sleap-io, others have no identity. Track ids: see :func:`number_tracks`.

    Raises:
        InputError: If h5py is not installed, the file holds no poses, one person has two poses of
            a kind in a frame, or see :func:`choose_categories`.
    """
    source = LabelSource.of(path)
    if not source.is_hdf5:
        raise InputError(f'{path} is not HDF5, expected an NWB file (.nwb)')
    require_packages(str(path), 'h5py', extra='nwb')
    try:
        modules = [*source.hdf5['processing'].values()] if 'processing' in source.hdf5 else []
        poses = [p for m in modules for name, node in m.items() for p in _poses_in(name, node)]
    except Exception as error:
        # h5py and numpy raise various errors for a damaged file.
        raise InputError(f'{path} is no NWB file of poses: {one_line(error)}') from error
    if not poses:
        raise InputError(f'{path} has no PoseTraining or PoseEstimation of ndx-pose, expected one')
    joints_of = {p.skeleton.category: p.skeleton.keypoint_names for p in poses}
    chosen = choose_categories(path, joints_of, category)
    joints, classes = joints_of[chosen[0]], classes_of(chosen)
    videos: dict[tuple[str, ...], list[_Poses]] = {}
    for p in poses:
        if p.skeleton.category in chosen:
            order = joint_order(p.skeleton.keypoint_names, joints)
            scores = None if p.scores is None else p.scores[:, order]
            xy, visibility = p.xy[:, order], p.visibility[:, order]
            fields: dict[str, Any] = {'xy': xy, 'visibility': visibility, 'scores': scores}
            ordered = p._replace(class_name=classes[p.skeleton.category], **fields)
            videos.setdefault(p.files, []).append(ordered)
    skeleton = next(p.skeleton for p in poses if p.skeleton.category == chosen[0])
    # Of paths with slashes or backslashes.
    paths = [PureWindowsPath(*files[:1]) for files in videos]
    names = [p.stem if len(f) < 2 else p.parent.name for p, f in zip(paths, videos, strict=True)]
    require_distinct(path, 'video', names := [name or video_name(path) for name in names])
    with errors_of(path):
        return [
            _read_video(path, name, files, skeleton, of_video)
            for name, (files, of_video) in zip(names, videos.items(), strict=True)
        ]


def _type(node: Any) -> str:
    return str(node.attrs.get('neurodata_type', ''))


def _poses_in(name: str, node: Any) -> Iterator[_Poses]:
    """Yield the poses of an object in a processing module."""
    if _type(node) == 'PoseEstimation':
        yield _estimates(name, node)
    if _type(node) != 'PoseTraining' or 'training_frames' not in node:
        return
    for frame in node['training_frames'].values():
        index = np.array([float(frame.attrs['source_video_frame_index'])])
        for instance_name, instance in frame['skeleton_instances'].items():
            xy = _array(instance['node_locations'])[None]
            is_visible = np.ones(xy.shape[1], bool)
            if 'node_visibility' in instance:
                is_visible = _values(instance['node_visibility'], len(xy[0])).astype(bool)
            visibility = np.where(np.isnan(xy).any(axis=2), 0, np.where(is_visible, 2, 1))
            skeleton, person = _skeleton(instance), _person(instance_name)
            yield _Poses(_files(frame), skeleton, person, index, None, xy, visibility)


def _estimates(name: str, group: Any) -> _Poses:
    series = {n: s for n, s in group.items() if _type(s) == 'PoseEstimationSeries'}
    skeleton, person = _skeleton(group, [*series]), _person(name)
    order = joint_order([*series], _object_names(skeleton.keypoint_names, skeleton.category))
    if order is None:
        raise ValueError(f'{name} has series {[*series]}, expected one for every joint')
    ordered = [[*series.values()][i] for i in order]
    places = [_array(s['data']) for s in ordered]
    timed = [_times(s, len(xy)) for s, xy in zip(ordered, places, strict=True)]
    times = np.unique(np.concatenate([t for t, _ in timed]))
    xy = np.full((len(times), len(ordered), 2), np.nan)
    scores = np.full(xy.shape[:2], np.nan)
    for joint, (s, (of_series, _)) in enumerate(zip(ordered, timed, strict=True)):
        rows = np.searchsorted(times, of_series)
        xy[rows, joint] = places[joint]
        if 'confidence' in s:
            scores[rows, joint] = _values(s['confidence'], len(rows))
    animals = {joint.partition('_')[0] for joint in skeleton.keypoint_names}
    if 'nodes' in group and len(animals) == 1 and person is None:
        # DeepLabCut2NWB puts the name of the animal before those of its joints.
        (person,) = animals
        joints = tuple(joint.removeprefix(f'{person}_') for joint in skeleton.keypoint_names)
        skeleton = Skeleton(joints, skeleton.limbs, ' '.join(joints))
    (rate,) = rates if len(rates := {rate for _, rate in timed}) == 1 else (None,)
    visibility = np.where(np.isnan(xy).any(axis=2), NOT_LABELLED, VISIBLE)
    return _Poses(_files(group), skeleton, person, times, rate, xy, visibility, scores)


def _skeleton(group: Any, names: Sequence[str] = ()) -> Skeleton:
    """Read the skeleton of poses: linked, in the group as in old versions, or without limbs."""
    linked = [node for node in group.values() if _type(node) == 'Skeleton']
    node = linked[0] if linked else group
    joints = _texts(node['nodes']) if 'nodes' in node else (*names,)
    limbs = possible_limbs(node.name, node['edges'][()] if 'edges' in node else (), len(joints))
    return Skeleton(joints, limbs, PurePosixPath(node.name).name if linked else ' '.join(joints))


def _person(name: str) -> str | None:
    person = name.removeprefix(_TRACK)
    return person if person not in (name, _UNTRACKED) else None


def _files(group: Any) -> tuple[str, ...]:
    """Read the names of the video of poses."""
    video = group.get('source_video', group)
    names = (name for name in ('external_file', 'original_videos') if name in video)
    return next((_texts(video[name]) for name in names), ())


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(v.decode() if isinstance(v, bytes) else str(v) for v in values[()].tolist())


def _array(data: Any) -> np.ndarray:
    """Read places [T, 2]."""
    if data.nbytes > MAX_UNZIPPED or data.shape[1:] != (2,):
        raise ValueError(f'{data.name} of shape {data.shape}, expected x and y')
    xy: np.ndarray = data[()].astype(np.float64)
    if (np.abs(xy) > MAX_COORDINATE).any():
        raise ValueError(f'{data.name} has a joint beyond +-1e7 pixels')
    return xy


def _values(data: Any, length: int) -> np.ndarray:
    """Read one value for each of the places that were read."""
    if data.shape != (length,):
        raise ValueError(f'{data.name} of shape {data.shape}, expected {length} values')
    return np.asarray(data[()])


def _times(series: Any, length: int) -> tuple[np.ndarray, float | None]:
    """Read the times in seconds of a series, and its rate if they are regular."""
    if 'timestamps' in series:
        return _values(series['timestamps'], length).astype(np.float64), None
    start = series['starting_time']
    rate = float(start.attrs['rate'])
    if not rate > 0:
        raise ValueError(f'{series.name} has a rate of {rate}, expected frames per second')
    return float(start[()]) + np.arange(length) / rate, rate


def _read_video(
    path: PathLike, name: str, files: Sequence[str], skeleton: Skeleton, poses: Sequence[_Poses]
) -> VideoLabels:
    rates = {p.rate for p in poses if p.scores is not None}
    rate = rates.pop() if len(rates) == 1 else None
    groups = [p.times for p in poses if p.scores is not None]
    times = np.unique(np.concatenate([np.empty(0), *groups]))
    counts = bool(rate) or bool((times == times.round()).all())
    numbering = FrameNumbering('index', "the frames of NWB's samples")
    if not counts and len(groups) == len(poses):
        text, of_position = "the times of NWB's samples", dict(enumerate(times.tolist()))
        numbering = FrameNumbering('times', text, len(times), times=of_position)
    numbers: Sequence[int] = ()
    if len(files) > 1:
        numbers, numbering = frame_indices(path, files)
    frames: set[int] = set()
    slots: dict[tuple[int, Hashable], dict[bool, tuple[_Poses, int]]] = {}
    places: dict[Hashable, set[int]] = {}
    for number, p in enumerate(poses):
        positions = p.times if counts or p.scores is None else np.searchsorted(times, p.times)
        if rate and p.scores is not None:
            positions = (p.times * rate).round()
        last = len(numbers) - 1 if numbers else MAX_FRAME_INDEX
        if not 0 <= positions.min(initial=0) <= positions.max(initial=0) <= last:
            raise ValueError(f'frames {positions.min()} to {positions.max()}, expected 0 to {last}')
        indices = [numbers[i] if numbers else i for i in positions.astype(int).tolist()]
        frames.update(indices)
        person: Hashable = number if p.person is None else p.person
        for row in np.flatnonzero(p.visibility.any(axis=1)).tolist():
            slot = slots.setdefault((indices[row], person), {})
            if (p.scores is None) in slot:
                raise ValueError(f'two poses of {person} on frame {indices[row]}')
            slot[p.scores is None] = (p, row)
            places.setdefault(person, set()).add(indices[row])
    named = {person: of for person, of in places.items() if isinstance(person, str)}
    identities = dict(zip(named, number_tracks(path, [*named.items()]), strict=True))
    persons = [
        _label(index, identities.get(person, Identity(None)), slot)  # type: ignore[call-overload]
        for (index, person), slot in sorted(slots.items(), key=lambda item: item[0][0])
    ]
    file_of = dict(zip(numbers, files, strict=False))
    listed = tuple(VideoFrame(i, file_of.get(i, '')) for i in sorted(frames))
    extra = {VIDEO_FIELDS: {VIDEO_FILE: files[0]}} if len(files) == 1 else {}
    return VideoLabels(name, skeleton, listed, tuple(persons), extra, numbering)


def _label(index: int, identity: Identity, slot: Mapping[bool, tuple[_Poses, int]]) -> PersonLabel:
    """Join the estimate and the label of a person in a frame."""
    poses, row = slot.get(False, slot.get(True))  # type: ignore[misc]
    identity = identity._replace(class_name=poses.class_name)
    xy, visibility = poses.xy[row], poses.visibility[row]
    scores = np.full(len(xy), np.nan) if poses.scores is None else poses.scores[row]
    is_labelled = np.zeros(len(xy), bool)
    if True in slot:
        labels, place = slot[True]
        is_labelled = labels.visibility[place] > NOT_LABELLED
        xy = np.where(is_labelled[:, None], labels.xy[place], xy)
        visibility = np.where(is_labelled, labels.visibility[place], visibility)
    shows = visibility > NOT_LABELLED
    scores = completed_scores(np.where(is_labelled, 1.0, scores), shows & ~is_labelled)
    sources: Any = None
    if (shows & ~is_labelled).any() and is_labelled.any():
        sources = np.where(is_labelled, 'given', np.where(shows, 'propagated', 'absent'))
    return PersonLabel(
        frame_index=index,
        keypoints=np.where(shows[:, None], xy, 0.0),
        visibility=visibility,
        track_id=identity.track_id,
        scores=None if scores is None or not (shows & ~is_labelled).any() else scores * shows,
        source='given' if is_labelled.any() else 'propagated',
        extra=identity.extra,
        keypoint_sources=sources,
    )


def _object_names(names: Iterable[str], *taken: str) -> list[str]:
    """Make distinct names of NWB objects, which contain no slash and no colon."""
    made = [*_RESERVED, *taken]
    for name in names:
        name = re.sub(r'[/:]|^\.', '_', name)
        while name in made:
            name += '_'
        made.append(name)
    return made[len(_RESERVED) + len(taken) :]


def write_nwb(labels: VideoLabels, path: PathLike, time_of: TimeOf | None = None) -> None:
    """Write the labels of one video as an NWB file, atomically.

    Given joints are written as ``PoseTraining``; occluded ones are not visible there. If joints of
    a person are propagated, all joints of the person are a ``PoseEstimation`` with a sample for
    every frame from 0 to the last: NaN without a label, confidence 1 for given joints, NaN for
    unknown scores. The rate is 1 if times are unknown. The file refers to the video by the name it
    was read with, else ``<name>.mp4``. What labels do not know (session, subject) is stated as
    unknown. Names of pictures, boxes and absence are not written.

    Args:
        labels: The labels.
        path: The ``.nwb`` file to write.
        time_of: Frame -> seconds from the first frame; None if unknown.

    Raises:
        InputError: If pynwb or ndx-pose is not installed, or the labels list few of very many
            frames.
    """
    require_packages(str(path), 'pynwb', 'ndx_pose')
    pynwb, ndx_pose = (importlib.import_module(name) for name in ('pynwb', 'ndx_pose'))
    frames = range(1 + max(labels, default=0))
    if any(person.has_propagated_joint for person in labels.persons):
        require_dense(path, labels, frames, 'NWB')
    timing = _timing(frames, time_of)
    nodes = labels.skeleton.keypoint_names
    video = pynwb.image.ImageSeries(
        name='video_0',
        description=f'The video {labels.name}',
        unit='n.a.',
        format='external',
        external_file=[labels.extra.get(VIDEO_FIELDS, {}).get(VIDEO_FILE, f'{labels.name}.mp4')],
        starting_frame=[0],
        num_samples=None if 'timestamps' in timing else len(frames),
        **timing,
    )
    skeleton = ndx_pose.Skeleton(
        name=_object_names([labels.skeleton.category])[0],
        nodes=[*nodes],
        edges=np.reshape(labels.skeleton.limbs, (-1, 2)).astype(np.min_scalar_type(len(nodes))),
    )
    poses, track_names = poses_by_individual(labels)
    named = {key: name or ('' if key[0] else str(key[1])) for key, name in track_names.items()}
    names = {key: name or _UNTRACKED for key, name in name_individuals(named, False).items()}
    objects = dict(zip(names, _object_names(f'{_TRACK}{n}' for n in names.values()), strict=True))
    training = []
    for row, index in enumerate(sorted(labels)):
        instances = []
        for key, name in objects.items():
            pose = poses[key][row]
            xy, flags, is_given = pose[:, :2], pose[:, 2], pose[:, 4]
            if (is_given == 1).any():
                instance = ndx_pose.SkeletonInstance(
                    name=name,
                    id=None if key[0] else np.uint64(key[1]),
                    node_locations=np.where(is_given[:, None] == 1, xy, np.nan),
                    node_visibility=(is_given == 1) & (flags == VISIBLE),
                    skeleton=skeleton,
                )
                instances.append(instance)
        if instances:
            frame = ndx_pose.TrainingFrame(
                name=f'frame_{index}',
                skeleton_instances=ndx_pose.SkeletonInstances(skeleton_instances=instances),
                source_video=video,
                source_video_frame_index=np.uint32(index),
            )
            training.append(frame)
    nwb = pynwb.NWBFile(
        session_description=f'Poses in the video {labels.name}',
        identifier=str(uuid4()),
        session_start_time=datetime.now(timezone.utc),
        experiment_description='Poses labelled by hand, and propagated to other frames',
        experimenter='Unknown, Unknown',
        institution='unknown',
        keywords=['pose estimation', 'behavior'],
        subject=pynwb.file.Subject(
            subject_id=re.sub('[/\\\\]', '_', labels.name) or 'unknown',
            description='Unknown: label files do not describe the subject',
            species=_ANY_ANIMAL,
            sex='U',
            age='P0D/',
        ),
    )
    behavior = nwb.create_processing_module('behavior', 'Poses')
    behavior.add(ndx_pose.Skeletons(skeletons=[skeleton]))
    if training:
        behavior.add(
            ndx_pose.PoseTraining(
                training_frames=ndx_pose.TrainingFrames(training_frames=training),
                source_videos=ndx_pose.SourceVideos(image_series=[video]),
            )
        )
    else:
        nwb.add_acquisition(video)
    for key, name in objects.items():
        scores, is_given = poses[key][:, :, 3], poses[key][:, :, 4]
        if (is_given == 0).any():
            fields = np.full((len(frames), len(nodes), 3), np.nan)
            confidence = np.where(is_given == 1, 1.0, scores)
            fields[sorted(labels)] = np.dstack([poses[key][:, :, :2], confidence])
            series = [
                ndx_pose.PoseEstimationSeries(
                    name=joint,
                    description=f'Positions of {nodes[k]} in each frame',
                    data=pynwb.H5DataIO(fields[:, k, :2], compression='gzip'),
                    reference_frame='(0, 0) is the centre of the top left pixel, y points down',
                    confidence=pynwb.H5DataIO(fields[:, k, 2], compression='gzip'),
                    confidence_definition='Calibrated score; 1 if labelled by hand',
                    **timing,
                )
                for k, joint in enumerate(_object_names(nodes, skeleton.name))
            ]
            estimation = ndx_pose.PoseEstimation(
                name=name,
                pose_estimation_series=series,
                description=f'Poses of {names[key]}',
                scorer=OWN_SCORER,
                source_software='stdpose_mm',
                skeleton=skeleton,
                source_video=video,
            )
            behavior.add(estimation)
    h5py = importlib.import_module('h5py')
    # The temporary file is locked already.
    with atomic_path(path) as temporary, h5py.File(temporary, 'w', locking=False) as file:
        pynwb.NWBHDF5IO(file=file, mode='w').write(nwb)


def _timing(frames: Sequence[int], time_of: TimeOf | None) -> dict[str, Any]:
    """Make the times of samples: a rate, or times if they are irregular by more than 1 ms."""
    times = known_times(frames, time_of)
    if not 1 < len(times) == len(frames):
        return {'starting_time': 0.0, 'rate': 1.0}
    seconds = np.subtract(times, times[0])
    rate = (len(times) - 1) / float(seconds[-1])
    if np.abs(seconds - np.arange(len(times)) / rate).max() > 1e-3:
        return {'timestamps': seconds}
    return {'starting_time': 0.0, 'rate': rate}
