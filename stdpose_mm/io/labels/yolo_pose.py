"""YOLO-pose, as Ultralytics reads and writes it: one ``.txt`` per picture, one person per line.

A line is ``class x y width height`` and ``x y [v]`` of every joint, all except class and v as
fractions of the picture. Read and written with the standard library, ``data.yaml`` with PyYAML:
sleap-io makes a separate video of every picture and invents identities and a size; supervision
reads only boxes and masks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, note
from stdpose_mm.io.disk.atomic import PathLike, write_texts
from stdpose_mm.io.disk.file_names import is_leftover, natural_order, path_below
from stdpose_mm.io.limits import MAX_JOINTS
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoLabels,
    pose_extent,
)
from stdpose_mm.text import counted, listed

from .deeplabcut import OWN_SCORER
from .fields import MAX_EXACT, Record, errors_of, number_in, quote
from .joints import choose_categories, classes_of
from .known_skeletons import unnamed_skeleton
from .label_source import LabelSource, read_text, require_files
from .labelled_pictures import (
    LabelledPicture,
    find_picture,
    frame_files,
    picture_sizes,
    videos_of_pictures,
)
from .poses import Person, estimated_person, is_placeholder, without_placeholders, without_repeated

CONFIG = 'data.yaml'
CONFIG_NAMES = (CONFIG, 'data.yml', 'dataset.yaml')
_LABELS, _PICTURES, _SCORER = 'labels', 'images', 'scorer'
_SUBSETS = ('train', 'val', 'test')
_NO_LABELS = {'classes.txt', 'train.txt', 'val.txt', 'valid.txt', 'test.txt', 'readme.txt'}
_BOX = 4
_OF_COCO = (17, 3)
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
"""EXIF tag of the orientation, and its values that swap width and height."""

_VIDEO_NAMES = ('_[1-9][0-9]*$', 1)
"""Pattern of the names that Ultralytics gives the frames of a video, and its first number."""

_MAX_NESTING = 32
"""Maximum nesting of lists and mappings; 3 are needed, and parse time grows with its square."""

_FAR = 10.0
"""Largest coordinate in picture sizes; larger ones are mistakes, but slightly above 1 is common."""


@dataclass(frozen=True)
class _Layout:
    """Meaning of the numbers of a line.

    Args:
        skeleton: The joints.
        dimensions: Numbers per joint, 2 without v.
        is_prediction: Whether lines are estimates: v is a confidence, or more numbers follow.
        is_own: Whether this package wrote the lines from labels that are not all given.
        width_with_id: How many numbers follow the box if a line ends in the identity of the person;
            0 if no line does.
        classes: Number of each class that is read -> the class of its people.
    """

    skeleton: Skeleton
    dimensions: int
    is_prediction: bool
    is_own: bool
    width_with_id: int
    classes: Mapping[int, str]


@dataclass(frozen=True)
class _Line:
    """One line of a label file: class, box [4] and the numbers of the joints."""

    where: str
    category: int
    box: np.ndarray
    joints: np.ndarray


def is_yolo_pose(source: LabelSource) -> bool:
    """Tell whether a file may be YOLO-pose, or the ``data.yaml`` of a data set."""
    if source.is_zip:
        files = [PurePosixPath(name) for name in source.zipped]
        return any(
            f.name in CONFIG_NAMES or (f.suffix == '.txt' and _LABELS in f.parts) for f in files
        )
    is_config = Path(source).suffix in ('.yaml', '.yml')
    return is_config or _starts_like_labels(source.head, 2 + _BOX)


def _starts_like_labels(head: bytes, least: int = 1 + _BOX) -> bool:
    """Tell whether the first line of a file starts with a class and numbers, ``least`` in all."""
    words = head.split(b'\n', 1)[0].decode(errors='replace').split(None, least)[:least]
    numbers = [*map(number_in, words)]
    return len(numbers) == least and all(map(math.isfinite, numbers)) and numbers[0].is_integer()


def is_yolo_folder(folder: LabelSource) -> bool:
    """Tell whether a folder is a YOLO data set, or holds YOLO label files."""
    is_configured = any(Path(folder, name).is_file() for name in CONFIG_NAMES)
    texts = (file for file in folder.files if _may_be_label(file) and os.path.getsize(file))
    return is_configured or Path(folder, _LABELS).is_dir() or any(texts)


def read_yolo_pose(
    path: PathLike, size: tuple[int, int] | None = None, category: str | None = None
) -> list[VideoLabels]:
    """Read labels of YOLO-pose, or what a pose model of Ultralytics saved with ``save_txt``.

    Labels are 'given', or 'propagated' if this package wrote them from propagated ones. If v is a
    confidence, or lines end in a confidence or identity, poses are 'propagated', as estimates of a
    network.

    Args:
        path: A ``.txt`` file, a folder of them, or a data set: a folder with ``data.yaml``, or that
            file.
        size: (width, height) of the pictures; by default that of the picture next to each file, or
            in ``images`` if the file is in ``labels``.
        category: Name of the class to read; by default people of all classes, each with its class,
            which no other person has.

    Returns:
        One entry per folder of pictures. The folders ``train``, ``val`` and ``test`` are joined,
        because the pictures of one video may be spread over them. An empty file of a data set is a
        picture without people.

    Raises:
        InputError: If a file is not as described, the size of a picture is not known, or the number
            of joints is ambiguous without ``kpt_shape`` in ``data.yaml``.
    """
    if Path(path).name in CONFIG_NAMES:
        path = LabelSource(Path(path).parent)
    source = LabelSource.of(path)
    if not source.is_folder and source.is_zip:
        return _read_zip(source, size, category)
    files = _label_files(source)
    config = _read_config(Path(path))
    # Ultralytics appends to the files of an earlier run.
    every = without_repeated(
        path, 'line', map(_read_lines, files), lambda line: (line.category, *line.box, *line.joints)
    )
    numbers = {line.category for group in every for line in group}
    classes = {number: _class_name(config, number) for number in numbers}
    if category is not None:
        choose_categories(path, dict.fromkeys(classes.values(), ()), category)
        classes = {number: name for number, name in classes.items() if name == category}
    lines = [[line for line in group if line.category in classes] for group in every]
    layout = _find_layout(path, config, [line for group in lines for line in group], classes)
    pictures = [
        _picture(Path(path), Path(file), group, layout, size)
        for file, group in zip(files, lines, strict=True)
    ]
    video_names = _VIDEO_NAMES if layout.is_prediction else None
    return videos_of_pictures(path, pictures, layout.skeleton, video_names=video_names)


def _read_zip(
    source: LabelSource, size: tuple[int, int] | None, category: str | None
) -> list[VideoLabels]:
    with TemporaryDirectory() as folder:
        unpacked = Path(folder, Path(source).stem)
        for name, data in source.zipped.items():
            file = path_below(unpacked, name, str(source))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        try:
            videos = read_yolo_pose(unpacked, size, category)
        except InputError as error:
            raise InputError(str(error).replace(str(unpacked), str(source))) from error
    return videos


def _is_text(file: LabelSource) -> bool:
    return Path(file).suffix.lower() == '.txt'


def _may_be_label(file: LabelSource) -> bool:
    """Tell whether a text file is empty or begins with numbers: others are notes and lists."""
    if not _is_text(file) or is_leftover(Path(file)) or Path(file).name.lower() in _NO_LABELS:
        return False
    # Zeros are of UTF-16 or UTF-32, which is refused when the file is read.
    return not file.head or b'\0' in file.head or _starts_like_labels(file.head)


def _label_files(source: LabelSource) -> list[LabelSource]:
    if not source.is_folder:
        return [source]
    texts = [*filter(_is_text, source.files)]
    files = [*filter(_may_be_label, texts)]
    if not any(map(os.path.getsize, files)):
        # A killed run may have left a hidden folder.
        folder = Path(source)
        below = ((file, file.relative_to(folder).parts[:-1]) for file in folder.rglob('*.[tT]*'))
        paths = [f for f, parts in below if _LABELS in parts and parts[0][0] != '.']
        paths.sort(key=lambda file: (file.parent, natural_order(file)))
        texts = [LabelSource(file) for file in paths if file.is_file()]
        texts = [*filter(_is_text, texts)]
        files = [*filter(_may_be_label, texts)]
    names = sorted(Path(file).name for file in {*texts} - {*files})
    names = [n for n in names if n.lower() not in _NO_LABELS and not is_leftover(Path(n))]
    if files and names:
        note(f'{source}: left out {listed(names, 5)}: text that is not labels of YOLO-pose')
    return require_files(source, files)


def _read_config(path: Path) -> Record:
    """Read the ``data.yaml`` of the data set that ``path`` is or is in; empty without one."""
    folders = [path, *path.parents] if path.is_dir() else list(path.parents)
    # labels/train/ of a data set is two folders below its data.yaml.
    for file in (folder / name for folder in folders[:3] for name in CONFIG_NAMES):
        if file.is_file():
            return Record(file, '', _parse_yaml(file))
    return Record(path, '', {})


def _parse_yaml(file: Path) -> Any:
    import yaml

    text = read_text(file)
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            # data.yaml needs no aliases, and they could expand a small file to a huge value.
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_NESTING:
                raise InputError(f'{file} is not plain YAML of at most {_MAX_NESTING} levels')
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'{file} is not YAML: {" ".join(str(error).split())[:200]}') from error


def _read_lines(file: LabelSource) -> list[_Line]:
    lines = []
    for number, text in enumerate(file.text(may_be_empty=True).splitlines(), 1):
        where = f'{file}, line {number}'
        values = np.array([*map(number_in, text.split())])
        if not len(values):
            continue
        is_wrong = np.isnan(values[: 1 + _BOX]).any() or (np.abs(values) > MAX_EXACT).any()
        if is_wrong or not values[0].is_integer() or values[0] < 0:
            raise InputError(f'{where} is {quote(text)}, expected class, box and joints as numbers')
        if len(values) <= 1 + _BOX:
            raise InputError(
                f'{where} has {len(values)} numbers, a box without joints, expected YOLO-pose'
            )
        lines.append(_Line(where, int(values[0]), values[1 : 1 + _BOX], values[1 + _BOX :]))
    return lines


def _find_layout(
    path: PathLike, config: Record, lines: Sequence[_Line], classes: Mapping[int, str]
) -> _Layout:
    widths = sorted({len(line.joints) for line in lines}) or [0]
    least, most = widths[0], widths[-1]
    last = np.array([line.joints[-1] for line in lines if len(line.joints) == most])
    may_be_id = bool(((last == np.round(last)) & (last >= 1)).all())
    # Lines of people whom the tracker did not identify lack the identity at the end.
    if not lines or (most > least and not (may_be_id and most == least + 1)):
        numbers = f'lines of {least} and of {widths[1]} numbers' if lines else 'no people'
        raise InputError(f'{path} holds {numbers}, expected people with the same number of joints')
    joints = np.stack([line.joints[:least] for line in lines])
    count, dimensions = _shape(path, config, joints)
    more = most - count * dimensions
    if least < count * dimensions or more > 2:
        raise InputError(
            f'{path} holds {most} numbers per person, expected {count} x {dimensions} (kpt_shape)'
        )
    of_people = classes_of([*classes.values()])
    is_confidence = dimensions == 3 and not _are_flags(joints[:, 2 : count * 3 : 3])
    return _Layout(
        skeleton=_skeleton(path, config, count, classes),
        classes={number: of_people[name] for number, name in classes.items()},
        dimensions=dimensions,
        is_prediction=more > 0 or is_confidence,
        is_own=config.peek(_SCORER) == OWN_SCORER,
        width_with_id=most if more == 2 or (more == 1 and may_be_id) else 0,
    )


def _shape(path: PathLike, config: Record, joints: np.ndarray) -> tuple[int, int]:
    """Find the number of joints and of values per joint; without ``kpt_shape`` from the numbers."""
    if 'kpt_shape' in config:
        count, dimensions = config.numbers('kpt_shape', 2).tolist()
        if count != int(count) or not 1 <= count <= MAX_JOINTS or dimensions not in (2, 3):
            raise config.error('kpt_shape', 'the number of joints, and 2 or 3')
        return int(count), int(dimensions)
    width = joints.shape[1]
    numbers = set()
    for more in range(3):
        count, rest = divmod(width - more, 3)
        if rest == 0 and count and _may_be_third(joints[:, 2 : count * 3 : 3], more):
            numbers.add((count, 3))
        count, rest = divmod(width - more, 2)
        # Coordinates are fractions of the picture, but a v of 2 is not.
        if rest == 0 and count and (joints[:, : count * 2] <= 1).all():
            numbers.add((count, 2))
    # Ultralytics' models have COCO's joints; the warning about missing names tells this guess.
    if _OF_COCO in numbers or len(numbers) == 1:
        return _OF_COCO if _OF_COCO in numbers else numbers.pop()
    choices = ' or '.join(f'{count} x {size}' for count, size in sorted(numbers))
    raise InputError(
        f'{path} holds {width} numbers for the joints of a person, which can be '
        f'{choices or "no joints"}, put a {CONFIG} with kpt_shape: [joints, 2 or 3] '
        'beside the files'
    )


def _are_flags(values: np.ndarray) -> bool:
    return bool(np.isin(values, (-1, 0, 1, 2)).all())


def _are_confidences(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _may_be_third(values: np.ndarray, more: int) -> bool:
    """Tell whether numbers can be v: flags of labels, if no numbers follow, or confidences."""
    return (more == 0 and _are_flags(values)) or _are_confidences(values)


def _skeleton(path: PathLike, config: Record, count: int, classes: Mapping[int, str]) -> Skeleton:
    names = _joint_names(config, count, classes)
    is_named = len(classes) == 1 and config.peek('names')
    category = next(iter(classes.values())) if is_named else 'person'
    if names is None:
        remedy = f'give kpt_names in {CONFIG} if that is wrong'
        skeleton = unnamed_skeleton(path, count, remedy)
        return Skeleton(skeleton.keypoint_names, skeleton.limbs, category)
    with errors_of(config.file):
        return Skeleton(tuple(names), category=category)


def _joint_names(config: Record, count: int, classes: Iterable[int]) -> list[str] | None:
    # `kpt_names` maps each class to the names of its joints; sleap-io writes `node_names`.
    by_class = config.peek('kpt_names')
    if isinstance(by_class, dict):
        used = [by_class[number] for number in classes if number in by_class]
        if not used or any(names != used[0] for names in used):
            what = 'the same names for every class that is read, give one as --labels-category'
            raise config.error('kpt_names', what)
        names = Record(config.file, 'kpt_names', {'names': used[0]}).texts('names')
        # The joints of a class with fewer joints than another one are followed by zeros.
        others = [of for of in by_class.values() if not isinstance(of, list) or len(of) == count]
        if len(names) < count and others:
            return names
    elif 'kpt_names' in config or 'node_names' in config:
        names = config.texts('kpt_names' if 'kpt_names' in config else 'node_names')
    else:
        return None
    if len(names) != count:
        raise InputError(
            f'{config.file} names {len(names)} joints, but kpt_shape or the lines have {count}'
        )
    return names


def _class_name(config: Record, number: int) -> str:
    names = config.raw('names', {})
    if isinstance(names, list):
        names = dict(enumerate(names))
    name = names.get(number) if isinstance(names, dict) else None
    return name if name and isinstance(name, str) else f'class {number}'


def joint_numbers(source: LabelSource) -> tuple[list[LabelSource], int, int, bool]:
    """Describe the lines of labels that :func:`read_yolo_pose` reads.

    Returns:
        The files, the number of joints, the numbers per joint, and whether v is a confidence.
    """
    files, config = _label_files(source), _read_config(Path(source))
    lines = [line for file in files for line in _read_lines(file)]
    classes = {number: _class_name(config, number) for number in {line.category for line in lines}}
    layout = _find_layout(source, config, lines, classes)
    return files, layout.skeleton.num_keypoints, layout.dimensions, layout.is_prediction


def _picture(
    path: Path, file: Path, lines: Sequence[_Line], layout: _Layout, size: tuple[int, int] | None
) -> LabelledPicture:
    picture = _picture_of(file)
    if size is None and picture is not None:
        size = _picture_size(picture)
    if size is None and lines:
        raise InputError(f'{file}: the size of its picture is not known, give --labels-size')
    name = str(_folder_below(path, file) / (file.stem if picture is None else picture.name))
    people = [_person(line, layout, np.array(size, dtype=float)) for line in lines]
    is_labeled = None if layout.is_prediction or layout.is_own else True
    return LabelledPicture(name, people, size, is_labeled, where=str(file))


def _folder_below(path: Path, file: Path) -> PurePosixPath:
    """Return the folder of a file within ``labels`` and, there, its subset (``train``)."""
    parts = file.parent.relative_to(path).parts if path.is_dir() else ()
    below = parts[len(parts) - parts[::-1].index(_LABELS) :] if _LABELS in parts else ()
    is_subset = bool(below) and below[0].lower().startswith(_SUBSETS)
    return PurePosixPath(*below[is_subset:])


def _picture_of(file: Path) -> Path | None:
    folders = [file.parent]
    parts = file.parent.parts
    if _LABELS in parts:
        # The last occurrence, as in Ultralytics.
        place = len(parts) - 1 - parts[::-1].index(_LABELS)
        folders.append(Path(*parts[:place], _PICTURES, *parts[place + 1 :]))
    return find_picture(file.stem, folders)


def _picture_size(picture: Path) -> tuple[int, int]:
    """Read (width, height) from the header of a picture, with its EXIF orientation applied."""
    from PIL import Image

    try:
        with Image.open(picture) as opened:
            width, height = opened.size
            turned = opened.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f'{picture} cannot be read as a picture: {error}') from error
    return (height, width) if turned else (width, height)


def _person(line: _Line, layout: _Layout, size: np.ndarray) -> Person:
    count, box = layout.skeleton.num_keypoints, line.box
    joints = line.joints[: count * layout.dimensions].reshape(count, layout.dimensions)
    points = joints[:, :2]
    if (np.abs(box) > _FAR).any() or (np.abs(points) > _FAR).any() or (box[2:] < 0).any():
        raise InputError(f'{line.where} is not in fractions of the picture, expected 0..1')
    has_identity = len(line.joints) == layout.width_with_id
    fields: Person = {
        'bbox': np.concatenate([(box[:2] - box[2:] / 2) * size, box[2:] * size]),
        'identity': int(line.joints[-1]) if has_identity else None,
        'class_name': layout.classes[line.category],
    }
    located = np.where(is_placeholder(points), NOT_LABELLED, VISIBLE)
    if not layout.is_prediction:
        if layout.dimensions == 3:
            joints = without_placeholders(joints)
            points, located = joints[:, :2], joints[:, 2]
        if np.isnan(points).any():
            raise InputError(
                f'{line.where} has a joint without x and y, expected joints as numbers'
            )
        source = 'propagated' if layout.is_own else 'given'
        return {'keypoints': points * size, 'visibility': located, 'source': source, **fields}
    scores = joints[:, 2] if layout.dimensions == 3 else None
    if scores is not None and not _are_confidences(scores):
        raise InputError(
            f'{line.where} has a v outside 0..1, expected 0, 1, 2 or confidences in all lines'
        )
    return estimated_person(points * size, scores, visibility=located, **fields)


def write_yolo_pose(labels: VideoLabels, path: PathLike) -> None:
    """Write a data set folder for training a pose model of Ultralytics, atomically.

    ``labels/`` has a file for every frame, ``data.yaml`` names the joints and tells which of them
    are swapped when a picture is mirrored. The pictures belong in ``images/``, under the names in
    the labels or ``<video>_000000000012.jpg``. All labelled joints are written, given or
    propagated; if one of them is propagated, ``data.yaml`` has ``scorer: stdpose``, which the
    reader recognises. Without a box, the box encloses the joints; boxes are clipped to the picture.
    Ultralytics refuses coordinates outside the picture, so joints outside are left out with a
    warning, and people without a joint or box in the picture are left out. Scores, identities,
    limbs and head boxes are not written.

    Args:
        labels: The labels; pictures need a size.
        path: The folder; see :func:`frame_files` and
            :func:`~stdpose_mm.io.disk.atomic.atomic_folder`.

    Raises:
        InputError: If the size of a picture is not known.
    """
    import yaml

    sizes, texts, beyond = picture_sizes(labels, path), {}, 0
    for index, name in frame_files(labels, path, f'{_LABELS}/*.txt').items():
        size, lines = np.array(sizes[index], dtype=float), []
        for person in labels[index]:
            inside = person.labelled & ((person.keypoints >= 0) & (person.keypoints <= size)).all(1)
            beyond += int((person.labelled & ~inside).sum())
            numbers = _numbers(person, inside, size)
            if numbers is not None:
                lines.append(' '.join(f'{number:.10g}' for number in (0, *numbers)) + '\n')
        texts[name] = ''.join(lines)
    skeleton = labels.skeleton
    joints = {'kpt_shape': [skeleton.num_keypoints, 3], 'flip_idx': [*skeleton.flip_indices]}
    names = {'names': {0: skeleton.category}, 'kpt_names': {0: [*skeleton.keypoint_names]}}
    fields = {'train': _PICTURES, 'val': _PICTURES, **joints, **names}
    if any(person.has_propagated_joint for person in labels.persons):
        fields[_SCORER] = OWN_SCORER
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, default_flow_style=None)
    write_texts(path, {**texts, CONFIG: text}.items())
    if beyond:
        note(f'{path}: left out {counted(beyond, "joint")} beyond the border of a picture')
    if {*skeleton.sides} == {'middle'} and skeleton.num_keypoints > 1:
        note(
            f'{path}: no name of a joint tells left from right, so flip_idx swaps none: correct it '
            f'in {CONFIG}, or train with fliplr=0'
        )


def _numbers(person: PersonLabel, inside: np.ndarray, size: np.ndarray) -> np.ndarray | None:
    """Make the numbers of a line after the class; None if the person is outside the picture.

    Args:
        person: The person.
        inside: [K] bool: joints that are written.
        size: [2] width and height of the picture.
    """
    box = pose_extent(person.keypoints, inside) if person.bbox is None else person.bbox
    low, high = np.clip([box[:2], box[:2] + box[2:]], 0, size) / size
    if not inside.any() and not (high > low).all():
        return None
    joints = np.column_stack([person.keypoints / size, person.visibility]) * inside[:, None]
    return np.concatenate([(low + high) / 2, high - low, joints.ravel()])
