"""Propagation of labels through the videos of several calibrated cameras of one scene."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stdpose_mm.errors import InputError
from stdpose_mm.io.calibration import require_size
from stdpose_mm.io.disk.output_guards import Output, guard_outputs
from stdpose_mm.text import counted

from .jobs import make_jobs
from .progress import FrameProgress
from .propagate import (
    FilledVideo,
    PropagateJob,
    PropagateOptions,
    PropagationModels,
    fill_video,
    load_models,
    print_label_summary,
    write_video_outputs,
)

_SAME_RATE = 0.01
"""Largest relative difference of frame rates that count as the same."""


def propagate_views(options: PropagateOptions) -> None:
    """Propagate the labels of each view, then let the views of each session help each other.

    Raises:
        InputError: If something that was given cannot be used; no output of a session is written
            then.
    """
    jobs = make_jobs(options, PropagateJob, 'rename one')
    sessions: dict[str, list[PropagateJob]] = {}
    for job in jobs:
        job.check()
        sessions.setdefault(options.cameras[job.listed.video].session, []).append(job)
    guard_outputs(
        [Output('--format-3d', _scene_file(options, session)) for session in sessions],
        {'--calibration': options.calibration},
    )
    starts = _read_offsets(options)
    models = load_models(options, [job for job in jobs if job.files.labels is not None])
    for session, of_session in sessions.items():
        _propagate_session(options, session, of_session, models, starts)


def _scene_file(options: PropagateOptions, session: str) -> Path:
    """Return the file of the joints of a session in space."""
    return Path(options.out, f'{session}_3d.{options.format_3d}')


def _read_offsets(options: PropagateOptions) -> dict[str, int]:
    """Read how many frames later each camera started.

    Raises:
        InputError: If an offset is no whole number, or of no camera.
    """
    starts = {pair.camera.name: 0 for pair in options.cameras.values()}
    for text in options.offset:
        name, _, frames = text.rpartition('=')
        if name not in starts or not frames.removeprefix('-').isdecimal():
            raise InputError(
                f'--offset {text} is not a camera and a whole number of frames, give one such as '
                f'{next(iter(starts))}=12'
            )
        starts[name] = int(frames)
    return starts


def _propagate_session(
    options: PropagateOptions,
    session: str,
    jobs: Sequence[PropagateJob],
    models: PropagationModels,
    starts: dict[str, int],
) -> None:
    """Propagate the labels of one session and write its outputs."""
    from stdpose_mm.io.labels.tables import write_scene
    from stdpose_mm.labelling.evidence.views import (
        View,
        fuse_views,
        guess_unit,
        match_people,
        view_warnings,
    )
    from stdpose_mm.labelling.review import calibrate_scores

    filled = _fill_videos(options, session, jobs, models)
    views = []
    for video in filled:
        camera = options.cameras[video.job.listed.video].camera
        dense = video.dense
        views.append(View(camera, calibrate_scores(dense, options.method), starts[camera.name]))
    scene_file = _scene_file(options, session)
    people = match_people(views)
    for sentence in view_warnings(views, people):
        print(f'{session}: {sentence}', file=sys.stderr)
    fused, scene = fuse_views(views, people)
    write_scene(scene, scene_file, filled[0].frames.fps or 1, guess_unit(views))
    for video, dense in zip(filled, fused, strict=True):
        job = video.job
        parts = (job.save_video, job.report)
        with FrameProgress(len(video.frames), 1 + sum(map(bool, parts)), options.quiet) as bar:
            result = write_video_outputs(replace(video, dense=dense), models, bar)
        for line in result.advice if options.quiet else [*result.summary, *result.advice]:
            print(line)
        if result.problems:
            raise InputError('; '.join(result.problems))
    if not options.quiet:
        known = (scene.views > 1).mean()
        print(
            f'{scene_file}: {counted(len(scene.people), scene.skeleton.category)} in space, '
            f'{known:.0%} of the joints seen by two cameras or more'
        )


def _fill_videos(
    options: PropagateOptions,
    session: str,
    jobs: Sequence[PropagateJob],
    models: PropagationModels,
) -> list[FilledVideo]:
    """Propagate the labels of each view by itself.

    Raises:
        InputError: If a video has another size than its camera, the frame rates or the joints
            differ, or no view has labels.
    """
    from stdpose_mm.io.labels import list_all_frames
    from stdpose_mm.structures import VideoLabels

    opened = [(job, job.open_video()) for job in jobs]
    rates = {job.files.video: frames.fps for job, frames in opened if frames.fps}
    for job, frames in opened:
        camera = options.cameras[job.listed.video].camera
        require_size(camera, job.files.video, frames.size)
    if rates and max(rates.values()) > (1 + _SAME_RATE) * min(rates.values()):
        listed = ', '.join(f'{video} has {rate:.5g}' for video, rate in rates.items())
        raise InputError(
            f'the videos of one session need the same frame rate, but {listed}: convert them'
        )
    filled: list[FilledVideo | None] = []
    for job, frames in opened:
        if job.files.labels is None:
            filled.append(None)
            continue
        labels = job.open_labels(frames)
        state = job.init_state(models.propagator, frames, labels)
        print_label_summary(job, state, labels)
        num_parts = 1 + (models.detector is not None)
        with FrameProgress(len(frames), num_parts, options.quiet) as bar:
            filled.append(fill_video(job, models, state, bar))
    labelled = [video for video in filled if video is not None]
    if not labelled:
        raise InputError(f'no video of the session {session} has labels, label some frames')
    skeleton = labelled[0].dense.skeleton
    for video in labelled:
        if video.dense.skeleton.keypoint_names != skeleton.keypoint_names:
            raise InputError(
                f'{video.job.files.labels} and {labelled[0].job.files.labels} have different '
                'joints, label the same joints in all views'
            )
    return [
        video
        or FilledVideo(
            job,
            frames,
            None,
            list_all_frames(VideoLabels(frames.name, skeleton, frames=()), frames),
        )
        for (job, frames), video in zip(opened, filled, strict=True)
    ]
