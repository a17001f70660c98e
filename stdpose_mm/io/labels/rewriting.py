"""Corrected poses written back into the file that they were read from, where all else stays.

``LABEL_FORMATS`` names for a format the function that finds the numbers of all poses in a file of
it. A pose is found again by its numbers, so that no reader has to remember where it stood, and only
the numbers of changed joints and identities are replaced. Formats that can be written, but have no
such function, are written anew.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import pkgutil
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stdpose_mm.constants import LABEL_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.atomic import atomic_path, write_text, write_texts
from stdpose_mm.structures import OCCLUDED, VISIBLE, PersonLabel, VideoLabels

from .coco import OTHER_IDENTITIES, other_identity_field
from .coco_results import IDENTITY_FIELDS, PICTURE_FIELDS, image_of_result
from .fields import Record, number_in
from .formats import sniff_format, write_labels
from .identities import identity_field
from .label_source import LabelSource
from .tables import TimeOf

SAME_PLACE = 1e-6
"""Distance in pixels within which a joint of a file is that of a label."""

NO_NUMBER = -1
"""Place of a number that the file does not have."""

TEXT = -2
"""Place of an identity that the file states as a text."""

_JSON_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|(-?(?:NaN|Infinity|[0-9][0-9.eE+-]*))')
_CSV_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\r\n]*)(?:,|\r?\n|\r|$)')
_WORD = re.compile(r'(\S+)')

_FIRST_JOINT = 5
"""Number of words of YOLO's lines before the joints: the class and the box."""

JointPlaces = tuple[int, int, int, int]
"""Places of x, y, the score and the visibility of a joint among the numbers of a file."""


class PosePlaces(NamedTuple):
    """Places of the numbers of a pose in a file.

    Args:
        joints: The places of each joint.
        track: Place of the identity.
        row: Row of a table with a column for each person; None in other files.
        column: Its column there.
    """

    joints: Sequence[JointPlaces]
    track: int = NO_NUMBER
    row: int | None = None
    column: int | None = None


class NumberedFile(ABC):
    """A label file as a list of numbers.

    Attributes:
        values: [P] the numbers, NaN where there is none.
        poses: The places of the numbers of each pose, in the order of the file.
    """

    values: np.ndarray
    poses: list[PosePlaces]
    empty = 0.0
    """Number that stands for no place."""

    @abstractmethod
    def write(self, path: PathLike, changes: Mapping[int, float]) -> None:
        """Write the file with some numbers replaced."""


class _Texts(NumberedFile):
    """Text files whose numbers a pattern finds, a group of which is the number."""

    def __init__(self, source: LabelSource, files: Sequence[LabelSource], pattern: re.Pattern[str]):
        self._folder = Path(source) if source.is_folder else None
        self.paths = [Path(file) for file in files]
        # With the marks and line ends that the readers take away.
        self.texts = [_unzipped(path.read_bytes()).decode() for path in self.paths]
        spans = [[m.span(1) for m in pattern.finditer(t) if m[1] is not None] for t in self.texts]
        self._spans = [np.reshape(of_file, (-1, 2)) for of_file in spans]
        self.first = np.cumsum([0, *map(len, self._spans)])
        self.values = np.array(
            [
                number_in(text[start:end])
                for text, of_file in zip(self.texts, spans, strict=True)
                for start, end in of_file
            ]
        )

    def write(self, path: PathLike, changes: Mapping[int, float]) -> None:
        texts = map(self._replaced, range(len(self.texts)), [changes] * len(self.texts))
        if self._folder is None:
            write_text(path, next(texts))
        else:
            names = (str(file.relative_to(self._folder)) for file in self.paths)
            write_texts(path, zip(names, texts, strict=True))

    def _replaced(self, file: int, changes: Mapping[int, float]) -> str:
        first, stop = self.first[file : file + 2]
        parts, end, text = [], 0, self.texts[file]
        for place in sorted(place for place in changes if first <= place < stop):
            start, stop_of_number = self._spans[file][place - first]
            parts += [text[end:start], _digits(changes[place], text[start:stop_of_number])]
            end = stop_of_number
        return ''.join([*parts, text[end:]])


def _unzipped(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b'\x1f\x8b') else data


def _digits(value: float, before: str) -> str:
    """Write a number as text; whole ones without a point if the text before has none."""
    if np.isnan(value):
        return ''
    return str(int(value)) if value.is_integer() and '.' not in before else repr(float(value))


