"""Jobs: the work of a command on each of its videos, with the files that it reads and writes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from stdpose_mm.constants import LAUNCHERS, VIDEO_OUTPUT_SUFFIXES, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import has_suffix
from stdpose_mm.io.disk.output_guards import (
    Output,
    guard_outputs,
    label_outputs,
    refuse_shared_outputs,
)
from stdpose_mm.io.disk.outputs import choose_format, means_folder
from stdpose_mm.io.video_list import InputVideo, VideoFiles
from stdpose_mm.text import counted

from .argument_types import shard
from .options import BoxOptions, CvatTolerance, NetworkOptions, folders
from .parser import REQUIRED, Need, option, option_names

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import VideoLabels

SUFFIXES = {'save_video': '.mp4', 'report': '.html'}
"""Suffixes of outputs in a folder, except labels."""

_SEVERAL_VIDEOS = Need('several videos', lambda options: options.listed.several)
_NO_LEARNING = Need(
    '--pose-onnx instead of --learn', lambda options: getattr(options, 'learn', None) is None
)
_SEVERAL_JOBS = Need(
    'videos of one camera, or several sessions',
    lambda options: options.several_jobs or not options.listed.several,
)


_SHARED = (_SEVERAL_VIDEOS, _NO_LEARNING, _SEVERAL_JOBS)


@dataclass(frozen=True, kw_only=True)
class VideoOptions(CvatTolerance, BoxOptions, NetworkOptions):
    """Options of a command on one or several videos that writes labels.

    Args:
        out: Label file to write, for all frames; a folder for several videos (for one video, a name
            that ends in / is a folder).
        format: Format of OUT, such as cvat, coco or deeplabcut, see docs/guide/label_formats.md
            (default: by its suffix; posetrack18 for .json or no suffix).
        save_video: Also write the video with the poses drawn on it and with its frame times and
            sound; with several videos, a folder.
        fix_sides: Exchange left and right of a person where they seem to be exchanged for some
            frames; given labels stay. In infer, the video of --save-video shows them as estimated.
        launcher: How the processes that share several videos were started; pytorch means torchrun.
        shard: Work only on the I-th of N shares of several videos (1/N to N/N), for processes that
            are started one by one, on any machines.
        dry_run: For several videos, list their files and what is still to do, and write nothing.
        quiet: Print only warnings, errors and requested advice: no progress and no summary.
    """

    help_title: ClassVar = 'many videos'

    out: str = option(REQUIRED, writes=True, is_folder=None)
    format: str | None = option(choices=WRITE_FORMATS)
    save_video: str | None = option(writes=True, is_folder=None, metavar='FILE')
    fix_sides: bool = option(False)
    launcher: str = option('none', choices=LAUNCHERS, needs=_SHARED)
    shard: tuple[int, int] | None = option(type=shard, metavar='I/N', needs=_SHARED)
    dry_run: bool = option(False, needs=(_SEVERAL_VIDEOS, _SEVERAL_JOBS))
    quiet: bool = option(False)

    @property
    def job_noun(self) -> str:
        """What a job is called in messages."""
        return 'video'

    @property
    def several_jobs(self) -> bool:
        """Whether there is a list of jobs, each with a record that tells whether it is finished."""
        return self.listed.several

    @property
    def writes_cvat(self) -> bool:
        """Whether labels are written for CVAT."""
        if self.format is None:
            files = (self.place_outputs(video)['out'] for video in self.listed.videos)
            return any(has_suffix(file, WRITE_FORMATS['cvat']) for file in files)
        return self.format == 'cvat'

    def place_outputs(self, video: InputVideo) -> dict[str, str]:
        """Place the outputs of one of the videos: the field name of each -> its file.

        An output in a folder is named after the video, or as the dataset file says.
        """
        suffix = WRITE_FORMATS[self.format][0] if self.format else '.json'
        name = str(video.out or f'{video.name}{suffix}')
        placed: dict[str, str] = {}
        for field_name, place in self.outputs.items():
            path = Path(place)
            format = self.format if field_name == 'out' else None
            # Outputs of several videos are folders, regardless of their names.
            if self.listed.several or means_folder(place, format):
                path = path / name
                path = path.with_suffix(SUFFIXES.get(field_name, path.suffix))
            placed[field_name] = str(path)
        return placed

    def require_folders(self) -> None:
        super().require_folders()
        if self.launcher != 'none' and self.shard is not None:
            raise InputError('--launcher and --shard both share out the videos, give one')


Options = TypeVar('Options', bound=NetworkOptions)


class Job(Protocol):
    """What a command does at once: the work on one video, or on several that need each other."""

    @property
    def views(self) -> Sequence[DenseJob[Any]]:
        """The videos."""

    @property
    def out(self) -> str:
        """The output that names the job."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The files that are written, by names that begin with out for what a user may edit."""

    def check(self, fetches: bool = True) -> None:
        """Refuse what cannot be read or written; see :meth:`VideoJob.check`."""


