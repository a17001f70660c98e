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
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note, require_packages
from stdpose_mm.io import PathLike, atomic_path
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.limits import MAX_COORDINATE, MAX_FRAME_INDEX
from stdpose_mm.structures import (
    NOT_LABELLED,
    TRACK_NAME,
    VISIBLE,
    FrameNumbering,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
)
from stdpose_mm.text import counted, listed

from .coco import VIDEO_FIELDS
from .fields import errors_of, quote, require_distinct
from .frame_numbers import frame_indices
from .identities import Identity, number_tracks
from .joints import choose_categories, classes_of, joint_order
from .label_source import LabelSource
from .poses import completed_scores, leave_out_empty

VIDEO_FILE = 'file_name'


def is_sleap(source: LabelSource) -> bool:
    """Tell from its name and start whether a file is a SLEAP project."""
    return source.is_hdf5 and Path(source).suffix.lower() == '.slp'


def read_sleap(path: PathLike, category: str | None = None) -> list[VideoLabels]:
    """Read the poses of a SLEAP project.

    Instances placed or corrected by a person are 'given', predicted ones are 'propagated' with
    their scores. A joint without a score gets 1; an instance without any has no scores. If a person
    corrected some joints of a prediction, the other joints stay 'propagated'; a prediction that was
    accepted unchanged is 'given'. As in SLEAP, the original of a corrected prediction is left out:
    a user instance was made from it, or has its track in the same frame. Joints that nobody has
    clicked, in an instance with others that somebody has, are left out with a note.

    Args:
        path: The ``.slp`` file, with or without embedded pictures.
        category: Name of the skeleton to read, if instances have skeletons with different joints.

    Returns:
        One entry per video of the project, in its order; entries of the same file, or of pictures
        in one folder, are joined. Frames are those with instances and those marked as having none;
        frame indices of pictures are the numbers in their names. Track ids: see
        :func:`number_tracks`.

    Raises:
        InputError: If sleap-io is not installed, the file is not a SLEAP project, one frame has
            labels in two entries of a video, a video is cropped, or see
            :func:`choose_categories`.
    """
    if not LabelSource.of(path).is_hdf5:
        raise InputError(f'{path} is not HDF5, expected a SLEAP project (.slp)')
    sleap_io = _sleap_io(path)
    try:
        slp = importlib.import_module('sleap_io.io.slp')
        videos = slp.read_videos(str(path), open_backend=False)
        # The frames of a package name its groups, such as video15, which sleap-io knows only of
        # opened videos; these may be other files than the project says.
        project = sleap_io.load_slp(str(path), open_videos=any(map(_is_embedded, videos)))
    except Exception as error:
        # h5py, json and numpy raise various errors for a damaged file.
        raise InputError(
            f'{path} is not a SLEAP project: {type(error).__name__} {quote(str(error))}'
        ) from error
    for video in project.videos:
        video.close()
    with errors_of(path):
        choice = _choose_skeletons(path, project, category)
        entries = _entries_by_name(path, project, videos)
        read: list[VideoLabels] = []
        for name, of_video in entries.items():
            try:
                read.append(_read_video(path, name, of_video, project, choice))
            except _LabelledTwiceError as error:
                if len(entries) == 1:
                    raise
                note(f'{error}; it is left out')
        return read


class _LabelledTwiceError(InputError):
    """Refusal of a video that is in a project twice, with labels on one frame in both entries."""


def _sleap_io(path: PathLike) -> ModuleType:
    require_packages(str(path), 'sleap_io')
    return importlib.import_module('sleap_io')


def _is_embedded(video: Any) -> bool:
    return str(video.filename).endswith('.slp')


_Entry = tuple[Any, Any, list[Any]]
"""An entry of a project's list of videos, not opened; its file or pictures, also if frames were
embedded in the project; and its labelled frames."""

_Choice = tuple[Skeleton, dict[int, tuple[Any, str]]]
"""The joints that are read; and ``id`` of a skeleton in the project -> positions [K] of the joints
in it, and its name, if people with different skeletons are never one person."""


def _choose_skeletons(path: PathLike, project: Any, category: str | None) -> _Choice:
    """Choose the skeletons whose instances are read."""
    ids = {
        id(instance.skeleton) for frame in project.labeled_frames for instance in frame.instances
    }
    used = [skeleton for skeleton in project.skeletons if id(skeleton) in ids] or project.skeletons[
        :1
    ]
    if not used:
        raise InputError(f'{path} has no skeleton, expected one')
    names = {}
    joints_of: dict[str, list[str]] = {}
    for number, skeleton in enumerate(used):
        name = skeleton.name or 'skeleton'
        if joint_order(skeleton.node_names, joints_of.get(name, skeleton.node_names)) is None:
            name = f'{name} {number}'
        joints_of.setdefault(name, skeleton.node_names)
        names[id(skeleton)] = name
    chosen = choose_categories(path, joints_of, category)
    used = [skeleton for skeleton in used if names[id(skeleton)] in chosen]
    joints = used[0].node_names
    limbs = tuple((int(a), int(b)) for a, b in used[0].edge_inds)
    classes = classes_of(chosen)
    layouts = {
        id(skeleton): (joint_order(skeleton.node_names, joints), classes[names[id(skeleton)]])
        for skeleton in used
    }
    return Skeleton(tuple(joints), limbs, used[0].name or 'person'), layouts