class _Json(_Texts):
    """JSON files; ``trees`` are their contents with the place of each number in its stead."""

    def __init__(self, source: LabelSource) -> None:
        super().__init__(source, source.json_files, _JSON_NUMBER)
        places = count()
        hook: dict[str, Any] = dict.fromkeys(
            ('parse_int', 'parse_float', 'parse_constant'), lambda text: next(places)
        )
        self.trees = [json.loads(text.removeprefix('\ufeff'), **hook) for text in self.texts]

    def record(self, fields: Mapping[str, Any], names: Sequence[str]) -> Record:
        """Return some fields of an object with their values."""
        return Record(self.paths[0], '', {name: self._value(fields.get(name)) for name in names})

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [*map(self._value, value)]
        if isinstance(value, dict):
            return {name: self._value(item) for name, item in value.items()}
        number = float(self.values[value]) if type(value) is int else value
        return int(number) if isinstance(number, float) and number.is_integer() else number


def _of_json(poses_of: Callable[[_Json], Iterator[PosePlaces]]) -> Callable[[LabelSource], _Json]:
    def number(source: LabelSource) -> _Json:
        file = _Json(source)
        file.poses = [*poses_of(file)]
        return file

    return number


def _triples(flat: Any, is_score: bool) -> list[JointPlaces]:
    """Take apart a list x, y, score or v, x, ..."""
    places = [place if isinstance(place, int) else NO_NUMBER for place in flat or ()]
    triples = zip(places[::3], places[1::3], places[2::3], strict=False)
    return [(x, y, n, NO_NUMBER) if is_score else (x, y, NO_NUMBER, n) for x, y, n in triples]


def _identity(fields: Mapping[str, Any], *names: str) -> int:
    for value in map(fields.get, names):
        while isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, int | str):
            return value if isinstance(value, int) else TEXT
    return NO_NUMBER


def _coco_poses(file: _Json) -> Iterator[PosePlaces]:
    (tree,) = file.trees
    names = ('image_id', 'track_id', 'attributes', *OTHER_IDENTITIES)
    other = other_identity_field([file.record(fields, names) for fields in tree['annotations']])
    for fields in tree['annotations']:
        joints = _triples(fields.get('keypoints'), is_score=False)
        scores = fields.get('scores')
        if isinstance(scores, list) and len(scores) == len(joints):
            joints = [(x, y, n, v) for (x, y, _, v), n in zip(joints, scores, strict=True)]
        attributes = fields.get('attributes')
        nested = attributes if isinstance(attributes, dict) else {}
        track = _identity(fields, other or 'track_id')
        if track == NO_NUMBER:
            track = _identity(nested, 'track_id', 'object_id')
        yield PosePlaces(joints, track)


def _result_poses(file: _Json) -> Iterator[PosePlaces]:
    (tree,) = file.trees
    entries = tree if isinstance(tree, list) else [tree]
    poses = [pose for entry in entries for pose in entry.get('predictions', [entry])]
    # OpenPifPaf's.
    field: str | None = 'id_'
    if not any('predictions' in entry for entry in entries):
        people = [file.record(pose, (*PICTURE_FIELDS, *IDENTITY_FIELDS)) for pose in poses]
        field, _ = identity_field(people, [*map(image_of_result, people)], IDENTITY_FIELDS)
    for pose in poses:
        yield PosePlaces(_triples(pose['keypoints'], True), _identity(pose, field or ''))


def _openpose_poses(file: _Json) -> Iterator[PosePlaces]:
    for fields in (fields for tree in file.trees for fields in tree['people']):
        flat = fields.get('pose_keypoints_2d', fields.get('pose_keypoints'))
        yield PosePlaces(_triples(flat, is_score=True), _identity(fields, 'person_id'))


def _mmpose_poses(file: _Json) -> Iterator[PosePlaces]:
    lists = (tree['instance_info'] if isinstance(tree, dict) else tree for tree in file.trees)
    for entry in chain.from_iterable(lists):
        for fields in entry.get('instances', [entry]) if entry else ():
            pairs = zip(fields['keypoints'], fields['keypoint_scores'], strict=False)
            joints = [(*point, score, NO_NUMBER) for point, score in pairs]
            yield PosePlaces(joints, _identity(fields, 'track_id'))


number_coco, number_results = _of_json(_coco_poses), _of_json(_result_poses)
number_openpose, number_mmpose = _of_json(_openpose_poses), _of_json(_mmpose_poses)


