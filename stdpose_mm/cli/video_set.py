"""A command on several videos: shared among processes, resumed by video, one summary."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from stdpose_mm.cli.arguments import OUTPUTS, require_cvat_output
from stdpose_mm.cli.video_records import (
    RECORD_FOLDER,
    FinishedVideo,
    VideoRecord,
    VideoResult,
    fingerprint_inputs,
)
from stdpose_mm.constants import VIDEO_SUFFIXES, WRITE_FORMATS
from stdpose_mm.errors import InputError, explain_error, one_line
from stdpose_mm.io.outputs import keep_edited, means_folder
from stdpose_mm.io.video_list import ListedVideo, find_file_of
from stdpose_mm.processes import balanced_share, is_first_process, rank_and_count, work_together
from stdpose_mm.text import counted

Result = TypeVar('Result')

FILE_SUFFIXES = (
    *(suffix for suffixes in WRITE_FORMATS.values() for suffix in suffixes),
    *VIDEO_SUFFIXES,
    *('.html', '.htm', '.pdf'),
)
"""Suffixes of names that mean a file where a folder is expected."""


SUFFIXES = {'save_video': '.mp4', 'report': '.html'}
"""Suffixes of outputs other than labels in a folder."""


@dataclass(frozen=True)
class VideoJob:
    """Hold one of several videos with its command line.

    Args:
        video: The video, as it was listed.
        args: Its own command line.
    """

    video: ListedVideo
    args: argparse.Namespace


def make_jobs(args: argparse.Namespace, videos: Sequence[ListedVideo]) -> dict[str, VideoJob]:
    """Make the command line of each of several videos.

    An output has the name of its video, or the name from a dataset file, in the folder that
    ``args`` names.

    Args:
        args: The command line of all.
        videos: The videos.

    Returns:
        Name of the output, below the output folder -> job.

    Raises:
        InputError: If an output folder is a file, two videos have the same output, or an option is
            about outputs that there are not.
    """
    folders = _given_outputs(args)
    for option, folder in folders.items():
        if os.path.isfile(folder) or (
            not means_folder(folder) and folder.lower().endswith(FILE_SUFFIXES)
        ):
            raise InputError(
                f'--{option.replace("_", "-")} {folder} is a file, but several videos need a '
                f'folder, give one such as {Path(folder).with_suffix("")}'
            )
    jobs: dict[str, VideoJob] = {}
    # Outputs of a video differ only in suffixes, and some file systems ignore case in names.
    taken: dict[Path, Path] = {}
    for video in videos:
        name = _output_name(args, video)
        other = taken.setdefault(Path(name.casefold()).with_suffix(''), video.video)
        if other is not video.video:
            raise InputError(
                f'{other} and {video.video} would both be written as {name}, list them in a '
                'dataset file with different names as out'
            )
        own = argparse.Namespace(**vars(args))
        own.video = str(video.video)
        for option, folder in folders.items():
            vars(own)[option] = _path_in(folder, option, name)
        jobs[name] = VideoJob(video, own)
    _require_cvat_output(args, [job.args.out for job in jobs.values()])
    return jobs


def place_outputs(args: argparse.Namespace, video: ListedVideo) -> None:
    """Turn the outputs of a command on one video into paths of files.

    As with several videos, an output in a folder has the name of its video.

    Args:
        args: The command line; its outputs are replaced.
        video: The video.

    Raises:
        InputError: If an option is about outputs that there are not.
    """
    for option, given in _given_outputs(args).items():
        in_folder = means_folder(given)
        name = _output_name(args, video)
        vars(args)[option] = _path_in(given, option, name) if in_folder else Path(given)
    _require_cvat_output(args, [args.out])


def _require_cvat_output(args: argparse.Namespace, outs: Sequence[Path]) -> None:
    by_suffix = any(str(out).lower().endswith(WRITE_FORMATS['cvat']) for out in outs)
    require_cvat_output(
        args.cvat_tolerance, args.format == 'cvat' or (args.format is None and by_suffix)
    )


def _given_outputs(args: argparse.Namespace) -> dict[str, str]:
    return {option: str(vars(args)[option]) for option in OUTPUTS if vars(args).get(option)}


def _output_name(args: argparse.Namespace, video: ListedVideo) -> str:
    if video.out is not None:
        return str(video.out)
    return f'{video.name}{WRITE_FORMATS[args.format][0] if args.format else ".json"}'


def _path_in(folder: str, option: str, name: str) -> Path:
    path = Path(folder) / name
    return path.with_suffix(SUFFIXES.get(option, path.suffix))


def require_folder(option: str, path: Path | None) -> None:
    """Refuse a file where several videos need a folder with one file each.

    Raises:
        InputError: If ``path`` is given and no folder.
    """
    if path is not None and not path.is_dir():
        raise InputError(
            f'{option} {path} is no folder, but there are several videos, give the folder that '
            'holds a file for each'
        )


def require_result_folders(args: argparse.Namespace, videos: Sequence[ListedVideo]) -> None:
    """Refuse ``--pose-results`` that cannot tell the poses of one video from those of another.

    Raises:
        InputError: If they are a single file, or two videos have the same name.
    """
    for results in args.pose_results:
        require_folder('--pose-results', Path(results))
        named: dict[str, ListedVideo] = {}
        for video in videos:
            other = named.setdefault(video.name, video)
            if other is not video:
                raise InputError(
                    f'{other.video} and {video.video} have the same name, by which --pose-results '
                    f'{results} holds their poses, rename one or give each video by itself'
                )


def choose_file(video: ListedVideo, named: Path | None, given: Path | None) -> Path | None:
    """Choose the label file, or the file with boxes, of a video.

    Args:
        video: The video.
        named: The file that a dataset file names.
        given: The file that serves all videos, or the folder that holds one for each.

    Raises:
        InputError: If the folder has no file for that video, or several.
    """
    if named is None and given is not None and given.is_dir():
        return find_file_of(video, given)
    return named or given


def run_video_set(
    jobs: Mapping[str, VideoJob],
    out: Path,
    prepare: Callable[[VideoJob], None],
    work: Callable[[argparse.Namespace], VideoResult],
) -> None:
    """Work on several videos, and print one summary.

    Where processes were joined (:func:`~stdpose_mm.processes.joined_processes`), each takes a share
    with about the same number of frames; the outputs do not depend on the number of processes. A
    video whose outputs exist, made from the same inputs, is skipped. A video that fails does not
    stop the others.

    Args:
        jobs: Name of the output -> video.
        out: The output folder.
        prepare: Completes and checks the command line of a video before any work begins.
        work: Does the work of a command line.

    Raises:
        InputError: In the first process, once all others are done, if a video has failed.
        KeyboardInterrupt: After Ctrl-C, with a message.
    """
    records = {
        name: VideoRecord(out / RECORD_FOLDER / f'{name}.json', job.args)
        for name, job in jobs.items()
    }
    surveys: dict[str, _Survey] = {}
    try:
        surveys, failed = _survey(jobs, records, prepare)
        done, failed_at_work = _work(jobs, surveys, records, prepare, work)
    except KeyboardInterrupt:
        finished = sum(_is_finished(records[name], surveys.get(name)) for name in jobs)
        raise KeyboardInterrupt(
            f'interrupted, {finished} of {len(jobs)} videos are finished; the same command goes on '
            'from here'
        ) from None
    if is_first_process():
        _summarize(list(jobs), surveys, done, failed | failed_at_work)


@dataclass(frozen=True)
class _Survey:
    """Hold the state of a video before work begins.

    Args:
        inputs: See :func:`~.video_records.fingerprint_inputs`.
        num_frames: Length of the video.
        finished: The video's record if nothing is left to do, else None.
    """

    inputs: str
    num_frames: int
    finished: FinishedVideo | None


def _is_finished(record: VideoRecord, survey: _Survey | None) -> bool:
    finished = record.read()
    return finished is not None and (survey is None or survey.inputs == finished.inputs)


def _survey(
    jobs: Mapping[str, VideoJob],
    records: Mapping[str, VideoRecord],
    prepare: Callable[[VideoJob], None],
) -> tuple[dict[str, _Survey], dict[str, str]]:
    from tqdm import tqdm

    from stdpose_mm.io.video import open_frames

    def survey(name: str) -> _Survey:
        job, record = jobs[name], records[name]
        prepare(job)
        frames = open_frames(job.args.video)
        inputs = fingerprint_inputs(job.args, frames)
        if record.is_current(inputs):
            return _Survey(inputs, len(frames), record.read())
        record.refuse_foreign_outputs()
        return _Survey(inputs, len(frames), None)

    rank, num_processes = rank_and_count()
    # This may take long, since the content of every video is read.
    names = tqdm(
        list(jobs)[rank::num_processes],
        desc='checking',
        unit=' videos',
        leave=False,
        disable=not is_first_process(),
    )
    return work_together(names, partial(_do_one, survey))


def _work(
    jobs: Mapping[str, VideoJob],
    surveys: Mapping[str, _Survey],
    records: Mapping[str, VideoRecord],
    prepare: Callable[[VideoJob], None],
    work: Callable[[argparse.Namespace], VideoResult],
) -> tuple[dict[str, FinishedVideo], dict[str, str]]:
    missing = [name for name in jobs if name in surveys and surveys[name].finished is None]
    costs = [surveys[name].num_frames for name in missing]
    share = [missing[n] for n in balanced_share(costs, *rank_and_count())]

    def do(name: str) -> FinishedVideo:
        started = time.monotonic()
        unsure = records[name].find_unsure_labels()
        with records[name].begun():
            # Another process may have prepared this job before, not this one.
            prepare(jobs[name])
            with keep_edited(unsure, None) as former:
                result = work(jobs[name].args)
            result = replace(result, advice=[*former.describe(jobs[name].args.out), *result.advice])
            return records[name].finish(surveys[name].inputs, result, time.monotonic() - started)

    def do_and_tell(name: str) -> FinishedVideo:
        place = f'[{share.index(name) + 1}/{len(share)}] {name}'
        try:
            finished = _do_one(do, name)
        except InputError as error:
            print(f'{place} failed: {error}', file=sys.stderr)
            raise
        counts = ', '.join(f'{number} {what}' for what, number in finished.counts.items())
        print(f'{place}: {counts}, {finished.seconds:.1f} s', file=sys.stderr)
        return finished

    return work_together(share, do_and_tell)


def _do_one(work: Callable[[str], Result], name: str) -> Result:
    """Do the work of one video; turn errors, bugs included, into an :class:`InputError`."""
    try:
        return work(name)
    except Exception as error:
        sentence = explain_error(error)
        if sentence is None:
            traceback.print_exc()
            sentence = f'{type(error).__name__}: {one_line(error)}, a bug; its traceback is above'
        raise InputError(sentence) from error


def _summarize(
    names: Sequence[str],
    surveys: Mapping[str, _Survey],
    done: Mapping[str, FinishedVideo],
    failed: Mapping[str, str],
) -> None:
    """Print a line for each video, the requested advice, and the sum.

    Raises:
        InputError: If a video has failed.
    """
    before = {name: one.finished for name, one in surveys.items() if one.finished is not None}
    finished = {**before, **done}
    columns = list(next(iter(finished.values())).counts) if finished else []
    width = max(len('video'), *map(len, names))
    print('  '.join([f'{"video":<{width}}', *(f'{column:>10}' for column in columns), 'seconds']))
    for name in names:
        if name in failed:
            print(f'{name:<{width}}  failed: {failed[name]}')
            continue
        one = finished[name]
        cells = [f'{one.counts[column]:>10}' for column in columns]
        seconds = 'done before' if name in before else f'{one.seconds:7.1f}'
        print('  '.join([f'{name:<{width}}', *cells, seconds]))
    for name in names:
        if name in finished:
            for line in finished[name].advice:
                print(f'{name}: {line}')
    print(
        f'{counted(len(names), "video")}: {len(done)} done, {len(before)} done before, '
        f'{len(failed)} failed'
    )
    if failed:
        raise InputError(
            f'{len(failed)} of {len(names)} videos failed, see above; the same command does them '
            'again, and no other'
        )