@dataclass(frozen=True)
class VideoJob(ABC, Generic[Options]):
    """The work of a command on one of its videos.

    Args:
        options: The options of the command.
        listed: The video, as it is listed.
    """

    options: Options
    listed: InputVideo

    @property
    def is_listed(self) -> bool:
        """Whether the video is one of several."""
        return self.options.listed.several

    @cached_property
    def files(self) -> VideoFiles:
        """The files of the video that are read.

        Raises:
            InputError: See :meth:`~stdpose_mm.io.video_list.VideoInputs.files_of`.
        """
        return self.options.files_of(self.listed)

    @cached_property
    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """The files that are written, by the field that names them."""

    @property
    @abstractmethod
    def file_outputs(self) -> list[Output]:
        """All files that are written, also beside those of :attr:`outputs`."""

    @property
    def out(self) -> str:
        """The label file that is written."""
        return self.outputs['out']

    @property
    def file_inputs(self) -> dict[str, str | Path]:
        """The files that are read, by their names on the command line."""
        ignored = {*self.outputs, 'cache', 'device'}
        named = {
            option_names(item)[-1]: value
            for item in fields(self.options)
            if item.name not in ignored and 'choices' not in item.metadata
            if isinstance(value := getattr(self.options, item.name), (str, Path))
        }
        files = self.files
        listed_files = {
            'the video': files.video,
            'LABELS': files.labels,
            '--boxes': files.boxes,
            '--loaded-into-cvat': files.loaded_into_cvat,
        }
        return {**named, **{name: path for name, path in listed_files.items() if path is not None}}

    @property
    def evidence(self) -> Mapping[str, Sequence[Path]]:
        """The files of networks, and of poses and tracks of other programs, by description."""
        evidence = self.options.evidence_files(self.listed.name)
        detector = self.options.detector_file
        if detector is not None and detector.is_onnx:
            evidence['--detector'] = [detector.fetch()]
        return evidence

    def check(self, fetches: bool = True) -> None:
        """Refuse a video whose files are missing, or whose outputs cannot be written or are inputs.

        Nothing is decoded or written.

        Args:
            fetches: Whether published networks may be fetched, whose files are inputs too.

        Raises:
            InputError: See :attr:`files` and
                :func:`~stdpose_mm.io.disk.output_guards.guard_outputs`.
        """
        # A wrong name is told although the inputs may be missing, too.
        guard_outputs(self.file_outputs)
        inputs = {**self.file_inputs, **(self.evidence if fetches else {})}
        label_folders = {
            'LABELS': folders(self.files.labels),
            **{name: folders(*paths) for name, paths in self.options.result_paths.items()},
        }
        guard_outputs(self.file_outputs, inputs, label_folders)


OneVideo = TypeVar('OneVideo', bound=VideoJob[Any])


def make_jobs(
    options: Options,
    job_class: type[OneVideo],
    advice: str = 'list them in a dataset file with different names as out',
) -> list[OneVideo]:
    """Make the jobs of a command, one for each video.

    Args:
        options: The options of the command.
        job_class: The class of the jobs.
        advice: What to do if two videos have the same output.

    Raises:
        InputError: If two videos have the same output.
    """
    jobs = [job_class(options, video) for video in options.listed.videos]
    outputs = [(job.listed.video, job.outputs.values()) for job in jobs]
    refuse_shared_outputs(outputs, advice)
    return jobs


DenseOptions = TypeVar('DenseOptions', bound=VideoOptions)