class _Table(_Texts):
    """A table of DeepLabCut or Lightning Pose."""

    empty = np.nan

    def __init__(self, source: LabelSource) -> None:
        super().__init__(source, [source], _CSV_CELL)
        places, rows, row_places = count(), [], []
        for row in csv.reader(io.StringIO(self.texts[0].removeprefix('\ufeff'), newline='')):
            # An empty line is one empty cell.
            of_row = [next(places) for _ in row or ['']]
            if row:
                rows.append(row)
                row_places.append(of_row)
        self.poses = _table_poses(source, rows, row_places)


def _table_poses(
    source: LabelSource, rows: Sequence[Sequence[str]], places: Sequence[Sequence[int]]
) -> list[PosePlaces]:
    """Find the poses of a table, given the place of each cell."""
    from .deeplabcut import read_layout

    layout = read_layout(source, rows)
    third = {'likelihood': 2, 'visible': 3}.get(layout.kinds[-1])
    poses = []
    for row in range(layout.rows, len(rows)):
        for individual, columns in enumerate(layout.columns.tolist()):
            joints = []
            for cells in columns:
                joint = [NO_NUMBER] * 4
                for kind, column in zip((0, 1, third), cells, strict=False):
                    if kind is not None and column >= 0:
                        joint[kind] = places[row][column]
                joints.append((joint[0], joint[1], joint[2], joint[3]))
            poses.append(PosePlaces(joints, NO_NUMBER, row, individual))
    return poses


def number_yolo_pose(source: LabelSource) -> NumberedFile:
    """Find the numbers of lines of class, box and joints."""
    from .yolo_pose import CONFIG_NAMES, joint_numbers

    labels, count, dimensions, is_estimate = joint_numbers(source)
    configs = [LabelSource(Path(source, name)) for name in CONFIG_NAMES]
    configs = [config for config in configs if source.is_folder and Path(config).is_file()]
    file = _Texts(source, [*labels, *configs], _WORD)
    file.poses = []
    for first, text in zip(file.first.tolist(), file.texts[: len(labels)], strict=False):
        for line in text.splitlines():
            joints = []
            for joint in range(count if line.strip() else 0):
                start = first + _FIRST_JOINT + joint * dimensions
                third = start + 2 if dimensions == 3 else NO_NUMBER
                more = (third, NO_NUMBER) if is_estimate else (NO_NUMBER, third)
                joints.append((start, start + 1, *more))
            file.poses.append(PosePlaces(joints))
            first += len(line.split())
    return file


class _Hdf5(NumberedFile):
    """Arrays of an HDF5 file, or fields of arrays, one after another."""

    empty = np.nan

    def __init__(self, source: LabelSource, names: Sequence[tuple[str, str | None]]) -> None:
        self._path, self._names = Path(source), names
        arrays = [source.hdf5[name][()] for name, _ in names]
        arrays = [
            array if field is None else array[field]
            for array, (_, field) in zip(arrays, names, strict=True)
        ]
        ends = np.cumsum([0, *(array.size for array in arrays)])
        self.values = np.concatenate([array.ravel().astype(float) for array in arrays])
        self._starts = ends[:-1]
        self.places = [
            np.arange(start, end).reshape(array.shape)
            for start, end, array in zip(ends[:-1], ends[1:], arrays, strict=True)
        ]

    def write(self, path: PathLike, changes: Mapping[int, float]) -> None:
        h5py = importlib.import_module('h5py')
        with atomic_path(path) as temporary:
            shutil.copyfile(self._path, temporary)
            if not changes:
                return
            # The temporary file is locked already.
            with h5py.File(temporary, 'r+', locking=False) as file:
                for (name, field), places in zip(self._names, self.places, strict=True):
                    data = file[name][()]
                    numbers = data if field is None else data[field]
                    for place in changes.keys() & range(places.flat[0], places.flat[-1] + 1):
                        numbers[np.unravel_index(place - places.flat[0], numbers.shape)] = changes[
                            place
                        ]
                    file[name][...] = data


number_csv = _Table