def _entries_by_name(
    path: PathLike, project: Any, videos: Sequence[Any]
) -> dict[str, list[_Entry]]:
    """Map the name of every video to its entries."""
    frames: dict[int, list[Any]] = {}
    for labelled in project.labeled_frames:
        frames.setdefault(id(labelled.video), []).append(labelled)
    entries: dict[tuple[bool, PurePosixPath], list[_Entry]] = {}
    for video, loaded in zip(videos, project.videos, strict=True):
        source = video
        while source.source_video is not None:
            source = source.source_video
        # sleap-io has already replaced backslashes by slashes.
        files = source.filename
        if _is_embedded(source) and len(videos) > 1:
            # Older packages do not name their sources, but have a group for each video.
            files = f'{files}/{source.backend_metadata.get("dataset", "").removesuffix("/video")}'
        is_file = isinstance(files, str)
        place = PurePosixPath(files) if is_file else PurePosixPath(*files[:1]).parent
        entry = (video, files, frames.get(id(loaded), []))
        entries.setdefault((is_file, place), []).append(entry)
    names = [(p.stem if is_file else p.name) or video_name(path) for is_file, p in entries]
    if len(set(names)) < len(names):
        # For videos such as monday/1.mp4 and tuesday/1.mp4.
        names = [str(place) for _, place in entries]
    require_distinct(path, 'video', names)
    return dict(zip(names, entries.values(), strict=True))


def _read_video(
    path: PathLike, name: str, entries: Sequence[_Entry], project: Any, choice: _Choice
) -> VideoLabels:
    where = f'{path}: video {name!r}'
    if any(video.crop_rect is not None for video, _, _ in entries):
        raise InputError(f'{where} is cropped within the project, expected whole frames')
    skeleton, layouts = choice
    files = entries[0][1]
    numbering, numbers = FrameNumbering('index', "SLEAP's frame indices"), {}
    if isinstance(files, list):
        # SLEAP's indices are positions in this list, which may hold only some frames of the video.
        pictures = [*dict.fromkeys(chain.from_iterable(files for _, files, _ in entries))]
        indices, numbering = frame_indices(path, pictures)
        numbers = dict(zip(pictures, indices, strict=True))
    instances: dict[int, list[Any]] = {}
    negative = set()
    # In one frame, a prediction and the instance that corrects it have the same track.
    places: dict[int, set[tuple[int, bool]]] = {
        id(track): set() for track in (None, *project.tracks)
    }
    entry_of: dict[tuple[int, bool], int] = {}
    for number, (_, of_entry, labelled_frames) in enumerate(entries):
        for labelled in labelled_frames:
            index = int(labelled.frame_idx)
            if numbers and index < len(of_entry):
                index = numbers[of_entry[index]]
            people = [
                instance for instance in labelled.instances if id(instance.skeleton) in layouts
            ]
            instances.setdefault(index, []).extend(people)
            negative |= {index} if labelled.is_negative else set()
            for instance in people:
                place = (index, _is_predicted(instance))
                places[id(instance.track)].add(place)
                if entry_of.setdefault(place, number) != number:
                    raise _LabelledTwiceError(
                        f'{where} is in the project twice, with labels on frame {index} in both, '
                        'merge them in SLEAP'
                    )
    if max(instances, default=0) > MAX_FRAME_INDEX:
        raise InputError(f'{where} has labels on frame {max(instances)}, expected at most 1e7')
    _note_unclicked(where, [*chain.from_iterable(instances.values())])
    named = [(track.name or '', places[id(track)]) for track in project.tracks]
    numbered = [Identity(None), *number_tracks(where, named)]
    identities = dict(zip(places, numbered, strict=True))
    shapes = [video.shape for video, _, _ in entries if video.shape is not None]
    height, width = map(int, shapes[0][1:3]) if shapes else (None, None)
    file_of = {index: file for file, index in numbers.items()}
    frames, persons = [], []
    for index in sorted(instances):
        is_labeled = index in negative or not all(map(_is_predicted, instances[index])) or None
        frames.append(VideoFrame(index, file_of.get(index, ''), None, width, height, is_labeled))
        for instance in _without_corrected(instances[index], identities):
            order, class_name = layouts[id(instance.skeleton)]
            identity = identities[id(instance.track)]._replace(class_name=class_name)
            label = _read_instance(f'{where}, frame {index}', index, instance, identity)
            persons.append(label.reordered(order) if order != sorted(order) else label)
    (persons,) = leave_out_empty(path, [persons], lambda person: person.is_located)
    extra = {VIDEO_FIELDS: {VIDEO_FILE: files}} if isinstance(files, str) else {}
    return VideoLabels(name, skeleton, tuple(frames), tuple(persons), extra, numbering)


def _is_predicted(instance: Any) -> bool:
    return hasattr(instance, 'score')


