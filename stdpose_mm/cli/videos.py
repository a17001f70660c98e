"""Commands on one or several jobs: shared work, records of finished ones, the summary."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stdpose_mm.errors import InputError, explain_error, one_line
from stdpose_mm.io import write_json
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.processes import (
    is_first_process,
    joined_processes,
    rank_and_count,
    tasks_of_process,
    work_together,
)
from stdpose_mm.text import counted

from .jobs import DenseJob, DenseOptions, Job, VideoOptions

if TYPE_CHECKING:
    from stdpose_mm.detection import PersonDetector

RECORD_FOLDER = '.stdpose'
"""Hidden folder for the records, in the output folder."""

_PICTURE_SIZE = 100_000
"""Size of a picture in bytes, roughly, to compare folders of pictures with video files."""


@dataclass(frozen=True, kw_only=True)
class CommandModels:
    """The networks of a command, used for all its videos.

    Args:
        detector: The person detector; None without one.
        learned: Files of networks that were trained on the labels of the videos and are used.
    """

    detector: PersonDetector | None = None
    learned: Sequence[Path] = ()


Work = TypeVar('Work', bound=Job)
Models = TypeVar('Models', bound=CommandModels)


@dataclass(frozen=True)
class VideoResult:
    """The result of a job.

    Args:
        counts: Name -> number, for the summary of several jobs.
        summary: Lines on what was written, and the advice.
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


def run_videos(
    options: DenseOptions,
    jobs: Sequence[Work],
    load: Callable[[DenseOptions, Sequence[Any]], Models],
    work: Callable[[Work, Models], VideoResult],
) -> None:
    """Do one job, or several as :func:`_run_several` does, and print what was done.

    Args:
        options: The options of the command.
        jobs: Its jobs.
        load: Loads networks for the videos of all jobs before the first of them, so that errors
            that affect all videos appear first.
        work: Does one of the jobs.

    Raises:
        InputError: If an output cannot be written or belongs to two videos, an option is about
            outputs that are not written, or the work cannot be done.
        KeyboardInterrupt: After Ctrl-C, with a message.
    """
    if options.several_jobs:
        named = {str(Path(job.out).relative_to(options.out)): job for job in jobs}
        _run_several(options, named, load, work)
        return
    (job,) = jobs
    job.check()
    result = work(job, load(options, job.views))
    for line in result.advice if options.quiet else result.summary:
        print(line)
    if result.problems:
        raise InputError('; '.join(result.problems))
    if result.incomplete is not None:
        raise KeyboardInterrupt(result.incomplete)


def _run_several(
    options: DenseOptions,
    jobs: Mapping[str, Work],
    load: Callable[[DenseOptions, Sequence[Any]], Models],
    work: Callable[[Work, Models], VideoResult],
) -> None:
    """Do several jobs and print one summary; see :func:`run_videos`.

    If a launcher started several processes, or for ``--shard``, each process takes a share of about
    the same size; the outputs do not depend on the number of processes. A job is skipped if its
    outputs exist and were made from the same inputs. A job that fails does not stop the others; it
    is an error after all are done, with a launcher in the first process.
    """
    from stdpose_mm.io.fingerprint import fingerprint
    from stdpose_mm.io.video import open_frames

    records = {
        name: VideoRecord(Path(options.out, RECORD_FOLDER, f'{name}.json'), job.outputs)
        for name, job in jobs.items()
    }
    if options.dry_run:
        _list_jobs(jobs, records, options.job_noun)
        return
    # All processes of a launcher look at the records before the first of them starts to work.
    # Processes of other shards may be at work.
    costs = [
        1 if options.shard is None and records[name].read() else sum(map(_size_of, job.views))
        for name, job in jobs.items()
    ]
    problems: dict[str, Exception] = {}
    fingerprints: dict[str, str] = {}

    def run(name: str) -> tuple[FinishedVideo, bool]:
        """Return the record of a job, and whether it has just been finished."""
        started = time.monotonic()
        if name in problems:
            raise problems[name]
        job, record = jobs[name], records[name]
        inputs = [
            view.fingerprint_inputs(open_frames(view.files.video), models.learned)
            for view in job.views
        ]
        fingerprints[name] = fingerprint(inputs)
        if finished := record.read(fingerprints[name], is_current=True):
            return finished, False
        with record.begun() as unsure:
            with keep_edited(None, *unsure):
                result = work(job, models)
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
        order = list(jobs)
        share = [order[n] for n in tasks_of_process(costs, *(options.shard or rank_and_count()))]
        for name in share:
            try:
                jobs[name].check()
            except (InputError, OSError) as error:
                problems[name] = error
        models = load(options, [view for job in jobs.values() for view in job.views])
        if options.listed.note is not None and is_first_process():
            print(options.listed.note, file=sys.stderr)
        try:
            results, failed = work_together(share, run_and_report)
        except KeyboardInterrupt:
            finished = [n for n, record in records.items() if record.read(fingerprints.get(n))]
            raise KeyboardInterrupt(
                f'interrupted, {len(finished)} of {len(jobs)} {options.job_noun}s are finished; '
                'the same command continues from here'
            ) from None
        if is_first_process():
            names = [name for name in order if name in results or name in failed]
            _summarize(options, names, results, failed)