def number_deeplabcut_hdf5(source: LabelSource) -> NumberedFile:
    """Find the numbers of DeepLabCut's table in HDF5."""
    from .deeplabcut import HEADERS
    from .deeplabcut_hdf5 import find_blocks, read_hdf5_rows

    rows, blocks = read_hdf5_rows(source, HEADERS), find_blocks(source)
    file = _Hdf5(source, [block[:2] for block in blocks])
    number = sum(len(columns) for *_, columns in blocks)
    tables = [
        places.T if is_transposed else places
        for places, (_, _, is_transposed, _) in zip(file.places, blocks, strict=True)
    ]
    places = np.full((len(rows), len(rows[0])), NO_NUMBER)
    for cells, (*_, columns) in zip(tables, blocks, strict=True):
        places[len(rows) - len(cells) :, len(rows[0]) - number + np.array(columns)] = cells
    file.poses = _table_poses(source, rows, places.tolist())
    return file


def _number_arrays(
    source: LabelSource, names: tuple[str, str], reorder: Callable[[str, np.ndarray], np.ndarray]
) -> NumberedFile:
    """Find the numbers of arrays of places [T, N, K, 2] and scores [T, N, K]."""
    file = _Hdf5(source, [(name, None) for name in names if name in source.hdf5])
    xy, *scores = map(reorder, names, file.places)
    score = scores[0] if scores else np.full(xy.shape[:3], NO_NUMBER)
    joints = np.concatenate([xy, score[..., None], np.full_like(score, NO_NUMBER)[..., None]], -1)
    file.poses = [
        PosePlaces([*map(tuple, pose)], NO_NUMBER, row, column)
        for row, people in enumerate(joints.tolist())
        for column, pose in enumerate(people)
    ]
    return file


def number_sleap_analysis(source: LabelSource) -> NumberedFile:
    """Find the numbers of an analysis file of SLEAP."""
    from .sleap_analysis import in_order

    def reorder(name: str, places: np.ndarray) -> np.ndarray:
        return in_order(places, source.hdf5[name].attrs)

    return _number_arrays(source, ('tracks', 'point_scores'), reorder)


def number_movement(source: LabelSource) -> NumberedFile | None:
    """Find the numbers of a dataset of movement in HDF5; netCDF of the classic form has none."""
    from .movement import AXES

    def reorder(name: str, places: np.ndarray) -> np.ndarray:
        axes = [axis[0].name.strip('/') for axis in source.hdf5[name].dims]
        return np.transpose(places, [axes.index(axis) for axis in AXES[: places.ndim]])

    return _number_arrays(source, ('position', 'confidence'), reorder) if source.is_hdf5 else None


