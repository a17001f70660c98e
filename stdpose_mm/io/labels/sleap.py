"""SLEAP projects (``.slp``), read and written with sleap-io, which is an optional requirement.

Like this package, sleap-io has the centre of the top-left pixel at (0, 0); it converts projects
older than SLEAP's format 1.1, which had the corner of that pixel there.

SLEAP has no occluded joints: it ignores invisible joints in training, and they count as unlabelled
here.

When a person corrects a prediction, SLEAP makes a user instance that refers to the prediction, and
flags the joints that were moved, hidden or shown as complete. Labels with only some given joints
are written in this form.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.structures import (
    NOT_LABELLED,
    TRACK_NAME,
    VISIBLE,
    FrameNumbering,
    PersonLabel,
    Skeleton,
    Source,
    VideoFrame,
    VideoLabels,
)

from .coco import VIDEO_FIELDS, video_name
from .fields import (
    HDF5_SIGNATURE,
    MAX_COORDINATE,
    MAX_ID,
    errors_of,
    is_hdf5,
    require_distinct,
    shown,
)
from .frame_numbers import MAX_FRAME_INDEX, frame_indices
from .poses import leave_out_empty

_VIDEO_FILE = 'file_name'


def is_sleap(path: PathLike, head: bytes) -> bool:
    """Tell from its name and start whether a file is a SLEAP project."""
    return head.startswith(HDF5_SIGNATURE) and Path(path).suffix == '.slp'


def read_sleap(path: PathLike) -> list[VideoLabels]:
    """Read the poses of a SLEAP project.

    Instances placed or corrected by a person are 'given', predicted ones are 'propagated' with
    their scores. A joint without a score gets 1; an instance without any has no scores. If a person
    corrected some joints of a prediction, the other joints stay 'propagated'; a prediction that was
    accepted unchanged is 'given'. As in SLEAP, the original of a corrected prediction is left out:
    a user instance was made from it, or has its track in the same frame.

    Args:
        path: The ``.slp`` file, with or without embedded pictures.

    Returns:
        One entry per video of the project, in its order. Frames are those with instances and those
        marked as having none; frame indices of pictures are the numbers in their names. Track ids
        are the names of the tracks if all are whole numbers, else their positions in the project,
        with the names in ``extra``.

    Raises:
        InputError: If sleap-io is not installed, the file is not a SLEAP project, the instances of
            one video have different skeletons, or a video is cropped.
    """
    if not is_hdf5(path):
        raise InputError(f'{path} is not HDF5, expected a SLEAP project (.slp)')
    sleap_io = _sleap_io(path)
    try:
        project = sleap_io.load_slp(str(path), open_videos=False)
    except Exception as error:
        # h5py, json and numpy raise various errors for a damaged file.
        raise InputError(
            f'{path} is not a SLEAP project: {type(error).__name__} {shown(str(error))}'
        ) from error
    tracks = _track_ids(project.tracks)
    names = _video_names(path, project.videos)
    with errors_of(path):
        named = zip(names, project.videos, strict=True)
        return [_read_video(path, name, video, project, tracks) for name, video in named]


def _sleap_io(path: PathLike) -> ModuleType:
    require_packages(str(path), 'sleap_io')
    return importlib.import_module('sleap_io')


def _track_ids(tracks: Sequence[Any]) -> dict[int, tuple[int, str]]:
    """Map ``id(track)`` -> (track id, name); the name is '' if it equals the id."""
    names = [track.name or '' for track in tracks]
    numeric = all(name.isascii() and name.isdigit() and int(name) <= MAX_ID for name in names)
    if numeric and len({int(name) for name in names}) == len(names):
        return {id(track): (int(name), '') for track, name in zip(tracks, names, strict=True)}
    return {id(track): (i, names[i]) for i, track in enumerate(tracks)}


def _file_names(video: Any) -> str | list[str]:
    """Find the file of a video, or its pictures, also if frames were embedded in the project.

    sleap-io has already replaced backslashes by slashes.
    """
    while video.source_video is not None:
        video = video.source_video
    return video.filename


def _video_names(path: PathLike, videos: Sequence[Any]) -> list[str]:
    files = [_file_names(video) for video in videos]
    places = [PurePosixPath(f if isinstance(f, str) else PurePosixPath(f[0]).parent) for f in files]
    names = [
        (place.stem if isinstance(of_video, str) else place.name) or video_name(path)
        for place, of_video in zip(places, files, strict=True)
    ]
    if len(set(names)) < len(names):
        # For videos such as monday/1.mp4 and tuesday/1.mp4.
        names = [str(place) for place in places]
    require_distinct(path, 'video', names)
    return names


def _read_video(
    path: PathLike, name: str, video: Any, project: Any, tracks: dict[int, tuple[int, str]]
) -> VideoLabels:
    where = f'{path}: video {name!r}'
    if video.crop_rect is not None:
        raise InputError(f'{where} is cropped within the project, expected whole frames')
    instances: dict[int, list[Any]] = {}
    looked_at = set()
    for labelled in project.labeled_frames:
        if labelled.video is video:
            index = int(labelled.frame_idx)
            instances.setdefault(index, []).extend(labelled.instances)
            if labelled.user_instances or labelled.is_negative:
                looked_at.add(index)
    if max(instances, default=0) > MAX_FRAME_INDEX:
        raise InputError(f'{where} has labels on frame {max(instances)}, expected at most 1e7')
    used = [one.skeleton for group in instances.values() for one in group] or project.skeletons[:1]
    joints = [*dict.fromkeys(tuple(skeleton.node_names) for skeleton in used)]
    if len(joints) != 1:
        raise InputError(f'{where} has the joints {shown(joints)}, expected one skeleton per video')
    files = _file_names(video)
    numbering = FrameNumbering('index', "SLEAP's frame indices")
    numbers: list[int] = []
    if isinstance(files, list):
        # SLEAP's indices are positions in this list, which may hold only some frames of the video.
        numbers, numbering = frame_indices(path, files)
    height, width = (None, None) if video.shape is None else map(int, video.shape[1:3])
    frames, persons = [], []
    for place in sorted(instances):
        index, file = (numbers[place], files[place]) if place < len(numbers) else (place, '')
        is_labeled = True if place in looked_at else None
        frames.append(VideoFrame(index, file, None, width, height, is_labeled))
        for instance in _without_corrected(instances[place]):
            track = tracks.get(id(instance.track), (None, ''))
            at = f'{where}, frame {place}'
            persons.append(_read_instance(at, index, instance, *track))
    (persons,) = leave_out_empty(path, [persons], lambda person: person.is_located)
    limbs = tuple((int(a), int(b)) for a, b in used[0].edge_inds)
    skeleton = Skeleton(tuple(used[0].node_names), limbs, used[0].name or 'person')
    extra = {VIDEO_FIELDS: {_VIDEO_FILE: files}} if isinstance(files, str) else {}
    return VideoLabels(name, skeleton, tuple(frames), tuple(persons), extra, numbering)


def _is_predicted(instance: Any) -> bool:
    return hasattr(instance, 'score')


def _without_corrected(instances: Sequence[Any]) -> list[Any]:
    given = [instance for instance in instances if not _is_predicted(instance)]
    originals = {id(p) for one in given for p in (one.from_predicted, one.track) if p is not None}
    return [
        instance
        for instance in instances
        if not _is_predicted(instance) or not {id(instance), id(instance.track)} & originals
    ]


def _read_instance(
    where: str, frame_index: int, instance: Any, track_id: int | None, track_name: str
) -> PersonLabel:
    points = np.asarray(instance.points['xy'], dtype=np.float64)
    labelled = np.asarray(instance.points['visible']) & ~np.isnan(points).any(axis=1)
    points = np.where(labelled[:, None], points, 0.0)
    if (np.abs(points) > MAX_COORDINATE).any():
        raise InputError(f'{where} has a joint beyond +-1e7 pixels, expected it near the picture')
    scores = None
    source: Source = 'given'
    sources = np.where(labelled, 'given', 'absent')
    if _is_predicted(instance):
        scores, source = instance.points['score'], 'propagated'
        sources = np.where(labelled, 'propagated', 'absent')
    elif instance.from_predicted is not None and (_touched(instance) & labelled).any():
        sources = np.where(_touched(instance), sources, 'propagated')
        scores = instance.from_predicted.points['score']
        scores = np.where(sources == 'given', 1.0, scores)
    if scores is not None:
        scores = _completed(np.where(labelled, scores, 0.0), labelled & (sources == 'propagated'))
    return PersonLabel(
        frame_index=frame_index,
        keypoints=points,
        visibility=np.where(labelled, VISIBLE, NOT_LABELLED),
        track_id=track_id,
        scores=scores,
        source=source,
        extra={TRACK_NAME: track_name} if track_name else {},
        keypoint_sources=sources,
    )


def _completed(scores: np.ndarray, estimated: np.ndarray) -> np.ndarray | None:
    """Give joints without a score the score 1; return None if no estimated joint has a score.

    Args:
        scores: [K], NaN where unknown.
        estimated: [K] bool: the labelled joints that are not corrected.
    """
    known = np.isfinite(scores)
    if estimated.any() and not known[estimated].any():
        return None
    return np.where(known, scores, 1.0)


def _touched(instance: Any) -> np.ndarray:
    """Tell which joints of a corrected prediction a person has moved, hidden or shown."""
    before, after = instance.from_predicted.points, instance.points
    is_moved = np.abs(np.nan_to_num(after['xy'] - before['xy'])).max(axis=1) > 0
    return np.asarray(after['complete']) | is_moved | (after['visible'] != before['visible'])


def write_sleap(labels: VideoLabels, path: PathLike) -> None:
    """Write the labels of one video as a SLEAP project, atomically.

    'given' people become user instances, 'propagated' ones become predictions with their scores
    (NaN if unknown), and people with only some given joints become corrected predictions. The
    project refers to the video by the name it was read with, else to the frames' pictures if all
    have names (frames are then positions in this list), else to ``<name>.mp4``; SLEAP asks for the
    file if it does not exist. Occluded joints are written as visible, because SLEAP ignores
    invisible ones. Boxes and people without a labelled joint are not written.

    Args:
        labels: The labels.
        path: The ``.slp`` file to write.

    Raises:
        InputError: If sleap-io is not installed, or ``path`` does not end in ``.slp``.
    """
    if Path(path).suffix != '.slp':
        raise InputError(f'{path} must end in .slp, the suffix of SLEAP projects')
    sio = _sleap_io(path)
    names = labels.skeleton.keypoint_names
    edges = [(names[a], names[b]) for a, b in labels.skeleton.limbs]
    skeleton = sio.Skeleton(list(names), edges, name=labels.skeleton.category)
    video, place_of = _video_to_write(sio, labels)
    is_labeled = {frame.index: frame.is_labeled for frame in labels.frames}
    tracks = {
        track_id: sio.Track(next(iter(track.values())).extra.get(TRACK_NAME) or str(track_id))
        for track_id, track in labels.tracks().items()
    }
    frames = []
    for index in sorted(labels):
        people = [person for person in labels[index] if person.labelled.any()]
        instances = [one for person in people for one in _instances(sio, person, skeleton, tracks)]
        if instances or is_labeled[index]:
            place = {'video': video, 'frame_idx': place_of[index]}
            is_negative = not instances
            frames.append(sio.LabeledFrame(**place, instances=instances, is_negative=is_negative))
    project = sio.Labels(
        frames, videos=[video], skeletons=[skeleton], tracks=[tracks[i] for i in sorted(tracks)]
    )
    with atomic_path(path) as temporary:
        sio.save_slp(project, str(temporary), embed=False, verbose=False)


def _video_to_write(sio: ModuleType, labels: VideoLabels) -> tuple[Any, dict[int, int]]:
    """Make SLEAP's video, and map frame indices to SLEAP's."""
    names = {frame.index: frame.file_name for frame in labels.frames}
    file = labels.extra.get(VIDEO_FIELDS, {}).get(_VIDEO_FILE)
    if file is not None or not names or not all(names.values()):
        video = sio.Video(str(file or f'{labels.name}.mp4'), open_backend=False)
        return video, {index: index for index in names}
    pictures = [names[index] for index in sorted(names)]
    # sleap-io needs only these fields for a list of pictures that are not on this machine.
    fields = {'type': 'ImageVideo', 'filename': pictures[0], 'filenames': pictures}
    video = sio.Video(pictures, backend_metadata=fields, open_backend=False)
    return video, {index: i for i, index in enumerate(sorted(names))}


def _instances(
    sio: ModuleType, person: PersonLabel, skeleton: Any, tracks: dict[int, Any]
) -> list[Any]:
    points = np.where(person.labelled[:, None], person.keypoints, np.nan)
    track = None if person.track_id is None else tracks[person.track_id]
    fields = {'skeleton': skeleton, 'track': track}
    scores = np.full(len(points), np.nan) if person.scores is None else person.scores
    mean = float(scores[person.labelled].mean())
    predicted = sio.PredictedInstance.from_numpy(points, point_scores=scores, score=mean, **fields)
    if person.source != 'given':
        return [predicted]
    is_corrected = bool(person.propagated.any())
    origin = predicted if is_corrected else None
    instance = sio.Instance.from_numpy(points, from_predicted=origin, **fields)
    instance.points['complete'] = ~person.propagated
    return [predicted, instance] if is_corrected else [instance]
