"""Convert pose labels from one file format to another.

    stdpose convert task.xml labels.json --to coco
    stdpose convert annotations/val val_coco.json --to coco
    stdpose convert labels.json cvat_label.json --to cvat-labels
    stdpose convert labelme_folder/ labels.json
    stdpose convert dense.json dense.csv --to tidy-csv --fps 30

See docs/guide/label_formats.md for the formats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from stdpose_mm.constants import CVAT_LABELS, LABEL_FORMATS, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError, note
from stdpose_mm.io.disk.file_names import require_suffix
from stdpose_mm.io.disk.output_guards import guard_outputs, label_outputs
from stdpose_mm.io.disk.outputs import choose_format

from .argument_types import fraction, frame_rate, picture_size
from .command import Command
from .options import CvatTolerance, LabelFileOptions, refuse_idle
from .parser import Need, argument, option

if TYPE_CHECKING:
    from stdpose_mm.io.labels.label_source import LabelSource
    from stdpose_mm.structures import VideoLabels

MANY_VIDEOS_FORMAT = 'coco'
"""The only output format that can hold several videos."""


_FRACTIONS = Need(
    'labels in fractions of pictures (YOLO-pose)', lambda options: options.has_fractions
)
_TIMES = Need('a format with times (trc)', lambda options: options.writes('times'))


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(CvatTolerance, LabelFileOptions):
    """Options of ``stdpose convert``.

    Args:
        input: Label file, or folder with one label file per picture of a video (YOLO-pose, LabelMe,
            OpenPose, MMPose); for --to coco also a folder with one label file per video, or a .txt
            file with one path per line.
        output: Label file to write; for openpose, labelme and yolo-pose, a folder.
        source: Format of IN, such as coco, see docs/guide/label_formats.md (default: recognised
            from its content).
        target: Format of OUT (default: by its suffix; posetrack18 for .json or no suffix);
            cvat-labels writes the label definition that a CVAT task needs for the skeleton of IN,
            to be pasted into the tab "Raw".
        video: Video whose labels to convert, if IN holds several videos.
        labels_size: Size of the pictures; needed if coordinates are fractions of it in IN
            (YOLO-pose) and the pictures are not beside the labels, or if they are fractions in OUT
            (YOLO-pose, Label Studio) and IN does not state the size.
        fps: Frames per second of the video, for the times in tidy-csv, movement and trc.
        as_given: Turn estimates into labels: joints that score at least MIN_SCORE become given
            labels; the others stay unlabelled and can be propagated.
        given_only: Write only given labels, without propagated poses and joints.
    """

    common: ClassVar = ('source', 'target', 'video', 'as_given', 'given_only', 'fps')

    input: str = argument('IN', reads_folder=True)
    output: str = argument('OUT', writes=True, is_folder=None)
    source: str | None = option(None, '--from', choices=READ_FORMATS, metavar='FORMAT')
    target: str | None = option(
        None, '--to', choices=(*WRITE_FORMATS, CVAT_LABELS), metavar='FORMAT'
    )
    video: str | None = option(metavar='NAME')
    labels_size: tuple[int, int] | None = option(type=picture_size, metavar='WxH', needs=_FRACTIONS)
    fps: float | None = option(type=frame_rate, needs=_TIMES)
    as_given: float | None = option(type=fraction, metavar='MIN_SCORE')
    given_only: bool = option(False)

    @cached_property
    def format(self) -> str:
        """The format of OUT."""
        return self.target or choose_format(self.output, name='OUT')

    @cached_property
    def label_source(self) -> LabelSource:
        """The file or folder IN."""
        from stdpose_mm.io.labels.label_source import LabelSource

        return LabelSource(self.input)

    @cached_property
    def several(self) -> bool:
        """Whether IN stands for many label files."""
        from stdpose_mm.io.labels import stands_for_many

        return stands_for_many(self.label_source, self.source)

    @property
    def writes_cvat(self) -> bool:
        """Whether labels are written for CVAT."""
        return self.format == 'cvat'

    def writes(self, what: str) -> bool:
        """Return whether OUT holds something, as its row of ``LABEL_FORMATS`` says."""
        return self.format in LABEL_FORMATS and bool(getattr(LABEL_FORMATS[self.format], what))

    @property
    def has_fractions(self) -> bool:
        """Whether coordinates are fractions of pictures, in IN or OUT."""
        from stdpose_mm.io.labels import sniff_format

        if self.writes('fractions'):
            return True
        source = None if self.several else self.source or sniff_format(self.label_source)
        return source is not None and 'size' in LABEL_FORMATS[source].takes


def convert(options: ConvertOptions) -> None:
    """Convert one label file, or all files of a folder or list into one COCO file.

    Raises:
        InputError: If a file cannot be read or written, or the options do not fit it.
    """
    from stdpose_mm.io.labels import (
        describe_frames,
        fit_size,
        match_frames,
        write_coco,
        write_cvat_labels,
        write_labels,
    )
    from stdpose_mm.labelling.review import describe_poses
    from stdpose_mm.structures.propagated_labels import accept_predictions

    target = options.format
    files = label_outputs('OUT', options.output, target)
    guard_outputs(
        files,
        {'--loaded-into-cvat': options.loaded_into_cvat, '--frame-of': options.frame_of},
        {'IN': options.input},
    )
    _require_fitting_options(options)
    reading = options.label_reading
    videos = [match_frames(labels, None, reading.frame_options) for labels in _read_videos(options)]
    if options.labels_size is not None:
        videos = [fit_size(labels, options.labels_size, options.labels_size) for labels in videos]
    if options.as_given is not None:
        videos = [accept_predictions(labels, options.as_given) for labels in videos]
    if options.given_only:
        videos = [labels.only_given() for labels in videos]
    if target == MANY_VIDEOS_FORMAT:
        write_coco(videos, options.output)
    elif target == CVAT_LABELS:
        write_cvat_labels(videos[0], options.output)
    else:
        fps = options.fps
        time_of = None if fps is None else (lambda index: index / fps)
        write_labels(videos[0], options.output, target, time_of, options.cvat_tolerance)
    for labels in videos if target != CVAT_LABELS else ():
        print(f'{labels.name}: {describe_poses(labels)}; {describe_frames(labels)}')
        _warn_of_doubled_people(labels)
    print(f'written: {", ".join(str(file.path) for file in files)}')


def _warn_of_doubled_people(labels: VideoLabels) -> None:
    """Warn about people who seem to be labelled twice."""
    from stdpose_mm.labelling.review import doubled_warnings

    hand_labels = labels.with_persons([p for p in labels.persons if p.is_given])
    for sentence in doubled_warnings(hand_labels.tracks(), labels.skeleton):
        note(f'{labels.name}: {sentence}')


def _require_fitting_options(options: ConvertOptions) -> None:
    """Refuse options that do not fit IN or OUT.

    Raises:
        InputError: If an option does not fit.
    """
    target = options.format
    about_one = {
        '--video': options.video is not None,
        '--loaded-into-cvat': options.loaded_into_cvat is not None,
        f'--to {target}': target != MANY_VIDEOS_FORMAT,
    }
    for name, is_given in about_one.items():
        if options.several and is_given:
            raise InputError(
                f'{options.input} stands for many label files, but {name} works for one only: '
                f'convert one of the files, or all of them with --to {MANY_VIDEOS_FORMAT} alone'
            )
    if target == CVAT_LABELS:
        require_suffix(f'OUT {options.output}', options.output, 'the label of a task', ('.json',))
    else:
        choose_format(options.output, target, 'OUT', '--to')
    if options.fps is None and target == 'trc':
        raise InputError(
            f'{options.output}: {target} needs the time of every frame, give the frames per second '
            'of the video with --fps'
        )
    refuse_idle(options)


def _read_videos(options: ConvertOptions) -> list[VideoLabels]:
    """Read the videos to convert, of many label files in order.

    Raises:
        InputError: If a file cannot be read, OUT cannot hold that many videos, or two of several
            files hold videos of the same name.
    """
    from stdpose_mm.io.labels import find_label_files, read_all_labels, read_labels

    path, source = options.input, options.source
    if not options.several:
        how = (options.labels_size, options.loaded_into_cvat, options.visible_as_1)
        if options.format == MANY_VIDEOS_FORMAT and options.video is None:
            return read_all_labels(options.label_source, source, *how, options.labels_category)
        reading = options.label_source, source, options.video
        return [read_labels(*reading, *how, options.labels_category)]
    videos = [
        labels
        for file in find_label_files(path, any_format=True)
        for labels in read_all_labels(
            file, source, visible_as_1=options.visible_as_1, category=options.labels_category
        )
    ]
    for name, count in Counter(labels.name for labels in videos).items():
        if count > 1:
            raise InputError(f'{path} holds {count} videos named {name!r}, expected each name once')
    return videos


main = Command(ConvertOptions, convert, __doc__, 'convert_labels.py')