class LabelRewriter:
    """What writes corrected poses of a video back into their file.

    Args:
        path: The file or folder that the labels were read from.
        labels: Its labels on the frames of the video, in the order of the file, all with track ids.
        size: (width, height) of the frames in pixels.

    Raises:
        InputError: If nothing can be written back into such a file.
    """

    def __init__(self, path: PathLike, labels: VideoLabels, size: tuple[int, int]) -> None:
        self.path, self.labels = Path(path), labels
        self.format = sniff_format(path)
        form = LABEL_FORMATS[self.format]
        source = LabelSource.of(path)
        is_packed = (source.is_folder and not form.folder) or (
            not source.is_folder and source.is_zip
        )
        if is_packed or not (form.numbers or form.write):
            what = 'a zip or folder of files' if is_packed else f'the format {self.format}'
            advice = 'give the label file in it' if is_packed else 'convert it (stdpose convert)'
            raise InputError(f'{path} is {what}, which cannot be written back: {advice}')
        self._scale = np.array(size, float) if form.fractions else np.ones(2)
        self._people = labels.tracks()
        source.close()

    @cached_property
    def _file(self) -> NumberedFile | None:
        """The numbers of the file; None if it is written anew."""
        name = LABEL_FORMATS[self.format].numbers
        if not name:
            return None
        source = LabelSource(self.path)
        try:
            number: Callable[[LabelSource], NumberedFile | None]
            number = pkgutil.resolve_name(f'{__package__}.{name}')
            file = number(source)
        finally:
            source.close()
        # Files of this package say of each joint, in words, who placed it.
        is_own = isinstance(file, _Json) and any('"keypoint_sources"' in t for t in file.texts)
        return None if is_own else file

    @property
    def _numbers(self) -> NumberedFile:
        """The numbers of a file that is not written anew."""
        assert self._file is not None
        return self._file

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of the poses with all joints, their places [N, K, 4], and joints [N, K, 2]."""
        count, poses = self.labels.skeleton.num_keypoints, self._numbers.poses
        rows = [row for row, pose in enumerate(poses) if len(pose.joints) == count]
        places = np.reshape([poses[row].joints for row in rows], (-1, count, 4)).astype(int)
        values = np.append(self._numbers.values, np.nan)
        return np.array(rows, int), places, values[places[..., :2]] * self._scale

    def _find(self, person: PersonLabel) -> int:
        """Find the pose of a label in the file.

        Raises:
            InputError: If no pose has its joints.
        """
        rows, _, points = self._places
        joints = np.flatnonzero(person.labelled)
        same = np.abs(points[:, joints[0], 0] - person.keypoints[joints[0], 0]) < SAME_PLACE
        near = np.flatnonzero(same)
        offsets = np.abs(points[near][:, joints] - person.keypoints[joints])
        near = near[(offsets < SAME_PLACE).all(axis=(1, 2))]
        if not len(near):
            raise InputError(
                f'{self.path} has its joints in another order than they are read in, so that the '
                f'pose of person {person.track_id} in frame {person.frame_index} cannot be '
                'replaced: export the labels instead'
            )
        # A pose that repeats another one stands as far behind it as its label.
        before = self.labels.persons[: self._order[person.frame_index, person.track_id]]
        equal = [p for p in before if np.array_equal(p.keypoints, person.keypoints)]
        return int(rows[near[min(len(equal), len(near) - 1) if len(near) > 1 else 0]])

    @cached_property
    def _order(self) -> dict[tuple[int, int | None], int]:
        people = enumerate(self.labels.persons)
        return {(person.frame_index, person.track_id): number for number, person in people}

    @property
    def is_table(self) -> bool:
        """Whether people are columns of the file, so that no further person has room."""
        return self._file is not None and any(p.row is not None for p in self._file.poses[:1])

    def require_room(self, frame: int, people: Sequence[PersonLabel]) -> None:
        """Check that the poses of a frame fit into the file.

        Raises:
            InputError: If there are more than it has there or, in a table, further people.
        """
        if self._file is None:
            return
        given = [track[frame] for track in self._people.values() if frame in track]
        room = sum(person.has_joint for person in given)
        if self.is_table:
            # A row of the table has a place for each of its people.
            are_known = {person.track_id for person in people} <= self._people.keys()
            room = len(people) if room and are_known else 0
        if len(people) > room:
            raise InputError(
                f'{self.path} has no room for another pose in frame {frame}: leave it, or start '
                'again without --proofread'
            )

    def write(
        self,
        path: PathLike,
        tracks: Mapping[int, Mapping[int, PersonLabel]],
        time_of: TimeOf | None = None,
    ) -> None:
        """Write the file with other poses.

        Args:
            path: The file or folder to write.
            tracks: Track id -> {frame: label}, those that were given with some changed.
            time_of: See :func:`~stdpose_mm.io.labels.write_labels`.

        Raises:
            InputError: If the poses do not fit, or the file cannot be written.
        """
        frames = {
            frame
            for track in {*tracks, *self._people}
            for frame in {*tracks.get(track, {}), *self._people.get(track, {})}
            if tracks.get(track, {}).get(frame) is not self._people.get(track, {}).get(frame)
        }
        if not frames:
            _copy(LabelSource(self.path), path)
        elif self._file is None:
            persons = [label for track in tracks.values() for label in track.values()]
            persons.sort(
                key=lambda p: (p.frame_index, self._order.get((p.frame_index, p.track_id), 0))
            )
            cvat = {'cvat_tolerance': None} if self.format == 'cvat' else {}
            write_labels(self.labels.with_persons(persons), path, self.format, time_of, **cvat)
        else:
            changes: dict[int, float] = {}
            for frame in sorted(frames):
                people = [t[frame] for t in tracks.values() if frame in t and t[frame].has_joint]
                changes |= self._changes_of(frame, people)
            self._numbers.write(path, changes)

    def _changes_of(self, frame: int, people: Sequence[PersonLabel]) -> dict[int, float]:
        """Return the numbers that change in a frame: place -> number."""
        poses, changes = self._numbers.poses, dict[int, float]()
        self.require_room(frame, people)
        of_frame = [track[frame] for track in self._people.values() if frame in track]
        before = {self._find(person): person for person in of_frame if person.has_joint}
        left = [*people]
        if self.is_table:
            row = poses[next(iter(before))].row
            in_row = {pose.column: number for number, pose in enumerate(poses) if pose.row == row}
            pairs = {in_row[self._columns[_id_of(person)]]: person for person in left}
            left = []
        else:
            pairs = {}
            for is_same in (_is_same_label, _has_same_joints, _is_same_person):
                for number, person in before.items():
                    fits = [label for label in left if is_same(person, label)]
                    if number not in pairs and fits:
                        pairs[number] = fits[0]
                        left = [label for label in left if label is not fits[0]]
        for number in before.keys() - pairs.keys():
            if left:
                pairs[number] = left.pop(0)
        for number in {*before, *pairs}:
            changes |= self._pose_changes(poses[number], before.get(number), pairs.get(number))
        return changes

    @cached_property
    def _columns(self) -> dict[int, int | None]:
        """The column of each person of a table."""
        located = {
            track_id: next(p for p in track.values() if p.has_joint)
            for track_id, track in self._people.items()
            if any(p.has_joint for p in track.values())
        }
        return {i: self._numbers.poses[self._find(person)].column for i, person in located.items()}

    def _pose_changes(
        self, places: PosePlaces, before: PersonLabel | None, after: PersonLabel | None
    ) -> dict[int, float]:
        """Return the numbers that change if a pose becomes another one, or none."""
        changes: dict[int, float] = {}
        for joint, (x, y, score, flag) in enumerate(places.joints):
            was, now = _joint_of(before, joint), _joint_of(after, joint)
            if now == was:
                continue
            if now is None:
                lost = self._numbers.empty
                changes |= {x: lost, y: lost, score: lost, flag: 0.0}
                continue
            if was is None or now[:2] != was[:2]:
                place = np.array(now[:2]) / self._scale
                changes |= {x: float(place[0]), y: float(place[1])}
            if was is None or now[2] != was[2]:
                changes[score] = 1.0 if now[2] is None else now[2]
            if was is None or now[3] != was[3]:
                changes[flag] = float(self._flags[int(now[3])])
        if before is not None and after is not None and before.track_id != after.track_id:
            stated = self._stated_id(_id_of(after))
            if places.track < 0 or self._numbers.values[places.track] == stated:
                how = 'names people by text' if places.track == TEXT else 'does not number people'
                raise InputError(
                    f'{self.path} {how}, so person {before.track_id} in frame '
                    f'{before.frame_index} cannot become another one: export the labels instead'
                )
            changes[places.track] = stated
        changes.pop(NO_NUMBER, None)
        return changes

    @cached_property
    def _flags(self) -> dict[int, int]:
        """The file's v of occluded and visible joints: COCO's, or PoseTrack's 0 and 1."""
        flags = self._places[1][..., 3]
        is_coco = (self._numbers.values[flags[flags >= 0]] == VISIBLE).any()
        return {OCCLUDED: OCCLUDED, VISIBLE: VISIBLE} if is_coco else {OCCLUDED: 0, VISIBLE: 1}

    def _stated_id(self, track_id: int) -> float:
        """Return what the file calls a person; a new one has its track id."""
        for person in self._people.get(track_id, {}).values():
            if person.has_joint:
                place = self._numbers.poses[self._find(person)].track
                return float(self._numbers.values[place]) if place >= 0 else float(track_id)
        return float(track_id)