def _without_corrected(instances: Sequence[Any], identities: Mapping[int, Identity]) -> list[Any]:
    user_instances = [instance for instance in instances if not _is_predicted(instance)]
    originals = {id(instance.from_predicted) for instance in user_instances}
    tracks = {identities[id(instance.track)].track_id for instance in user_instances} - {None}
    return [
        instance
        for instance in instances
        if not _is_predicted(instance)
        or not (id(instance) in originals or identities[id(instance.track)].track_id in tracks)
    ]


def _unclicked(instance: Any) -> np.ndarray:
    """Tell which visible joints nobody has clicked in an instance where others were, [K].

    SLEAP adds an instance with all joints at assumed places; those that a person moves or confirms
    become complete.
    """
    shows, clicked = (np.asarray(instance.points[name]) for name in ('visible', 'complete'))
    is_partly = not _is_predicted(instance) and instance.from_predicted is None
    return shows & ~clicked & (is_partly and (shows & clicked).any())


def _note_unclicked(where: str, instances: Sequence[Any]) -> None:
    names = [
        n
        for instance in instances
        for n in np.asarray(instance.skeleton.node_names)[_unclicked(instance)]
    ]
    if names:
        what = f'{counted(len(names), "joint")} ({listed([*dict.fromkeys(map(str, names))], 5)})'
        note(f'{where}: left out {what} that nobody has clicked, in instances with clicked joints')


def _read_instance(where: str, frame_index: int, instance: Any, identity: Identity) -> PersonLabel:
    points = np.asarray(instance.points['xy'], dtype=np.float64)
    labelled = np.asarray(instance.points['visible']) & ~np.isnan(points).any(axis=1)
    labelled &= ~_unclicked(instance)
    points = np.where(labelled[:, None], points, 0.0)
    if (np.abs(points) > MAX_COORDINATE).any():
        raise InputError(f'{where} has a joint beyond +-1e7 pixels, expected it near the picture')
    is_predicted = _is_predicted(instance)
    scores: np.ndarray | None = None
    sources: Any = None
    if is_predicted:
        scores = completed_scores(instance.points['score'], labelled)
    elif instance.from_predicted is not None and (_touched(instance) & labelled).any():
        is_moved = _touched(instance)
        sources = np.where(is_moved, 'given', 'propagated')
        scores = np.where(is_moved & labelled, 1.0, instance.from_predicted.points['score'])
        scores = completed_scores(scores, labelled & ~is_moved)
    return PersonLabel(
        frame_index=frame_index,
        keypoints=points,
        visibility=np.where(labelled, VISIBLE, NOT_LABELLED),
        track_id=identity.track_id,
        scores=None if scores is None else np.where(labelled, scores, 0.0),
        source='propagated' if is_predicted else 'given',
        extra=identity.extra,
        keypoint_sources=sources,
    )


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
        people = [person for person in labels[index] if person.has_joint]
        instances = [
            instance for person in people for instance in _instances(sio, person, skeleton, tracks)
        ]
        if instances or is_labeled[index]:
            place = place_of[index]
            frames.append(sio.LabeledFrame(video, place, instances, is_negative=not instances))
    project = sio.Labels(
        frames, videos=[video], skeletons=[skeleton], tracks=[tracks[i] for i in sorted(tracks)]
    )
    with atomic_path(path) as temporary:
        sio.save_slp(project, str(temporary), embed=False, verbose=False)


def _video_to_write(sio: ModuleType, labels: VideoLabels) -> tuple[Any, dict[int, int]]:
    """Make SLEAP's video, and map frame indices to SLEAP's."""
    names = {frame.index: frame.file_name for frame in labels.frames}
    file = labels.extra.get(VIDEO_FIELDS, {}).get(VIDEO_FILE)
    if file is not None or not names or not all(names.values()):
        video = sio.Video(str(file or f'{labels.name}.mp4'), open_backend=False)
        return video, {index: index for index in names}
    pictures = [names[index] for index in sorted(names)]
    # sleap-io needs only these fields for a list of pictures that are not on this machine.
    fields = {'type': 'ImageVideo', 'filename': pictures[0], 'filenames': pictures}
    video = sio.Video(pictures, backend_metadata=fields, open_backend=False)
    return video, {index: i for i, index in enumerate(sorted(names))}


def _instances(sio: ModuleType, person: PersonLabel, skeleton: Any, tracks: Any) -> list[Any]:
    points = np.where(person.labelled[:, None], person.keypoints, np.nan)
    fields = {'skeleton': skeleton, 'track': tracks.get(person.track_id)}
    scores = np.full(len(points), np.nan) if person.scores is None else person.scores
    mean = float(scores[person.labelled].mean())
    predicted = sio.PredictedInstance.from_numpy(points, point_scores=scores, score=mean, **fields)
    if not person.is_given:
        return [predicted]
    is_corrected = bool(person.propagated.any())
    origin = predicted if is_corrected else None
    instance = sio.Instance.from_numpy(points, from_predicted=origin, **fields)
    instance.points['complete'] = ~person.propagated
    return [predicted, instance] if is_corrected else [instance]