class DenseJob(VideoJob[DenseOptions]):
    """The work of a command that writes the poses of all frames of a video."""

    @property
    def views(self) -> Sequence[DenseJob[DenseOptions]]:
        """The video alone; see :class:`Job`."""
        return [self]

    @cached_property
    def outputs(self) -> dict[str, str]:
        return self.options.place_outputs(self.listed)

    @property
    def save_video(self) -> str | None:
        """The overlay video that is written."""
        return self.outputs.get('save_video')

    @property
    def label_files(self) -> list[Output]:
        """The label file, and the files that are written beside it."""
        format = choose_format(self.out, self.options.format, '--out', '--format')
        return label_outputs('--out', self.out, format)

    @property
    def file_outputs(self) -> list[Output]:
        video = Output('--save-video', self.save_video, 'a video', VIDEO_OUTPUT_SUFFIXES)
        return [*self.label_files, video]

    @property
    def replaced_outputs(self) -> list[PathLike]:
        """The outputs whose earlier versions are kept if somebody has edited them.

        For one of several jobs there are none, since its record refuses edited outputs.
        """
        outputs = [] if self.options.several_jobs else self.file_outputs
        return [output.path for output in outputs if output.path is not None]

    @property
    def side_outputs(self) -> dict[str, str]:
        """The files that are written beside the labels, and what they are."""
        return {} if self.save_video is None else {self.save_video: 'the video with the poses'}

    def describe_side_outputs(self, problems: Mapping[str, str]) -> list[str]:
        """Name the files beside the labels, one per line, but those with a problem."""
        return [f'{p}: {what}' for p, what in self.side_outputs.items() if p not in problems]

    def fix_sides(self, labels: VideoLabels, summary: list[str]) -> VideoLabels:
        """Exchange sides that are exchanged for a stretch of frames, and say how many."""
        from stdpose_mm.labelling.review import mend_sides

        mended, doubts = mend_sides(labels)
        poses = counted(len({(d.track_id, frame) for d in doubts for frame in d.frames}), 'pose')
        summary.append(f'left and right exchanged in {poses}, see --fix-sides')
        return mended

    def open_video(self) -> FrameSource:
        """Open the video; refuse outputs that need frame times if the video has none.

        Raises:
            InputError: If it cannot be opened, is not a video, or lacks times.
        """
        from stdpose_mm.io.labels import require_times
        from stdpose_mm.io.video import clock_of, open_frames, require_timing

        frames = open_frames(self.files.video)
        require_times(choose_format(self.out, self.options.format), clock_of(frames))
        if self.save_video is not None:
            require_timing(self.save_video, frames)
        return frames

    def fingerprint_inputs(self, frames: FrameSource, networks: Sequence[Path] = ()) -> str:
        """Compute the fingerprint of everything that determines the outputs.

        This is the video, the options, the content of the files that they name, and the code.

        Args:
            frames: The video.
            networks: Files of networks that the command has made.

        Raises:
            InputError: If a file cannot be read.
        """
        from stdpose_mm.io.fingerprint import code_fingerprint, fingerprint

        ignored = {*self.outputs, 'inputs', 'cache', 'launcher', 'shard', 'dry_run', 'quiet'}
        named = {
            option_names(item)[-1]: getattr(self.options, item.name)
            for item in fields(self.options)
            if item.name not in ignored
        }
        # Files count by their content, wherever they lie; the video by its frames and its name.
        contents = {
            name: _content(path, is_config=name == '--config')
            for name, path in self.file_inputs.items()
            if name != 'the video'
        }
        inputs = {**named, **contents, '--labels-video': self.files.labels_video}
        video = self.files.video
        # The options alone do not show these files: they may be a preset or lie beside a network.
        evidence = [
            [(path.name, _content(path, is_config=False)) for path in paths]
            for paths in (*self.evidence.values(), networks)
        ]
        names = sorted(os.listdir(video)) if video.is_dir() else [video.name]
        suffixes = {name: Path(path).suffix for name, path in self.outputs.items()}
        return fingerprint(code_fingerprint(()), inputs, evidence, suffixes, names, frames)


def _content(value: str | Path, is_config: bool) -> Any:
    """Return the content of a file or folder; the text of anything else, such as a URL."""
    path = Path(value)
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): file for file in path.rglob('*') if file.is_file()
        }
    if is_config or (path.suffix == '.py' and path.is_file()):
        # A config may be given by its name, and inherit from other files.
        from stdpose_mm.engine.config_files import read_config

        return read_config(path).to_dict()
    return path if path.is_file() else str(value)