def _is_same_label(person: PersonLabel, other: PersonLabel) -> bool:
    return _is_same_person(person, other) and _has_same_joints(person, other)


def _is_same_person(person: PersonLabel, other: PersonLabel) -> bool:
    return person.track_id == other.track_id


def _has_same_joints(person: PersonLabel, other: PersonLabel) -> bool:
    return np.array_equal(person.keypoints, other.keypoints)


def _id_of(person: PersonLabel) -> int:
    assert person.track_id is not None
    return person.track_id


def _joint_of(
    person: PersonLabel | None, joint: int
) -> tuple[float, float, float | None, int] | None:
    """Return x, y, score and visibility of a labelled joint."""
    if person is None or not person.labelled[joint]:
        return None
    score = None if person.scores is None else float(person.scores[joint])
    x, y = person.keypoints[joint].tolist()
    return x, y, score, int(person.visibility[joint])


def _copy(source: LabelSource, path: PathLike) -> None:
    """Copy a label file, or those of a folder, atomically."""
    if not source.is_folder:
        with atomic_path(path) as temporary:
            shutil.copyfile(source, temporary)
        return
    files = [Path(file) for file in source.json_files] or [
        file for file in Path(source).rglob('*') if file.suffix in ('.txt', '.yaml', '.yml')
    ]
    texts = ((str(file.relative_to(source)), file.read_bytes().decode()) for file in files)
    write_texts(path, texts)