def _list_jobs(jobs: Mapping[str, Work], records: Mapping[str, VideoRecord], noun: str) -> None:
    """Print one line for each job: its files, and whether it is to do, done or would fail.

    Raises:
        InputError: If a job would fail.
    """
    numbers: Counter[str] = Counter()
    for name, job in jobs.items():
        files, state, reason = [str(view.listed.video) for view in job.views], 'would fail', ''
        try:
            job.check(fetches=False)
            records[name].refuse_changed_outputs()
            labels = [view.files.labels for view in job.views]
            files = [f'{v} and {of}' if of else v for v, of in zip(files, labels, strict=True)]
            state = 'to do' if records[name].read(is_current=True) is None else 'done before'
        except (InputError, OSError) as error:
            reason = f': {explain_error(error)}'
        print(f'{job.out}: from {", ".join(files)}, {state}{reason}')
        numbers[state] += 1
    print(
        f'{counted(len(jobs), noun)}: {numbers["to do"]} to do, {numbers["done before"]} done '
        'before (and done again if what they were made from has changed), '
        f'{numbers["would fail"]} would fail'
    )
    if numbers['would fail']:
        raise InputError(f'{numbers["would fail"]} of {len(jobs)} {noun}s would fail, see above')


def _size_of(view: DenseJob[Any]) -> int:
    """Return roughly how many bytes the pictures of a video take; 0 if it cannot be read."""
    video = view.listed.video
    with suppress(OSError):
        return len(os.listdir(video)) * _PICTURE_SIZE if video.is_dir() else video.stat().st_size
    return 0


@dataclass(frozen=True)
class FinishedVideo:
    """The record of a finished job.

    Args:
        inputs: Fingerprint, see :meth:`~stdpose_mm.cli.jobs.VideoJob.fingerprint_inputs`.
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
    """Record file of one of several jobs, so that what is finished is not computed again.

    The record names the outputs that this command wrote; no other file is overwritten, nor an
    output that was corrected by hand.

    Args:
        path: The record file.
        outputs: See :attr:`~stdpose_mm.cli.jobs.Job.outputs`.
    """

    def __init__(self, path: Path, outputs: Mapping[str, str]) -> None:
        self._path = path
        self._files = {name: Path(file) for name, file in outputs.items()}

    def read(self, inputs: str | None = None, is_current: bool = False) -> FinishedVideo | None:
        """Return the record of the finished job; None if the job is not finished.

        Args:
            inputs: If given, the job counts as finished only if it was made from these.
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
            Those of a job during which an earlier run was killed, which may be in any state.

        Raises:
            InputError: If there are others.
        """
        recorded = (self._content() or {}).get('outputs', {})
        changed = [name for name, text in self._written().items() if recorded.get(name) != text]
        if changed and (self.read() is not None or not self._path.exists()):
            how = 'was changed since it was' if changed[0] in recorded else 'was not'
            raise InputError(
                f'{self._files[changed[0]]} {how} written by this command, move it away or choose '
                'another folder'
            )
        return changed

    @contextmanager
    def begun(self) -> Iterator[list[Path]]:
        """Record that the outputs may be in any state while the block runs.

        If the block raises before it has written anything, the old record is restored; else what it
        has written is recorded, so that it may be written again.

        Yields:
            Label files that an earlier run, which was killed during this job, or an editor may have
            written since.

        Raises:
            InputError: If an output exists that this command did not write, or that was changed
                since, unless an earlier run was killed during this job.
        """
        before, written = self._content(), self._written()
        recorded = (before or {}).get('outputs', {})
        changed = self.refuse_changed_outputs()
        write_json(self._path, {'begun': True, 'outputs': recorded})
        try:
            yield [self._files[name] for name in changed if name.startswith('out')]
        except BaseException:
            after = self._written()
            new = {n: content for n, content in after.items() if written.get(n) != content}
            if new:
                write_json(self._path, {'begun': True, 'outputs': {**recorded, **new}})
            elif after.items() <= recorded.items():
                if before is None:
                    self._path.unlink()
                else:
                    write_json(self._path, before)
            raise

    def finish(self, inputs: str, result: VideoResult, seconds: float) -> FinishedVideo:
        """Record that the job is finished, and return the record."""
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
    """Print one line for each job, the requested advice, and the totals.

    Args:
        options: The options of the command.
        names: Names of the jobs.
        results: Name -> its record, and whether it has just been finished.
        failed: Name -> the reason.

    Raises:
        InputError: If a job has failed.
    """
    if not options.quiet:
        _print_table(options.job_noun, names, results, failed)
        print(f'the files are in {", ".join(options.outputs.values())}')
    for name in names:
        for line in results[name][0].advice if name in results else ():
            print(f'{name}: {line}')
    num_new = sum(is_new for _, is_new in results.values())
    if not options.quiet:
        print(
            f'{counted(len(names), options.job_noun)}: {num_new} done, '
            f'{len(results) - num_new} done before, {len(failed)} failed'
        )
    if failed:
        raise InputError(
            f'{len(failed)} of {len(names)} {options.job_noun}s failed, see above; the same '
            'command runs only these again'
        )


def _print_table(
    noun: str,
    names: Sequence[str],
    results: Mapping[str, tuple[FinishedVideo, bool]],
    failed: Mapping[str, str],
) -> None:
    """Print one line for each job; see :func:`_summarize`."""
    columns = list(next(iter(results.values()))[0].counts) if results else []
    widths = [max(10, len(column)) for column in columns]
    width = max(map(len, (noun, *names)))
    heads = [f'{column:>{size}}' for column, size in zip(columns, widths, strict=True)]
    print('  '.join([f'{noun:<{width}}', *heads, 'seconds']))
    for name in names:
        if name in failed:
            print(f'{name:<{width}}  failed: {failed[name]}')
            continue
        finished, is_new = results[name]
        cells = [f'{finished.counts[c]:>{size}}' for c, size in zip(columns, widths, strict=True)]
        seconds = f'{finished.seconds:7.1f}' if is_new else 'done before'
        print('  '.join([f'{name:<{width}}', *cells, seconds]))
