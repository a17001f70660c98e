"""Propagation of labels through the videos of several calibrated cameras of one scene."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.errors import InputError
from stdpose_mm.io.calibration import fit_size
from stdpose_mm.io.disk.output_guards import Output, guard_outputs
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.text import counted

from .jobs import make_jobs
from .progress import FrameProgress
from .propagation_jobs import (
    FilledVideo,
    PropagateJob,
    PropagateOptions,
    PropagationModels,
    fill_video,
    load_models,
    print_label_summary,
    write_video_outputs,
)

if TYPE_CHECKING:
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import VideoLabels

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
    starts = options.starts
    models = load_models(options, [job for job in jobs if job.files.labels is not None])
    for session, of_session in sessions.items():
        _propagate_session(options, session, of_session, models, starts)


def _scene_file(options: PropagateOptions, session: str) -> Path:
    """Return the file of the joints of a session in space."""
    return Path(options.out, f'{session}_3d.{options.format_3d}')


def _propagate_session(
    options: PropagateOptions,
    session: str,
    jobs: Sequence[PropagateJob],
    models: PropagationModels,
    starts: Mapping[str, int],
) -> None:
    """Propagate the labels of one session and write its outputs."""
    from stdpose_mm.io.labels.tables import write_scene
    from stdpose_mm.labelling.evidence.views import (
        View,
        check_views,
        combine_views,
        guess_unit,
        labelled_times,
    )

    opened = [job.open_video() for job in jobs]
    cameras = [
        fit_size(options.cameras[job.listed.video].camera, job.files.video, frames.size)
        for job, frames in zip(jobs, opened, strict=True)
    ]
    filled = _fill_videos(session, jobs, opened, models)
    scene_file = _scene_file(options, session)
    views = [
        View(camera, video.dense, starts[camera.name])
        for camera, video in zip(cameras, filled, strict=True)
    ]
    views, sentences = check_views(views)
    for sentence in sentences:
        print(f'{session}: {sentence}', file=sys.stderr)

    def propagate(number: int, labels: VideoLabels) -> VideoLabels:
        job = jobs[number]
        state = job.init_state(models.propagator, filled[number].frames, labels)
        return _fill(job, models, state).dense

    fused, scene = combine_views(views, propagate)
    with keep_edited(options.cache_folder, scene_file):
        write_scene(scene, scene_file, filled[0].frames.fps or 1, guess_unit(views))
    times = labelled_times(views)
    for video, view, dense in zip(filled, views, fused, strict=True):
        job = video.job
        parts = (job.save_video, job.report)
        with FrameProgress(len(video.frames), 1 + sum(map(bool, parts)), options.quiet) as bar:
            # A view without labels has borrowed some at all of these times.
            least = 2 if any(p.has_given_joint for p in view.labels.persons) else 1
            known = [time - view.start for time, count in times.items() if count >= least]
            result = write_video_outputs(replace(video, dense=dense, known=known), models, bar)
        advice = [f'{job.files.video.name}: {line}' for line in result.advice]
        for line in advice if options.quiet else [*result.summary, *advice]:
            print(line)
        if result.problems:
            raise InputError('; '.join(result.problems))
    if not options.quiet:
        print(
            f'{scene_file}: {counted(len(scene.people), scene.skeleton.category)} in space, '
            f'{(scene.views > 1).mean():.0%} of the joints seen by two cameras or more'
        )


def _fill(job: PropagateJob, models: PropagationModels, state: PropagationState) -> FilledVideo:
    """Propagate labels in one view, with probabilities as scores."""
    from stdpose_mm.labelling.review import calibrate_scores

    num_parts = 1 + (models.detector is not None)
    with FrameProgress(len(state.frames), num_parts, job.options.quiet) as bar:
        filled = fill_video(job, models, state, bar)
    return replace(filled, dense=calibrate_scores(filled.dense, job.options.method))


def _fill_videos(
    session: str,
    jobs: Sequence[PropagateJob],
    opened: Sequence[FrameSource],
    models: PropagationModels,
) -> list[FilledVideo]:
    """Propagate the labels of each view by itself.

    Raises:
        InputError: If the frame rates or the joints differ, or no view has labels.
    """
    from stdpose_mm.io.labels import list_all_frames
    from stdpose_mm.structures import VideoLabels

    rates = [frames.fps for frames in opened if frames.fps]
    if rates and max(rates) > (1 + _SAME_RATE) * min(rates):
        raise InputError(
            f'the videos of the session {session} have from {min(rates):.5g} to {max(rates):.5g} '
            'frames per second, but need the same: convert them'
        )
    labels = [
        None if job.files.labels is None else job.open_labels(frames)
        for job, frames in zip(jobs, opened, strict=True)
    ]
    skeletons = {of_view.skeleton.keypoint_names: of_view.skeleton for of_view in labels if of_view}
    if len(skeletons) != 1:
        fault = 'labels of different joints' if skeletons else 'no labels'
        raise InputError(
            f'the videos of the session {session} have {fault}, label the same joints in some '
            'frames of two of them'
        )
    (skeleton,) = skeletons.values()
    filled = []
    for job, frames, of_view in zip(jobs, opened, labels, strict=True):
        if of_view is None:
            nobody = list_all_frames(VideoLabels(frames.name, skeleton, frames=()), frames)
            filled.append(FilledVideo(job, frames, None, nobody))
            continue
        state = job.init_state(models.propagator, frames, of_view)
        print_label_summary(job, state, of_view)
        filled.append(_fill(job, models, state))
    return filled
