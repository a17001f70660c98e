"""Commands on one or several videos: places of outputs, shared work, records of finished videos."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from stdpose_mm.constants import LABEL_SUFFIXES, LAUNCHERS, VIDEO_SUFFIXES, WRITE_FORMATS
from stdpose_mm.errors import InputError, explain_error, one_line
from stdpose_mm.io import PathLike, write_json
from stdpose_mm.io.file_names import has_suffix, require_video
from stdpose_mm.io.output_guards import Output, Paths, guard_outputs, label_outputs
from stdpose_mm.io.outputs import choose_format, keep_edited, means_folder
from stdpose_mm.io.video_list import ListedVideo, VideoInputs
from stdpose_mm.processes import (
    is_first_process,
    joined_processes,
    rank_and_count,
    tasks_of_process,
    work_together,
)
from stdpose_mm.text import counted

from .argument_types import shard
from .options import BoxOptions, CvatTolerance, DetectorOptions, refuse_idle
from .parser import REQUIRED, option

if TYPE_CHECKING:
    from typing_extensions import Self

    from stdpose_mm.io.video import FrameSource

RECORD_FOLDER = '.stdpose'
"""Hidden folder for the records, in the output folder."""

SUFFIXES = {'save_video': '.mp4', 'report': '.html'}
"""Suffixes of outputs in a folder, except labels."""

_FILE_SUFFIXES = (*LABEL_SUFFIXES, *VIDEO_SUFFIXES, '.html', '.htm', '.pdf')
"""Suffixes that show that a name is meant as a file, where a folder is expected."""

_PICTURE_SIZE = 100_000
"""Size of a picture in bytes, roughly, to compare folders of pictures with video files."""


@dataclass(kw_only=True)
class VideoOptions(CvatTolerance, BoxOptions, DetectorOptions, ABC):
    """Options of a command on one or several videos that writes labels.

    Args:
        out: Label file to write, for all frames; a folder for several videos (for one video, a name
            that ends in / is a folder).
        format: Format of OUT, such as cvat, coco or deeplabcut, see docs/guide/label_formats.md
            (default: by its suffix; posetrack18 for .json or no suffix).
        save_video: Also write the video with the poses drawn on it and with its frame times and
            sound; with several videos, a folder.
        launcher: How the processes that share several videos were started; pytorch means torchrun.
        shard: Work only on the I-th of N shares of several videos (1/N to N/N), for processes that
            are started one by one, on any machines.
        dry_run: For several videos, list their files and what is still to do, and write nothing.
        quiet: Print only warnings, errors and requested advice: no progress and no summary.
    """

    help_title: ClassVar = 'many videos'

    inputs: list[str] = field(default_factory=list)
    out: str = option(REQUIRED, writes=True, is_folder=None)
    format: str | None = option(choices=WRITE_FORMATS)
    save_video: str | None = option(writes=True, is_folder=None, metavar='FILE')
    launcher: str = option('none', choices=LAUNCHERS)
    shard: tuple[int, int] | None = option(type=shard, metavar='I/N')
    dry_run: bool = option(False)
    quiet: bool = option(False)
    video: Path = field(default_factory=Path)
    is_listed: bool = False
    """Whether these are the options of one of several videos."""

    @property
    def outputs(self) -> dict[str, str]:
        """The requested outputs by field name."""
        written = (item.name for item in fields(self) if item.metadata.get('writes'))
        return {name: value for name in written if (value := getattr(self, name)) is not None}

    @property
    def writes_cvat(self) -> bool:
        """Whether the labels of one video are written for CVAT."""
        if self.format is None:
            return has_suffix(self.out, WRITE_FORMATS['cvat'])
        return self.format == 'cvat'

    @property
    def label_files(self) -> list[Output]:
        """The label file of one video, and the files that are written beside it."""
        format = choose_format(self.out, self.format, '--out', '--format')
        return label_outputs('--out', self.out, format)

    @property
    def file_outputs(self) -> list[Output]:
        """The files that are written for one video."""
        video = Output('--save-video', self.save_video, 'a video', VIDEO_SUFFIXES)
        return [*self.label_files, video]

    @property
    def side_outputs(self) -> dict[str, str]:
        """The files of one video that are written beside its labels, and what they are."""
        return {} if self.save_video is None else {self.save_video: 'the video with the poses'}

    def describe_side_outputs(self, problems: Mapping[str, str]) -> list[str]:
        """Name the files beside the labels of one video, one per line, but those with a problem."""
        return [f'{p}: {what}' for p, what in self.side_outputs.items() if p not in problems]

    @property
    def replaced_outputs(self) -> list[PathLike]:
        """The outputs of one video whose earlier versions are kept if somebody has edited them.

        For one of several videos there are none, since edited outputs are refused.
        """
        outputs = [] if self.is_listed else self.file_outputs
        return [output.path for output in outputs if output.path is not None]

    @property
    def file_inputs(self) -> dict[str, Paths]:
        """The files that the options of one video name, by option."""
        ignored = {*self.outputs, 'inputs', 'cache', 'device'}
        return {
            item.name: value
            for item in fields(self)
            if item.name not in ignored and 'choices' not in item.metadata
            if isinstance(value := getattr(self, item.name), (str, Path))
        }

    @property
    def evidence(self) -> Mapping[str, Sequence[Path]]:
        """Further files that are read for one video, by description."""
        detector = self.detector_file
        return (
            {} if detector is None or not detector.is_onnx else {'det_config': [detector.fetch()]}
        )

    @property
    def label_folders(self) -> Mapping[str, Paths]:
        """Folders whose label files are all read, by their names on the command line."""
        return {}

    @property
    def shared_folders(self) -> Mapping[str, Paths]:
        """Folders with a file for each of several videos, by their names on the command line."""
        return {'--boxes': self.box_file}

    def check_inputs(self, inputs: VideoInputs) -> None:
        """Refuse options that do not fit the number of videos.

        Raises:
            InputError: If an option is for several videos only, or an option or output names a file
                where several videos need a folder.
        """
        if not inputs.several:
            refuse_idle('--launcher', self.launcher != 'none', 'several videos')
            refuse_idle('--shard', self.shard is not None, 'several videos')
            refuse_idle('--dry-run', self.dry_run, 'several videos')
            return
        if self.launcher != 'none' and self.shard is not None:
            raise InputError('--launcher and --shard both share out the videos, give one')
        for name, path in self.shared_folders.items():
            require_folder(name, path)
        for name, folder in self.outputs.items():
            is_named_as_file = folder.lower().endswith(_FILE_SUFFIXES) and not os.path.isdir(folder)
            if os.path.isfile(folder) or is_named_as_file:
                raise InputError(
                    f'--{name.replace("_", "-")} {folder} is a file, but several videos need a '
                    f'folder, give one such as {Path(folder).with_suffix("")}'
                )

    @abstractmethod
    def complete(self, video: ListedVideo) -> Self:
        """Return the options of one of several videos, with its own input files.

        Raises:
            InputError: If a file is missing or ambiguous.
        """

    def check_outputs(self) -> None:
        """Refuse outputs of one video that cannot be written or are also inputs.

        Raises:
            InputError: See :func:`~stdpose_mm.io.output_guards.guard_outputs` and
                :func:`~stdpose_mm.io.outputs.choose_format`.
        """
        guard_outputs(self.file_outputs, {**self.file_inputs, **self.evidence}, self.label_folders)

    def open_video(self, labels: Path | None = None) -> FrameSource:
        """Open the video; refuse outputs that need frame times if the video has none.

        Args:
            labels: The file of its labels, if the command reads one.

        Raises:
            InputError: If it cannot be opened, is not a video, or lacks times.
        """
        from stdpose_mm.io.labels import require_times
        from stdpose_mm.io.video import clock_of, open_frames, require_timing

        require_video(self.video, labels)
        frames = open_frames(self.video)
        require_times(choose_format(self.out, self.format), clock_of(frames))
        if self.save_video is not None:
            require_timing(self.save_video, frames)
        return frames

    def fingerprint_inputs(self, frames: FrameSource) -> str:
        """Compute the fingerprint of everything that determines the outputs of one video.

        This is the video, the options, the content of the files that they name, and the code.

        Raises:
            InputError: If a file cannot be read.
        """
        from stdpose_mm.io.fingerprint import code_fingerprint, fingerprint

        ignored = {*self.outputs, 'inputs', 'video', 'is_listed', 'cache', 'launcher', 'shard'}
        ignored |= {'dry_run', 'quiet'}
        options = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name not in ignored
        }
        options |= {
            name: _content(value, is_config=name == 'config')
            for name, value in self.file_inputs.items()
            if name in options and isinstance(value, (str, Path))
        }
        # The options alone do not show these files: they may be a preset or lie beside a network.
        evidence = [
            [(path.name, _content(path)) for path in paths] for paths in self.evidence.values()
        ]
        folder = self.video.is_dir()
        names = sorted(os.listdir(self.video)) if folder else [self.video.name]
        suffixes = {name: Path(path).suffix for name, path in self.outputs.items()}
        return fingerprint(code_fingerprint(()), options, evidence, suffixes, names, frames)


def _content(value: str | Path, is_config: bool = False) -> Any:
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


Options = TypeVar('Options', bound=VideoOptions)
Models = TypeVar('Models')


@dataclass(frozen=True)
class VideoResult:
    """The result of the work on one video.

    Args:
        counts: Name -> number, for the summary.
        summary: Lines on what was written.
        advice: Lines of advice that the options request.
        incomplete: A sentence if the run was interrupted and the output holds only the first
            frames.
        problems: A sentence for each output beside the labels that could not be written.
    """

    counts: Mapping[str, int]
    summary: list[str]
    advice: list[str] = field(default_factory=list)
    incomplete: str | None = None
    problems: Sequence[str] = ()


@contextmanager
def side_output(labels: str, path: str, problems: dict[str, str]) -> Iterator[None]:
    """Write an output beside the labels, without which these are still worth having.

    Args:
        labels: The label file.
        path: The output.
        problems: If it cannot be written, its path and a sentence on it are added.
    """
    try:
        yield
    except Exception as error:
        sentence = explain_error(error)
        if sentence is None:
            raise
        problems[path] = f'{labels} is written, but {path} is not: {sentence}'


def place_outputs(options: Options, video: ListedVideo, is_listed: bool = False) -> Options:
    """Return the options of one video, whose outputs are files.

    An output in a folder is named after the video, or as the dataset file says.

    Args:
        options: The options of the command.
        video: The video.
        is_listed: Whether it is one of several, so that all outputs are folders, regardless of
            their names.
    """
    suffix = WRITE_FORMATS[options.format][0] if options.format else '.json'
    name = str(video.out or f'{video.name}{suffix}')
    placed: dict[str, Any] = {}
    for option_name, given in options.outputs.items():
        path = Path(given)
        if is_listed or means_folder(given, options.format if option_name == 'out' else None):
            path = path / name
            path = path.with_suffix(SUFFIXES.get(option_name, path.suffix))
        placed[option_name] = str(path)
    return replace(options, video=video.video, is_listed=is_listed, **placed)


def require_folder(name: str, paths: Paths) -> None:
    """Refuse a file where several videos need a folder with one file each.

    Raises:
        InputError: If a path is given and is not a folder.
    """
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths or ():
        if not os.path.isdir(path):
            raise InputError(
                f'{name} {path} is not a folder, but there are several videos, give a folder with '
                'one file for each'
            )


def require_result_folders(
    results: Mapping[str, Sequence[str]], videos: Sequence[ListedVideo]
) -> None:
    """Refuse results of pose networks or trackers that do not tell the videos apart.

    Args:
        results: Option -> the paths that it names.
        videos: The videos.

    Raises:
        InputError: If a path is a single file, or two videos have the same name.
    """
    for name, path in ((name, path) for name, paths in results.items() for path in paths):
        require_folder(name, path)
        named: dict[str, ListedVideo] = {}
        for video in videos:
            other = named.setdefault(video.name, video)
            if other is not video:
                raise InputError(
                    f'{other.video} and {video.video} have the same name, but {name} {path} tells '
                    'videos apart by name: rename one, or run one video at a time'
                )


def run_videos(
    options: Options,
    inputs: VideoInputs,
    load: Callable[[Options], Models],
    work: Callable[[Options, Models], VideoResult],
) -> None:
    """Work on one video, or on several as :func:`_run_several` does, and print what was done.

    Args:
        options: The options of the command.
        inputs: The videos.
        load: Loads networks before the first video, so that errors that affect all videos appear
            first.
        work: Does the work for the options of one video.

    Raises:
        InputError: If an output cannot be written or belongs to two videos, an option is about
            outputs that are not written, or the work cannot be done.
        KeyboardInterrupt: After Ctrl-C, with a message.
    """
    if inputs.several:
        _run_several(options, inputs, load, work)
        return
    of_video = place_outputs(options, inputs.videos[0])
    of_video.require_cvat_output(of_video.writes_cvat)
    of_video.check_outputs()
    result = work(of_video, load(of_video))
    for line in result.advice if options.quiet else [*result.summary, *result.advice]:
        print(line)
    if result.problems:
        raise InputError('; '.join(result.problems))
    if result.incomplete is not None:
        raise KeyboardInterrupt(result.incomplete)


def _run_several(
    options: Options,
    inputs: VideoInputs,
    load: Callable[[Options], Models],
    work: Callable[[Options, Models], VideoResult],
) -> None:
    """Work on several videos and print one summary; see :func:`run_videos`.

    If a launcher started several processes, or for ``--shard``, each process takes a share of about
    the same size; the outputs do not depend on the number of processes. A video is skipped if its
    outputs exist and were made from the same inputs. A video that fails does not stop the others;
    it is an error after all are done, with a launcher in the first process.
    """
    from stdpose_mm.io.video import open_frames

    jobs = _place_all(options, inputs.videos)
    records = {
        name: VideoRecord(Path(options.out, RECORD_FOLDER, f'{name}.json'), placed.outputs)
        for name, (placed, _) in jobs.items()
    }
    if options.dry_run:
        _list_jobs(jobs, records)
        return
    # All processes of a launcher look at the records before the first of them starts to work.
    # Processes of other shards may be at work.
    costs = [
        1 if options.shard is None and records[name].read() else _size_of(video.video)
        for name, (_, video) in jobs.items()
    ]
    fingerprints: dict[str, str] = {}

    def run(name: str) -> tuple[FinishedVideo, bool]:
        """Return the record of a video, and whether it has just been finished."""
        started = time.monotonic()
        of_video = jobs[name][0].complete(jobs[name][1])
        of_video.check_outputs()
        fingerprints[name] = of_video.fingerprint_inputs(open_frames(of_video.video))
        record = records[name]
        if finished := record.read(fingerprints[name], is_current=True):
            return finished, False
        with record.begun() as unsure:
            with keep_edited(None, *([] if unsure is None else [unsure])):
                result = work(of_video, models)
            if result.problems:
                raise InputError('; '.join(result.problems))
            return record.finish(fingerprints[name], result, time.monotonic() - started), True

    def run_and_report(name: str) -> tuple[FinishedVideo, bool]:
        place = f'[{share.index(name) + 1}/{len(share)}] {name}'
        try:
            finished, is_new = run(name)
        except Exception as error:
            sentence = explain_error(error)
            if sentence is None:
                traceback.print_exc()
                bug = f'{type(error).__name__}: {one_line(error)}'
                sentence = f'{bug}, a bug; its traceback is above'
            print(f'{place} failed: {sentence}', file=sys.stderr)
            raise InputError(sentence) from error
        counts = ', '.join(f'{number} {what}' for what, number in finished.counts.items())
        took = f'{counts}, {finished.seconds:.1f} s' if is_new else 'done before'
        if not options.quiet:
            print(f'{place}: {took}', file=sys.stderr)
        return finished, is_new

    with joined_processes(options.launcher, options.device):
        models = load(options)
        if inputs.note is not None and is_first_process():
            print(inputs.note, file=sys.stderr)
        order = list(jobs)
        share = [order[n] for n in tasks_of_process(costs, *(options.shard or rank_and_count()))]
        try:
            results, failed = work_together(share, run_and_report)
        except KeyboardInterrupt:
            finished = [n for n, record in records.items() if record.read(fingerprints.get(n))]
            raise KeyboardInterrupt(
                f'interrupted, {len(finished)} of {len(jobs)} videos are finished; the same '
                'command continues from here'
            ) from None
        if is_first_process():
            names = [name for name in order if name in results or name in failed]
            _summarize(options, names, results, failed)


def _list_jobs(
    jobs: Mapping[str, tuple[Options, ListedVideo]], records: Mapping[str, VideoRecord]
) -> None:
    """Print one line for each video: its files, and whether it is to do, done or would fail.

    Raises:
        InputError: If a video would fail.
    """
    numbers: Counter[str] = Counter()
    for name, (placed, video) in jobs.items():
        files, state, reason = str(video.video), 'would fail', ''
        try:
            options = placed.complete(video)
            require_video(options.video)
            guard_outputs(options.file_outputs, options.file_inputs, options.label_folders)
            records[name].refuse_changed_outputs()
            if labels := getattr(options, 'labels', None):
                files = f'{files} and {labels}'
            state = 'to do' if records[name].read(is_current=True) is None else 'done before'
        except (InputError, OSError) as error:
            reason = f': {explain_error(error)}'
        print(f'{placed.out}: from {files}, {state}{reason}')
        numbers[state] += 1
    print(
        f'{counted(len(jobs), "video")}: {numbers["to do"]} to do, {numbers["done before"]} done '
        'before (and done again if what they were made from has changed), '
        f'{numbers["would fail"]} would fail'
    )
    if numbers['would fail']:
        raise InputError(f'{numbers["would fail"]} of {len(jobs)} videos would fail, see above')


def _size_of(video: Path) -> int:
    """Return roughly how many bytes the pictures of a video take; 0 if it cannot be read."""
    with suppress(OSError):
        return len(os.listdir(video)) * _PICTURE_SIZE if video.is_dir() else video.stat().st_size
    return 0


def _place_all(
    options: Options, videos: Sequence[ListedVideo]
) -> dict[str, tuple[Options, ListedVideo]]:
    """Map the name of each output in the output folder to the options of its video."""
    jobs: dict[str, tuple[Options, ListedVideo]] = {}
    # The outputs of a video differ only in suffixes, and some file systems ignore case.
    taken: dict[str, Path] = {}
    for video in videos:
        placed = place_outputs(options, video, is_listed=True)
        name = Path(placed.out).relative_to(options.out)
        other = taken.setdefault(str(name.with_suffix('')).casefold(), video.video)
        if other is not video.video:
            raise InputError(
                f'{other} and {video.video} would both be written as {name}, list them in a '
                'dataset file with different names as out'
            )
        jobs[str(name)] = placed, video
    options.require_cvat_output(any(placed.writes_cvat for placed, _ in jobs.values()))
    return jobs


@dataclass(frozen=True)
class FinishedVideo:
    """The record of a finished video.

    Args:
        inputs: See :meth:`VideoOptions.fingerprint_inputs`.
        outputs: Option -> fingerprint of the file that was written.
        counts: See :class:`VideoResult`.
        advice: See :class:`VideoResult`.
        seconds: Duration of the work in seconds.
    """

    inputs: str
    outputs: dict[str, str]
    counts: dict[str, int]
    advice: list[str]
    seconds: float


class VideoRecord:
    """Record file of one of several videos, so that a finished video is not computed again.

    The record names the outputs that this command wrote; no other file is overwritten, nor an
    output that was corrected by hand.

    Args:
        path: The record file.
        outputs: Option -> file that is written.
    """

    def __init__(self, path: Path, outputs: Mapping[str, str]) -> None:
        self._path = path
        self._files = {name: Path(file) for name, file in outputs.items()}

    def read(self, inputs: str | None = None, is_current: bool = False) -> FinishedVideo | None:
        """Return the record of the finished video; None if the video is not finished.

        Args:
            inputs: If given, the video counts as finished only if it was made from these.
            is_current: Whether the outputs must exist, unchanged.
        """
        try:
            finished = FinishedVideo(**(self._content() or {}))
        except TypeError:
            return None
        if inputs not in (None, finished.inputs):
            return None
        return None if is_current and finished.outputs != self._written() else finished

    def refuse_changed_outputs(self) -> list[str]:
        """Refuse outputs that this command did not write, or that were changed since.

        Returns:
            Those of a video during which an earlier run was killed, which may be in any state.

        Raises:
            InputError: If there are others.
        """
        known = (self._content() or {}).get('outputs', {})
        changed = [name for name, text in self._written().items() if known.get(name) != text]
        if changed and (self.read() is not None or not self._path.exists()):
            how = 'was changed since it was' if changed[0] in known else 'was not'
            raise InputError(
                f'{self._files[changed[0]]} {how} written by this command, move it away or choose '
                'another folder'
            )
        return changed

    @contextmanager
    def begun(self) -> Iterator[Path | None]:
        """Record that the outputs may be in any state while the block runs.

        If the block raises before it has written anything, the old record is restored; else what it
        has written is recorded, so that it may be written again.

        Yields:
            The label file if an earlier run was killed during this video and this run, or an
            editor, may have written the file since; else None.

        Raises:
            InputError: If an output exists that this command did not write, or that was changed
                since, unless an earlier run was killed during this video.
        """
        before, written = self._content(), self._written()
        known = (before or {}).get('outputs', {})
        changed = self.refuse_changed_outputs()
        write_json(self._path, {'begun': True, 'outputs': known})
        try:
            yield self._files['out'] if 'out' in changed else None
        except BaseException:
            after = self._written()
            new = {n: content for n, content in after.items() if written.get(n) != content}
            if new:
                write_json(self._path, {'begun': True, 'outputs': {**known, **new}})
            elif after.items() <= known.items():
                if before is None:
                    self._path.unlink()
                else:
                    write_json(self._path, before)
            raise

    def finish(self, inputs: str, result: VideoResult, seconds: float) -> FinishedVideo:
        """Record that the video is finished, and return the record."""
        finished = FinishedVideo(
            inputs, self._written(), dict(result.counts), result.advice, round(seconds, 3)
        )
        write_json(self._path, asdict(finished))
        return finished

    def _content(self) -> dict[str, Any] | None:
        """Return the content of the file; None if it is missing or cannot be read."""
        try:
            content = json.loads(self._path.read_text('utf-8'))
        except (OSError, ValueError):
            return None
        is_record = isinstance(content, dict) and isinstance(content.get('outputs'), dict)
        return content if is_record else None

    def _written(self) -> dict[str, str]:
        from stdpose_mm.io.fingerprint import path_fingerprint

        return {name: path_fingerprint(path) for name, path in self._files.items() if path.exists()}


def _summarize(
    options: VideoOptions,
    names: Sequence[str],
    results: Mapping[str, tuple[FinishedVideo, bool]],
    failed: Mapping[str, str],
) -> None:
    """Print one line for each video, the requested advice, and the totals.

    Args:
        options: The options of the command.
        names: Names of the videos.
        results: Name -> its record, and whether it has just been finished.
        failed: Name -> the reason.

    Raises:
        InputError: If a video has failed.
    """
    if not options.quiet:
        _print_table(names, results, failed)
        print(f'the files are in {", ".join(options.outputs.values())}')
    for name in names:
        for line in results[name][0].advice if name in results else ():
            print(f'{name}: {line}')
    num_new = sum(is_new for _, is_new in results.values())
    if not options.quiet:
        print(
            f'{counted(len(names), "video")}: {num_new} done, {len(results) - num_new} done '
            f'before, {len(failed)} failed'
        )
    if failed:
        raise InputError(
            f'{len(failed)} of {len(names)} videos failed, see above; the same command runs only '
            'these again'
        )


def _print_table(
    names: Sequence[str],
    results: Mapping[str, tuple[FinishedVideo, bool]],
    failed: Mapping[str, str],
) -> None:
    """Print one line for each video; see :func:`_summarize`."""
    columns = list(next(iter(results.values()))[0].counts) if results else []
    widths = [max(10, len(column)) for column in columns]
    width = max(map(len, ('video', *names)))
    heads = [f'{column:>{size}}' for column, size in zip(columns, widths, strict=True)]
    print('  '.join([f'{"video":<{width}}', *heads, 'seconds']))
    for name in names:
        if name in failed:
            print(f'{name:<{width}}  failed: {failed[name]}')
            continue
        finished, is_new = results[name]
        cells = [f'{finished.counts[c]:>{size}}' for c, size in zip(columns, widths, strict=True)]
        seconds = f'{finished.seconds:7.1f}' if is_new else 'done before'
        print('  '.join([f'{name:<{width}}', *cells, seconds]))
